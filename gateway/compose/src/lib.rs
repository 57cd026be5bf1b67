//! Apollo Federation composition: the SDL of subgraphs in, the SDL of a supergraph or the reasons for
//! refusal out. Subgraphs of federation 1 and 2, and plain GraphQL services, compose together.
//!
//! ```text
//! SDL ──parse──▶ Schema ──links, graphql, subgraph──▶ Subgraph   each by itself
//!                                                        │
//!                                              upgrade   ▼      federation 1 becomes 2
//!                                              merge  ▶ Merged  types, fields, directives become one
//!                                      satisfiability    │      every query has a way to be answered
//!                                               print    ▼
//!                                                  supergraph SDL
//! ```
//!
//! * `model`: a schema, of a subgraph or of the supergraph. `parse` makes it of text (the grammar is
//!   `apollo-parser`'s), `print` makes text of it.
//! * `links`: which specifications a subgraph uses and what it calls their elements; from then on a
//!   directive is known by its `Role`, whatever its name. The definitions of federation's directives are
//!   in `links::spec`.
//! * `graphql`: the rules of GraphQL itself, for subgraphs and for the merged whole.
//! * `subgraph`: field sets (`@key`, `@requires`, `@provides`), which fields are external, shareable or
//!   used, and the rules for one subgraph alone.
//! * `upgrade`, `merge`, `satisfiability`: as drawn. A phase that fails reports all it finds and ends the
//!   composition, since what follows would be noise.
//!
//! Pure: no clock, no socket, no file. The result depends on the subgraphs alone, not on their order.
//! Input is bounded ([`MAX_SUBGRAPHS`], [`MAX_SDL_BYTES`], nesting, tokens) and so is the work.
//!
//! Error codes are those of the reference composers. The supergraph follows join v0.3 to v0.5, as new as
//! the newest subgraph needs. It departs from the references in one point: guards (`@inaccessible`,
//! `@authenticated`, `@requiresScopes`, `@policy`) have their standard names in the supergraph even where
//! subgraphs import them renamed, since a planner that reads names would let through what a renamed guard
//! hides. Deliberately absent: `@context` (a subgraph that needs it is refused), and what only a router
//! reads (`@cacheTag`, connectors), which is dropped.
//!
//! The example `corpus` compares with a file of cases composed by others, `speed` measures.

mod errors;
mod graphql;
mod links;
mod merge;
mod model;
mod names;
mod parse;
mod print;
mod satisfiability;
mod subgraph;
mod upgrade;

pub use errors::{CompositionError, ErrorCode};

/// Subgraphs that compose together; more are refused.
pub const MAX_SUBGRAPHS: usize = 1_000;
/// Bytes of SDL one subgraph may have; longer ones are refused.
pub const MAX_SDL_BYTES: usize = 8 << 20;

/// A subgraph as it introduces itself.
#[derive(Clone, Debug)]
pub struct Subgraph {
    /// Name, unique among the subgraphs.
    pub name: String,
    /// Where the gateway reaches it; copied into the supergraph as it is.
    pub url: String,
    /// Its schema, as `_service { sdl }` gives it.
    pub sdl: String,
}

/// A composed supergraph.
#[derive(Clone, Debug)]
pub struct Supergraph {
    /// The schema with the directives of the join specification.
    pub sdl: String,
}

/// Composes subgraphs. The result does not depend on their order.
pub fn compose(subgraphs: &[Subgraph]) -> Result<Supergraph, Vec<CompositionError>> {
    let mut sorted: Vec<&Subgraph> = subgraphs.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = sorted.iter().map(|s| s.name.as_str()).collect();
    let mut errors = names::check(&names);
    errors.extend(check_sizes(&sorted));
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut read = read(&sorted, &names)?;
    upgrade::upgrade(&mut read)?;
    let merged = merge::merge(&read)?;
    let errors = satisfiability::check(&read, &merged);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Supergraph { sdl: print::print(&merged.schema) })
}

fn check_sizes(sorted: &[&Subgraph]) -> Vec<CompositionError> {
    let limit = |message| CompositionError::new(ErrorCode::CompositionLimitExceeded, message);
    let mut errors = Vec::new();
    if sorted.len() > MAX_SUBGRAPHS {
        errors.push(limit(format!("there are {} subgraphs; at most {MAX_SUBGRAPHS} compose", sorted.len())));
    }
    for subgraph in sorted.iter().filter(|s| s.sdl.len() > MAX_SDL_BYTES) {
        let message =
            format!("the schema has {} bytes; at most {MAX_SDL_BYTES} are read", subgraph.sdl.len());
        errors.push(limit(message).within([subgraph.name.as_str()]));
    }
    errors
}

/// Reads every subgraph, so that the faults of all come at once.
fn read(sorted: &[&Subgraph], names: &[&str]) -> Result<Vec<subgraph::Subgraph>, Vec<CompositionError>> {
    let mut read = Vec::new();
    let mut errors = Vec::new();
    for (given, graph) in sorted.iter().zip(names::graph_values(names)) {
        match subgraph::Subgraph::read(&given.name, &given.url, &given.sdl, graph) {
            Ok(subgraph) => read.push(subgraph),
            Err(faults) => errors.extend(faults.into_iter().map(|fault| CompositionError {
                coordinate: fault.coordinate,
                subgraphs: vec![given.name.clone()],
                location: Some(parse::line_and_column(&given.sdl, fault.pos)),
                ..CompositionError::new(fault.code, fault.message)
            })),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}
