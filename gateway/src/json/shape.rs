//! The keys to expect in a subgraph's answer, level by level.

use hive_router_query_planner::ast::fragment::FragmentDefinition;
use hive_router_query_planner::ast::selection_item::SelectionItem;
use hive_router_query_planner::ast::selection_set::SelectionSet;

use super::{Symbol, TYPENAME};

/// What a fetch selects, as a tree of response keys. The selections of all type conditions are merged: an
/// object of one type simply has only some of the keys.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    levels: Vec<Vec<Key>>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: Box<str>,
    /// The name in quotes, as it stands in JSON.
    pub(super) quoted: Box<[u8]>,
    pub(super) symbol: Symbol,
    /// The level of what the field selects; `None` for a leaf.
    pub(super) child: Option<u32>,
}

impl Shape {
    /// The level of `data` itself.
    pub(super) const ROOT: u32 = 0;

    pub(super) fn keys(&self, level: u32) -> &[Key] {
        &self.levels[level as usize]
    }
}

/// Builds a shape from the selections of a subgraph operation.
pub(crate) struct ShapeBuilder<'a> {
    fragments: &'a [FragmentDefinition],
    /// Numbers a response key.
    intern: &'a mut dyn FnMut(&str) -> Symbol,
    levels: Vec<Vec<Key>>,
}

impl<'a> ShapeBuilder<'a> {
    pub(crate) fn build(
        selections: &SelectionSet,
        fragments: &'a [FragmentDefinition],
        intern: &'a mut dyn FnMut(&str) -> Symbol,
    ) -> Shape {
        let mut builder = Self { fragments, intern, levels: vec![Vec::new()] };
        builder.add(Shape::ROOT, selections);
        Shape { levels: builder.levels }
    }

    fn add(&mut self, level: u32, selections: &SelectionSet) {
        for item in &selections.items {
            match item {
                SelectionItem::Field(field) => {
                    let position = self.key(level, field.selection_identifier(), &field.name);
                    if field.selections.is_empty() {
                        continue;
                    }
                    let child = match self.levels[level as usize][position].child {
                        Some(child) => child,
                        None => {
                            let child = self.levels.len() as u32;
                            self.levels.push(Vec::new());
                            self.levels[level as usize][position].child = Some(child);
                            child
                        }
                    };
                    self.add(child, &field.selections);
                }
                SelectionItem::InlineFragment(fragment) => self.add(level, &fragment.selections),
                SelectionItem::FragmentSpread(name) => {
                    let fragments = self.fragments;
                    if let Some(fragment) = fragments.iter().find(|fragment| fragment.name == *name) {
                        self.add(level, &fragment.selection_set);
                    }
                }
            }
        }
    }

    /// The position of a response key in a level, where it is put if it is not there yet.
    fn key(&mut self, level: u32, response_key: &str, field: &str) -> usize {
        let keys = &mut self.levels[level as usize];
        if let Some(position) = keys.iter().position(|key| *key.name == *response_key) {
            return position;
        }
        let symbol = match (response_key, field) {
            ("__typename", "__typename") => TYPENAME,
            _ => (self.intern)(response_key),
        };
        keys.push(Key {
            name: response_key.into(),
            quoted: format!("\"{response_key}\"").into_bytes().into(),
            symbol,
            child: None,
        });
        keys.len() - 1
    }
}
