//! Random queries that fit a supergraph.

use std::fmt::Write;

use graphql_tools::static_graphql::schema as ast;

use super::schema::{Facts, Kind, LocalSchema, has};

/// A query for the root type, or `None` if it has no field that clients may see.
pub(crate) fn generate(schema: &LocalSchema, facts: &Facts, random: &mut fastrand::Rng) -> Option<String> {
    let mut generator = Generator { schema, facts, random, aliases: 0, budget: 60 };
    let mut query = String::new();
    generator.selection(&schema.query, 0, &mut query).then_some(query)
}

struct Generator<'a> {
    schema: &'a LocalSchema,
    facts: &'a Facts,
    random: &'a mut fastrand::Rng,
    aliases: u32,
    /// Fields that may still be selected.
    budget: u32,
}

const MAX_DEPTH: usize = 6;

impl Generator<'_> {
    /// `false` if nothing can be selected.
    fn selection(&mut self, ty: &str, depth: usize, query: &mut String) -> bool {
        let start = query.len();
        query.push_str("{ ");
        let mut some = false;
        match self.schema.kind(ty) {
            Kind::Object | Kind::Interface => some |= self.fields(ty, depth, query),
            Kind::Union | Kind::Scalar | Kind::Enum | Kind::Input => {}
        }
        if matches!(self.schema.kind(ty), Kind::Interface | Kind::Union) {
            let possible: Vec<String> = self.facts.possible(ty).into_iter().map(str::to_owned).collect();
            for object in possible {
                let is_visible = self.schema.types.get(&object).is_some_and(|ty| !ty.is_hidden)
                    && self.schema.possible(ty).contains(&object);
                if !is_visible || self.random.u8(0..3) == 0 {
                    continue;
                }
                let before = query.len();
                write!(query, "... on {object} ").expect("writing to memory");
                if self.selection(&object, depth, query) {
                    some = true;
                } else {
                    query.truncate(before);
                }
            }
        }
        if !some || self.random.u8(0..4) == 0 {
            query.push_str("__typename ");
            some |= depth > 0;
        }
        query.push_str("} ");
        if !some {
            query.truncate(start);
        }
        some
    }

    fn fields(&mut self, ty: &str, depth: usize, query: &mut String) -> bool {
        let schema = self.schema;
        let Some(definition) = schema.types.get(ty) else { return false };
        let mut fields: Vec<&ast::Field> = definition
            .fields
            .iter()
            .filter(|field| !has(&field.directives, "inaccessible") && !field.name.starts_with('_'))
            .collect();
        self.random.shuffle(&mut fields);
        let count = self.random.usize(1..=4).min(fields.len());
        let mut some = false;
        for field in fields.into_iter().take(count) {
            let Some(budget) = self.budget.checked_sub(1) else { break };
            self.budget = budget;
            some |= self.field(field, depth, query);
        }
        some
    }

    fn field(&mut self, field: &ast::Field, depth: usize, query: &mut String) -> bool {
        let inner = named(&field.field_type);
        let is_composite = matches!(self.schema.kind(inner), Kind::Object | Kind::Interface | Kind::Union);
        let is_hidden = self.schema.types.get(inner).is_some_and(|ty| ty.is_hidden);
        if is_hidden || (is_composite && depth >= MAX_DEPTH) {
            return false;
        }
        let start = query.len();
        // Fields of one name may differ in type or arguments between types, so most have an alias.
        if self.random.u8(0..3) > 0 || !field.arguments.is_empty() {
            self.aliases += 1;
            write!(query, "a{}: ", self.aliases).expect("writing to memory");
        }
        query.push_str(&field.name);
        let mut arguments = Vec::new();
        for argument in field.arguments.iter().filter(|it| !has(&it.directives, "inaccessible")) {
            let is_required =
                matches!(argument.value_type, ast::Type::NonNullType(_)) && argument.default_value.is_none();
            if is_required || self.random.bool() {
                match self.input(&argument.value_type, 0) {
                    Some(value) => arguments.push(format!("{}: {value}", argument.name)),
                    None if is_required => {
                        query.truncate(start);
                        return false;
                    }
                    None => {}
                }
            }
        }
        if !arguments.is_empty() {
            write!(query, "({})", arguments.join(", ")).expect("writing to memory");
        }
        query.push(' ');
        if is_composite && !self.selection(inner, depth + 1, query) {
            query.truncate(start);
            return false;
        }
        true
    }

    /// A literal of an input type; `None` for those that nothing is known of.
    fn input(&mut self, ty: &ast::Type, depth: usize) -> Option<String> {
        match ty {
            ast::Type::NonNullType(inner) => self.input(inner, depth),
            ast::Type::ListType(inner) => self.input(inner, depth).map(|item| format!("[{item}]")),
            ast::Type::NamedType(name) => Some(match (self.schema.kind(name), name.as_str()) {
                (Kind::Scalar, "Int") => self.random.u8(..).to_string(),
                (Kind::Scalar, "Float") => format!("{}.25", self.random.u8(..)),
                (Kind::Scalar, "Boolean") => self.random.bool().to_string(),
                (Kind::Scalar, _) => format!("\"{}\"", self.random.u8(..)),
                (Kind::Enum, _) => self.facts.enum_value(name, self.random.u64(0..8))?.to_owned(),
                (Kind::Input, _) if depth < 3 => {
                    let inputs = &self.schema.types.get(name)?.inputs;
                    let mut fields = Vec::new();
                    for input in inputs {
                        let is_required = matches!(input.value_type, ast::Type::NonNullType(_))
                            && input.default_value.is_none();
                        if has(&input.directives, "inaccessible") || (!is_required && self.random.bool()) {
                            continue;
                        }
                        match self.input(&input.value_type, depth + 1) {
                            Some(value) => fields.push(format!("{}: {value}", input.name)),
                            None if is_required => return None,
                            None => {}
                        }
                    }
                    format!("{{{}}}", fields.join(", "))
                }
                _ => return None,
            }),
        }
    }
}

fn named(ty: &ast::Type) -> &str {
    match ty {
        ast::Type::NamedType(name) => name,
        ast::Type::ListType(inner) | ast::Type::NonNullType(inner) => named(inner),
    }
}
