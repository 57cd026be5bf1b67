//! Schemas of subgraphs, and what they have in common.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use graphql_tools::static_graphql::schema as ast;

/// A type of a schema, its extensions included.
#[derive(Debug, Default)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    pub(crate) fields: Vec<ast::Field>,
    pub(crate) inputs: Vec<ast::InputValue>,
    pub(crate) interfaces: Vec<String>,
    /// Members of a union, or values of an enum.
    pub(crate) members: Vec<String>,
    pub(crate) is_interface_object: bool,
    pub(crate) is_hidden: bool,
    /// The `fields` arguments of its keys.
    keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    Input,
}

/// The schema of one server.
#[derive(Debug, Default)]
pub(crate) struct LocalSchema {
    pub(crate) types: BTreeMap<String, Type>,
    pub(crate) query: String,
    pub(crate) mutation: String,
}

pub(crate) fn has(directives: &[ast::Directive], name: &str) -> bool {
    directives
        .iter()
        .any(|directive| directive.name == name || directive.name == format!("federation__{name}"))
}

fn fields_arguments<'a>(directives: &'a [ast::Directive], name: &'a str) -> impl Iterator<Item = &'a str> {
    directives
        .iter()
        .filter(move |directive| directive.name == name || directive.name == format!("federation__{name}"))
        .filter_map(|directive| directive.arguments.iter().find(|(name, _)| name == "fields"))
        .filter_map(|(_, value)| match value {
            ast::Value::String(fields) => Some(fields.as_str()),
            _ => None,
        })
}

impl LocalSchema {
    pub(crate) fn parse(sdl: &str) -> Result<Self, String> {
        let sdl = without_schema_extensions(sdl);
        let document = graphql_tools::parser::parse_schema::<String>(&sdl)
            .map_err(|error| error.to_string())?
            .into_static();
        let mut schema =
            Self { query: "Query".to_owned(), mutation: "Mutation".to_owned(), ..Self::default() };
        for definition in document.definitions {
            match definition {
                ast::Definition::SchemaDefinition(roots) => {
                    schema.query = roots.query.unwrap_or(schema.query);
                    schema.mutation = roots.mutation.unwrap_or(schema.mutation);
                }
                ast::Definition::TypeDefinition(definition) => schema.define(definition),
                ast::Definition::TypeExtension(extension) => schema.extend(extension),
                ast::Definition::DirectiveDefinition(_) => {}
            }
        }
        Ok(schema)
    }

    fn define(&mut self, definition: ast::TypeDefinition) {
        use ast::TypeDefinition as T;
        match definition {
            T::Scalar(it) => self.add(it.name, Kind::Scalar, &it.directives, |_| {}),
            T::Object(it) => self.add(it.name, Kind::Object, &it.directives, |ty| {
                ty.fields.extend(it.fields);
                ty.interfaces.extend(it.implements_interfaces);
            }),
            T::Interface(it) => self.add(it.name, Kind::Interface, &it.directives, |ty| {
                ty.fields.extend(it.fields);
                ty.interfaces.extend(it.implements_interfaces);
            }),
            T::Union(it) => self.add(it.name, Kind::Union, &it.directives, |ty| ty.members.extend(it.types)),
            T::Enum(it) => self.add(it.name, Kind::Enum, &it.directives, |ty| {
                let visible = it.values.into_iter().filter(|value| !has(&value.directives, "inaccessible"));
                ty.members.extend(visible.map(|value| value.name));
            }),
            T::InputObject(it) => {
                self.add(it.name, Kind::Input, &it.directives, |ty| ty.inputs.extend(it.fields));
            }
        }
    }

    fn extend(&mut self, extension: graphql_tools::parser::schema::TypeExtension<'static, String>) {
        use graphql_tools::parser::schema::TypeExtension as T;
        match extension {
            T::Scalar(it) => self.add(it.name, Kind::Scalar, &it.directives, |_| {}),
            T::Object(it) => self.add(it.name, Kind::Object, &it.directives, |ty| {
                ty.fields.extend(it.fields);
                ty.interfaces.extend(it.implements_interfaces);
            }),
            T::Interface(it) => self.add(it.name, Kind::Interface, &it.directives, |ty| {
                ty.fields.extend(it.fields);
                ty.interfaces.extend(it.implements_interfaces);
            }),
            T::Union(it) => self.add(it.name, Kind::Union, &it.directives, |ty| ty.members.extend(it.types)),
            T::Enum(it) => self.add(it.name, Kind::Enum, &it.directives, |ty| {
                ty.members.extend(it.values.into_iter().map(|value| value.name));
            }),
            T::InputObject(it) => {
                self.add(it.name, Kind::Input, &it.directives, |ty| ty.inputs.extend(it.fields));
            }
        }
    }

    fn add(&mut self, name: String, kind: Kind, directives: &[ast::Directive], fill: impl FnOnce(&mut Type)) {
        let ty = self.types.entry(name).or_default();
        ty.kind = kind;
        ty.is_interface_object |= has(directives, "interfaceObject");
        ty.is_hidden |= has(directives, "inaccessible");
        ty.keys.extend(fields_arguments(directives, "key").map(str::to_owned));
        fill(ty);
    }

    pub(crate) fn kind(&self, name: &str) -> Kind {
        self.types.get(name).map_or(Kind::Scalar, |ty| ty.kind)
    }

    pub(crate) fn field(&self, ty: &str, name: &str) -> Option<&ast::Field> {
        self.types.get(ty)?.fields.iter().find(|field| field.name == name)
    }

    /// The object types that `name` can stand for here.
    pub(crate) fn possible(&self, name: &str) -> BTreeSet<String> {
        match self.types.get(name) {
            Some(ty) if ty.kind == Kind::Union => ty.members.iter().cloned().collect(),
            Some(ty) if ty.kind == Kind::Interface => {
                let implementors =
                    self.types.iter().filter(|(_, ty)| ty.interfaces.iter().any(|it| it == name));
                let objects = implementors.filter(|(_, ty)| ty.kind == Kind::Object);
                objects.map(|(name, _)| name.clone()).collect()
            }
            _ => BTreeSet::from([name.to_owned()]),
        }
    }
}

/// The SDL without `extend schema`, which the parser does not know; root types that one names stay.
fn without_schema_extensions(sdl: &str) -> String {
    let mut kept = String::with_capacity(sdl.len());
    let mut rest = sdl;
    while let Some(at) = rest.find("extend schema") {
        kept.push_str(&rest[..at]);
        rest = after_directives(&rest[at + "extend schema".len()..]);
        if rest.starts_with('{') {
            kept.push_str("schema ");
        }
    }
    kept.push_str(rest);
    kept
}

fn after_directives(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\n', '\t', '\r', ',']);
    while let Some(directive) = rest.strip_prefix('@') {
        rest = directive.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start();
        if rest.starts_with('(') {
            let (mut depth, mut quoted, mut end) = (0, false, rest.len());
            for (at, c) in rest.char_indices() {
                match c {
                    '"' => quoted = !quoted,
                    '(' if !quoted => depth += 1,
                    ')' if !quoted => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = at + 1;
                    break;
                }
            }
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches([' ', '\n', '\t', '\r', ',']);
    }
    rest
}

/// What all subgraphs of a world hold to.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Abstract types: the object types that every subgraph with the type knows as its own.
    types: HashMap<String, BTreeSet<String>>,
    /// Enums: the values that all subgraphs know.
    values: HashMap<String, BTreeSet<String>>,
    /// `Type.field` that never is null, since some subgraph says so or other fields depend on it.
    never_null: HashSet<String>,
    /// Names of fields in keys and the like, which are never null in any type.
    keys: HashSet<String>,
}

impl Facts {
    pub(crate) fn of<'a>(locals: impl Iterator<Item = &'a LocalSchema>) -> Self {
        let mut facts = Self::default();
        for local in locals {
            for (name, ty) in &local.types {
                match ty.kind {
                    Kind::Interface | Kind::Union => {
                        narrow(&mut facts.types, name, local.possible(name));
                    }
                    Kind::Enum => narrow(&mut facts.values, name, ty.members.iter().cloned().collect()),
                    Kind::Object | Kind::Scalar | Kind::Input => {}
                }
                for key in &ty.keys {
                    facts.add_key(key);
                }
                for field in &ty.fields {
                    if matches!(field.field_type, ast::Type::NonNullType(_)) {
                        facts.never_null.insert(format!("{name}.{}", field.name));
                        // An interface's field is what its types' fields are.
                        for object in local.possible(name) {
                            facts.never_null.insert(format!("{object}.{}", field.name));
                        }
                        for interface in &ty.interfaces {
                            facts.never_null.insert(format!("{interface}.{}", field.name));
                        }
                    }
                    for directive in ["requires", "provides"] {
                        for fields in fields_arguments(&field.directives, directive) {
                            facts.add_key(fields);
                        }
                    }
                }
            }
        }
        facts
    }

    fn add_key(&mut self, fields: &str) {
        let names = fields.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        self.keys.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
    }

    /// The object type of an object of an abstract type; `None` if no type would do everywhere.
    pub(crate) fn object_type(&self, name: &str, seed: u64) -> Option<&str> {
        let types = self.types.get(name)?;
        types.iter().nth(seed as usize % types.len().max(1)).map(String::as_str)
    }

    pub(crate) fn enum_value(&self, name: &str, seed: u64) -> Option<&str> {
        let values = self.values.get(name)?;
        values.iter().nth(seed as usize % values.len().max(1)).map(String::as_str)
    }

    pub(crate) fn possible(&self, name: &str) -> Vec<&str> {
        self.types.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    pub(crate) fn may_be_null(&self, ty: &str, field: &str) -> bool {
        !self.keys.contains(field) && !self.never_null.contains(&format!("{ty}.{field}"))
    }
}

fn narrow(sets: &mut HashMap<String, BTreeSet<String>>, name: &str, set: BTreeSet<String>) {
    match sets.get_mut(name) {
        Some(known) => known.retain(|it| set.contains(it)),
        None => {
            sets.insert(name.to_owned(), set);
        }
    }
}
