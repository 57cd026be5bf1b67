//! Changes of a fetch's input and output that the planner asks for.

use hive_router_query_planner::planner::plan_nodes::{FetchNodePathSegment, FetchRewrite};

use super::compile::{CompileError, Symbols};
use crate::json::{Document, Node, Symbol, TYPENAME};
use crate::schema::{TypeId, TypeSet};

/// Sends entities of some types under the name of another: an interface, for a subgraph that knows it as an
/// `@interfaceObject`.
#[derive(Debug)]
pub(crate) struct InputRewrite {
    pub(crate) types: TypeSet,
    pub(crate) name: TypeId,
}

impl InputRewrite {
    pub(super) fn compile(rewrite: &FetchRewrite, symbols: &Symbols<'_>) -> Result<Self, CompileError> {
        let FetchRewrite::ValueSetter(setter) = rewrite else {
            return Err(CompileError::Unsupported("an input rewrite that renames a key"));
        };
        let [FetchNodePathSegment::TypenameEquals(types), FetchNodePathSegment::Key(key)] = &setter.path[..]
        else {
            return Err(CompileError::Unsupported("an input rewrite below the entity"));
        };
        if key != "__typename" {
            return Err(CompileError::Unsupported("an input rewrite of another field than `__typename`"));
        }
        Ok(Self { types: symbols.types(types)?, name: symbols.ty(&setter.set_value_to)? })
    }
}

/// Changes objects of an answer.
#[derive(Debug)]
pub(crate) struct OutputRewrite {
    path: Vec<Step>,
    action: Action,
}

#[derive(Debug)]
enum Step {
    Key(Symbol),
    Type(TypeSet),
}

#[derive(Debug)]
enum Action {
    Rename { from: Symbol, to: Symbol },
    SetType(TypeId),
}

impl OutputRewrite {
    pub(super) fn compile(rewrite: &FetchRewrite, symbols: &mut Symbols<'_>) -> Result<Self, CompileError> {
        let (path, new) = match rewrite {
            FetchRewrite::KeyRenamer(renamer) => (&renamer.path, &renamer.rename_key_to),
            FetchRewrite::ValueSetter(setter) => (&setter.path, &setter.set_value_to),
        };
        let Some((FetchNodePathSegment::Key(key), before)) = path.split_last() else {
            return Err(CompileError::Unsupported("an output rewrite that does not end at a key"));
        };
        let action = match rewrite {
            FetchRewrite::KeyRenamer(_) => {
                Action::Rename { from: symbols.intern(key), to: symbols.intern(new) }
            }
            FetchRewrite::ValueSetter(_) if key == "__typename" => Action::SetType(symbols.ty(new)?),
            FetchRewrite::ValueSetter(_) => {
                return Err(CompileError::Unsupported("an output rewrite that sets a field's value"));
            }
        };
        let path = before
            .iter()
            .map(|segment| {
                Ok(match segment {
                    FetchNodePathSegment::Key(key) => Step::Key(symbols.intern(key)),
                    FetchNodePathSegment::TypenameEquals(types) => Step::Type(symbols.types(types)?),
                })
            })
            .collect::<Result<_, CompileError>>()?;
        Ok(Self { path, action })
    }

    pub(crate) fn apply(&self, document: &mut Document, node: Node) {
        self.walk(document, node, &self.path);
    }

    fn walk(&self, document: &mut Document, node: Node, path: &[Step]) {
        match node {
            Node::Null | Node::Raw { .. } => {}
            Node::List { first, len } => {
                for index in 0..len {
                    let item = document.items(first + index, 1)[0];
                    self.walk(document, item, path);
                }
            }
            Node::Object(object) => match path.split_first() {
                None => match self.action {
                    Action::Rename { from, to } => document.rename(object, from, to),
                    Action::SetType(ty) if document.field(object, TYPENAME).is_some() => {
                        document.set_type(object, Some(ty));
                    }
                    Action::SetType(_) => {}
                },
                Some((Step::Type(types), rest)) => {
                    if document.object_type(object).is_none_or(|ty| types.contains(ty)) {
                        self.walk(document, node, rest);
                    }
                }
                Some((Step::Key(symbol), rest)) => {
                    if let Some(child) = document.field(object, *symbol) {
                        self.walk(document, child, rest);
                    }
                }
            },
        }
    }
}
