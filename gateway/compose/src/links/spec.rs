//! The directives composition knows, and in which specification and version they live.

use super::Version;
use crate::model::Role;

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

static FEDERATION_DIRECTIVES: [FederationDirective; 18] = [
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
];

pub(crate) fn federation_directives() -> &'static [FederationDirective] {
    &FEDERATION_DIRECTIVES
}

/// The directives of a specification that a subgraph may link directly rather than through federation's.
pub(super) fn directives_of(identity: &str) -> &'static [(&'static str, Role)] {
    match identity {
        "https://specs.apollo.dev/tag" => &[("tag", Role::Tag)],
        "https://specs.apollo.dev/inaccessible" => &[("inaccessible", Role::Inaccessible)],
        "https://specs.apollo.dev/authenticated" => &[("authenticated", Role::Authenticated)],
        "https://specs.apollo.dev/requiresScopes" => &[("requiresScopes", Role::RequiresScopes)],
        "https://specs.apollo.dev/policy" => &[("policy", Role::Policy)],
        "https://specs.apollo.dev/cost" => &[("cost", Role::Cost), ("listSize", Role::ListSize)],
        _ => &[],
    }
}
