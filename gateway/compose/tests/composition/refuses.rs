//! One case per error code, and what an error tells.

use std::collections::BTreeSet;

use catalyst_compose::{ErrorCode, MAX_SUBGRAPHS, Subgraph, compose};

use super::{shown, v1, v2};

/// The subgraphs are refused with these codes and no others.
fn check(subgraphs: &[Subgraph], expected: &[ErrorCode]) {
    let Err(errors) = compose(subgraphs) else { panic!("composed; expected {expected:?}") };
    let codes: BTreeSet<ErrorCode> = errors.iter().map(|e| e.code).collect();
    assert_eq!(codes, expected.iter().copied().collect(), "{}", shown(&errors));
}

const Q: &str = "type Query { q: Int } ";

/// One federation 2 subgraph, beside one that has a query.
fn alone(sdl: &str) -> Vec<Subgraph> {
    vec![v2("a", sdl), v1("z", "type Query { z: Int }")]
}

fn two(a: &str, b: &str) -> Vec<Subgraph> {
    vec![v2("a", a), v2("b", b)]
}

fn linking(version: &str, import: &str, sdl: &str) -> Vec<Subgraph> {
    let url = format!("https://specs.apollo.dev/federation/{version}");
    vec![v1("a", &format!("extend schema @link(url: \"{url}\", import: [{import}]) {Q} {sdl}"))]
}

/// A smallest set of subgraphs that is refused with the code alone.
fn example(code: ErrorCode) -> Vec<Subgraph> {
    use ErrorCode as C;
    match code {
        C::AuthRequirementsAppliedOnInterface => {
            alone("interface I @authenticated { x: Int } type A implements I { x: Int }")
        }
        C::CompositionLimitExceeded => (0..=MAX_SUBGRAPHS).map(|i| v1(&format!("s{i}"), Q)).collect(),
        C::CostAppliedToInterfaceField => {
            alone("interface I { x: Int @cost(weight: 1) } type A implements I { x: Int }")
        }
        C::DefaultValueUsesInaccessible => {
            alone("type Query { f(e: E = HIDDEN): Int } enum E { SEEN HIDDEN @inaccessible }")
        }
        C::DirectiveCompositionError => alone("extend schema @composeDirective(name: \"@none\")"),
        C::EmptyMergedEnumType => two("type Query { f(e: E): Int } enum E { X }", "enum E { Y }"),
        C::EmptyMergedInputType => two("type Query { f(i: I): Int } input I { x: Int }", "input I { y: Int }"),
        C::EnumValueMismatch => two("type Query { f(e: E): E } enum E { X }", "enum E { X Y }"),
        C::ExtensionWithNoBase => alone("extend type T { x: Int }"),
        C::ExternalArgumentDefaultMismatch => external_argument("x: Int = 1", "x: Int = 1", "x: Int"),
        C::ExternalArgumentMissing => external_argument("x: Int", "x: Int", ""),
        C::ExternalArgumentTypeMismatch => external_argument("x: Int", "x: Int", "x: String"),
        C::ExternalMissingOnBase => {
            alone("type T @key(fields: \"id\") { id: ID! x: Int @external y: Int @requires(fields: \"x\") }")
        }
        C::ExternalOnInterface => alone("interface I { x: Int @external } type A implements I { x: Int }"),
        C::ExternalUnused => two("type T @key(fields: \"id\") { id: ID! x: Int @external }", &format!("{Q} {ENTITY}")),
        C::FieldArgumentDefaultMismatch => {
            two("type Query { f(x: Int = 1): Int @shareable }", "type Query { f(x: Int = 2): Int @shareable }")
        }
        C::FieldArgumentTypeMismatch => {
            two("type Query { f(x: Int): Int @shareable }", "type Query { f(x: String): Int @shareable }")
        }
        C::FieldTypeMismatch => two("type Query { f: Int @shareable }", "type Query { f: String @shareable }"),
        C::ImplementedByInaccessible => {
            alone("interface I { x: Int y: Int } type A implements I { x: Int @inaccessible y: Int }")
        }
        C::InputFieldDefaultMismatch => two(&format!("{Q} input I {{ x: Int = 1 }}"), "input I { x: Int = 2 }"),
        C::InterfaceFieldNoImplem => two(
            &format!("{Q} interface I {{ x: Int }} type A implements I {{ x: Int }}"),
            "interface I { x: Int y: Int } type B implements I { x: Int y: Int }",
        ),
        C::InterfaceKeyMissingImplementationType => two(
            &format!("{Q} interface I @key(fields: \"id\") {{ id: ID! }}"),
            "interface I { id: ID! } type B implements I @key(fields: \"id\") { id: ID! }",
        ),
        C::InterfaceKeyNotOnImplementation => {
            alone("interface I @key(fields: \"id\") { id: ID! } type A implements I { id: ID! }")
        }
        C::InterfaceObjectUsageError => alone("type I @interfaceObject { id: ID! }"),
        C::InvalidFieldSharing => two("type Query { f: Int }", "type Query { f: Int }"),
        C::InvalidGraphql => alone("type T { x: Missing }"),
        C::InvalidLinkDirectiveUsage => linking("v2.0", "\"@interfaceObject\"", ""),
        C::InvalidLinkIdentifier => vec![v1("a", &format!("extend schema @link(url: \"https://example.org\") {Q}"))],
        C::InvalidShareableUsage => alone("interface I { x: Int @shareable } type A implements I { x: Int }"),
        C::InvalidSubgraphName => vec![v1("_", Q)],
        C::KeyDirectiveInFieldsArg => alone("type T @key(fields: \"id @tag\") { id: ID! }"),
        C::KeyFieldsHasArgs => alone("type T @key(fields: \"f\") { f(x: Int): ID! }"),
        C::KeyFieldsSelectInvalidType => {
            alone("type T @key(fields: \"u { __typename }\") { u: U } union U = A type A { x: Int }")
        }
        C::KeyInvalidFields => alone("type T @key(fields: \"none\") { id: ID! }"),
        C::KeyInvalidFieldsType => alone("type T @key(fields: 1) { id: ID! }"),
        C::KeyUnsupportedOnInterface => linking("v2.2", "\"@key\"", "interface I @key(fields: \"id\") { id: ID! }"),
        C::LinkImportNameMismatch => {
            let renamed = linking("v2.9", "{name: \"@tag\", as: \"@label\"}", "type T { x: Int @label(name: \"x\") }");
            [renamed, vec![v2("b", "type U { x: Int @tag(name: \"x\") }")]].concat()
        }
        C::ListSizeAppliedToNonList => alone("type Query { f: Int @listSize(assumedSize: 1) }"),
        C::ListSizeInvalidAssumedSize => alone("type Query { f: [Int] @listSize(assumedSize: -1) }"),
        C::ListSizeInvalidSizedField => alone("type Query { f: P @listSize(sizedFields: [\"no\"]) } type P { x: [Int] }"),
        C::ListSizeInvalidSlicingArgument => alone("type Query { f: [Int] @listSize(slicingArguments: [\"no\"]) }"),
        C::MergedDirectiveApplicationOnExternal => two(
            "type T @key(fields: \"id\") { id: ID! x: Int @external @tag(name: \"t\") y: Int @requires(fields: \"x\") }",
            &format!("{Q} {ENTITY}"),
        ),
        C::MissingTransitiveAuthRequirements => two(
            "type T @key(fields: \"id\") { id: ID! x: Int @external y: Int @requires(fields: \"x\") }",
            &format!("{Q} type T @key(fields: \"id\") {{ id: ID! x: Int @authenticated }}"),
        ),
        C::NoQueries => vec![v2("a", "type T { x: Int }")],
        C::OnlyInaccessibleChildren => alone("type T { x: Int @inaccessible }"),
        C::OverrideCollisionWithAnotherDirective => two(
            "type T @key(fields: \"id\") { id: ID! x: Int @external y: Int @requires(fields: \"x\") }",
            &format!(
                "{Q} type T @key(fields: \"id\") {{ id: ID! x: Int y: Int @override(from: \"a\", label: \"l\") @shareable }}"
            ),
        )
        .into_iter()
        .map(|s| Subgraph { sdl: s.sdl.replace("y: Int @requires", "y: Int @shareable @requires"), ..s })
        .collect(),
        C::OverrideFromSelfError => alone("type Query { f: Int @override(from: \"a\") }"),
        C::OverrideLabelInvalid => {
            two("type Query { f: Int }", "type Query { f: Int @override(from: \"a\", label: \"1\") }")
        }
        C::OverrideOnInterface => {
            alone("interface I { x: Int @override(from: \"b\") } type A implements I { x: Int }")
        }
        C::OverrideSourceHasOverride => vec![
            v2("a", "type Query { f: Int @shareable @override(from: \"c\") }"),
            v2("b", "type Query { f: Int @shareable @override(from: \"a\") }"),
            v2("c", "type Query { f: Int }"),
        ],
        C::ProvidesDirectiveInFieldsArg => provides("y @tag", "y: Int @external"),
        C::ProvidesFieldsHasArgs => provides("y", "y(a: Int): Int @external"),
        C::ProvidesFieldsMissingExternal => provides("y", "y: Int @shareable"),
        C::ProvidesInvalidFields => provides("none", "y: Int @shareable"),
        C::ProvidesInvalidFieldsType => alone("type Query { f: T @provides(fields: 1) } type T { x: Int }"),
        C::ProvidesOnNonObjectField => alone("type Query { f: Int @provides(fields: \"x\") }"),
        C::ProvidesUnsupportedOnInterface => alone(
            "interface I { t: T @provides(fields: \"x\") } type A implements I { t: T } type T { x: Int @shareable }",
        ),
        C::QueryRootTypeInaccessible => vec![v2("a", "type Query @inaccessible { x: Int }")],
        C::ReferencedInaccessible => alone("type Query { t: T } type T @inaccessible { x: Int }"),
        C::RequiredArgumentMissingInSomeSubgraph => {
            two("type Query { f(x: Int!): Int @shareable }", "type Query { f: Int @shareable }")
        }
        C::RequiredInaccessible => alone("type Query { f(x: Int! @inaccessible): Int }"),
        C::RequiredInputFieldMissingInSomeSubgraph => {
            two(&format!("{Q} input I {{ x: Int y: Int! }}"), "input I { x: Int }")
        }
        C::RequiresDirectiveInFieldsArg => requires("x @tag", "x: Int @external"),
        C::RequiresFieldsMissingExternal => requires("x", "x: Int @shareable"),
        C::RequiresInvalidFields => requires("x {", "x: Int @shareable"),
        C::RequiresInvalidFieldsType => alone("type T @key(fields: \"id\") { id: ID! y: Int @requires(fields: 1) }"),
        C::RequiresUnsupportedOnInterface => {
            alone("interface I { x: Int y: Int @requires(fields: \"x\") } type A implements I { x: Int y: Int }")
        }
        C::RootMutationUsed => alone("schema { mutation: M } type M { x: Int } type Mutation { x: Int }"),
        C::RootQueryUsed => alone("schema { query: R } type R { x: Int } type Query { x: Int }"),
        C::RootSubscriptionUsed => alone("schema { subscription: S } type S { x: Int } type Subscription { x: Int }"),
        C::SatisfiabilityError => {
            two("type Query { t: T } type T { x: Int }", "type T { y: Int }")
        }
        C::TypeKindMismatch => two(&format!("{Q} type T {{ x: Int }}"), "input T { x: Int }"),
        C::TypeWithOnlyUnusedExternal => vec![
            v1("a", "type Query { t: T } extend type T { x: Int @external }"),
            v1("b", "type Query { b: T } type T { x: Int }"),
        ],
        C::UnknownFederationLinkVersion => linking("v3.0", "", ""),
        C::UnknownLinkVersion => {
            vec![v1("a", &format!("extend schema @link(url: \"https://specs.apollo.dev/link/v2.0\") {Q}"))]
        }
        C::UnsupportedFeature => alone(
            "type Query { t: T } type T @context(name: \"c\") { x: Int u: U }
             type U @key(fields: \"id\") { id: ID! f(a: Int @fromContext(field: \"$c { x }\")): Int }",
        ),
        C::UnsupportedLinkedFeature => {
            let link = "@link(url: \"https://example.org/guard/v1.0\", for: SECURITY)";
            vec![v1("a", &format!("extend schema {link} {Q}"))]
        }
    }
}

/// An entity with a field that another subgraph may need.
const ENTITY: &str = "type T @key(fields: \"id\") { id: ID! x: Int }";

/// Three declarations of a field with an argument: two that resolve it, one external.
fn external_argument(first: &str, second: &str, external: &str) -> Vec<Subgraph> {
    let field = |argument: &str| if argument.is_empty() { "x".to_owned() } else { format!("x({argument})") };
    let resolving = |argument| format!("{ENTITY_HEAD} {}: Int @shareable }}", field(argument));
    let requiring =
        format!("{ENTITY_HEAD} {}: Int @external y: Int @requires(fields: \"x\") }}", field(external));
    vec![v2("a", &format!("{Q} {}", resolving(first))), v2("b", &resolving(second)), v2("c", &requiring)]
}

const ENTITY_HEAD: &str = "type T @key(fields: \"id\") { id: ID!";

fn provides(fields: &str, field: &str) -> Vec<Subgraph> {
    two(
        &format!("type Query {{ t: T @provides(fields: \"{fields}\") }} {ENTITY_HEAD} {field} }}"),
        &format!("{ENTITY_HEAD} y: Int @shareable }}"),
    )
}

fn requires(fields: &str, field: &str) -> Vec<Subgraph> {
    two(
        &format!("{Q} {ENTITY_HEAD} {field} y: Int @requires(fields: \"{fields}\") }}"),
        &format!("{ENTITY_HEAD} x: Int @shareable }}"),
    )
}

#[test]
fn every_code_is_given_for_what_it_names() {
    for code in ErrorCode::ALL {
        println!("{code}");
        check(&example(*code), &[*code]);
    }
}

#[test]
fn an_error_says_what_where_and_what_to_try() {
    let errors = compose(&[v1("books", "type Query { a: Int }\n\ntype Book {\n  by: Author\n}")])
        .expect_err("no Author");
    let error = &errors[0];
    assert_eq!(error.coordinate.as_deref(), Some("Book.by"));
    assert_eq!((error.subgraphs.as_slice(), error.location), (["books".to_owned()].as_slice(), Some((4, 3))));
    assert_eq!(error.to_string(), "books: [INVALID_GRAPHQL] unknown type `Author`");

    let errors = compose(&example(ErrorCode::InvalidFieldSharing)).expect_err("not shareable");
    assert_eq!(errors[0].subgraphs, ["a", "b"]);
    assert_eq!(errors[0].coordinate.as_deref(), Some("Query.f"));
    assert!(errors[0].hint.is_some_and(|hint| hint.contains("@shareable")));
}

#[test]
fn the_errors_of_all_subgraphs_come_at_once() {
    let errors = compose(&[v1("a", "type T {"), v1("b", "type T { x: No }")]).expect_err("both are broken");
    let names: BTreeSet<&str> = errors.iter().flat_map(|e| &e.subgraphs).map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["a", "b"]));
}

#[test]
fn an_unanswerable_query_is_shown_with_the_reasons() {
    let a = "type Query { t: T } type T @key(fields: \"id\") { id: ID! }";
    let b = "type T @key(fields: \"sku\") { sku: ID! y: Int }";
    let errors = compose(&two(a, b)).expect_err("sku is unknown to a");
    let text = shown(&errors);
    for expected in
        ["`{ t { y } }`", "\"a\" has no field `T.y`", "can only be entered by @key(fields: \"sku\")"]
    {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
}

#[test]
fn keys_are_not_collected_through_the_subgraph_they_enter() {
    let a = r#"type Query { l: L } type L @key(fields: "b { id }") { b: B! } type B @key(fields: "id") { id: ID! }"#;
    let c = r#"type L @key(fields: "b { id sku }") { b: B! fav: Int } type B @key(fields: "id") { id: ID! sku: ID }"#;
    let shared = |sdl: &str| sdl.replace("b: B!", "b: B! @shareable");
    check(&two(&shared(a), &shared(c)), &[ErrorCode::SatisfiabilityError]);
}

#[test]
fn both_ways_of_a_labelled_override_must_be_answerable() {
    let a = r#"type Query { t: T } type T @key(fields: "id") { id: ID! x: X }  type X { n: Int @shareable }"#;
    let b = r#"type T @key(fields: "id") { id: ID! x: X @override(from: "a", label: "l") }
        type X { n: Int @shareable m: Int }"#;
    check(&two(a, b), &[ErrorCode::SatisfiabilityError]);
}
