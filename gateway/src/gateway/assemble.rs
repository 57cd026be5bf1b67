//! From the subgraphs that introduced themselves to an engine for those that fit together.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{MAX_SUBGRAPHS, Subgraph, SubgraphState, SubgraphStatus};
use crate::engine::Engine;
use crate::settings::Settings;

/// A subgraph and what is known of its schema.
pub(super) struct Introduced {
    pub(super) subgraph: Subgraph,
    pub(super) sdl: Option<Arc<str>>,
    pub(super) state: SubgraphState,
    /// Whether it was part of the schema served before.
    pub(super) was_serving: bool,
}

/// The outcome.
pub(super) struct Assembled {
    pub(super) engine: Option<Engine>,
    pub(super) supergraph: Option<String>,
    pub(super) statuses: Vec<SubgraphStatus>,
    pub(super) known: HashMap<String, Introduced>,
}

/// Why some subgraphs are no supergraph: the reasons, and the subgraphs that they speak of.
struct Refusal {
    reasons: Vec<String>,
    mentioned: Vec<String>,
}

/// Assembles as many as fit together. Takes CPU time.
pub(super) fn assemble(introduced: Vec<Introduced>, settings: &Settings) -> Assembled {
    let (mut known, repeated) = by_name(introduced);
    let mut included: Vec<String> =
        known.values().filter(|it| it.sdl.is_some()).map(|it| it.subgraph.name.clone()).collect();
    included.sort_unstable();
    for name in included.split_off(included.len().min(MAX_SUBGRAPHS)) {
        let reasons = vec![format!("there are more than {MAX_SUBGRAPHS} subgraphs")];
        if let Some(it) = known.get_mut(&name) {
            it.state = SubgraphState::Refused { reasons };
        }
    }
    let mut built = None;
    while !included.is_empty() {
        match build(&included, &known, settings) {
            Ok(engine) => {
                built = Some(engine);
                break;
            }
            Err(refusal) => {
                let left_out = choose(&included, &refusal, &known, settings);
                included.retain(|name| *name != left_out);
                tracing::warn!(subgraph = left_out, reasons = ?refusal.reasons, "left out of the schema");
                if let Some(it) = known.get_mut(&left_out) {
                    it.state = SubgraphState::Refused { reasons: refusal.reasons };
                }
            }
        }
    }
    let mut statuses: Vec<SubgraphStatus> = known.values().map(status).chain(repeated).collect();
    statuses.sort_by(|a, b| a.name.cmp(&b.name));
    let (engine, supergraph) = built.unzip();
    Assembled { engine, supergraph, statuses, known }
}

/// The statuses, if the subgraphs and their schemas are those that were assembled before.
pub(super) fn unchanged(
    introduced: &[Introduced],
    known: &mut HashMap<String, Introduced>,
) -> Option<Vec<SubgraphStatus>> {
    let is_same = |it: &Introduced| {
        known.get(&it.subgraph.name).is_some_and(|before| {
            before.sdl == it.sdl
                && before.subgraph.url == it.subgraph.url
                && Arc::ptr_eq(&before.subgraph.fetch, &it.subgraph.fetch)
        })
    };
    if introduced.is_empty() || introduced.len() != known.len() || !introduced.iter().all(is_same) {
        return None;
    }
    for it in introduced {
        if let Some(before) = known.get_mut(&it.subgraph.name)
            && !matches!(before.state, SubgraphState::Refused { .. })
        {
            before.state = it.state.clone();
        }
    }
    let mut statuses: Vec<SubgraphStatus> = known.values().map(status).collect();
    statuses.sort_by(|a, b| a.name.cmp(&b.name));
    Some(statuses)
}

fn status(introduced: &Introduced) -> SubgraphStatus {
    let Introduced { subgraph, state, .. } = introduced;
    SubgraphStatus { name: subgraph.name.clone(), url: subgraph.url.clone(), state: state.clone() }
}

/// The subgraphs by name; of several with one name the first, and the status of the others.
fn by_name(introduced: Vec<Introduced>) -> (HashMap<String, Introduced>, Vec<SubgraphStatus>) {
    let mut known: HashMap<String, Introduced> = HashMap::with_capacity(introduced.len());
    let mut repeated = Vec::new();
    for mut it in introduced {
        if known.contains_key(&it.subgraph.name) {
            let reasons = vec![format!("another subgraph is named `{}`; rename one", it.subgraph.name)];
            it.state = SubgraphState::Refused { reasons };
            repeated.push(status(&it));
        } else {
            known.insert(it.subgraph.name.clone(), it);
        }
    }
    (known, repeated)
}

fn build(
    included: &[String],
    known: &HashMap<String, Introduced>,
    settings: &Settings,
) -> Result<(Engine, String), Refusal> {
    let supergraph = compose(included, known)?;
    let ways = included
        .iter()
        .filter_map(|name| known.get(name))
        .map(|it| (it.subgraph.name.as_str().into(), Arc::clone(&it.subgraph.fetch)))
        .collect();
    // The planner is not written for schemas of strangers: what it does not expect, it panics at.
    let engine = catch_unwind(AssertUnwindSafe(|| Engine::new(&supergraph, ways, settings)));
    match engine {
        Ok(Ok(engine)) => Ok((engine, supergraph)),
        Ok(Err(error)) => Err(Refusal { reasons: vec![error.to_string()], mentioned: Vec::new() }),
        Err(panic) => Err(panicked(&*panic)),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Refusal {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Refusal { reasons: vec![format!("its schema can't be handled: {message}")], mentioned: Vec::new() }
}

fn compose(included: &[String], known: &HashMap<String, Introduced>) -> Result<String, Refusal> {
    let subgraphs: Vec<_> = included
        .iter()
        .filter_map(|name| known.get(name))
        .filter_map(|it| {
            Some(catalyst_compose::Subgraph {
                name: it.subgraph.name.clone(),
                url: it.subgraph.url.clone(),
                sdl: it.sdl.as_deref()?.to_owned(),
            })
        })
        .collect();
    match catch_unwind(AssertUnwindSafe(|| catalyst_compose::compose(&subgraphs))) {
        Ok(Ok(supergraph)) => Ok(supergraph.sdl),
        Ok(Err(errors)) => Err(Refusal {
            mentioned: errors.iter().flat_map(|error| error.subgraphs.clone()).collect(),
            reasons: errors.iter().map(explain).collect(),
        }),
        Err(panic) => Err(panicked(&*panic)),
    }
}

fn explain(error: &catalyst_compose::CompositionError) -> String {
    let mut text = error.to_string();
    if let Some(coordinate) = &error.coordinate {
        text.push_str(&format!(" (at {coordinate})"));
    }
    if let [_, _, ..] = &error.subgraphs[..] {
        text.push_str(&format!(" (in {})", error.subgraphs.join(", ")));
    }
    if let Some((line, column)) = error.location {
        text.push_str(&format!(" (line {line}, column {column})"));
    }
    if let Some(hint) = error.hint {
        text.push_str(&format!("; {hint}"));
    }
    text
}

/// The subgraph to leave out so that the others may fit together: one whose absence alone suffices if there
/// is one; rather one that was not served before; rather one that the reasons speak of often.
fn choose(
    included: &[String],
    refusal: &Refusal,
    known: &HashMap<String, Introduced>,
    settings: &Settings,
) -> String {
    let mentions = |name: &String| refusal.mentioned.iter().filter(|mentioned| *mentioned == name).count();
    let mut candidates: Vec<&String> =
        included.iter().filter(|name| refusal.mentioned.is_empty() || mentions(name) > 0).collect();
    if candidates.is_empty() {
        candidates = included.iter().collect();
    }
    candidates.sort_by_key(|name| {
        let was_serving = known.get(*name).is_some_and(|it| it.was_serving);
        (was_serving, std::cmp::Reverse(mentions(name)), name.as_str())
    });
    let suffices = |candidate: &&&String| {
        let others: Vec<String> = included.iter().filter(|name| name != *candidate).cloned().collect();
        !others.is_empty() && build(&others, known, settings).is_ok()
    };
    let chosen = candidates.iter().find(suffices).unwrap_or(&candidates[0]);
    (*chosen).clone()
}
