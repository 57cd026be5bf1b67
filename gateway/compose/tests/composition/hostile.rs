//! Input that is broken, huge or entangled: always an answer, never a panic.

use catalyst_compose::{ErrorCode, MAX_SDL_BYTES, Subgraph, compose};
use proptest::prelude::*;

use super::{v1, v2};

fn refused(subgraphs: &[Subgraph], expected: ErrorCode) {
    let errors = compose(subgraphs).expect_err("refused");
    assert!(errors.iter().all(|e| e.code == expected), "{errors:?}");
}

#[test]
fn nesting_beyond_the_bound_is_refused() {
    let deep = |open: &str, close: &str| open.repeat(10_000) + "Int" + &close.repeat(10_000);
    refused(&[v1("a", &format!("type Query {{ a: {} }}", deep("[", "]")))], ErrorCode::InvalidGraphql);
    let value = deep("[", "]").replace("Int", "1");
    refused(&[v1("a", &format!("type Query {{ a(x: [Int] = {value}): Int }}"))], ErrorCode::InvalidGraphql);
    let fields = "a {".repeat(10_000);
    let sdl = format!("type Query {{ t: T }} type T @key(fields: \"{fields}\") {{ a: T }}");
    refused(&[v2("a", &sdl)], ErrorCode::KeyInvalidFields);
}

#[test]
fn a_schema_beyond_the_bound_is_refused_unread() {
    refused(&[v1("a", &" ".repeat(MAX_SDL_BYTES + 1))], ErrorCode::CompositionLimitExceeded);
}

#[test]
fn circular_keys_and_requirements_end() {
    let a = r#"type Query { t: T } type T @key(fields: "a") @key(fields: "b { c }") { a: ID! b: U @external x: Int @external
        y: Int @requires(fields: "x") } type U @key(fields: "c") { c: ID! t: T }"#;
    let b = r#"type T @key(fields: "b { c }") { a: ID! @external b: U x: Int @requires(fields: "y") y: Int @external }
        type U @key(fields: "c") @key(fields: "t { a }") { c: ID! t: T @external }"#;
    let errors = compose(&[v2("a", a), v2("b", b)]).expect_err("x needs y needs x");
    assert!(errors.iter().any(|e| e.code == ErrorCode::SatisfiabilityError), "{errors:?}");
}

/// A subgraph with most of what federation knows, for mutilation.
const RICH: &str = r#"
extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@provides",
  "@external", "@shareable", "@override", "@inaccessible", "@tag", "@interfaceObject", "@requiresScopes", "@listSize"])
  @link(url: "https://example.org/c/v1.0", import: [{name: "@x", as: "@y"}]) @federation__composeDirective(name: "@y")
directive @y(a: [Int!] = [1, 2]) repeatable on FIELD_DEFINITION | OBJECT
"A query" type Query { "field" t(i: In = {e: A, n: [1]}, e: E! = B): T @shareable u: [U!]! n: N @provides(fields: "x { ... on T { z } }") }
interface N @key(fields: "id") { id: ID! }
type T implements N @key(fields: "id") @key(fields: "o { k }", resolvable: false) @y(a: [3]) {
  id: ID! o: O @shareable z: Int @external s: String @requires(fields: "z") @tag(name: "t") l(first: Int): [T] @listSize(slicingArguments: ["first"])
  g: Float @override(from: "other", label: "percent(10)") h: Boolean @inaccessible @requiresScopes(scopes: [["a"]]) }
extend type T { later: Date @deprecated(reason: "\"\u00e9\n") }
type O @shareable { k: ID! } type M @interfaceObject @key(fields: "id") { id: ID! m: Int }
union U = T | O enum E { A B } input In { e: E n: [Int!]! } scalar Date
"#;

proptest! {
    #[test]
    fn mutilated_schemas_get_an_answer(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, any::<prop::sample::Index>()), 1..6)
    ) {
        let mut text = RICH.to_owned();
        for (from, length, to) in cuts {
            let at = |text: &str, index: prop::sample::Index| text.char_indices().nth(index.index(text.chars().count())).map_or(0, |(i, _)| i);
            let start = at(&text, from);
            let end = text[start..].char_indices().nth(length).map_or(text.len(), |(i, _)| start + i);
            let piece = text[start..end].to_owned();
            if length % 2 == 0 {
                text.replace_range(start..end, "");
            }
            if text.is_empty() {
                break;
            }
            let to = at(&text, to);
            text.insert_str(to, &piece);
        }
        let subgraphs = [v1("a", &text), v1("other", RICH)];
        if let Err(errors) = compose(&subgraphs) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn any_text_gets_an_answer(text in "\\PC*") {
        let answer = compose(&[v1("a", &text)]);
        prop_assert!(answer.is_ok() || answer.is_err_and(|errors| !errors.is_empty()));
    }
}
