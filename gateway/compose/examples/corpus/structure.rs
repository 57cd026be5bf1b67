//! Supergraphs as sets of facts, so that order and layout do not matter. Read with the parser the query
//! planner uses, so a supergraph it could not read shows here.

use std::collections::BTreeMap;

use graphql_tools::parser::schema as gql;

/// What only one of two supergraphs says: `- fact` for the first, `+ fact` for the second.
pub(crate) fn differences(expected: &str, found: &str) -> anyhow::Result<Vec<String>> {
    let mut balance: BTreeMap<String, i32> = BTreeMap::new();
    for fact in facts(expected)? {
        *balance.entry(fact).or_default() -= 1;
    }
    for fact in facts(found)? {
        *balance.entry(fact).or_default() += 1;
    }
    let mut lines = Vec::new();
    for (fact, count) in balance {
        let sign = if count < 0 { '-' } else { '+' };
        lines.extend((0..count.abs()).map(|_| format!("{sign} {fact}")));
    }
    Ok(lines)
}

/// Definitions that one reference composer adds although nothing in the supergraph uses them.
const OPTIONAL: [&str; 2] = ["@join__directive", "join__DirectiveArguments"];

fn facts(sdl: &str) -> anyhow::Result<Vec<String>> {
    let mut facts = all_facts(sdl)?;
    facts.retain(|fact| !OPTIONAL.iter().any(|name| fact.starts_with(name)));
    Ok(facts)
}

fn all_facts(sdl: &str) -> anyhow::Result<Vec<String>> {
    let document = gql::parse_schema::<String>(sdl).map_err(|e| anyhow::anyhow!("{e}\n{sdl}"))?;
    let mut facts = Vec::new();
    for definition in &document.definitions {
        match definition {
            gql::Definition::SchemaDefinition(schema) => {
                for (operation, root) in [
                    ("query", &schema.query),
                    ("mutation", &schema.mutation),
                    ("subscription", &schema.subscription),
                ] {
                    facts.extend(root.iter().map(|name| format!("schema {operation}: {name}")));
                }
                directives(&mut facts, "schema", &schema.directives);
            }
            gql::Definition::DirectiveDefinition(d) => directive_definition(&mut facts, d),
            gql::Definition::TypeDefinition(t) => type_definition(&mut facts, t),
            gql::Definition::TypeExtension(t) => facts.push(format!("extension {t:?}")),
        }
    }
    Ok(facts)
}

fn directive_definition(facts: &mut Vec<String>, d: &gql::DirectiveDefinition<'_, String>) {
    let name = format!("@{}", d.name);
    let mut locations: Vec<&str> = d.locations.iter().map(|l| l.as_str()).collect();
    locations.sort_unstable();
    facts.push(format!("{name} repeatable: {} on {}", d.repeatable, locations.join(" | ")));
    inputs(facts, &name, &d.arguments);
}

fn type_definition(facts: &mut Vec<String>, t: &gql::TypeDefinition<'_, String>) {
    use gql::TypeDefinition as T;
    match t {
        T::Scalar(t) => head(facts, "scalar", &t.name, &t.description, &t.directives),
        T::Object(t) => {
            head(facts, "type", &t.name, &t.description, &t.directives);
            facts.extend(t.implements_interfaces.iter().map(|i| format!("{} implements {i}", t.name)));
            t.fields.iter().for_each(|f| field(facts, &t.name, f));
        }
        T::Interface(t) => {
            head(facts, "interface", &t.name, &t.description, &t.directives);
            facts.extend(t.implements_interfaces.iter().map(|i| format!("{} implements {i}", t.name)));
            t.fields.iter().for_each(|f| field(facts, &t.name, f));
        }
        T::Union(t) => {
            head(facts, "union", &t.name, &t.description, &t.directives);
            facts.extend(t.types.iter().map(|m| format!("{} has member {m}", t.name)));
        }
        T::Enum(t) => {
            head(facts, "enum", &t.name, &t.description, &t.directives);
            for value in &t.values {
                let at = format!("{}.{}", t.name, value.name);
                head(facts, "value", &at, &value.description, &value.directives);
            }
        }
        T::InputObject(t) => {
            head(facts, "input", &t.name, &t.description, &t.directives);
            inputs(facts, &t.name, &t.fields);
        }
    }
}

fn field(facts: &mut Vec<String>, parent: &str, f: &gql::Field<'_, String>) {
    let at = format!("{parent}.{}", f.name);
    head(facts, &f.field_type.to_string(), &at, &f.description, &f.directives);
    inputs(facts, &at, &f.arguments);
}

fn inputs(facts: &mut Vec<String>, parent: &str, inputs: &[gql::InputValue<'_, String>]) {
    for input in inputs {
        let at = format!("{parent}({}:)", input.name);
        let default = input.default_value.as_ref().map(value);
        head(
            facts,
            &format!("{} = {default:?}", input.value_type),
            &at,
            &input.description,
            &input.directives,
        );
    }
}

fn head(
    facts: &mut Vec<String>,
    kind: &str,
    at: &str,
    description: &Option<String>,
    applied: &[gql::Directive<'_, String>],
) {
    facts.push(format!("{at}: {kind}"));
    if let Some(text) = description {
        facts.push(format!("{at} described {:?}", text.trim()));
    }
    directives(facts, at, applied);
}

fn directives(facts: &mut Vec<String>, at: &str, applied: &[gql::Directive<'_, String>]) {
    for d in applied {
        let mut arguments: Vec<String> = d
            .arguments
            .iter()
            .filter(|(name, v)| !is_join_default(&d.name, name, v))
            .map(|(name, v)| match v {
                gql::Value::String(text) if is_field_set(&d.name, name) => {
                    format!("{name}: {:?}", normalised(text))
                }
                v => format!("{name}: {}", value(v)),
            })
            .collect();
        arguments.sort_unstable();
        facts.push(format!("{at} @{}({})", d.name, arguments.join(", ")));
    }
}

/// Arguments that say no more than their default.
fn is_join_default(directive: &str, argument: &str, v: &gql::Value<'_, String>) -> bool {
    directive == "join__type"
        && match argument {
            "extension" | "isInterfaceObject" => *v == gql::Value::Boolean(false),
            "resolvable" => *v == gql::Value::Boolean(true),
            _ => false,
        }
}

fn is_field_set(directive: &str, argument: &str) -> bool {
    directive.starts_with("join__") && matches!(argument, "key" | "requires" | "provides")
}

/// A field set with one space between its tokens.
fn normalised(fields: &str) -> String {
    let spaced = fields.replace('{', " { ").replace('}', " } ").replace(',', " ").replace("...", " ... ");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value with the entries of its objects in name order.
fn value(v: &gql::Value<'_, String>) -> String {
    match v {
        gql::Value::List(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        gql::Value::Object(entries) => {
            let mut entries: Vec<String> =
                entries.iter().map(|(k, v)| format!("{k}: {}", value(v))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
