//! Composition seen from outside: what composes into what, what is refused and why, and that hostile
//! input is borne.

mod composes;
mod hostile;
mod refuses;

use catalyst_compose::{CompositionError, Subgraph, Supergraph, compose};

/// The `@link` of a federation 2 subgraph, importing everything.
const FEDERATION_2: &str = r#"
extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [
  "@key", "@requires", "@provides", "@external", "@shareable", "@override", "@inaccessible", "@tag",
  "@extends", "@interfaceObject", "@composeDirective", "@authenticated", "@requiresScopes", "@policy",
  "@context", "@fromContext", "@cost", "@listSize"
])
"#;

/// A federation 2 subgraph.
fn v2(name: &str, sdl: &str) -> Subgraph {
    v1(name, &format!("{FEDERATION_2}{sdl}"))
}

/// A subgraph with nothing added: federation 1, unless it links something itself.
fn v1(name: &str, sdl: &str) -> Subgraph {
    Subgraph { name: name.into(), url: format!("http://{name}"), sdl: sdl.into() }
}

fn composed(subgraphs: &[Subgraph]) -> Supergraph {
    compose(subgraphs).unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

fn shown(errors: &[CompositionError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// On one line, with single spaces.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
