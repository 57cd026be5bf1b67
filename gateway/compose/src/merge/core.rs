//! Directives that reach the supergraph through a specification it links: those composition knows, where
//! some subgraph uses them, and custom ones that subgraphs ask for by `@composeDirective`.

use std::collections::BTreeMap;

use super::sources::Sources;
use super::{Merger, frame, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::links::{CORE_SPECS, CoreSpec, Link, definition};
use crate::model::{Directive, DirectiveDef, Kind, Name, Role, TypeDef, Value};
use crate::subgraph::{Subgraph, each_directive, is_authorization};

/// A custom directive that a subgraph wants composed.
struct Request<'a> {
    subgraph: &'a Subgraph,
    index: usize,
    /// What the subgraph calls it.
    local: Name,
    link: &'a Link,
    name_in_spec: Name,
    definition: &'a DirectiveDef,
}

impl<'a> Merger<'a> {
    pub(super) fn merge_core(&mut self) {
        for spec in &CORE_SPECS {
            self.merge_core_spec(spec);
        }
        let requests = self.requests();
        self.check_requests(&requests);
        self.merge_custom(&requests);
    }

    fn merge_core_spec(&mut self, spec: &CoreSpec) {
        let mut imports = Vec::new();
        let mut used = false;
        let main = spec.identity.rsplit('/').next().unwrap_or_default();
        let mut definitions: Vec<(&str, Name)> = Vec::new();
        for &(name, role) in spec.directives {
            let default: Name = if name == main { name.into() } else { format!("{main}__{name}").into() };
            match self.name_used(name, role) {
                Some(local) => {
                    used = true;
                    // A gateway that reads names, not imports, must not overlook a guard.
                    let local = if is_guard(role) { name.into() } else { local };
                    self.composed.core.insert(role, local.clone());
                    if local != default {
                        imports.push(import(name, &local));
                    }
                    definitions.push((name, local));
                }
                None => definitions.push((name, default)),
            }
        }
        if !used {
            return;
        }
        let mut link = frame::link(&format!("{}/{}", spec.identity, spec.version), spec.purpose);
        if !imports.is_empty() {
            link.arguments.push(("import".into(), Value::List(imports)));
        }
        self.supergraph.directives.push(link);
        for (name, local) in definitions {
            let definition = definition(name).expect("every core directive is defined");
            self.add_core_definition(definition, local);
        }
    }

    fn add_core_definition(&mut self, definition: &DirectiveDef, name: Name) {
        for argument in definition.arguments.values().filter(|a| a.ty.base().contains("__")) {
            let scalar = argument.ty.base().clone();
            self.supergraph.types.insert(scalar.clone(), TypeDef::new(scalar, Kind::Scalar));
        }
        let definition = DirectiveDef { name: name.clone(), ..definition.clone() };
        self.supergraph.directive_defs.insert(name, definition);
    }

    /// What the subgraphs that use a directive call it; `None` where none does. One that is not imported
    /// has no name of its own.
    fn name_used(&mut self, name: &str, role: Role) -> Option<Name> {
        let mut names: BTreeMap<Name, Vec<&str>> = BTreeMap::new();
        for subgraph in self.subgraphs {
            let mut used: Option<Name> = None;
            each_directive(&subgraph.schema, &mut |d: &Directive| {
                if d.role == role {
                    used.get_or_insert_with(|| d.name.clone());
                }
            });
            if let Some(local) = used {
                let local = if local.contains("__") { name.into() } else { local };
                names.entry(local).or_default().push(&subgraph.name);
            }
        }
        if names.len() > 1 {
            let stated: Vec<String> =
                names.iter().map(|(name, subgraphs)| format!("@{name} in {}", listed(subgraphs))).collect();
            let message = format!("@{name} is imported by different names: {}", stated.join(", "));
            let error = CompositionError::new(ErrorCode::LinkImportNameMismatch, message);
            self.errors.push(error.at(format!("@{name}")).within(names.values().flatten().copied()));
        }
        names.into_keys().next()
    }

    fn requests(&mut self) -> Vec<Request<'a>> {
        let mut requests = Vec::new();
        for (index, subgraph) in self.subgraphs.iter().enumerate() {
            for directive in subgraph.schema.directives.iter().filter(|d| d.role == Role::ComposeDirective) {
                match request(subgraph, index, directive) {
                    Ok(Some(request)) => requests.push(request),
                    Ok(None) => {}
                    Err(message) => {
                        let error = CompositionError::new(ErrorCode::DirectiveCompositionError, message);
                        self.errors.push(error.within([subgraph.name.as_str()]));
                    }
                }
            }
        }
        requests
    }

    /// The same name must mean the same directive everywhere, and the same directive have one name.
    fn check_requests(&mut self, requests: &[Request<'a>]) {
        for (i, a) in requests.iter().enumerate() {
            for b in &requests[i + 1..] {
                let same_spec = a.link.url.identity == b.link.url.identity;
                let conflict = if same_spec && a.link.url.version.major != b.link.url.version.major {
                    format!(
                        "`{}` is linked in versions {} and {}",
                        a.link.url.identity, a.link.url.version, b.link.url.version
                    )
                } else if same_spec && a.name_in_spec == b.name_in_spec && a.local != b.local {
                    format!("@{} is composed under two names, @{} and @{}", a.name_in_spec, a.local, b.local)
                } else if a.local == b.local && (!same_spec || a.name_in_spec != b.name_in_spec) {
                    format!(
                        "@{} stands for two directives, of `{}` and `{}`",
                        a.local, a.link.url.identity, b.link.url.identity
                    )
                } else {
                    continue;
                };
                let mut names = vec![a.subgraph.name.as_str(), b.subgraph.name.as_str()];
                names.dedup();
                let message = format!("{conflict} ({})", listed(&names));
                let error = CompositionError::new(ErrorCode::DirectiveCompositionError, message);
                self.errors.push(error.at(format!("@{}", a.local)).within(names));
            }
        }
    }

    fn merge_custom(&mut self, requests: &[Request<'a>]) {
        // By specification, in the order of first request.
        let mut specs: Vec<(&str, Vec<&Request<'a>>)> = Vec::new();
        for request in requests {
            let identity = request.link.url.identity.as_str();
            match specs.iter_mut().find(|(known, _)| *known == identity) {
                Some((_, all)) => all.push(request),
                None => specs.push((identity, vec![request])),
            }
            self.composed.custom[request.index].insert(request.local.clone());
        }
        for (_, requests) in specs {
            let newest = requests.iter().map(|r| &r.link.url).max_by_key(|url| url.version);
            let mut directive = frame::link(&newest.map(ToString::to_string).unwrap_or_default(), None);
            let mut imports: Vec<Value> = Vec::new();
            for request in &requests {
                let imported =
                    request.link.imports.iter().any(|i| i.local().strip_prefix('@') == Some(&*request.local));
                let import = import(&request.name_in_spec, &request.local);
                if imported && !imports.contains(&import) {
                    imports.push(import);
                }
            }
            if !imports.is_empty() {
                directive.arguments.push(("import".into(), Value::List(imports)));
            }
            self.supergraph.directives.push(directive);
            self.define_custom(&requests);
        }
    }

    /// The definition that the newest version of a specification gives; of equals, the last.
    fn define_custom(&mut self, requests: &[&Request<'a>]) {
        for request in requests {
            let same = requests.iter().filter(|r| r.local == request.local);
            let Some(newest) = same.max_by_key(|r| r.link.url.version) else { continue };
            let mut definition = newest.definition.clone();
            for (name, argument) in &mut definition.arguments {
                let source = Sources::of(self.subgraphs, |s| {
                    let chosen = s.name == newest.subgraph.name;
                    newest.definition.arguments.get(name).filter(|_| chosen)
                });
                argument.directives.clear();
                self.merge_applied(&source, &mut argument.directives);
            }
            if definition.repeatable {
                self.composed.repeatable.insert(request.local.clone());
            }
            self.supergraph.directive_defs.insert(request.local.clone(), definition);
        }
    }
}

/// The directive keeps clients from something.
fn is_guard(role: Role) -> bool {
    is_authorization(role) || role == Role::Inaccessible
}

/// `None` for a directive that is composed anyway.
fn request<'a>(
    subgraph: &'a Subgraph,
    index: usize,
    directive: &Directive,
) -> Result<Option<Request<'a>>, String> {
    let name = directive.argument("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| format!("@{} needs the `name:` of a directive", directive.name))?;
    let local =
        name.strip_prefix('@').ok_or_else(|| format!("`{name}` is no directive: names begin with `@`"))?;
    match subgraph.links.role(local) {
        Role::Custom => {}
        Role::Tag
        | Role::Inaccessible
        | Role::Authenticated
        | Role::RequiresScopes
        | Role::Policy
        | Role::Cost
        | Role::ListSize
        | Role::Deprecated
        | Role::SpecifiedBy => return Ok(None),
        Role::CacheTag
        | Role::ComposeDirective
        | Role::Context
        | Role::Extends
        | Role::External
        | Role::FromContext
        | Role::InterfaceObject
        | Role::Key
        | Role::Link
        | Role::Override
        | Role::Provides
        | Role::Requires
        | Role::Shareable => return Err(format!("@{local} cannot be composed: it speaks to the composer")),
    }
    let definition = subgraph.schema.directive_defs.get(local);
    let definition = definition.ok_or_else(|| format!("@{local} cannot be composed: it is not defined"))?;
    let link = subgraph.links.link_of(local);
    let link = link.ok_or_else(|| format!("@{local} cannot be composed: no @link brings it"))?;
    let name_in_spec = link.directive_in_spec(local).unwrap_or_else(|| local.into());
    Ok(Some(Request { subgraph, index, local: local.into(), link, name_in_spec, definition }))
}

/// An entry of `import:`.
fn import(name: &str, local: &str) -> Value {
    if name == local {
        return Value::string(format!("@{name}"));
    }
    Value::Object(vec![
        ("name".into(), Value::string(format!("@{name}"))),
        ("as".into(), Value::string(format!("@{local}"))),
    ])
}
