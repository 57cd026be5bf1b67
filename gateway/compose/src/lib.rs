//! Apollo Federation composition: the SDL of subgraphs in, the SDL of a supergraph or the reasons for
//! refusal out. Pure: no clock, no socket, no file.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_subgraphs_sharing_an_entity_compose() {
        let link = "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.5\", import: [\"@key\", \"@tag\", \"@shareable\", \"@inaccessible\", \"@override\", \"@external\", \"@provides\", \"@requires\", \"@composeDirective\", \"@interfaceObject\", \"@requiresScopes\"])\n";
        let books = format!(
            "type Book @key(fields: \"id\") {{ id: ID! title: String! author: String! }}\ntype Query {{ books: [Book!]! book(id: ID!): Book }}\nschema {{ query: Query }}\n{link}"
        );
        let reviews = format!(
            "type Book @key(fields: \"id\") {{ id: ID! reviews: [Review!]! }}\ntype Review {{ id: ID! body: String! rating: Int! }}\ntype Query {{ _empty: Boolean }}\n{link}"
        );
        let subgraph =
            |name: &str, sdl: String| Subgraph { name: name.into(), url: format!("http://{name}"), sdl };
        let supergraph = compose(&[subgraph("reviews", reviews), subgraph("books", books)]).unwrap();
        for expected in [
            "BOOKS @join__graph(name: \"books\", url: \"http://books\")",
            "@join__type(graph: REVIEWS, key: \"id\")",
            "title: String! @join__field(graph: BOOKS)",
            "reviews: [Review!]! @join__field(graph: REVIEWS)",
            "type Query\n  @join__type(graph: BOOKS)\n  @join__type(graph: REVIEWS)\n{",
        ] {
            assert!(supergraph.sdl.contains(expected), "{expected} is not in\n{}", supergraph.sdl);
        }
    }
}
