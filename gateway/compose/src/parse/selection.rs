//! Field sets: the text in `@key(fields:)`, `@requires(fields:)` and `@provides(fields:)`.

use std::fmt;

use apollo_parser::Parser;
use apollo_parser::cst;

use super::text;
use crate::model::Name;

/// Nesting a field set may have; deeper ones are refused as invalid.
const MAX_NESTING: usize = 32;
/// Tokens a field set may have; longer ones are refused as invalid.
const MAX_TOKENS: usize = 10_000;

/// One entry of a field set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Field {
        name: Name,
        alias: Option<Name>,
        /// As written, parentheses included; empty without arguments.
        arguments: Name,
        /// Names of the directives applied.
        directives: Vec<Name>,
        selections: Vec<Selection>,
    },
    Fragment {
        on: Option<Name>,
        /// Names of the directives applied.
        directives: Vec<Name>,
        selections: Vec<Selection>,
    },
}

impl Selection {
    /// The same with something else selected below it.
    pub(crate) fn with_selections(&self, below: Vec<Selection>) -> Selection {
        let mut changed = self.clone();
        match &mut changed {
            Selection::Field { selections, .. } | Selection::Fragment { selections, .. } => {
                *selections = below
            }
        }
        changed
    }

    pub(crate) fn selections(&self) -> &[Selection] {
        match self {
            Selection::Field { selections, .. } | Selection::Fragment { selections, .. } => selections,
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selection::Field { name, arguments, .. } => write!(f, "{name}{arguments}")?,
            Selection::Fragment { on: Some(on), .. } => write!(f, "... on {on}")?,
            Selection::Fragment { on: None, .. } => f.write_str("...")?,
        }
        if !self.selections().is_empty() {
            write!(f, " {{ {} }}", print(self.selections()))?;
        }
        Ok(())
    }
}

/// The field set as text on one line.
pub(crate) fn print(selections: &[Selection]) -> String {
    selections.iter().map(Selection::to_string).collect::<Vec<_>>().join(" ")
}

/// Why a text is no field set.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SelectionError(String);

/// Parses a field set, with or without braces around it. An empty one is an error.
pub(crate) fn parse_selection(fields: &str) -> Result<Vec<Selection>, SelectionError> {
    let tree = Parser::new(fields).recursion_limit(MAX_NESTING).token_limit(MAX_TOKENS).parse_selection_set();
    if let Some(error) = tree.errors().next() {
        return Err(SelectionError(format!("syntax error: {}", error.message())));
    }
    let selections = selections(Some(tree.field_set()))?;
    if selections.is_empty() {
        return Err(SelectionError("the field set is empty".into()));
    }
    Ok(selections)
}

fn selections(node: Option<cst::SelectionSet>) -> Result<Vec<Selection>, SelectionError> {
    node.into_iter().flat_map(|n| n.selections()).map(selection).collect()
}

fn selection(node: cst::Selection) -> Result<Selection, SelectionError> {
    match node {
        cst::Selection::Field(f) => Ok(Selection::Field {
            name: f.name().map(text).ok_or_else(|| SelectionError("a field has no name".into()))?,
            alias: f.alias().and_then(|a| a.name()).map(text),
            arguments: f.arguments().map_or_else(|| "".into(), |a| super::source(&a)),
            directives: directives(f.directives()),
            selections: selections(f.selection_set())?,
        }),
        cst::Selection::InlineFragment(f) => Ok(Selection::Fragment {
            on: f.type_condition().and_then(|t| t.named_type()).and_then(|t| t.name()).map(text),
            directives: directives(f.directives()),
            selections: selections(f.selection_set())?,
        }),
        cst::Selection::FragmentSpread(_) => {
            Err(SelectionError("named fragments cannot be used in a field set".into()))
        }
    }
}

fn directives(node: Option<cst::Directives>) -> Vec<Name> {
    node.into_iter().flat_map(|n| n.directives()).filter_map(|d| d.name()).map(text).collect()
}
