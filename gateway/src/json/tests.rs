use hive_router_query_planner::ast::selection_set::SelectionSet;
use hive_router_query_planner::planner::{Planner, QueryPlannerOptions};
use hive_router_query_planner::utils::parsing::{parse_operation, parse_schema};
use proptest::prelude::*;

use super::*;
use crate::fixture;

fn schema() -> Schema {
    let supergraph = parse_schema(fixture::SUPERGRAPH);
    Schema::new(&Planner::new_from_supergraph(&supergraph, QueryPlannerOptions::default()).unwrap())
}

/// A shape for `selection` and the response keys by symbol.
fn shape(selection: &str) -> (Shape, Vec<String>) {
    use graphql_tools::parser::query::{Definition, OperationDefinition};
    let document = parse_operation(selection);
    let Some(Definition::Operation(OperationDefinition::SelectionSet(set))) =
        document.definitions.into_iter().next()
    else {
        panic!("an anonymous query")
    };
    let set: SelectionSet = set.into();
    let mut keys = vec!["__typename".to_owned()];
    let shape = ShapeBuilder::build(&set, &[], &mut |key| {
        keys.push(key.to_owned());
        keys.len() as Symbol - 1
    });
    (shape, keys)
}

/// The document as JSON again, with only the selected keys.
fn print(document: &Document, keys: &[String], node: Node) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Raw { start, len } => String::from_utf8(document.raw(start, len).to_vec()).unwrap(),
        Node::Object(object) => {
            let fields = document.object(object).iter().map(|(symbol, node)| {
                format!("\"{}\":{}", keys[*symbol as usize], print(document, keys, *node))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Node::List { first, len } => {
            let items = document.items(first, len).iter().map(|node| print(document, keys, *node));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
    }
}

fn check(selection: &str, body: &str, expected: Result<&str, SyntaxError>) {
    let (shape, keys) = shape(selection);
    let parsed = Document::parse(Bytes::copy_from_slice(body.as_bytes()), &shape, &schema())
        .map(|document| print(&document, &keys, document.data()));
    assert_eq!(parsed, expected.map(str::to_owned), "{body}");
}

#[test]
fn keeps_what_was_selected_in_any_order() {
    check(
        "{ a { b c } d }",
        r#" {"data" : {"d":1.5e-3 , "a":[{"b":"x\"y","c":null},{"c":true,"b":{"any":[1,{}]}}, null]}} "#,
        Ok(r#"{"d":1.5e-3,"a":[{"b":"x\"y","c":null},{"c":true,"b":{"any":[1,{}]}},null]}"#),
    );
}

#[test]
fn skips_what_was_not_selected() {
    check("{ a }", r#"{"extensions":{"x":[1,2]},"data":{"z":{"a":2},"a":1,"y":"\u00e9"}}"#, Ok(r#"{"a":1}"#));
}

#[test]
fn reads_escaped_keys() {
    check("{ ab }", r#"{"data":{"\u0061b":1}}"#, Ok(r#"{"ab":1}"#));
}

#[test]
fn merges_the_selections_of_all_type_conditions() {
    check(
        "{ a { ... on Book { id t: title } ... on Review { id body } } }",
        r#"{"data":{"a":[{"id":1,"t":2},{"id":3,"body":4}]}}"#,
        Ok(r#"{"a":[{"id":1,"t":2},{"id":3,"body":4}]}"#),
    );
}

#[test]
fn refuses_what_is_not_json() {
    let cases: &[(&str, usize, &str)] = &[
        ("", 0, "a value"),
        ("[]", 0, "a GraphQL response: an object"),
        (r#"{"data":{"a":01}}"#, 14, "a comma or the end of the list or object"),
        (r#"{"data":{"a":1.}}"#, 15, "a digit"),
        (r#"{"data":{"a":-}}"#, 14, "a digit"),
        (r#"{"data":{"a":1e+}}"#, 16, "a digit"),
        (r#"{"data":{"a":tru}}"#, 13, "true, false or null"),
        (r#"{"data":{"a":"\x"}}"#, 14, "an escape sequence"),
        (r#"{"data":{"a":"\u12g4"}}"#, 14, "an escape sequence"),
        ("{\"data\":{\"a\":\"x\ny\"}}", 15, "no control character in a string"),
        (r#"{"data":{"a":"x"#, 15, "the end of a string"),
        (r#"{"data":{"a":1,}}"#, 15, "a string"),
        (r#"{"data":{"a":[1,]}}"#, 16, "a value"),
        (r#"{"data":{"a" 1}}"#, 13, "a colon"),
        (r#"{"data":{"a":1}"#, 15, "a value"),
        (r#"{"data":{"a":1}} x"#, 17, "the end"),
        (r#"{"data":{"other":nul}}"#, 17, "true, false or null"),
    ];
    for (body, at, expected) in cases {
        check("{ a }", body, Err(SyntaxError { at: *at, expected }));
    }
}

#[test]
fn refuses_nesting_beyond_the_bound() {
    let deep = format!(r#"{{"data":{{"a":{}{}}}}}"#, "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    let (shape, _) = shape("{ a }");
    let parsed = Document::parse(Bytes::from(deep), &shape, &schema());
    assert_eq!(parsed.unwrap_err().expected, "less nesting");
}

#[test]
fn finds_the_errors_and_the_types() {
    let body =
        br#"{"errors":[{"message":"m"}],"data":{"a":[{"__typename":"Book"},{"__typename":"Nope"},{}]}}"#;
    let (shape, _) = shape("{ a { __typename } }");
    let schema = schema();
    let document = Document::parse(Bytes::from_static(body), &shape, &schema).unwrap();
    assert_eq!(document.errors(), Some(&br#"[{"message":"m"}]"#[..]));
    let types: Vec<_> = (0..3).map(|object| document.object_type(object)).collect();
    assert_eq!(types, [schema.id("Book"), None, None]);
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_what_is_json(text in r#"[\{\}\[\]",:0-9a\\u.eE+\-tnul ]{0,24}"#) {
        let body = format!(r#"{{"data":{{"a":{text}}}}}"#);
        let (shape, _) = shape("{ a }");
        let ours = Document::parse(Bytes::from(body.clone()), &shape, &schema()).is_ok();
        let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(&body).is_ok();
        prop_assert_eq!(ours, theirs, "{}", body);
    }
}
