//! A [`Schema`] as SDL text. Types and directives come in name order, everything else in schema order, so
//! equal schemas print alike.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::model::{
    Directive, DirectiveDef, Field, InputValue, Kind, Name, Operation, Schema, TypeDef, Value,
};

pub(crate) fn print(schema: &Schema) -> String {
    let mut out = String::new();
    description(&mut out, "", schema.description.as_deref());
    out.push_str("schema");
    for directive in &schema.directives {
        out.push_str("\n  ");
        directive_use(&mut out, directive);
    }
    out.push_str("\n{\n");
    for operation in Operation::ALL {
        if let Some(name) = schema.roots.get(&operation) {
            line(&mut out, format_args!("  {}: {name}", operation.keyword()));
        }
    }
    out.push_str("}\n");
    for definition in in_name_order(&schema.directive_defs) {
        out.push('\n');
        directive_definition(&mut out, definition);
    }
    for ty in in_name_order(&schema.types) {
        out.push('\n');
        type_definition(&mut out, ty);
    }
    out
}

fn in_name_order<T>(items: &IndexMap<Name, T>) -> Vec<&T> {
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted.into_iter().map(|(_, item)| item).collect()
}

/// Writing to a `String` cannot fail.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
    out.push('\n');
}

fn directive_definition(out: &mut String, definition: &DirectiveDef) {
    description(out, "", definition.description.as_deref());
    out.push_str("directive @");
    out.push_str(&definition.name);
    arguments(out, &definition.arguments, "");
    if definition.repeatable {
        out.push_str(" repeatable");
    }
    let locations: Vec<&str> = definition.locations.iter().map(|l| &**l).collect();
    line(out, format_args!(" on {}", locations.join(" | ")));
}

fn type_definition(out: &mut String, ty: &TypeDef) {
    description(out, "", ty.description.as_deref());
    out.push_str(ty.kind.keyword());
    out.push(' ');
    out.push_str(&ty.name);
    for (i, interface) in ty.interfaces.iter().enumerate() {
        out.push_str(if i == 0 { " implements " } else { " & " });
        out.push_str(interface);
    }
    for directive in &ty.directives {
        out.push_str("\n  ");
        directive_use(out, directive);
    }
    let open = if ty.directives.is_empty() { " {\n" } else { "\n{\n" };
    match ty.kind {
        Kind::Scalar => out.push('\n'),
        Kind::Object | Kind::Interface => {
            out.push_str(open);
            ty.fields.values().for_each(|f| field(out, f));
            out.push_str("}\n");
        }
        Kind::Union => {
            out.push_str(if ty.directives.is_empty() { " = " } else { "\n = " });
            let members: Vec<&str> = ty.members.iter().map(|m| &**m).collect();
            line(out, format_args!("{}", members.join(" | ")));
        }
        Kind::Enum => {
            out.push_str(open);
            for value in ty.values.values() {
                description(out, "  ", value.description.as_deref());
                out.push_str("  ");
                out.push_str(&value.name);
                directive_uses(out, &value.directives);
                out.push('\n');
            }
            out.push_str("}\n");
        }
        Kind::InputObject => {
            out.push_str(open);
            for input in ty.inputs.values() {
                description(out, "  ", input.description.as_deref());
                out.push_str("  ");
                input_value(out, input);
                out.push('\n');
            }
            out.push_str("}\n");
        }
    }
}

fn field(out: &mut String, field: &Field) {
    description(out, "  ", field.description.as_deref());
    out.push_str("  ");
    out.push_str(&field.name);
    arguments(out, &field.arguments, "  ");
    out.push_str(": ");
    out.push_str(&field.ty.to_string());
    directive_uses(out, &field.directives);
    out.push('\n');
}

fn arguments(out: &mut String, arguments: &IndexMap<Name, InputValue>, indent: &str) {
    if arguments.is_empty() {
        return;
    }
    let described = arguments.values().any(|a| a.description.is_some());
    out.push('(');
    for (i, argument) in arguments.values().enumerate() {
        if described {
            let inner = format!("{indent}  ");
            out.push('\n');
            description(out, &inner, argument.description.as_deref());
            out.push_str(&inner);
        } else if i > 0 {
            out.push_str(", ");
        }
        input_value(out, argument);
    }
    if described {
        out.push('\n');
        out.push_str(indent);
    }
    out.push(')');
}

fn input_value(out: &mut String, input: &InputValue) {
    out.push_str(&input.name);
    out.push_str(": ");
    out.push_str(&input.ty.to_string());
    if let Some(default) = &input.default {
        out.push_str(" = ");
        value(out, default);
    }
    directive_uses(out, &input.directives);
}

fn directive_uses(out: &mut String, directives: &[Directive]) {
    for directive in directives {
        out.push(' ');
        directive_use(out, directive);
    }
}

fn directive_use(out: &mut String, directive: &Directive) {
    out.push('@');
    out.push_str(&directive.name);
    for (i, (name, argument)) in directive.arguments.iter().enumerate() {
        out.push_str(if i == 0 { "(" } else { ", " });
        out.push_str(name);
        out.push_str(": ");
        value(out, argument);
    }
    if !directive.arguments.is_empty() {
        out.push(')');
    }
}

/// A value as SDL.
pub(crate) fn value(out: &mut String, v: &Value) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Int(text) | Value::Float(text) | Value::Enum(text) => out.push_str(text),
        Value::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::String(text) => quoted(out, text),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, item)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(name);
                out.push_str(": ");
                value(out, item);
            }
            out.push('}');
        }
    }
}

/// A string with the escapes of the GraphQL grammar.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string does not fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A description as a block string where that keeps every character, else as a quoted one.
fn description(out: &mut String, indent: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    let trims = |l: &str| l.trim_matches([' ', '\t']).is_empty();
    let changes_as_block = text.chars().any(|c| c == '\r' || (c.is_control() && c != '\n' && c != '\t'))
        || text.lines().next().is_none_or(trims)
        || text.ends_with('\n')
        || text.lines().next_back().is_none_or(trims)
        || text.lines().skip(1).filter(|l| !trims(l)).all(|l| l.starts_with([' ', '\t']))
            && text.lines().skip(1).any(|l| !trims(l))
        || text.starts_with([' ', '\t']);
    out.push_str(indent);
    if changes_as_block {
        quoted(out, text);
    } else {
        out.push_str("\"\"\"\n");
        for l in text.split('\n') {
            if !l.is_empty() {
                out.push_str(indent);
                out.push_str(&l.replace("\"\"\"", "\\\"\"\""));
            }
            out.push('\n');
        }
        out.push_str(indent);
        out.push_str("\"\"\"");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse_schema;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let texts = [
            "plain",
            "two\nlines",
            "ends with a quote\"",
            "ends with a backslash\\",
            "holds \"\"\" quotes",
            "\"\"\"",
            "  leading",
            "trailing  ",
            "a\n\nb",
            "a\n  b",
            "a\n  b\nc",
            "\n",
            "ends with a line\n",
            "tab\there",
            "carriage\r\nreturn",
            "bell\u{7}",
            "é 漢 😀",
            "",
        ];
        for text in texts {
            let mut schema = Schema::default();
            let name: Name = "T".into();
            let mut ty = TypeDef::new(name.clone(), Kind::Scalar);
            ty.description = Some(text.into());
            let argument =
                Value::Object(vec![("a".into(), Value::List(vec![Value::string(text), Value::Null]))]);
            ty.directives.push(Directive::new("d", vec![("x", argument.clone())]));
            schema.types.insert(name, ty);
            schema.roots.insert(Operation::Query, "T".into());
            let printed = print(&schema);
            let read = parse_schema(&printed).unwrap_or_else(|e| panic!("{e:?}\n{printed}"));
            assert_eq!(read.types["T"].description.as_deref(), Some(text), "{printed}");
            assert_eq!(read.types["T"].directives[0].argument("x"), Some(&argument), "{printed}");
        }
    }
}
