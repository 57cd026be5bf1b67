//! Numbers for features and keys, and the way from a value to the number of its key.

use std::collections::HashMap;

use cedar_policy_core::ast::{EntityType, EntityUID, Literal};
use smol_str::SmolStr;

use super::Test;
use super::clause::{Analysis, Clause, Feature, Key, Path};

/// The number of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeatureId(u32);

/// The number of a key of a feature; keys of different features have different numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyId(u32);

impl FeatureId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

impl KeyId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// All features and keys that some policy mentions.
#[derive(Debug, Default)]
pub(super) struct Table {
    numbers: HashMap<Feature, FeatureId>,
    features: Vec<(Feature, Keys)>,
    keys: u32,
}

/// The keys of one feature.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) types: HashMap<EntityType, KeyId>,
    pub(super) entities: HashMap<EntityUID, KeyId>,
    pub(super) literals: HashMap<Literal, KeyId>,
    pub(super) beginnings: HashMap<SmolStr, KeyId>,
    /// The lengths of `beginnings` in bytes, each once.
    pub(super) beginning_lengths: Vec<usize>,
    pub(super) present: Option<KeyId>,
}

impl Table {
    /// Numbers what an analysis mentions.
    pub(super) fn tests(&mut self, analysis: &Analysis) -> Box<[Test]> {
        let mut ensured: Vec<&Path> = Vec::new();
        let mut tests = Vec::with_capacity(analysis.clauses.len());
        for clause in &analysis.clauses {
            let guarded = clause.feature.needs().is_some_and(|needed| ensured.contains(&needed));
            tests.push(self.test(clause, guarded));
            ensured.extend(clause.ensures());
        }
        tests.into()
    }

    fn test(&mut self, clause: &Clause, guarded: bool) -> Test {
        let feature = self.feature_id(&clause.feature);
        let keys = &mut self.features[feature.index()].1;
        let next = &mut self.keys;
        let any_of = clause.any_of.iter().map(|key| keys.number(key, next)).collect();
        Test { feature, any_of, negated: clause.negated, guarded }
    }

    fn feature_id(&mut self, feature: &Feature) -> FeatureId {
        if let Some(id) = self.numbers.get(feature) {
            return *id;
        }
        let id = FeatureId(
            u32::try_from(self.features.len()).expect("features are bounded by the text of the policies"),
        );
        self.numbers.insert(feature.clone(), id);
        self.features.push((feature.clone(), Keys::default()));
        id
    }

    pub(super) fn feature(&self, id: FeatureId) -> (&Feature, &Keys) {
        let (feature, keys) = &self.features[id.index()];
        (feature, keys)
    }

    pub(super) fn can_fail(&self, id: FeatureId) -> bool {
        self.features[id.index()].0.can_fail()
    }

    pub(super) fn feature_ids(&self) -> impl Iterator<Item = FeatureId> + use<> {
        (0..u32::try_from(self.features.len()).expect("each feature has a number")).map(FeatureId)
    }

    pub(super) fn features(&self) -> usize {
        self.features.len()
    }

    pub(super) fn keys(&self) -> usize {
        self.keys as usize
    }
}

impl Keys {
    fn number(&mut self, key: &Key, next: &mut u32) -> KeyId {
        let fresh = || {
            let id = KeyId(*next);
            *next += 1;
            id
        };
        match key {
            Key::Type(entity_type) => *self.types.entry(entity_type.clone()).or_insert_with(fresh),
            Key::Entity(uid) => *self.entities.entry(uid.clone()).or_insert_with(fresh),
            Key::Literal(literal) => *self.literals.entry(literal.clone()).or_insert_with(fresh),
            Key::Present => *self.present.get_or_insert_with(fresh),
            Key::Beginning(text) => {
                if !self.beginning_lengths.contains(&text.len()) {
                    self.beginning_lengths.push(text.len());
                }
                *self.beginnings.entry(text.clone()).or_insert_with(fresh)
            }
        }
    }
}
