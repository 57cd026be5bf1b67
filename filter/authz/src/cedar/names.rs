//! Entity types and actions, parsed once.

use std::sync::Arc;

use cedar_policy_core::ast::{Eid, Entity, EntityType, EntityUID, Name};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;

use super::schema::{ACTIONS, NAMESPACE};
use crate::config::PrincipalKind;

/// The entity types and actions of the schema.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) user: EntityType,
    pub(super) node: EntityType,
    pub(super) service: EntityType,
    pub(super) anonymous: EntityType,
    pub(super) group: EntityType,
    pub(super) service_group: EntityType,
    pub(super) organisation: EntityType,
    actions: Vec<Action>,
}

/// An action and, as the beginning of a request's entities, itself.
#[derive(Debug)]
pub(super) struct Action {
    name: &'static str,
    pub(super) uid: EntityUID,
    pub(super) entities: Entities,
}

impl Names {
    pub(super) fn new() -> Self {
        let action_type = entity_type("Action");
        Self {
            user: entity_type("User"),
            node: entity_type("Node"),
            service: entity_type("Service"),
            anonymous: entity_type("Anonymous"),
            group: entity_type("Group"),
            service_group: entity_type("ServiceGroup"),
            organisation: entity_type("Organisation"),
            actions: ACTIONS.iter().map(|(name, group)| Action::new(&action_type, name, *group)).collect(),
        }
    }

    pub(super) fn principal(&self, kind: PrincipalKind) -> &EntityType {
        match kind {
            PrincipalKind::User => &self.user,
            PrincipalKind::Node => &self.node,
            PrincipalKind::Service => &self.service,
        }
    }

    pub(super) fn action(&self, name: &str) -> &Action {
        self.actions
            .iter()
            .find(|action| action.name == name)
            .expect("only names of the schema are asked for")
    }
}

impl Action {
    fn new(action_type: &EntityType, name: &'static str, group: Option<&str>) -> Self {
        let uid = uid(action_type, name);
        let parents = group.map(|group| self::uid(action_type, group)).into_iter().collect();
        let entity = Entity::new_with_attr_partial_value(uid.clone(), [], [].into(), parents, []);
        Self { name, uid, entities: with_entities(Entities::new(), [Arc::new(entity)]) }
    }
}

fn entity_type(name: &str) -> EntityType {
    let name: Name = format!("{NAMESPACE}::{name}").parse().expect("made of two identifiers");
    EntityType::from(name)
}

pub(super) fn uid(entity_type: &EntityType, id: &str) -> EntityUID {
    EntityUID::from_components(entity_type.clone(), Eid::new(id), None)
}

/// Adds entities whose ancestors are complete.
pub(super) fn with_entities(entities: Entities, more: impl IntoIterator<Item = Arc<Entity>>) -> Entities {
    entities
        .add_entities(
            more,
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .expect("no schema is checked, no closure computed, and no two of the entities share an id")
}
