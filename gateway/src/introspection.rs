//! The schema as clients may see it, written as introspection selects it (GraphQL specification, section 4).

use graphql_tools::static_graphql::query as ast;
use serde_json::value::RawValue;

use crate::projection::{Composite, Field, Leaf, Selection, Source};
use crate::schema::{DirectiveDef, EnumValueDef, FieldDef, InputValueDef, Schema, TypeId, TypeKind, TypeRef};

/// Answers `__schema` and `__type`.
#[derive(Clone, Copy)]
pub(crate) struct Introspection<'a> {
    pub(crate) schema: &'a Schema,
    /// The value of a variable, as JSON.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<&'a RawValue>,
    /// Writing stops once the response is longer than this; types refer to one another without end.
    pub(crate) limit: usize,
}

/// What a selection can be of.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Schema,
    Type(TypeId),
    /// A type with wrappers.
    Wrapped(&'a TypeRef),
    Field(&'a FieldDef),
    Input(&'a InputValueDef),
    EnumValue(&'a EnumValueDef),
    Directive(&'a DirectiveDef),
}

enum Answer<'a> {
    Null,
    Text(&'a str),
    Bool(bool),
    One(Subject<'a>),
    Many(Vec<Subject<'a>>),
    Texts(Vec<&'a str>),
}

impl<'a> Answer<'a> {
    fn text(text: Option<&'a String>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text))
    }
}

impl<'a> Introspection<'a> {
    /// Appends the value of a meta-field of the query type.
    pub(crate) fn write_root(
        &self,
        field: &Field,
        arguments: &[(String, ast::Value)],
        flags: &[bool],
        out: &mut Vec<u8>,
    ) {
        let answer = match &*field.name {
            "__schema" => Answer::One(Subject::Schema),
            "__type" => {
                let id = self.text_argument(arguments, "name").and_then(|name| self.schema.id(&name));
                id.filter(|id| self.schema.definition(*id).is_some())
                    .map_or(Answer::Null, |id| Answer::One(Subject::Type(id)))
            }
            _ => Answer::Null,
        };
        self.write(&answer, field, flags, out);
    }

    fn write(&self, answer: &Answer<'a>, field: &Field, flags: &[bool], out: &mut Vec<u8>) {
        match answer {
            Answer::Null => out.extend_from_slice(b"null"),
            Answer::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Answer::Text(text) => write_text(text, out),
            Answer::One(subject) => self.subject(*subject, field, flags, out),
            Answer::Many(subjects) => {
                write_list(subjects, out, |subject, out| self.subject(*subject, field, flags, out));
            }
            Answer::Texts(texts) => write_list(texts, out, |text, out| write_text(text, out)),
        }
    }

    fn subject(&self, subject: Subject<'a>, field: &Field, flags: &[bool], out: &mut Vec<u8>) {
        let Leaf::Composite(Composite { declared, untold, .. }) = &field.leaf else {
            return out.extend_from_slice(b"null");
        };
        self.fields(subject, *declared, untold, flags, out);
    }

    fn fields(
        &self,
        subject: Subject<'a>,
        ty: TypeId,
        selection: &Selection,
        flags: &[bool],
        out: &mut Vec<u8>,
    ) {
        out.push(b'{');
        let mut first = true;
        for field in &selection.fields {
            if field.condition.as_ref().is_some_and(|condition| !condition.holds(flags)) {
                continue;
            }
            if out.len() > self.limit {
                return;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&field.key);
            match &field.source {
                Source::Typename => write_text(self.schema.name(ty), out),
                Source::Introspection(arguments) => {
                    let answer = self.answer(subject, &field.name, arguments);
                    self.write(&answer, field, flags, out);
                }
                Source::Data => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }

    fn answer(&self, subject: Subject<'a>, field: &str, arguments: &[(String, ast::Value)]) -> Answer<'a> {
        let deprecated = self.flag_argument(arguments, "includeDeprecated");
        match subject {
            Subject::Schema => self.of_schema(field),
            Subject::Type(id) => self.of_type(id, field, deprecated),
            Subject::Wrapped(TypeRef::Named(id)) => self.of_type(*id, field, deprecated),
            Subject::Wrapped(TypeRef::List(inner)) => of_wrapper("LIST", inner, field),
            Subject::Wrapped(TypeRef::NonNull(inner)) => of_wrapper("NON_NULL", inner, field),
            Subject::Field(definition) => match field {
                "name" => Answer::Text(&definition.name),
                "description" => Answer::text(definition.description.as_ref()),
                "args" => inputs(&definition.arguments, deprecated),
                "type" => Answer::One(Subject::Wrapped(&definition.ty)),
                _ => deprecation(definition.deprecated.as_ref(), field),
            },
            Subject::Input(definition) => match field {
                "name" => Answer::Text(&definition.name),
                "description" => Answer::text(definition.description.as_ref()),
                "type" => Answer::One(Subject::Wrapped(&definition.ty)),
                "defaultValue" => Answer::text(definition.default.as_ref()),
                _ => deprecation(definition.deprecated.as_ref(), field),
            },
            Subject::EnumValue(definition) => match field {
                "name" => Answer::Text(&definition.name),
                "description" => Answer::text(definition.description.as_ref()),
                _ => deprecation(definition.deprecated.as_ref(), field),
            },
            Subject::Directive(definition) => match field {
                "name" => Answer::Text(&definition.name),
                "description" => Answer::text(definition.description.as_ref()),
                "locations" => Answer::Texts(definition.locations.clone()),
                "args" => inputs(&definition.arguments, deprecated),
                "isRepeatable" => Answer::Bool(definition.repeatable),
                _ => Answer::Null,
            },
        }
    }

    fn of_schema(&self, field: &str) -> Answer<'a> {
        let root = |id: Option<TypeId>| id.map_or(Answer::Null, |id| Answer::One(Subject::Type(id)));
        match field {
            "types" => Answer::Many(self.schema.definitions().map(|(id, _)| Subject::Type(id)).collect()),
            "queryType" => root(Some(self.schema.query)),
            "mutationType" => root(self.schema.mutation),
            "subscriptionType" => root(self.schema.subscription),
            "directives" => Answer::Many(self.schema.directives.iter().map(Subject::Directive).collect()),
            _ => Answer::Null,
        }
    }

    fn of_type(&self, id: TypeId, field: &str, deprecated: bool) -> Answer<'a> {
        let Some(definition) = self.schema.definition(id) else { return Answer::Null };
        match (field, &definition.kind) {
            ("name", _) => Answer::Text(self.schema.name(id)),
            ("description", _) => Answer::text(definition.description.as_ref()),
            ("kind", kind) => Answer::Text(match kind {
                TypeKind::Scalar { .. } => "SCALAR",
                TypeKind::Object { .. } => "OBJECT",
                TypeKind::Interface { .. } => "INTERFACE",
                TypeKind::Union { .. } => "UNION",
                TypeKind::Enum { .. } => "ENUM",
                TypeKind::InputObject { .. } => "INPUT_OBJECT",
            }),
            ("specifiedByURL", TypeKind::Scalar { specified_by }) => Answer::text(specified_by.as_ref()),
            ("fields", TypeKind::Object { fields, .. } | TypeKind::Interface { fields, .. }) => Answer::Many(
                fields
                    .iter()
                    .filter(|field| !field.name.starts_with("__"))
                    .filter(|field| deprecated || field.deprecated.is_none())
                    .map(Subject::Field)
                    .collect(),
            ),
            ("interfaces", TypeKind::Object { interfaces, .. } | TypeKind::Interface { interfaces, .. }) => {
                Answer::Many(self.visible(interfaces))
            }
            ("possibleTypes", TypeKind::Interface { .. } | TypeKind::Union { .. }) => {
                Answer::Many(self.schema.possible_objects(id).map(Subject::Type).collect())
            }
            ("enumValues", TypeKind::Enum { values }) => Answer::Many(
                values
                    .iter()
                    .filter(|value| deprecated || value.deprecated.is_none())
                    .map(Subject::EnumValue)
                    .collect(),
            ),
            ("inputFields", TypeKind::InputObject { fields, .. }) => inputs(fields, deprecated),
            ("isOneOf", TypeKind::InputObject { one_of, .. }) => Answer::Bool(*one_of),
            (_, _) => Answer::Null,
        }
    }

    fn visible(&self, ids: &[TypeId]) -> Vec<Subject<'a>> {
        let visible = ids.iter().filter(|id| self.schema.definition(**id).is_some());
        visible.map(|id| Subject::Type(*id)).collect()
    }

    fn text_argument(&self, arguments: &[(String, ast::Value)], name: &str) -> Option<String> {
        match &arguments.iter().find(|(argument, _)| argument == name)?.1 {
            ast::Value::String(text) => Some(text.clone()),
            ast::Value::Variable(variable) => serde_json::from_str((self.variable)(variable)?.get()).ok(),
            _ => None,
        }
    }

    fn flag_argument(&self, arguments: &[(String, ast::Value)], name: &str) -> bool {
        match arguments.iter().find(|(argument, _)| argument == name).map(|(_, value)| value) {
            Some(ast::Value::Boolean(value)) => *value,
            Some(ast::Value::Variable(variable)) => {
                (self.variable)(variable).is_some_and(|json| json.get() == "true")
            }
            _ => false,
        }
    }
}

fn of_wrapper<'a>(kind: &'static str, inner: &'a TypeRef, field: &str) -> Answer<'a> {
    match field {
        "kind" => Answer::Text(kind),
        "ofType" => Answer::One(Subject::Wrapped(inner)),
        _ => Answer::Null,
    }
}

fn inputs(inputs: &[InputValueDef], deprecated: bool) -> Answer<'_> {
    Answer::Many(
        inputs.iter().filter(|input| deprecated || input.deprecated.is_none()).map(Subject::Input).collect(),
    )
}

fn deprecation<'a>(reason: Option<&'a String>, field: &str) -> Answer<'a> {
    match field {
        "isDeprecated" => Answer::Bool(reason.is_some()),
        "deprecationReason" => Answer::text(reason),
        _ => Answer::Null,
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string serialises into memory");
}

fn write_list<T>(items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}
