//! Names of subgraphs, and the values of `join__Graph` made from them.

use std::collections::HashMap;

use crate::errors::{CompositionError, ErrorCode};
use crate::model::Name;

/// The name the gateway keeps for itself.
const RESERVED: &str = "_";

/// What is wrong with a set of names, which come in order.
pub(crate) fn check(names: &[&str]) -> Vec<CompositionError> {
    let mut errors = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let message = if name.is_empty() {
            "a subgraph has an empty name".to_owned()
        } else if *name == RESERVED {
            format!("`{name}` is reserved and cannot name a subgraph")
        } else if index > 0 && names[index - 1] == *name {
            format!("there is more than one subgraph named `{name}`")
        } else {
            continue;
        };
        errors.push(CompositionError::new(ErrorCode::InvalidSubgraphName, message).within([*name]));
    }
    errors
}

/// A value of `join__Graph` for each name; names that look alike as such get a number.
pub(crate) fn graph_values(names: &[&str]) -> Vec<Name> {
    let values: Vec<String> = names.iter().map(|name| graph_value(name)).collect();
    let mut totals: HashMap<&str, usize> = HashMap::new();
    values.iter().for_each(|value| *totals.entry(value).or_default() += 1);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    values
        .iter()
        .map(|value| {
            if totals[value.as_str()] == 1 {
                return value.as_str().into();
            }
            let number = seen.entry(value).or_default();
            *number += 1;
            format!("{value}_{number}").into()
        })
        .collect()
}

/// Upper case, with what a GraphQL name cannot hold replaced. A trailing `_1` would look like a number
/// given to names that collide, so it gets an underscore.
fn graph_value(name: &str) -> String {
    let mut value: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        value.insert(0, '_');
    }
    let digits = value.len() - value.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 && value[..value.len() - digits].ends_with('_') {
        value.push('_');
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subgraph_gets_a_value_of_its_own() {
        let names = ["Foo", "foo", "my-books.v2", "2nd", "a_1"];
        let values = graph_values(&names);
        assert_eq!(
            values.iter().map(|v| &**v).collect::<Vec<_>>(),
            ["FOO_1", "FOO_2", "MY_BOOKS_V2", "_2ND", "A_1_"]
        );
    }

    #[test]
    fn empty_reserved_and_repeated_names_are_refused() {
        for (names, expected) in
            [(vec!["", "a"], 1), (vec!["_"], 1), (vec!["a", "a"], 1), (vec!["a", "b"], 0)]
        {
            assert_eq!(check(&names).len(), expected, "{names:?}");
        }
    }
}
