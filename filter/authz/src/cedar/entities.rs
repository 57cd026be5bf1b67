//! The operator's entities: group hierarchies, and what token and route say nothing about.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entities, EntityUid, Schema};
use cedar_policy_core::ast::EntityUID;
use serde_json::Value;

use super::PolicyError;
use super::schema::NAMESPACE;

/// Types whose entities are made from tokens and routes. The operator may give them parents, nothing else.
const MADE_PER_REQUEST: [&str; 4] = ["User", "Node", "Service", "Anonymous"];

/// Entities that the operator configured, checked against the schema.
#[derive(Debug)]
pub(super) struct OperatorEntities {
    /// All whose types are not made per request, with the schema's actions.
    pub(super) fixed: Entities,
    /// Parents given to users, nodes and services, with everything above them.
    above: HashMap<EntityUID, HashSet<EntityUID>>,
    /// For entities that are in others: those others.
    ancestors: HashMap<EntityUID, Vec<EntityUID>>,
}

impl OperatorEntities {
    pub(super) fn load(text: Option<&str>, schema: &Schema) -> Result<Self, PolicyError> {
        let refused = |error: &dyn std::fmt::Display| PolicyError::Entities(error.to_string());
        let entries = match text {
            None => Vec::new(),
            Some(text) => serde_json::from_str::<Vec<Value>>(text).map_err(|error| refused(&error))?,
        };
        let (made, fixed): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_made_per_request);
        let fixed =
            Entities::from_json_value(Value::Array(fixed), Some(schema)).map_err(|error| refused(&error))?;
        let ancestors = fixed
            .as_ref()
            .iter()
            .map(|entity| (entity.uid().clone(), entity.ancestors().cloned().collect::<Vec<_>>()))
            .filter(|(_, ancestors)| !ancestors.is_empty())
            .collect();
        let mut entities = Self { fixed, above: HashMap::new(), ancestors };
        for entry in made {
            let (uid, parents) = assignment(&entry, schema)?;
            let above = parents.iter().flat_map(|parent| entities.ancestors(parent)).chain(&parents);
            if entities.above.insert(uid.clone(), above.cloned().collect()).is_some() {
                return Err(PolicyError::Entities(format!("`{uid}` appears twice")));
            }
        }
        Ok(entities)
    }

    /// Parents given to that entity by the operator, with everything above them.
    pub(super) fn above(&self, uid: &EntityUID) -> impl Iterator<Item = &EntityUID> {
        self.above.get(uid).into_iter().flatten()
    }

    /// Everything above an entity that is not made per request.
    pub(super) fn ancestors(&self, uid: &EntityUID) -> impl Iterator<Item = &EntityUID> {
        self.ancestors.get(uid).into_iter().flatten()
    }
}

fn is_made_per_request(entry: &Value) -> bool {
    let type_name = entry.pointer("/uid/type").or_else(|| entry.pointer("/uid/__entity/type"));
    type_name
        .and_then(Value::as_str)
        .and_then(|name| name.strip_prefix(NAMESPACE))
        .is_some_and(|name| MADE_PER_REQUEST.iter().any(|made| name.strip_prefix("::") == Some(made)))
}

/// Reads `{"uid": …, "parents": […]}`.
fn assignment(entry: &Value, schema: &Schema) -> Result<(EntityUID, Vec<EntityUID>), PolicyError> {
    let refused = |message: String| PolicyError::Entities(message);
    let uid_of = |value: &Value| {
        EntityUid::from_json(value.clone()).map_err(|error| refused(format!("`{value}`: {error}")))
    };
    let uid = uid_of(&entry["uid"])?;
    let members = entry.as_object().into_iter().flatten();
    for (member, value) in members {
        let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
        if member != "uid" && member != "parents" && !empty {
            return Err(refused(format!(
                "`{uid}`: `{member}` comes from the token or the route and cannot be given here; give `parents`"
            )));
        }
    }
    let permitted: Vec<_> = schema.ancestors(uid.type_name()).into_iter().flatten().collect();
    let Some(parents) = entry.get("parents").and_then(Value::as_array) else {
        return Err(refused(format!("`{uid}`: expected an array `parents`")));
    };
    let parents = parents.iter().map(uid_of).collect::<Result<Vec<_>, _>>()?;
    for parent in &parents {
        if !permitted.contains(&parent.type_name()) {
            return Err(refused(format!(
                "`{uid}` cannot be in `{parent}`: the schema has no such membership"
            )));
        }
    }
    Ok((uid.as_ref().clone(), parents.into_iter().map(|parent| parent.as_ref().clone()).collect()))
}
