//! Runs Cedar's integration tests through the policy index and compares decision, reasons and failed policies with
//! those that the tests expect and with Cedar's own authorizer.
//!
//! `cargo run --release -p catalyst-authz --example cedar_corpus -- DIRECTORY` takes an unpacked copy of
//! cedar-integration-tests; the files are found by their `requests`. Ends with status 1 if anything differs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalyst_authz::cedar::index::Index;
use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, Schema,
};
use serde_json::Value;

#[derive(Default)]
struct Totals {
    files: usize,
    requests: usize,
    differences: usize,
    refused_requests: usize,
}

fn main() -> anyhow::Result<ExitCode> {
    let Some(root) = std::env::args_os().nth(1).map(PathBuf::from) else {
        anyhow::bail!("expected the directory of cedar-integration-tests as the argument");
    };
    let mut tests = Vec::new();
    collect(&root, &mut tests)?;
    tests.sort();
    let mut totals = Totals::default();
    for test in &tests {
        run(&root, test, &mut totals).map_err(|error| error.context(test.display().to_string()))?;
    }
    println!(
        "{} files, {} requests ({} of them refused by the schema), {} differences",
        totals.files, totals.requests, totals.refused_requests, totals.differences
    );
    let sound = totals.requests > 0 && totals.differences == 0;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn collect(directory: &Path, tests: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path)?;
            if serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("requests").is_some()) {
                tests.push(path);
            }
        }
    }
    Ok(())
}

fn run(root: &Path, path: &Path, totals: &mut Totals) -> anyhow::Result<()> {
    let test: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let file = |name: &str| {
        let relative = test[name].as_str().ok_or_else(|| anyhow::anyhow!("no `{name}`"))?;
        Ok::<_, anyhow::Error>(std::fs::read_to_string(root.join(relative))?)
    };
    let schema_text = file("schema")?;
    let schema = match Schema::from_cedarschema_str(&schema_text) {
        Ok((schema, _)) => schema,
        Err(_) => Schema::from_json_str(&schema_text)?,
    };
    let policies: PolicySet = file("policies")?.parse()?;
    let entities = Entities::from_json_str(&file("entities")?, Some(&schema))?;
    let index = Index::new(&policies);
    totals.files += 1;
    for request in test["requests"].as_array().into_iter().flatten() {
        totals.requests += 1;
        check(path, &index, &policies, &entities, &schema, request, totals)?;
    }
    Ok(())
}

fn check(
    path: &Path,
    index: &Index,
    policies: &PolicySet,
    entities: &Entities,
    schema: &Schema,
    test: &Value,
    totals: &mut Totals,
) -> anyhow::Result<()> {
    let uid = |name: &str| {
        let kind: EntityTypeName = test[name]["type"].as_str().unwrap_or_default().parse()?;
        let id = test[name]["id"].as_str().unwrap_or_default();
        Ok::<_, anyhow::Error>(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
    };
    let (principal, action, resource) = (uid("principal")?, uid("action")?, uid("resource")?);
    let validated = test["validateRequest"].as_bool().unwrap_or(true).then_some(schema);
    let context = Context::from_json_value(test["context"].clone(), Some((schema, &action)));
    let request =
        context.ok().and_then(|context| Request::new(principal, action, resource, context, validated).ok());
    let expected_ids = |name: &str| -> BTreeSet<String> {
        let ids = test[name].as_array().into_iter().flatten();
        ids.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let Some(request) = request else {
        totals.refused_requests += 1;
        return Ok(());
    };
    let answer = index.answer(request.as_ref(), entities.as_ref());
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let ours = (answer.allowed, ids(&answer.reasons), ids(&answer.errors));
    let expected = (test["decision"] == "allow", expected_ids("reason"), expected_ids("errors"));
    let response = Authorizer::new().is_authorized(&request, policies, entities);
    let failed = |error: &AuthorizationError| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    };
    let cedar = (
        response.decision() == Decision::Allow,
        response.diagnostics().reason().map(ToString::to_string).collect::<BTreeSet<_>>(),
        response.diagnostics().errors().map(failed).collect::<BTreeSet<_>>(),
    );
    if ours != cedar || ours != expected {
        totals.differences += 1;
        println!(
            "{}: {}\n  ours     {ours:?}\n  cedar    {cedar:?}\n  expected {expected:?}",
            path.display(),
            test["description"]
        );
    }
    Ok(())
}
