//! The index against Cedar's own authorizer, which evaluates every policy.

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request,
};
use proptest::prelude::*;
use serde_json::json;

use super::{Answer, Index};

/// Entities with attributes of various types, missing ones, tags, a hierarchy, and one that does not exist.
fn entities() -> Entities {
    let uid = |kind: &str, id: &str| json!({ "type": kind, "id": id });
    let entity = |kind: &str, id: &str, parents: &[(&str, &str)], attrs: serde_json::Value| {
        let parents: Vec<_> = parents.iter().map(|(kind, id)| uid(kind, id)).collect();
        json!({ "uid": uid(kind, id), "parents": parents, "attrs": attrs, "tags": { "t": "x" } })
    };
    let all = json!([
        entity(
            "U",
            "a",
            &[("G", "g")],
            json!({
                "s": "x", "n": 1, "b": true, "set": ["x", "y"], "r": { "s": "x", "n": 2, "set": [1] },
                "e": { "__entity": { "type": "U", "id": "b" } },
            })
        ),
        entity("U", "b", &[], json!({ "s": "y", "n": "x", "set": "x", "r": { "s": 1 } })),
        entity("G", "g", &[("G", "h")], json!({ "s": "x" })),
        entity("G", "h", &[], json!({})),
        entity("Action", "read", &[("Action", "all")], json!({})),
        entity("Action", "all", &[], json!({})),
        entity("R", "a", &[("G", "h")], json!({ "s": "xyz", "set": [] })),
    ]);
    Entities::from_json_value(all, None).expect("valid entities")
}

fn answer_of_cedar(
    policies: &PolicySet,
    request: &Request,
    entities: &Entities,
) -> (bool, Vec<String>, Vec<String>) {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    let failed = |error: &AuthorizationError| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    };
    let mut reasons: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    let mut errors: Vec<String> = response.diagnostics().errors().map(failed).collect();
    reasons.sort_unstable();
    errors.sort_unstable();
    (response.decision() == Decision::Allow, reasons, errors)
}

fn check(policies: &str, principal: &str, action: &str, resource: &str, context: &serde_json::Value) {
    let set: PolicySet = policies.parse().unwrap_or_else(|error| panic!("{policies}: {error}"));
    let uid = |text: &str| text.parse::<EntityUid>().expect("an entity id");
    let context_value = Context::from_json_value(context.clone(), None).expect("a context");
    let request =
        Request::new(uid(principal), uid(action), uid(resource), context_value, None).expect("a request");
    let entities = entities();
    let index = Index::new(&set);
    let Answer { allowed, reasons, errors } = index.answer(request.as_ref(), entities.as_ref());
    let strings = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        (allowed, strings(reasons), strings(errors)),
        answer_of_cedar(&set, &request, &entities),
        "{principal} {action} {resource} {context}\n{policies}"
    );
}

/// Conditions in all the forms that the index takes apart, and some that it does not.
fn condition() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "principal.s",
        "principal.n",
        "principal.set",
        "principal.r.s",
        "principal.r.n",
        "principal.r.set",
        "principal.e",
        "principal.e.s",
        "principal.missing",
        "principal.getTag(\"t\")",
        "principal.getTag(\"u\")",
        "resource.s",
        "resource.set",
        "action.s",
        "context.s",
        "context.set",
        "context.r.s",
        "context.r.x.y",
        "context.missing",
    ]);
    let literal = prop::sample::select(vec!["\"x\"", "\"y\"", "1", "2", "true", "U::\"a\"", "U::\"b\""]);
    let entity = prop::sample::select(vec![
        "U::\"a\"",
        "U::\"b\"",
        "U::\"none\"",
        "G::\"g\"",
        "G::\"h\"",
        "R::\"a\"",
        "Action::\"all\"",
    ]);
    let var = prop::sample::select(vec!["principal", "action", "resource"]);
    let atom = prop_oneof![
        (path.clone(), literal.clone()).prop_map(|(path, literal)| format!("{path} == {literal}")),
        (path.clone(), literal.clone()).prop_map(|(path, literal)| format!("{literal} == {path}")),
        (path.clone(), literal.clone()).prop_map(|(path, literal)| format!("{path} != {literal}")),
        (path.clone(), literal.clone()).prop_map(|(path, literal)| format!("{path}.contains({literal})")),
        (path.clone(), literal.clone(), literal.clone())
            .prop_map(|(path, one, two)| format!("[{one}, {two}].contains({path})")),
        (path.clone(), prop::sample::select(vec!["x*", "xy*", "*", "x", "x*z", "y**", "é*"]))
            .prop_map(|(path, pattern)| format!("{path} like \"{pattern}\"")),
        (var.clone(), entity.clone()).prop_map(|(var, entity)| format!("{var} == {entity}")),
        (var.clone(), entity.clone()).prop_map(|(var, entity)| format!("{var} in {entity}")),
        (var.clone(), entity.clone(), entity).prop_map(|(var, one, two)| format!("{var} in [{one}, {two}]")),
        (var.clone(), prop::sample::select(vec!["U", "G", "R", "Action"]))
            .prop_map(|(var, kind)| format!("{var} is {kind}")),
        (var, prop::sample::select(vec!["s", "n", "r", "missing", "r.s", "r.x.y", "e.s"]))
            .prop_map(|(var, name)| format!("{var} has {name}")),
        prop::sample::select(vec!["s", "set", "r", "r.s", "r.x", "missing"])
            .prop_map(|name| format!("context has {name}")),
        prop::sample::select(vec!["t", "u"]).prop_map(|name| format!("principal.hasTag(\"{name}\")")),
        prop::sample::select(vec![
            "principal.r has s",
            "principal.r has x.y",
            "principal.s has x",
            "principal.e has s"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "true",
            "false",
            "principal.n < 2",
            "1 == 1",
            "principal.n + 1 == 2",
            "[] == []"
        ])
        .prop_map(str::to_owned),
    ];
    atom.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            1 => inner.clone().prop_map(|inner| format!("!({inner})")),
            1 => (inner.clone(), inner).prop_map(|(left, right)| format!("if {left} then {right} else true")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal",
        "principal == U::\"a\"",
        "principal in G::\"h\"",
        "principal is U",
        "principal is U in G::\"g\"",
        "principal in U::\"a\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"read\"",
        "action in Action::\"all\"",
        "action in [Action::\"read\", Action::\"write\"]",
        "action in []",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource",
        "resource == R::\"a\"",
        "resource in G::\"h\"",
        "resource is R",
        "resource is R in R::\"b\"",
    ]);
    let clause = (prop::sample::select(vec!["when", "when", "when", "unless"]), condition())
        .prop_map(|(word, condition)| format!("{word} {{ {condition} }}"));
    (effect, principal, action, resource, prop::collection::vec(clause, 0..3)).prop_map(
        |(effect, principal, action, resource, clauses)| {
            format!("{effect} ({principal}, {action}, {resource}) {};", clauses.join(" "))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_as_cedar_does_whatever_the_policies_and_the_request(
        policies in prop::collection::vec(policy(), 1..12),
        principal in prop::sample::select(vec!["U::\"a\"", "U::\"b\"", "U::\"none\"", "R::\"a\""]),
        action in prop::sample::select(vec!["Action::\"read\"", "Action::\"write\"", "Action::\"all\""]),
        resource in prop::sample::select(vec!["R::\"a\"", "R::\"b\"", "U::\"a\""]),
        context in prop::sample::select(vec![
            json!({}),
            json!({ "s": "x", "set": ["x", 1], "r": { "s": "x" } }),
            json!({ "s": "éa", "set": "x", "r": { "x": { "y": 1 } } }),
            json!({ "s": 1, "set": [], "r": 7 }),
        ]),
    ) {
        check(&policies.join("\n"), principal, action, resource, &context);
    }
}

/// How many policies remain to be looked at for a request of `U::"a"` to read `R::"a"`.
fn remaining(policies: &str) -> usize {
    let set: PolicySet = policies.parse().expect("policies");
    let uid = |text: &str| text.parse::<EntityUid>().expect("an entity id");
    let context = Context::from_json_value(json!({ "s": "/v1/books" }), None).expect("a context");
    let request = Request::new(uid("U::\"a\""), uid("Action::\"read\""), uid("R::\"a\""), context, None)
        .expect("a request");
    let entities = entities();
    let index = Index::new(&set);
    let mut facts = super::Facts::new(&index.table, request.as_ref(), entities.as_ref());
    index.candidates(&mut facts).len()
}

fn check_remaining(policy: impl Fn(usize) -> String, expected: usize) {
    let policies: Vec<String> = (0..100).map(policy).collect();
    assert_eq!(remaining(&policies.join("\n")), expected, "{}", policies[0]);
}

#[test]
fn policies_about_something_else_are_not_looked_at() {
    check_remaining(|n| format!("permit (principal == U::\"u{n}\", action, resource);"), 0);
    check_remaining(|n| format!("permit (principal in G::\"g{n}\", action, resource);"), 0);
    check_remaining(|n| format!("permit (principal is U, action, resource == R::\"r{n}\");"), 0);
    check_remaining(
        |n| {
            format!(
                "permit (principal, action in [Action::\"a{n}\", Action::\"read\"], resource in R::\"r{n}\");"
            )
        },
        0,
    );
    check_remaining(
        |n| format!("permit (principal, action, resource) when {{ principal.s == \"s{n}\" }};"),
        0,
    );
    check_remaining(
        |n| format!("permit (principal, action, resource) when {{ principal.set.contains(\"s{n}\") }};"),
        0,
    );
    check_remaining(
        |n| format!("permit (principal, action, resource) when {{ context.s like \"/v{n}/*\" }};"),
        1,
    );
    check_remaining(
        |n| {
            format!(
                "permit (principal, action, resource) when {{ principal has missing && principal.missing == \"{n}\" }};"
            )
        },
        0,
    );
    check_remaining(
        |n| {
            format!(
                "permit (principal, action, resource) when {{ principal.hasTag(\"u\") && principal.getTag(\"u\") == \"{n}\" }};"
            )
        },
        0,
    );
}

#[test]
fn policies_that_would_fail_are_looked_at() {
    check_remaining(
        |n| format!("permit (principal, action, resource) when {{ principal.missing == \"{n}\" }};"),
        100,
    );
    check_remaining(
        |n| format!("permit (principal, action, resource) when {{ principal.s.contains(\"{n}\") }};"),
        100,
    );
    check_remaining(
        |n| {
            format!(
                "permit (principal, action, resource) when {{ principal.n + 1 == 2 && principal.s == \"s{n}\" }};"
            )
        },
        100,
    );
}
