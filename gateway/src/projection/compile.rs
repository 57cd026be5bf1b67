//! Collecting fields.

use std::collections::HashMap;
use std::sync::Arc;

use graphql_tools::static_graphql::query as ast;

use super::{Composite, Condition, Field, Flag, Leaf, Selection, Source};
use crate::json::TYPENAME;
use crate::plan::Symbols;
use crate::schema::{Schema, TypeId, TypeKind, TypeRef};

/// How many fields an operation may come to once its fragments are resolved for every possible type. Beyond
/// it the operation is refused.
pub(crate) const MAX_COLLECTED_FIELDS: usize = 100_000;

/// Why an operation can't be projected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProjectionError {
    #[error(
        "the operation is too complex: resolving its fragments takes more than {MAX_COLLECTED_FIELDS} fields; \
         select fewer fields of interfaces and unions below one another"
    )]
    TooComplex,
    #[error("the field `{field}` of `{ty}` is not in the schema")]
    UnknownField { ty: String, field: String },
}

/// A selection set with the flags under which it applies.
type Guarded<'a> = (Vec<Flag>, &'a ast::SelectionSet);

/// Fields by response key, in the order in which they first occur.
type Collected<'a> = Vec<(&'a str, Vec<(Vec<Flag>, &'a ast::Field)>)>;

/// Collects the fields of a valid operation from its root type on.
pub(crate) fn compile(
    schema: &Schema,
    symbols: &mut Symbols<'_>,
    document: &ast::Document,
    operation: &ast::SelectionSet,
    root: TypeId,
) -> Result<Arc<Selection>, ProjectionError> {
    let fragments = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            ast::Definition::Fragment(fragment) => Some((fragment.name.as_str(), fragment)),
            ast::Definition::Operation(_) => None,
        })
        .collect();
    let mut compiler = Compiler { schema, symbols, fragments, budget: MAX_COLLECTED_FIELDS };
    let collected = compiler.collect(&[(Vec::new(), operation)], root)?;
    compiler.selection(&collected, root)
}

struct Compiler<'a, 's> {
    schema: &'a Schema,
    symbols: &'a mut Symbols<'s>,
    fragments: HashMap<&'a str, &'a ast::FragmentDefinition>,
    budget: usize,
}

impl<'a> Compiler<'a, '_> {
    /// The fields of `sets` that apply to an object of type `ty`.
    fn collect(&mut self, sets: &[Guarded<'a>], ty: TypeId) -> Result<Collected<'a>, ProjectionError> {
        let mut collected = Vec::new();
        for (flags, set) in sets {
            self.collect_into(&mut collected, flags, set, ty)?;
        }
        Ok(collected)
    }

    fn collect_into(
        &mut self,
        collected: &mut Collected<'a>,
        flags: &[Flag],
        set: &'a ast::SelectionSet,
        ty: TypeId,
    ) -> Result<(), ProjectionError> {
        for item in &set.items {
            self.budget = self.budget.checked_sub(1).ok_or(ProjectionError::TooComplex)?;
            let directives = match item {
                ast::Selection::Field(field) => &field.directives,
                ast::Selection::InlineFragment(fragment) => &fragment.directives,
                ast::Selection::FragmentSpread(spread) => &spread.directives,
            };
            let Some(flags) = self.flags(flags, directives) else { continue };
            match item {
                ast::Selection::Field(field) => {
                    let key = field.alias.as_deref().unwrap_or(&field.name);
                    match collected.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, occurrences)) => occurrences.push((flags, field)),
                        None => collected.push((key, vec![(flags, field)])),
                    }
                }
                ast::Selection::InlineFragment(fragment) => {
                    if fragment.type_condition.as_ref().is_none_or(|on| self.applies(on.as_ref(), ty)) {
                        self.collect_into(collected, &flags, &fragment.selection_set, ty)?;
                    }
                }
                ast::Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(spread.fragment_name.as_str()).copied();
                    if let Some(fragment) = fragment
                        && self.applies(fragment.type_condition.as_ref(), ty)
                    {
                        self.collect_into(collected, &flags, &fragment.selection_set, ty)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn applies(&self, condition: &str, ty: TypeId) -> bool {
        self.schema.id(condition).is_some_and(|condition| self.schema.members(condition).contains(ty))
    }

    /// `outer` and the flags of `@skip` and `@include`; `None` if a literal argument rules the selection out.
    fn flags(&mut self, outer: &[Flag], directives: &[ast::Directive]) -> Option<Vec<Flag>> {
        let mut flags = outer.to_vec();
        for directive in directives {
            let expected = match directive.name.as_str() {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            match directive.arguments.iter().find(|(name, _)| name == "if").map(|(_, value)| value) {
                Some(ast::Value::Boolean(value)) if *value != expected => return None,
                Some(ast::Value::Variable(name)) => {
                    let flag = Flag { variable: self.symbols.condition(name), expected };
                    if !flags.contains(&flag) {
                        flags.push(flag);
                    }
                }
                _ => {}
            }
        }
        Some(flags)
    }

    fn selection(
        &mut self,
        collected: &Collected<'a>,
        parent: TypeId,
    ) -> Result<Arc<Selection>, ProjectionError> {
        let mut fields = Vec::with_capacity(collected.len());
        for (key, occurrences) in collected {
            fields.push(self.field(key, occurrences, parent)?);
        }
        Ok(Arc::new(Selection { fields }))
    }

    fn field(
        &mut self,
        key: &str,
        occurrences: &[(Vec<Flag>, &'a ast::Field)],
        parent: TypeId,
    ) -> Result<Field, ProjectionError> {
        let (first_flags, field) = &occurrences[0];
        let alike = occurrences.iter().all(|(flags, _)| flags == first_flags);
        let condition = if occurrences.iter().any(|(flags, _)| flags.is_empty()) {
            None
        } else if alike {
            Some(Condition(vec![first_flags.clone()]))
        } else {
            Some(Condition(occurrences.iter().map(|(flags, _)| flags.clone()).collect()))
        };
        let (source, ty) = self.source(field, parent)?;
        // The field is written if any occurrence applies, but each brings its own selections only if it does.
        let sets: Vec<Guarded<'a>> = occurrences
            .iter()
            .map(|(flags, field)| (if alike { Vec::new() } else { flags.clone() }, &field.selection_set))
            .collect();
        let leaf = self.leaf(ty.named(), &sets)?;
        let symbol = if matches!(source, Source::Typename) { TYPENAME } else { self.symbols.intern(key) };
        Ok(Field {
            symbol,
            key: format!("\"{key}\":").into_bytes().into(),
            name: field.name.as_str().into(),
            condition,
            source,
            ty,
            leaf,
        })
    }

    fn source(&self, field: &ast::Field, parent: TypeId) -> Result<(Source, TypeRef), ProjectionError> {
        let unknown = || ProjectionError::UnknownField {
            ty: self.schema.name(parent).to_owned(),
            field: field.name.clone(),
        };
        if field.name == "__typename" {
            let string = self.schema.id("String").ok_or_else(unknown)?;
            return Ok((Source::Typename, TypeRef::NonNull(Box::new(TypeRef::Named(string)))));
        }
        let definition =
            self.schema.definition(parent).and_then(|ty| ty.field(&field.name)).ok_or_else(unknown)?;
        let is_introspection = field.name.starts_with("__") || self.schema.name(parent).starts_with("__");
        let source =
            if is_introspection { Source::Introspection(field.arguments.clone()) } else { Source::Data };
        Ok((source, definition.ty.clone()))
    }

    fn leaf(&mut self, ty: TypeId, sets: &[Guarded<'a>]) -> Result<Leaf, ProjectionError> {
        let is_composite = match self.schema.definition(ty).map(|definition| &definition.kind) {
            Some(TypeKind::Object { .. } | TypeKind::Interface { .. } | TypeKind::Union { .. }) => true,
            Some(TypeKind::Scalar { .. } | TypeKind::Enum { .. } | TypeKind::InputObject { .. }) | None => {
                false
            }
        };
        if !is_composite {
            let guarded = self.schema.is_guarded_enum(ty);
            return Ok(if guarded { Leaf::GuardedEnum(ty) } else { Leaf::Scalar });
        }
        let collected = self.collect(sets, ty)?;
        let untold = self.selection(&collected, ty)?;
        let mut told: Vec<(TypeId, Arc<Selection>)> = Vec::new();
        if !self.schema.is_object(ty) {
            let mut selections: Vec<(Collected<'a>, Arc<Selection>)> = Vec::new();
            let schema = self.schema;
            for object in schema.possible_objects(ty) {
                let collected = self.collect(sets, object)?;
                let known = selections.iter().find(|(known, _)| same(known, &collected));
                let selection = match known {
                    Some((_, selection)) if self.agree(&collected, selection, object) => selection.clone(),
                    _ => {
                        let selection = self.selection(&collected, object)?;
                        selections.push((collected, selection.clone()));
                        selection
                    }
                };
                told.push((object, selection));
            }
        }
        Ok(Leaf::Composite(Composite { declared: ty, untold, told }))
    }

    /// Whether the fields of `ty` have the very types that `selection` was made for: an object type may
    /// declare a narrower type than the interface or its sibling does.
    fn agree(&self, collected: &Collected<'a>, selection: &Selection, ty: TypeId) -> bool {
        collected.iter().zip(&selection.fields).all(|((_, occurrences), field)| {
            self.source(occurrences[0].1, ty).is_ok_and(|(_, ty)| ty == field.ty)
        })
    }
}

/// Whether two collections are of the same selections of the document.
fn same(one: &Collected<'_>, other: &Collected<'_>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((_, ones), (_, others))| {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|((flags, field), (other_flags, other_field))| {
                    flags == other_flags && std::ptr::eq(*field, *other_field)
                })
        })
}
