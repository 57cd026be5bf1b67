//! `@link`: which specifications a subgraph uses, and by what names it calls their elements.

mod spec;
mod url;

use std::collections::HashMap;

use crate::errors::{ErrorCode, Fault};
use crate::model::{Directive, Name, Role, Schema, Value};
pub(crate) use spec::{
    CORE_SPECS, CoreSpec, FEDERATION_TYPES, INTERFACE_KEY_SINCE, LABEL_SINCE, NEWEST_FEDERATION, definition,
    federation_directives,
};
pub(crate) use url::{SpecUrl, Version};

pub(crate) const FEDERATION: &str = "https://specs.apollo.dev/federation";
const LINK: &str = "https://specs.apollo.dev/link";
const LINK_VERSION: Version = Version::new(1, 0);

/// One application of `@link`.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub url: SpecUrl,
    pub alias: Option<Name>,
    pub imports: Vec<Import>,
}

/// One element of `import:`; directives keep their `@`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub name: Name,
    pub alias: Option<Name>,
}

impl Import {
    pub(crate) fn local(&self) -> &Name {
        self.alias.as_ref().unwrap_or(&self.name)
    }
}

impl Link {
    /// The prefix of elements that are not imported.
    pub(crate) fn namespace(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.url.name)
    }

    /// What this document calls `@directive` of the linked specification, without the `@`.
    pub(crate) fn local_directive(&self, directive: &str) -> Name {
        let imported = self.imports.iter().find(|i| i.name.strip_prefix('@') == Some(directive));
        if let Some(import) = imported {
            import.local().trim_start_matches('@').into()
        } else if *self.url.name == *directive {
            // A specification's main directive bears its name.
            self.namespace().into()
        } else {
            format!("{}__{directive}", self.namespace()).into()
        }
    }

    /// What this document calls a type of the linked specification.
    fn local_type(&self, ty: &str) -> Name {
        match self.imports.iter().find(|i| *i.name == *ty) {
            Some(import) => import.local().clone(),
            None => format!("{}__{ty}", self.namespace()).into(),
        }
    }

    /// What the specification calls the directive that this document calls `@local`.
    pub(crate) fn directive_in_spec(&self, local: &str) -> Option<Name> {
        let import = self.imports.iter().find(|i| i.local().strip_prefix('@') == Some(local));
        if let Some(import) = import {
            return Some(import.name.trim_start_matches('@').into());
        }
        if self.namespace() == local {
            return Some(self.url.name.clone());
        }
        local.strip_prefix(self.namespace())?.strip_prefix("__").map(Name::from)
    }
}

/// What a subgraph calls a directive that has a role.
#[derive(Clone, Debug)]
struct Known {
    role: Role,
    /// Name in its specification.
    name: &'static str,
}

/// The links of one subgraph, resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    pub links: Vec<Link>,
    /// Version of the federation specification; `None` for a subgraph of federation 1.
    pub federation: Option<Version>,
    directives: HashMap<Name, Known>,
    /// Types of the specifications, by what the document calls them.
    types: Vec<Name>,
}

impl Links {
    pub(crate) fn role(&self, directive: &str) -> Role {
        match directive {
            "deprecated" => Role::Deprecated,
            "specifiedBy" => Role::SpecifiedBy,
            _ => self.directives.get(directive).map_or(Role::Custom, |known| known.role),
        }
    }

    /// The name in its specification of a directive that has a role through a link.
    pub(crate) fn name_in_spec(&self, directive: &str) -> Option<&'static str> {
        self.directives.get(directive).map(|known| known.name)
    }

    pub(crate) fn is_federation_1(&self) -> bool {
        self.federation.is_none()
    }

    /// The type belongs to the link or federation specification.
    pub(crate) fn is_spec_type(&self, name: &str) -> bool {
        self.types.iter().any(|t| **t == *name)
    }

    /// The link that brings the directive `@name`.
    pub(crate) fn link_of(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.directive_in_spec(name).is_some())
    }
}

/// Reads the links of a schema.
pub(crate) fn resolve(schema: &Schema) -> Result<Links, Vec<Fault>> {
    let link_name = link_directive_name(schema);
    let mut links: Vec<Link> = Vec::new();
    let mut faults = Vec::new();
    for directive in schema.directives.iter().filter(|d| d.name == link_name) {
        match read_link(directive) {
            Ok(link) => {
                check_link(&link, &links, directive, &mut faults);
                links.push(link);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let federation = links.iter().find(|l| l.url.identity == FEDERATION);
    let mut resolved = Links { federation: federation.map(|l| l.url.version), ..Links::default() };
    resolved.types.extend(["link__Import", "link__Purpose"].map(Name::from));
    resolved.directives.insert(link_name, Known { role: Role::Link, name: "link" });
    match federation {
        Some(link) => {
            for directive in federation_directives().iter().filter(|d| d.since <= link.url.version) {
                let known = Known { role: directive.role, name: directive.name };
                resolved.directives.insert(link.local_directive(directive.name), known);
            }
            resolved.types.extend(FEDERATION_TYPES.iter().map(|(ty, _)| link.local_type(ty)));
        }
        None => {
            // A subgraph of federation 1 gets a newer directive by defining it.
            let defined = |name: &str| schema.directive_defs.contains_key(name);
            for directive in federation_directives().iter().filter(|d| d.in_federation_1 || defined(d.name)) {
                let known = Known { role: directive.role, name: directive.name };
                resolved.directives.insert(directive.name.into(), known);
            }
        }
    }
    for link in &links {
        for &(name, role) in spec::directives_of(&link.url.identity) {
            resolved.directives.insert(link.local_directive(name), Known { role, name });
        }
    }
    resolved.links = links;
    Ok(resolved)
}

fn check_link(link: &Link, before: &[Link], at: &Directive, faults: &mut Vec<Fault>) {
    let mut fault = |code, message: String| faults.push(Fault::new(code, message, at.pos));
    if before.iter().any(|l| l.url.identity == link.url.identity) {
        let message =
            format!("`{}` is linked more than once; keep one @link with all its imports", link.url.identity);
        fault(ErrorCode::InvalidLinkDirectiveUsage, message);
    }
    for import in &link.imports {
        if import.name.starts_with('@') != import.local().starts_with('@') {
            let message = format!(
                "cannot import `{}` as `{}`: both or neither must begin with `@`",
                import.name,
                import.local()
            );
            fault(ErrorCode::InvalidLinkDirectiveUsage, message);
        }
    }
    if link.url.identity == LINK && link.url.version != LINK_VERSION {
        let message = format!(
            "version {} of the link specification is unknown; expected {LINK_VERSION}",
            link.url.version
        );
        fault(ErrorCode::UnknownLinkVersion, message);
    }
    let known = [FEDERATION, LINK].contains(&link.url.identity.as_str())
        || CORE_SPECS.iter().any(|spec| spec.identity == link.url.identity);
    if let (false, Some(Value::Enum(purpose))) = (known, at.argument("for")) {
        let message =
            format!("`{}` is linked for {purpose}, which needs a composer that knows it", link.url.identity);
        fault(ErrorCode::UnsupportedLinkedFeature, message);
    }
    if link.url.identity != FEDERATION {
        return;
    }
    let version = link.url.version;
    if version.major != NEWEST_FEDERATION.major || version > NEWEST_FEDERATION {
        let message = format!(
            "version {version} of the federation specification is unknown; expected v2.0 to {NEWEST_FEDERATION}"
        );
        return fault(ErrorCode::UnknownFederationLinkVersion, message);
    }
    for import in &link.imports {
        let known = match import.name.strip_prefix('@') {
            Some(name) => {
                name == "link" || federation_directives().iter().any(|d| d.name == name && d.since <= version)
            }
            None => {
                FEDERATION_TYPES.iter().any(|(ty, minor)| *import.name == **ty && *minor <= version.minor)
            }
        };
        if !known {
            let message =
                format!("cannot import `{}`: federation {version} has no such element", import.name);
            fault(ErrorCode::InvalidLinkDirectiveUsage, message);
        }
    }
}

/// `@link` may itself be linked under another name.
fn link_directive_name(schema: &Schema) -> Name {
    let itself = schema.directives.iter().filter_map(|d| Some((d, read_link(d).ok()?)));
    let itself = itself
        .filter(|(d, link)| link.url.identity == LINK && link.local_directive("link") == d.name)
        .map(|(d, _)| d.name.clone())
        .next();
    itself.unwrap_or_else(|| "link".into())
}

fn read_link(directive: &Directive) -> Result<Link, Fault> {
    let invalid = |message: String| Fault::new(ErrorCode::InvalidLinkDirectiveUsage, message, directive.pos);
    let url = directive.argument("url").and_then(Value::as_str);
    let url = url.ok_or_else(|| invalid("@link needs a `url:` that is a string".into()))?;
    let url = SpecUrl::parse(url)
        .map_err(|e| Fault::new(ErrorCode::InvalidLinkIdentifier, e.to_string(), directive.pos))?;
    let alias = directive.argument("as").and_then(Value::as_str).map(Name::from);
    if !is_namespace(alias.as_ref().unwrap_or(&url.name)) {
        let message = format!("`{}` cannot prefix names; give @link an `as:` that can", url.name);
        return Err(Fault::new(ErrorCode::InvalidLinkIdentifier, message, directive.pos));
    }
    let imports = match directive.argument("import") {
        Some(Value::List(items)) => items
            .iter()
            .map(|item| {
                read_import(item).ok_or_else(|| invalid("`import:` holds names or {name:, as:}".into()))
            })
            .collect::<Result<_, _>>()?,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err(invalid("`import:` must be a list".into())),
    };
    Ok(Link { url, alias, imports })
}

/// A name that can stand before `__` in a namespaced element.
fn is_namespace(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.contains("__")
        && !text.ends_with('_')
}

fn read_import(value: &Value) -> Option<Import> {
    match value {
        Value::String(name) => Some(Import { name: name.clone(), alias: None }),
        Value::Object(fields) => {
            let of = |key: &str| {
                fields.iter().find(|(k, _)| &**k == key).and_then(|(_, v)| v.as_str()).map(Name::from)
            };
            Some(Import { name: of("name")?, alias: of("as") })
        }
        Value::Null
        | Value::Int(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Enum(_)
        | Value::List(_) => None,
    }
}
