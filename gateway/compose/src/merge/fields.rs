//! Merging of the fields of objects and interfaces.

use indexmap::IndexMap;

use super::overrides::Standing;
use super::{Merger, Sources, description, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{
    Block, Directive, Directives, Field, InputValue, Kind, Name, Pos, Role, TypeDef, TypeRef, Value,
};
use crate::subgraph::fields_argument;

/// One field being merged.
pub(super) struct FieldSources<'s, 'a> {
    pub parent: &'s Name,
    pub kind: Kind,
    pub parents: &'s Sources<'a, TypeDef>,
    pub fields: Sources<'a, Field>,
    /// Interfaces of the parent that are interface objects somewhere.
    pub interface_objects: &'s [&'a Name],
    /// What overrides leave of each subgraph's field; empty where no override is at work.
    pub standing: Vec<Standing>,
}

impl FieldSources<'_, '_> {
    pub(super) fn coordinate(&self) -> String {
        let name = self.fields.first().map_or("", |f| &f.name);
        format!("{}.{name}", self.parent)
    }

    pub(super) fn standing(&self, subgraph: usize) -> &Standing {
        self.standing.get(subgraph).unwrap_or(&Standing::Plain)
    }
}

impl<'a> Merger<'a> {
    pub(super) fn merge_fields(&mut self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        let names = sources.names(|t| t.fields.keys());
        let interfaces = sources.names(|t| t.interfaces.iter());
        let interface_objects: Vec<&'a Name> =
            interfaces.into_iter().filter(|i| self.relations.is_interface_object(i)).collect();
        for name in names {
            let mut set = FieldSources {
                interface_objects: &interface_objects,
                parent: &merged.name,
                kind: merged.kind,
                parents: sources,
                fields: sources.pick(|t| t.fields.get(name)),
                standing: Vec::new(),
            };
            set.standing = self.resolve_overrides(&set, name);
            let field = self.merge_field(&set, name);
            self.check_sharing(&set, name);
            merged.fields.insert(name.clone(), field);
        }
    }

    fn merge_field(&mut self, set: &FieldSources<'_, 'a>, name: &Name) -> Field {
        let at = set.coordinate();
        let mut own = set.fields.filter(|i, _| !self.subgraphs[i].usage.is_external(set.parent, name));
        if own.is_empty() {
            if !self.is_resolved_by_interface_object(set, name) {
                let listed = listed(&self.names_of(&set.fields));
                let message = format!("`{at}` is @external wherever it is defined ({listed})");
                let error = CompositionError::new(ErrorCode::ExternalMissingOnBase, message).at(&at);
                self.errors.push(error.within(self.names_of(&set.fields)));
            }
            own = set.fields.clone();
        }
        let types = set.fields.pick(|f| Some(&f.ty));
        let merged_type = self.merge_types(&types, Position::Output);
        let all_equal = matches!(merged_type, MergedType::Equal(_));
        let ty = self.accept_type(merged_type, &types, ErrorCode::FieldTypeMismatch, &at);
        let mut merged = Field {
            name: name.clone(),
            description: description(own.values().map(|f| f.description.as_ref())),
            arguments: self.merge_arguments(&own, &at),
            ty,
            directives: Vec::new(),
            block: Block::DEFINITION,
            pos: Pos::default(),
        };
        self.check_external_arguments(set, &merged, &at);
        self.check_external_directives(set, &at);
        self.join_field(set, name, all_equal, &mut merged.directives);
        self.merge_applied(&own, &mut merged.directives);
        merged
    }

    fn merge_arguments(&mut self, fields: &Sources<'a, Field>, at: &str) -> IndexMap<Name, InputValue> {
        let names = fields.names(|f| f.arguments.keys());
        let mut merged = IndexMap::new();
        for name in names {
            let sources = fields.pick(|f| f.arguments.get(name));
            if let Some(argument) = self.merge_argument(&sources, fields, name, &format!("{at}({name}:)")) {
                merged.insert(name.clone(), argument);
            }
        }
        merged
    }

    /// An external declaration must fit what the field turns out to be.
    fn check_external_arguments(&mut self, set: &FieldSources<'_, 'a>, merged: &Field, at: &str) {
        for (index, field) in set.fields.iter() {
            let subgraph = &self.subgraphs[index];
            if !subgraph.usage.is_external(set.parent, &field.name) {
                continue;
            }
            for expected in merged.arguments.values() {
                let name = &expected.name;
                let (code, message) = match field.arguments.get(name) {
                    None => {
                        let message = format!("@external `{at}` lacks the argument `{name}`");
                        (ErrorCode::ExternalArgumentMissing, message)
                    }
                    Some(own)
                        if own.ty != expected.ty
                            && !self.relations.is_strict_subtype(&expected.ty, &own.ty) =>
                    {
                        let message = format!(
                            "`{name}` of @external `{at}` has type `{}`; expected `{}`",
                            own.ty, expected.ty
                        );
                        (ErrorCode::ExternalArgumentTypeMismatch, message)
                    }
                    Some(own) if own.default != expected.default => {
                        let message = format!("`{name}` of @external `{at}` has another default value");
                        (ErrorCode::ExternalArgumentDefaultMismatch, message)
                    }
                    Some(_) => continue,
                };
                let error = CompositionError::new(code, message).at(at);
                self.errors.push(error.within([subgraph.name.as_str()]));
            }
        }
    }

    /// What is said of a field is said where it is resolved.
    fn check_external_directives(&mut self, set: &FieldSources<'_, 'a>, at: &str) {
        for (index, field) in set.fields.iter() {
            let subgraph = &self.subgraphs[index];
            if !subgraph.usage.is_external(set.parent, &field.name) {
                continue;
            }
            for directive in field.directives.iter().filter(|d| self.composed.says_something(index, d)) {
                let message = format!("`{at}` is @external, so its @{} has no meaning", directive.name);
                let code = ErrorCode::MergedDirectiveApplicationOnExternal;
                let error = CompositionError::new(code, message).at(at);
                self.errors.push(error.within([subgraph.name.as_str()]));
            }
        }
    }

    /// `@join__field`, unless every subgraph that has the type resolves the field, all alike.
    fn join_field(&self, set: &FieldSources<'_, 'a>, name: &Name, all_equal: bool, out: &mut Vec<Directive>) {
        let special = |(index, field): (usize, &Field)| {
            !matches!(set.standing(index), Standing::Plain)
                || self.subgraphs[index].usage.is_external(set.parent, name)
                || field.has(Role::Requires)
                || field.has(Role::Provides)
        };
        let everywhere = set.fields.len() == set.parents.len();
        if all_equal && everywhere && !set.fields.iter().any(special) {
            return;
        }
        for (index, field) in set.fields.iter() {
            let subgraph = &self.subgraphs[index];
            let mut arguments = vec![("graph", Value::Enum(subgraph.graph.clone()))];
            let mut string = |name, text: Option<&str>| {
                arguments.extend(text.map(|text| (name, Value::string(text))));
            };
            string("requires", field.first(Role::Requires).and_then(fields_argument));
            string("provides", field.first(Role::Provides).and_then(fields_argument));
            string("type", (!all_equal).then(|| field.ty.to_string()).as_deref());
            let from = field.first(Role::Override).and_then(|d| d.argument("from"));
            string("override", from.and_then(Value::as_str));
            if subgraph.usage.is_external(set.parent, name) {
                arguments.push(("external", Value::Boolean(true)));
            }
            match set.standing(index) {
                Standing::Gone => continue,
                Standing::Plain => {}
                Standing::UsedOverridden => arguments.push(("usedOverridden", Value::Boolean(true))),
                Standing::Labelled(label) => {
                    arguments.push(("overrideLabel", Value::String(label.label.clone())))
                }
            }
            out.push(Directive::new("join__field", arguments));
        }
    }

    /// Reports types that cannot be merged, and goes on with the first.
    pub(super) fn accept_type(
        &mut self,
        merged: MergedType,
        types: &Sources<'_, TypeRef>,
        code: ErrorCode,
        at: &str,
    ) -> TypeRef {
        match merged {
            MergedType::Equal(ty) | MergedType::Widened(ty) => ty,
            MergedType::Incompatible(ty) => {
                let stated: Vec<String> =
                    types.iter().map(|(i, ty)| format!("`{ty}` in \"{}\"", self.subgraphs[i].name)).collect();
                let message = format!("the types of `{at}` are incompatible: {}", stated.join(", "));
                let error = CompositionError::new(code, message).at(at);
                self.errors.push(error.within(self.names_of(types)));
                ty
            }
        }
    }

    /// Output types widen to the most general, input types narrow to the most specific.
    pub(super) fn merge_types(&self, types: &Sources<'_, TypeRef>, position: Position) -> MergedType {
        let mut distinct = types.values();
        let mut merged = distinct.next().expect("an element has a source");
        let first = merged;
        let mut equal = true;
        for ty in distinct {
            if ty == merged {
                continue;
            }
            equal = false;
            let (general, specific) =
                (self.relations.is_strict_subtype(merged, ty), self.relations.is_strict_subtype(ty, merged));
            match (position, general, specific) {
                (Position::Output, true, _) | (Position::Input, _, true) => merged = ty,
                (Position::Output, false, true) | (Position::Input, true, false) => {}
                (_, false, false) => return MergedType::Incompatible(first.clone()),
            }
        }
        if equal { MergedType::Equal(merged.clone()) } else { MergedType::Widened(merged.clone()) }
    }
}

/// Whether values flow out to clients or in to subgraphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Input,
    Output,
}

pub(super) enum MergedType {
    /// All subgraphs say the same.
    Equal(TypeRef),
    /// They differ, but one serves for all.
    Widened(TypeRef),
    /// They cannot be reconciled; the first of them.
    Incompatible(TypeRef),
}
