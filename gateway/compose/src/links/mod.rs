//! `@link`: which specifications a subgraph uses, and by what names it calls their elements.

mod spec;
mod url;

use std::collections::HashMap;

use crate::model::{Directive, Name, Role, Schema, Value};
pub(crate) use spec::{FederationDirective, federation_directives};
pub(crate) use url::{SpecUrl, Version};

pub(crate) const FEDERATION: &str = "https://specs.apollo.dev/federation";
pub(crate) const LINK: &str = "https://specs.apollo.dev/link";

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
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.alias.as_deref().or(self.url.name.as_deref())
    }

    /// What this document calls `@directive` of the linked specification, without the `@`.
    pub(crate) fn local_directive(&self, directive: &str) -> Option<Name> {
        let imported = self.imports.iter().find(|i| i.name.strip_prefix('@') == Some(directive));
        if let Some(import) = imported {
            return Some(import.local().trim_start_matches('@').into());
        }
        let namespace = self.namespace()?;
        // A specification's main directive bears its name.
        if self.url.name.as_deref() == Some(directive) {
            return Some(namespace.into());
        }
        Some(format!("{namespace}__{directive}").into())
    }
}

/// The links of one subgraph, resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    pub links: Vec<Link>,
    /// Version of the federation specification; `None` for a subgraph of federation 1.
    pub federation: Option<Version>,
    roles: HashMap<Name, Role>,
}

impl Links {
    pub(crate) fn role(&self, directive: &str) -> Role {
        match directive {
            "deprecated" => Role::Deprecated,
            "specifiedBy" => Role::SpecifiedBy,
            _ => self.roles.get(directive).copied().unwrap_or(Role::Custom),
        }
    }

    pub(crate) fn is_federation_1(&self) -> bool {
        self.federation.is_none()
    }
}

/// Reads the links of a schema.
pub(crate) fn resolve(schema: &Schema) -> Links {
    let link_name = link_directive_name(schema);
    let links: Vec<Link> =
        schema.directives.iter().filter(|d| d.name == link_name).filter_map(read_link).collect();
    let federation = links.iter().find(|l| l.url.identity == FEDERATION);
    let mut resolved = Links { federation: federation.and_then(|l| l.url.version), ..Links::default() };
    resolved.roles.insert(link_name, Role::Link);
    match federation {
        Some(link) => {
            for directive in federation_directives() {
                if let Some(name) = link.local_directive(directive.name) {
                    resolved.roles.insert(name, directive.role);
                }
            }
        }
        None => {
            for directive in federation_directives().iter().filter(|d| d.in_federation_1) {
                resolved.roles.insert(directive.name.into(), directive.role);
            }
        }
    }
    for link in &links {
        for (directive, role) in spec::directives_of(&link.url.identity) {
            if let Some(name) = link.local_directive(directive) {
                resolved.roles.insert(name, *role);
            }
        }
    }
    resolved.links = links;
    resolved
}

/// `@link` may itself be linked under another name.
fn link_directive_name(schema: &Schema) -> Name {
    let itself = schema.directives.iter().filter_map(|d| Some((d, read_link(d)?))).find(|(d, link)| {
        link.url.identity == LINK && link.local_directive("link").as_deref() == Some(&*d.name)
    });
    itself.map_or_else(|| "link".into(), |(d, _)| d.name.clone())
}

fn read_link(directive: &Directive) -> Option<Link> {
    let url = SpecUrl::parse(directive.argument("url")?.as_str()?);
    let alias = directive.argument("as").and_then(Value::as_str).map(Name::from);
    let imports = match directive.argument("import") {
        Some(Value::List(items)) => items.iter().filter_map(read_import).collect(),
        Some(_) | None => Vec::new(),
    };
    Some(Link { url, alias, imports })
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
