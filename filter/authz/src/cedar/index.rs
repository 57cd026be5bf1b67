//! Finding the policies that can apply, so that Cedar evaluates those alone.
//!
//! Cedar's authorizer evaluates every policy of a set on every request. Most policies say early, and in a way that
//! a table can answer, that they are about something else: by their scope, or by a condition such as
//! `context.path == "/v1"`. The index splits each policy into such [`clause::Clause`]s, files the policy under its most
//! selective one, and on a request looks up what is true of it.
//!
//! What it may skip follows from how Cedar evaluates a policy: scope first, then the conditions from left to
//! right, stopping at the first that is false. A policy is left out only if some clause is false **and** nothing
//! before that clause could have failed, because a failing policy must be reported. So for every request and every
//! policy set the answer (decision, reasons, failed policies) is the one of plain Cedar; the tests compare the two.
//!
//! ```text
//! build:    policy ─► clauses (scope, then leading conditions) ─► filed under its rarest clause
//! request:  facts ─► clauses that hold ─► policies filed there ─► their other clauses ─► Cedar, if need be
//! ```

mod clause;
mod facts;
mod table;

use cedar_policy::PolicySet;
use cedar_policy_core::ast::{Effect, Literal, Policy, Request, ValueKind};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use clause::Analysis;
use facts::{Facts, Resolution};
use table::{FeatureId, KeyId, Table};

/// An indexed policy set.
#[derive(Debug, Default)]
pub struct Index {
    table: Table,
    policies: Vec<Entry>,
    /// By [`KeyId`]: the policies filed under it.
    filed: Vec<Vec<PolicyNumber>>,
    /// Features with at least one policy filed under one of their keys.
    filing_features: Vec<FeatureId>,
    /// Policies that have no clause to be filed under.
    always: Vec<PolicyNumber>,
    /// Policies that fail, rather than not apply, where a feature cannot be resolved: they must then be looked at
    /// although nothing points to them.
    failing: Vec<Failing>,
}

type PolicyNumber = u32;

#[derive(Debug)]
struct Failing {
    feature: FeatureId,
    /// Those that fail whatever the cause.
    unguarded: Vec<PolicyNumber>,
    /// Those that have made sure that there is a value: they fail only on one of another type.
    guarded: Vec<PolicyNumber>,
}

#[derive(Debug)]
struct Entry {
    policy: Policy,
    tests: Box<[Test]>,
    /// Whether the tests say all there is to say, so that Cedar need not be asked.
    decided_by_tests: bool,
}

/// A clause with its feature and keys looked up.
#[derive(Debug)]
struct Test {
    feature: FeatureId,
    any_of: Box<[KeyId]>,
    negated: bool,
    /// Whether earlier tests, if they hold, ensure that there is a value to look at.
    guarded: bool,
}

/// What the policies say to a request; ids are sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer<'i> {
    /// Whether the request is permitted and not forbidden. A failed policy counts as one that does not apply.
    pub allowed: bool,
    /// The satisfied policies that determine this: `permit`s if allowed, else `forbid`s.
    pub reasons: Vec<&'i str>,
    /// The policies whose evaluation failed.
    pub errors: Vec<&'i str>,
}

/// What is known of one policy after its tests.
enum Standing {
    DoesNotApply,
    Applies,
    AskCedar,
}

impl Index {
    /// Indexes a policy set.
    pub fn new(set: &PolicySet) -> Self {
        let mut index = Self::default();
        let analysed: Vec<(Policy, Analysis)> = set
            .policies()
            .map(|policy| (policy.as_ref().clone(), clause::analyse(policy.as_ref())))
            .collect();
        for (policy, analysis) in analysed {
            let tests = index.table.tests(&analysis);
            index.policies.push(Entry { policy, tests, decided_by_tests: analysis.complete });
        }
        index.file();
        index
    }

    /// The number of policies.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether the set has no policy.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Files every policy under the test whose keys the fewest policies share.
    fn file(&mut self) {
        let mut uses = vec![0_u32; self.table.keys()];
        for test in self.policies.iter().flat_map(|entry| &entry.tests).filter(|test| !test.negated) {
            for key in &test.any_of {
                uses[key.index()] += 1;
            }
        }
        let shared = |test: &Test| test.any_of.iter().map(|key| u64::from(uses[key.index()])).sum::<u64>();
        self.filed = vec![Vec::new(); self.table.keys()];
        let mut filing = vec![false; self.table.features()];
        let mut failing: Vec<Failing> = self.table.feature_ids().map(Failing::new).collect();
        for (number, entry) in self.policies.iter().enumerate() {
            let number = PolicyNumber::try_from(number).expect("a set is bounded far below 2^32 policies");
            let candidates = entry.tests.iter().enumerate().filter(|(_, test)| !test.negated);
            let Some((place, chosen)) = candidates.min_by_key(|(place, test)| (shared(test), *place)) else {
                self.always.push(number);
                continue;
            };
            filing[chosen.feature.index()] = true;
            for key in &chosen.any_of {
                self.filed[key.index()].push(number);
            }
            // What comes after the chosen test is reached only where that one holds.
            for test in &entry.tests[..=place] {
                failing[test.feature.index()].add(number, test.guarded);
            }
        }
        let (filing, table) = (&filing, &self.table);
        self.filing_features = table.feature_ids().filter(|feature| filing[feature.index()]).collect();
        failing.retain(|failing| table.can_fail(failing.feature) && !failing.is_empty());
        self.failing = failing;
    }

    /// Answers a request as Cedar's own authorizer would.
    pub fn answer(&self, request: &Request, entities: &Entities) -> Answer<'_> {
        let mut facts = Facts::new(&self.table, request, entities);
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for number in self.candidates(&mut facts) {
            let entry = &self.policies[number as usize];
            let satisfied = match standing(entry, &mut facts) {
                Standing::DoesNotApply => continue,
                Standing::Applies => Ok(true),
                Standing::AskCedar => entry.evaluate(&evaluator),
            };
            let id: &str = entry.policy.id().as_ref();
            match (satisfied, entry.policy.effect()) {
                (Ok(true), Effect::Permit) => permits.push(id),
                (Ok(true), Effect::Forbid) => forbids.push(id),
                (Ok(false), _) => {}
                (Err(Failed), _) => errors.push(id),
            }
        }
        let allowed = forbids.is_empty() && !permits.is_empty();
        let mut reasons = if allowed { permits } else { forbids };
        reasons.sort_unstable();
        errors.sort_unstable();
        Answer { allowed, reasons, errors }
    }

    /// The policies that might apply or fail, each once.
    fn candidates(&self, facts: &mut Facts<'_>) -> Vec<PolicyNumber> {
        let mut candidates = self.always.clone();
        for feature in &self.filing_features {
            for key in facts.holding(*feature) {
                candidates.extend(&self.filed[key.index()]);
            }
        }
        for failing in &self.failing {
            match facts.resolution(failing.feature) {
                Resolution::Resolved => {}
                Resolution::Absent => candidates.extend(&failing.unguarded),
                Resolution::Unforeseen => candidates.extend(failing.unguarded.iter().chain(&failing.guarded)),
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

impl Failing {
    fn new(feature: FeatureId) -> Self {
        Self { feature, unguarded: Vec::new(), guarded: Vec::new() }
    }

    fn add(&mut self, policy: PolicyNumber, guarded: bool) {
        let list = if guarded { &mut self.guarded } else { &mut self.unguarded };
        if list.last() != Some(&policy) {
            list.push(policy);
        }
    }

    fn is_empty(&self) -> bool {
        self.unguarded.is_empty() && self.guarded.is_empty()
    }
}

/// Runs a policy's tests in the order of its evaluation.
fn standing(entry: &Entry, facts: &mut Facts<'_>) -> Standing {
    for test in &entry.tests {
        if facts.resolution(test.feature) != Resolution::Resolved {
            return Standing::AskCedar;
        }
        let holds = facts.holding(test.feature).iter().any(|key| test.any_of.contains(key));
        if holds == test.negated {
            return Standing::DoesNotApply;
        }
    }
    if entry.decided_by_tests { Standing::Applies } else { Standing::AskCedar }
}

/// Cedar could not evaluate a policy.
struct Failed;

impl Entry {
    /// Evaluates the conditions; the scope was tested already, and testing it cannot fail.
    fn evaluate(&self, evaluator: &Evaluator<'_>) -> Result<bool, Failed> {
        match self.policy.non_scope_constraints() {
            None => Ok(true),
            Some(conditions) => evaluator
                .interpret(conditions, self.policy.env())
                .ok()
                .and_then(|value| match value.value_kind() {
                    ValueKind::Lit(Literal::Bool(satisfied)) => Some(*satisfied),
                    _ => None,
                })
                .ok_or(Failed),
        }
    }
}

#[cfg(test)]
mod tests;
