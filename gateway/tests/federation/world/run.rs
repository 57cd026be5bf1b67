//! Answering queries about the world, as far as a schema goes.

use std::collections::HashMap;
use std::sync::Arc;

use graphql_tools::static_graphql::{query as ast, schema};
use serde_json::{Map, Value, json};

use super::schema::{Facts, Kind, LocalSchema};

/// A server that knows the part of the world that its schema has.
pub(crate) struct Server {
    name: String,
    pub(crate) schema: Arc<LocalSchema>,
    pub(crate) facts: Arc<Facts>,
}

/// Why a server can't answer: always a fault of who asks.
type Fault = String;

struct Run<'a> {
    server: &'a Server,
    fragments: HashMap<&'a str, &'a ast::FragmentDefinition>,
    variables: &'a Value,
}

/// An object of the world.
#[derive(Clone)]
struct Object {
    /// The type that it goes by here.
    ty: String,
    seed: u64,
}

impl Server {
    pub(crate) fn new(name: &str, schema: Arc<LocalSchema>, facts: Arc<Facts>) -> Self {
        Self { name: name.to_owned(), schema, facts }
    }

    /// The GraphQL response. Errors mean that the query was not fit for this server.
    pub(crate) fn answer(&self, query: &str, variables: &Value) -> Value {
        match self.run(query, variables) {
            Ok(data) => json!({ "data": data }),
            Err(fault) => json!({ "errors": [{ "message": format!("{}: {fault}", self.name) }] }),
        }
    }

    fn run(&self, query: &str, variables: &Value) -> Result<Value, Fault> {
        let document = graphql_tools::parser::parse_query::<String>(query)
            .map_err(|error| error.to_string())?
            .into_static();
        let mut fragments = HashMap::new();
        let mut operation = None;
        for definition in &document.definitions {
            match definition {
                ast::Definition::Fragment(fragment) => {
                    fragments.insert(fragment.name.as_str(), fragment);
                }
                ast::Definition::Operation(definition) => operation = Some(definition),
            }
        }
        let operation = operation.ok_or("no operation")?;
        let root = match operation {
            ast::OperationDefinition::Mutation(_) => &self.schema.mutation,
            ast::OperationDefinition::Query(_)
            | ast::OperationDefinition::SelectionSet(_)
            | ast::OperationDefinition::Subscription(_) => &self.schema.query,
        };
        let run = Run { server: self, fragments, variables };
        let root = Object { ty: root.clone(), seed: 1 };
        run.object(&root, &[operation.selection_set()])
    }
}

impl<'a> Run<'a> {
    fn object(&self, object: &Object, sets: &[&'a ast::SelectionSet]) -> Result<Value, Fault> {
        let mut fields: Vec<(&str, Vec<&'a ast::Field>)> = Vec::new();
        for set in sets {
            self.collect(object, set, &mut fields)?;
        }
        let mut result = Map::new();
        for (key, occurrences) in fields {
            result.insert(key.to_owned(), self.field(object, &occurrences)?);
        }
        Ok(Value::Object(result))
    }

    fn collect(
        &self,
        object: &Object,
        set: &'a ast::SelectionSet,
        fields: &mut Vec<(&'a str, Vec<&'a ast::Field>)>,
    ) -> Result<(), Fault> {
        for item in &set.items {
            let directives = match item {
                ast::Selection::Field(field) => &field.directives,
                ast::Selection::InlineFragment(fragment) => &fragment.directives,
                ast::Selection::FragmentSpread(spread) => &spread.directives,
            };
            if !self.is_included(directives) {
                continue;
            }
            match item {
                ast::Selection::Field(field) => {
                    let key = field.alias.as_deref().unwrap_or(&field.name);
                    match fields.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, occurrences)) => occurrences.push(field),
                        None => fields.push((key, vec![field])),
                    }
                }
                ast::Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref().map(|on| on.as_ref().as_str());
                    if condition.map_or(Ok(true), |on| self.applies(object, on))? {
                        self.collect(object, &fragment.selection_set, fields)?;
                    }
                }
                ast::Selection::FragmentSpread(spread) => {
                    let fragment =
                        self.fragments.get(spread.fragment_name.as_str()).ok_or("an unknown fragment")?;
                    if self.applies(object, fragment.type_condition.as_ref())? {
                        self.collect(object, &fragment.selection_set, fields)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_included(&self, directives: &[ast::Directive]) -> bool {
        directives.iter().all(|directive| {
            let value = directive.arguments.first().map(|(_, value)| self.literal(value));
            match directive.name.as_str() {
                "skip" => value != Some(Value::Bool(true)),
                "include" => value != Some(Value::Bool(false)),
                _ => true,
            }
        })
    }

    fn applies(&self, object: &Object, condition: &str) -> Result<bool, Fault> {
        let schema = &self.server.schema;
        if !schema.types.contains_key(condition) {
            return Err(format!("the type `{condition}` is not known here"));
        }
        let implements =
            schema.types.get(&object.ty).is_some_and(|ty| ty.interfaces.iter().any(|it| it == condition));
        Ok(object.ty == condition || implements || schema.possible(condition).contains(&object.ty))
    }

    fn field(&self, object: &Object, occurrences: &[&'a ast::Field]) -> Result<Value, Fault> {
        let field = occurrences[0];
        let sets: Vec<_> = occurrences.iter().map(|field| &field.selection_set).collect();
        match field.name.as_str() {
            "__typename" => return Ok(json!(object.ty)),
            "_entities" => return self.entities(field, &sets),
            _ => {}
        }
        let definition = self
            .server
            .schema
            .field(&object.ty, &field.name)
            .ok_or_else(|| format!("`{}.{}` is not known here", object.ty, field.name))?;
        let facts = &self.server.facts;
        if facts.may_be_null(&object.ty, &field.name)
            && matches!(definition.field_type, schema::Type::NamedType(_) | schema::Type::ListType(_))
            && (field.name.len() as u64 * 7 + object.seed).is_multiple_of(11)
        {
            return Ok(Value::Null);
        }
        let mut arguments: Vec<(&str, Value)> =
            field.arguments.iter().map(|(name, value)| (name.as_str(), self.literal(value))).collect();
        arguments.retain(|(_, value)| !value.is_null());
        arguments.sort_by_key(|(name, _)| *name);
        let said = if arguments.is_empty() {
            String::new()
        } else {
            arguments.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
        };
        self.value(&definition.field_type, &field.name, object.seed, &said, &sets)
    }

    fn value(
        &self,
        ty: &schema::Type,
        name: &str,
        seed: u64,
        said: &str,
        sets: &[&'a ast::SelectionSet],
    ) -> Result<Value, Fault> {
        match ty {
            schema::Type::NonNullType(inner) => self.value(inner, name, seed, said, sets),
            schema::Type::ListType(inner) => [seed, (seed * 3 + 1) % 17]
                .into_iter()
                .map(|seed| self.value(inner, name, seed, said, sets))
                .collect(),
            schema::Type::NamedType(ty) => self.named(ty, name, seed, said, sets),
        }
    }

    fn named(
        &self,
        ty: &str,
        name: &str,
        seed: u64,
        said: &str,
        sets: &[&'a ast::SelectionSet],
    ) -> Result<Value, Fault> {
        let facts = &self.server.facts;
        match self.server.schema.kind(ty) {
            Kind::Object => self.object(&Object { ty: ty.to_owned(), seed }, sets),
            Kind::Interface | Kind::Union => match facts.object_type(ty, seed) {
                Some(object) => self.object(&Object { ty: object.to_owned(), seed }, sets),
                None => Ok(Value::Null),
            },
            Kind::Enum => Ok(facts.enum_value(ty, seed).map_or(Value::Null, |value| json!(value))),
            Kind::Scalar | Kind::Input => {
                let salt = said.bytes().fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 997);
                Ok(match ty {
                    "Int" => json!(seed + 1000 * salt),
                    "Float" => json!((seed + 1000 * salt) as f64 + 0.5),
                    "Boolean" => json!((seed + salt).is_multiple_of(2)),
                    "ID" | "String" => json!(format!("{name}({said})-{seed}")),
                    _ => json!({ name: [said, format!("{seed}")] }),
                })
            }
        }
    }

    fn entities(&self, field: &'a ast::Field, sets: &[&'a ast::SelectionSet]) -> Result<Value, Fault> {
        let representations = field.arguments.first().map(|(_, value)| self.literal(value));
        let Some(Value::Array(representations)) = representations else {
            return Err("no list of representations".to_owned());
        };
        representations.iter().map(|representation| self.entity(representation, sets)).collect()
    }

    fn entity(&self, representation: &Value, sets: &[&'a ast::SelectionSet]) -> Result<Value, Fault> {
        let ty = representation["__typename"].as_str().ok_or("a representation without `__typename`")?;
        let seed = seed_of(representation).ok_or_else(|| format!("no key in {representation}"))?;
        let schema = &self.server.schema;
        let ty = match schema.kind(ty) {
            Kind::Interface => self.server.facts.object_type(ty, seed).unwrap_or(ty),
            Kind::Object => ty,
            Kind::Scalar | Kind::Union | Kind::Enum | Kind::Input => {
                return Err(format!("`{ty}` is no entity here"));
            }
        };
        self.object(&Object { ty: ty.to_owned(), seed }, sets)
    }

    fn literal(&self, value: &ast::Value) -> Value {
        match value {
            ast::Value::Variable(name) => self.variables[name].clone(),
            ast::Value::Int(number) => json!(number.as_i64()),
            ast::Value::Float(number) => json!(number),
            ast::Value::String(text) | ast::Value::Enum(text) => json!(text),
            ast::Value::Boolean(value) => json!(value),
            ast::Value::Null => Value::Null,
            ast::Value::List(items) => items.iter().map(|item| self.literal(item)).collect(),
            ast::Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.literal(value)));
                Value::Object(fields.collect())
            }
        }
    }
}

/// The seed that a key tells.
fn seed_of(key: &Value) -> Option<u64> {
    match key {
        Value::Object(fields) => {
            // Members come in the order of the document or of their names, as some other crate's features have it.
            let mut fields: Vec<_> = fields.iter().filter(|(name, _)| *name != "__typename").collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.into_iter().find_map(|(_, value)| seed_of(value))
        }
        Value::Array(items) => items.iter().find_map(seed_of),
        Value::String(text) => text.rsplit('-').next().and_then(|seed| seed.parse().ok()),
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|number| number as u64)),
        Value::Null | Value::Bool(_) => None,
    }
}
