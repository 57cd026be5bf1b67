//! The size of an operation, measured before it is validated and planned. Fragments count where they are
//! spread, each measured once, so that a small query which unfolds to a huge one is refused cheaply.

use std::collections::HashMap;

use graphql_tools::static_graphql::query as ast;

use crate::error::{Code, GraphqlError};
use crate::limits::Limits;

/// Fields, inline fragments and spreads below one another that measuring follows. Deeper is too deep by any
/// setting: an inline fragment adds no depth, but takes stack.
const MAX_NESTING: usize = 3 * Limits::DEEPEST;

#[derive(Clone, Copy, Default)]
struct Size {
    depth: usize,
    fields: usize,
    aliases: usize,
    directives: usize,
    /// Fields at the top.
    top: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.top = self.top.saturating_add(other.top);
    }
}

struct TooDeep;

/// Checks an operation of a document, which need not be valid.
pub(super) fn check(
    document: &ast::Document,
    selection: &ast::SelectionSet,
    limits: &Limits,
) -> Result<(), GraphqlError> {
    let fragments = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            ast::Definition::Fragment(fragment) => Some((fragment.name.as_str(), fragment)),
            ast::Definition::Operation(_) => None,
        })
        .collect();
    let depth = limits.depth.min(Limits::DEEPEST);
    let mut measure = Measure { fragments, known: HashMap::new() };
    // Fragments that the operation does not use are validated all the same, so they are measured too.
    let names: Vec<&str> = measure.fragments.keys().copied().collect();
    let measured = names
        .into_iter()
        .try_for_each(|name| measure.fragment(name, 0).map(drop))
        .and_then(|()| measure.set(selection, 0));
    let Ok(size) = measured else { return Err(exceeded("levels of fields", None, depth)) };
    let bounds = [
        ("levels of fields", size.depth, depth),
        ("fields", size.fields, limits.fields),
        ("aliases", size.aliases, limits.aliases),
        ("directives", size.directives, limits.directives),
        ("fields of the root type", size.top, limits.root_fields),
    ];
    match bounds.into_iter().find(|(_, size, bound)| size > bound) {
        Some((what, size, bound)) => Err(exceeded(what, Some(size), bound)),
        None => Ok(()),
    }
}

fn exceeded(what: &str, size: Option<usize>, bound: usize) -> GraphqlError {
    let size = match size {
        Some(usize::MAX) | None => "too many".to_owned(),
        Some(size) => size.to_string(),
    };
    GraphqlError::new(
        Code::LimitExceeded,
        format!("the operation has {size} {what}, its fragments resolved; {bound} are allowed"),
    )
}

struct Measure<'a> {
    fragments: HashMap<&'a str, &'a ast::FragmentDefinition>,
    /// Fragments measured so far; `None` while one is being measured, so that a cycle ends.
    known: HashMap<&'a str, Option<Size>>,
}

impl<'a> Measure<'a> {
    fn set(&mut self, set: &'a ast::SelectionSet, nesting: usize) -> Result<Size, TooDeep> {
        if nesting > MAX_NESTING {
            return Err(TooDeep);
        }
        let mut size = Size::default();
        for item in &set.items {
            match item {
                ast::Selection::Field(field) => {
                    let below = self.set(&field.selection_set, nesting + 1)?;
                    size.add(Size {
                        depth: below.depth + 1,
                        fields: below.fields.saturating_add(1),
                        aliases: below.aliases.saturating_add(usize::from(field.alias.is_some())),
                        directives: below.directives.saturating_add(field.directives.len()),
                        top: 1,
                    });
                }
                ast::Selection::InlineFragment(fragment) => {
                    size.add(self.set(&fragment.selection_set, nesting + 1)?);
                    size.directives = size.directives.saturating_add(fragment.directives.len());
                }
                ast::Selection::FragmentSpread(spread) => {
                    size.add(self.fragment(&spread.fragment_name, nesting + 1)?);
                    size.directives = size.directives.saturating_add(spread.directives.len());
                }
            }
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &str, nesting: usize) -> Result<Size, TooDeep> {
        let Some((name, fragment)) = self.fragments.get_key_value(name).map(|(name, it)| (*name, *it)) else {
            return Ok(Size::default());
        };
        if let Some(known) = self.known.get(name) {
            return Ok(known.unwrap_or_default());
        }
        self.known.insert(name, None);
        let size = self.set(&fragment.selection_set, nesting + 1)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}
