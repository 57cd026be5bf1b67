//! The parts every supergraph has: links to the specifications it follows, their directives and types.

use crate::links::Version;
use crate::model::{Directive, EnumValue, Pos, Schema, Value};
use crate::parse::parse_schema;
use crate::subgraph::Subgraph;

/// Definitions of the link and join specifications, without those whose shape depends on the version.
const DEFINITIONS: &str = r#"
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
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

/// `@join__field` of join v0.3, open at its end.
const FIELD: &str = "directive @join__field(graph: join__Graph, requires: join__FieldSet, \
    provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean";
const FIELD_LOCATIONS: &str = ") repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION\n";

/// What join v0.4 adds, for `@override(label:)` and directives only the router reads.
const V0_4: &str = "directive @join__directive(graphs: [join__Graph!], name: String!, \
    args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION
scalar join__DirectiveArguments
";

/// What join v0.5 adds, for `@fromContext`.
const V0_5: &str = "scalar join__FieldValue
input join__ContextArgument {
  name: String!
  type: String!
  context: String!
  selection: join__FieldValue!
}
";

/// The oldest join version that can say what the subgraphs use.
fn join_version(subgraphs: &[Subgraph]) -> Version {
    let newest = subgraphs.iter().filter_map(|s| s.links.federation).max();
    match newest {
        Some(v) if v >= Version::new(2, 8) => Version::new(0, 5),
        Some(v) if v >= Version::new(2, 7) => Version::new(0, 4),
        Some(_) | None => Version::new(0, 3),
    }
}

pub(super) fn frame(subgraphs: &[Subgraph]) -> Schema {
    let version = join_version(subgraphs);
    let mut sdl = DEFINITIONS.to_owned() + FIELD;
    if version >= Version::new(0, 4) {
        sdl.push_str(", overrideLabel: String");
    }
    if version >= Version::new(0, 5) {
        sdl.push_str(", contextArguments: [join__ContextArgument!]");
    }
    sdl.push_str(FIELD_LOCATIONS);
    if version >= Version::new(0, 4) {
        sdl.push_str(V0_4);
    }
    if version >= Version::new(0, 5) {
        sdl.push_str(V0_5);
    }
    let mut schema = parse_schema(&sdl).expect("the join specification is valid SDL");
    schema.directives.push(link("https://specs.apollo.dev/link/v1.0", None));
    schema.directives.push(link(&format!("https://specs.apollo.dev/join/{version}"), Some("EXECUTION")));
    let graphs = schema.types.get_mut("join__Graph").expect("defined above");
    for subgraph in subgraphs {
        let arguments = vec![
            ("name", Value::string(subgraph.name.as_str())),
            ("url", Value::string(subgraph.url.as_str())),
        ];
        let value = EnumValue {
            name: subgraph.graph.clone(),
            description: None,
            directives: vec![Directive::new("join__graph", arguments)],
            pos: Pos::default(),
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
