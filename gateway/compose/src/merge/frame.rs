//! The parts every supergraph has: links to the specifications it follows, their directives and types.

use crate::model::{Directive, Schema, Value};
use crate::parse::parse_schema;
use crate::subgraph::Subgraph;

/// Definitions of the link and join specifications, version 0.3 of the latter.
const DEFINITIONS: &str = r#"
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
scalar join__FieldSet
scalar link__Import
enum link__Purpose {
  """`SECURITY` features provide metadata necessary to securely resolve fields."""
  SECURITY
  """`EXECUTION` features provide metadata necessary for operation execution."""
  EXECUTION
}
enum join__Graph
"#;

pub(super) fn frame(subgraphs: &[Subgraph]) -> Schema {
    let mut schema = parse_schema(DEFINITIONS).expect("the join specification is valid SDL");
    schema.directives.push(link("https://specs.apollo.dev/link/v1.0", None));
    schema.directives.push(link("https://specs.apollo.dev/join/v0.3", Some("EXECUTION")));
    let graphs = schema.types.get_mut("join__Graph").expect("defined above");
    for subgraph in subgraphs {
        let arguments = vec![
            ("name", Value::string(subgraph.name.as_str())),
            ("url", Value::string(subgraph.url.as_str())),
        ];
        let value = crate::model::EnumValue {
            name: subgraph.graph.clone(),
            description: None,
            directives: vec![Directive::new("join__graph", arguments)],
            pos: crate::model::Pos::default(),
        };
        graphs.values.insert(subgraph.graph.clone(), value);
    }
    schema
}

/// A `@link` of the supergraph's schema.
pub(super) fn link(url: &str, purpose: Option<&str>) -> Directive {
    let mut arguments = vec![("url", Value::string(url))];
    if let Some(purpose) = purpose {
        arguments.push(("for", Value::Enum(purpose.into())));
    }
    Directive::new("link", arguments)
}
