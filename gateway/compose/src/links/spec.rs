//! The directives composition knows: what they look like, and in which specification and version they
//! live.

use std::sync::LazyLock;

use super::Version;
use crate::model::{DirectiveDef, Role, Schema};
use crate::parse::parse_schema;

/// Newest federation version understood. A newer one may carry directives whose meaning would be lost.
pub(crate) const NEWEST_FEDERATION: Version = Version::new(2, 12);

/// A directive of the federation specification.
pub(crate) struct FederationDirective {
    pub name: &'static str,
    pub role: Role,
    /// First version of federation 2 that has it.
    pub since: Version,
    /// Known to subgraphs without `@link`.
    pub in_federation_1: bool,
}

const fn directive(name: &'static str, role: Role, minor: u32, in_federation_1: bool) -> FederationDirective {
    FederationDirective { name, role, since: Version::new(2, minor), in_federation_1 }
}

static FEDERATION_DIRECTIVES: [FederationDirective; 19] = [
    directive("key", Role::Key, 0, true),
    directive("requires", Role::Requires, 0, true),
    directive("provides", Role::Provides, 0, true),
    directive("external", Role::External, 0, true),
    directive("extends", Role::Extends, 0, true),
    directive("tag", Role::Tag, 0, true),
    directive("shareable", Role::Shareable, 0, false),
    directive("inaccessible", Role::Inaccessible, 0, false),
    directive("override", Role::Override, 0, false),
    directive("composeDirective", Role::ComposeDirective, 1, false),
    directive("interfaceObject", Role::InterfaceObject, 3, false),
    directive("authenticated", Role::Authenticated, 5, false),
    directive("requiresScopes", Role::RequiresScopes, 5, false),
    directive("policy", Role::Policy, 6, false),
    directive("context", Role::Context, 8, false),
    directive("fromContext", Role::FromContext, 8, false),
    directive("cost", Role::Cost, 9, false),
    directive("listSize", Role::ListSize, 9, false),
    directive("cacheTag", Role::CacheTag, 12, false),
];

pub(crate) fn federation_directives() -> &'static [FederationDirective] {
    &FEDERATION_DIRECTIVES
}

/// The types of the federation specification, by first minor version of federation 2.
pub(crate) const FEDERATION_TYPES: [(&str, u32); 4] =
    [("FieldSet", 0), ("Scope", 5), ("Policy", 6), ("ContextFieldValue", 8)];

/// `@override(label:)` came later than `@override`.
pub(crate) const LABEL_SINCE: Version = Version::new(2, 7);
/// `@key` on interfaces came with `@interfaceObject`.
pub(crate) const INTERFACE_KEY_SINCE: Version = Version::new(2, 3);

/// A specification besides federation's whose directives have a role, and which a supergraph links.
pub(crate) struct CoreSpec {
    pub identity: &'static str,
    /// Version in supergraphs.
    pub version: &'static str,
    pub directives: &'static [(&'static str, Role)],
    pub purpose: Option<&'static str>,
}

pub(crate) static CORE_SPECS: [CoreSpec; 6] = [
    CoreSpec {
        identity: "https://specs.apollo.dev/tag",
        version: "v0.3",
        directives: &[("tag", Role::Tag)],
        purpose: None,
    },
    CoreSpec {
        identity: "https://specs.apollo.dev/inaccessible",
        version: "v0.2",
        directives: &[("inaccessible", Role::Inaccessible)],
        purpose: Some("SECURITY"),
    },
    CoreSpec {
        identity: "https://specs.apollo.dev/authenticated",
        version: "v0.1",
        directives: &[("authenticated", Role::Authenticated)],
        purpose: Some("SECURITY"),
    },
    CoreSpec {
        identity: "https://specs.apollo.dev/requiresScopes",
        version: "v0.1",
        directives: &[("requiresScopes", Role::RequiresScopes)],
        purpose: Some("SECURITY"),
    },
    CoreSpec {
        identity: "https://specs.apollo.dev/policy",
        version: "v0.1",
        directives: &[("policy", Role::Policy)],
        purpose: Some("SECURITY"),
    },
    CoreSpec {
        identity: "https://specs.apollo.dev/cost",
        version: "v0.1",
        directives: &[("cost", Role::Cost), ("listSize", Role::ListSize)],
        purpose: None,
    },
];

/// The directives of a specification that a subgraph may link directly rather than through federation's.
pub(super) fn directives_of(identity: &str) -> &'static [(&'static str, Role)] {
    CORE_SPECS.iter().find(|spec| spec.identity == identity).map_or(&[], |spec| spec.directives)
}

/// The definitions of directives with a role, by the name their specification gives them, and of those
/// every GraphQL service has.
pub(crate) fn definition(name: &str) -> Option<&'static DirectiveDef> {
    DEFINITIONS.directive_defs.get(name)
}

static DEFINITIONS: LazyLock<Schema> =
    LazyLock::new(|| parse_schema(DEFINITIONS_SDL).expect("the definitions below are valid SDL"));

/// Facts of the specifications of GraphQL, link, federation, tag, inaccessible, authorization and cost.
const DEFINITIONS_SDL: &str = "
directive @deprecated(reason: String = \"No longer supported\")
  on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
directive @specifiedBy(url: String!) on SCALAR
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @oneOf on INPUT_OBJECT
directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @stream(label: String, initialCount: Int = 0, if: Boolean! = true) on FIELD
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
directive @key(fields: federation__FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
directive @requires(fields: federation__FieldSet!) on FIELD_DEFINITION
directive @provides(fields: federation__FieldSet!) on FIELD_DEFINITION
directive @external(reason: String) on OBJECT | FIELD_DEFINITION
directive @extends on OBJECT | INTERFACE
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
directive @override(from: String!, label: String) on FIELD_DEFINITION
directive @composeDirective(name: String) repeatable on SCHEMA
directive @interfaceObject on OBJECT
directive @context(name: String!) repeatable on INTERFACE | OBJECT | UNION
directive @fromContext(field: federation__ContextFieldValue) on ARGUMENT_DEFINITION
directive @cacheTag(format: String!) repeatable on OBJECT | FIELD_DEFINITION
directive @tag(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
  | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION | SCHEMA
directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR
  | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION
directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
directive @requiresScopes(scopes: [[requiresScopes__Scope!]!]!)
  on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
directive @policy(policies: [[policy__Policy!]!]!)
  on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
directive @cost(weight: Int!)
  on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!],
  requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
";
