//! `@authenticated`, `@requiresScopes` and `@policy` across types: what implementing types demand, the
//! interface demands; and what a `@requires` reads, its field must demand as well.

use super::Merger;
use super::applied::{Requirement, both, merge_uses, requirement};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Directive, Kind, Name, Role, TypeDef};
use crate::parse::Selection;
use crate::subgraph::is_authorization;

const ROLES: [Role; 3] = [Role::Authenticated, Role::RequiresScopes, Role::Policy];

impl Merger<'_> {
    /// Adds to object types what interface objects demand for them, and to interfaces what the types
    /// implementing them demand.
    pub(super) fn spread_authorization(&mut self) {
        let mut changes: Vec<(Name, Option<Name>, Vec<Directive>)> = Vec::new();
        let objects = self.supergraph.types.values().filter(|t| t.kind == Kind::Object);
        for ty in objects.filter(|t| t.interfaces.iter().any(|i| self.relations.is_interface_object(i))) {
            for field in ty.fields.values() {
                let mut demands = authorization(&field.directives);
                for interface in &ty.interfaces {
                    let sources = self.interface_object_fields(interface, &field.name);
                    demands.extend(sources.values().flat_map(|f| authorization(&f.directives)));
                }
                changes.push((ty.name.clone(), Some(field.name.clone()), self.join(&demands)));
            }
        }
        self.apply(changes);

        let mut changes: Vec<(Name, Option<Name>, Vec<Directive>)> = Vec::new();
        for interface in self.supergraph.types.values().filter(|t| t.kind == Kind::Interface) {
            let implementations = || {
                self.supergraph
                    .types
                    .values()
                    .filter(|t| t.kind == Kind::Object && t.interfaces.contains(&interface.name))
            };
            let own = authorization(&interface.directives).into_iter();
            let demands: Vec<_> =
                own.chain(implementations().flat_map(|t| authorization(&t.directives))).collect();
            changes.push((interface.name.clone(), None, self.join(&demands)));
            for field in interface.fields.values() {
                let theirs = implementations().filter_map(|t| t.fields.get(&field.name));
                let own = authorization(&field.directives).into_iter();
                let demands: Vec<_> = own.chain(theirs.flat_map(|f| authorization(&f.directives))).collect();
                changes.push((interface.name.clone(), Some(field.name.clone()), self.join(&demands)));
            }
        }
        self.apply(changes);
    }

    fn join(&self, demands: &[&Directive]) -> Vec<Directive> {
        let mut joined = Vec::new();
        for role in ROLES {
            let uses: Vec<&Directive> = demands.iter().copied().filter(|d| d.role == role).collect();
            if let (false, Some(name)) = (uses.is_empty(), self.composed.core.get(&role)) {
                for arguments in merge_uses(role, &uses, false) {
                    joined.push(Directive { arguments, ..Directive::new(name, Vec::new()).with_role(role) });
                }
            }
        }
        joined
    }

    fn apply(&mut self, changes: Vec<(Name, Option<Name>, Vec<Directive>)>) {
        for (ty, field, demands) in changes {
            let Some(ty) = self.supergraph.types.get_mut(&ty) else { continue };
            let directives = match field {
                None => &mut ty.directives,
                Some(field) => match ty.fields.get_mut(&field) {
                    Some(field) => &mut field.directives,
                    None => continue,
                },
            };
            directives.retain(|d| !is_authorization(d.role));
            directives.extend(demands);
        }
    }

    /// Who may read a field computed from others must be allowed to read the others.
    pub(super) fn check_requires_authorization(&mut self) {
        if !ROLES.iter().any(|role| self.composed.core.contains_key(role)) {
            return;
        }
        for subgraph in self.subgraphs {
            for ty in subgraph.schema.types.values() {
                for field in ty.fields.values() {
                    let Some(selections) = subgraph.sets.requires.get(&ty.name, &field.name) else {
                        continue;
                    };
                    let Some(merged) = self.supergraph.types.get(&ty.name) else { continue };
                    let Some(own) = merged.fields.get(&field.name) else { continue };
                    let demands = Demands::of(&merged.directives).and(&Demands::of(&own.directives));
                    if let Some(read) = self.forbidden_read(&demands, merged, selections) {
                        let at = format!("{}.{}", ty.name, field.name);
                        let message = format!(
                            "`{at}` requires `{read}`, but does not demand all of the caller that `{read}` does"
                        );
                        let code = ErrorCode::MissingTransitiveAuthRequirements;
                        let error = CompositionError::new(code, message).at(at);
                        self.errors.push(error.within([subgraph.name.as_str()]));
                    }
                }
            }
        }
    }

    /// The first thing selected that demands more than `demands`.
    fn forbidden_read(
        &self,
        demands: &Demands,
        parent: &TypeDef,
        selections: &[Selection],
    ) -> Option<String> {
        for selection in selections {
            let below = match selection {
                Selection::Field { name, .. } => {
                    let Some(field) = parent.fields.get(name) else { continue };
                    if !demands.cover(&Demands::of(&field.directives)) {
                        return Some(format!("{}.{name}", parent.name));
                    }
                    self.supergraph.types.get(field.ty.base())
                }
                Selection::Fragment { on: Some(on), .. } => self.supergraph.types.get(on),
                Selection::Fragment { on: None, .. } => Some(parent),
            };
            let Some(below) = below else { continue };
            if !demands.cover(&Demands::of(&below.directives)) {
                return Some(below.name.to_string());
            }
            if let Some(found) = self.forbidden_read(demands, below, selection.selections()) {
                return Some(found);
            }
        }
        None
    }
}

fn authorization(directives: &[Directive]) -> Vec<&Directive> {
    directives.iter().filter(|d| is_authorization(d.role)).collect()
}

/// What an element demands of the caller.
struct Demands {
    authenticated: bool,
    scopes: Option<Requirement>,
    policies: Option<Requirement>,
}

impl Demands {
    fn of(directives: &[Directive]) -> Demands {
        let stated = |role, argument: &str| {
            let directive = directives.iter().find(|d| d.role == role)?;
            directive.argument(argument).map(requirement)
        };
        Demands {
            authenticated: directives.iter().any(|d| d.role == Role::Authenticated),
            scopes: stated(Role::RequiresScopes, "scopes"),
            policies: stated(Role::Policy, "policies"),
        }
    }

    fn and(&self, other: &Demands) -> Demands {
        let combine = |a: &Option<Requirement>, b: &Option<Requirement>| match (a, b) {
            (Some(a), Some(b)) => Some(both(a, b)),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        Demands {
            authenticated: self.authenticated || other.authenticated,
            scopes: combine(&self.scopes, &other.scopes),
            policies: combine(&self.policies, &other.policies),
        }
    }

    /// Whoever meets these demands meets the others.
    fn cover(&self, others: &Demands) -> bool {
        let covers = |own: &Option<Requirement>, other: &Option<Requirement>| match (own, other) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => {
                own.iter().all(|term| other.iter().any(|needed| needed.is_subset(term)))
            }
        };
        (self.authenticated || !others.authenticated)
            && covers(&self.scopes, &others.scopes)
            && covers(&self.policies, &others.policies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    fn scopes(terms: &[&[&str]]) -> Demands {
        let list = |names: &&[&str]| Value::List(names.iter().map(|n| Value::string(*n)).collect());
        let value = Value::List(terms.iter().map(list).collect());
        let directive =
            Directive::new("requiresScopes", vec![("scopes", value)]).with_role(Role::RequiresScopes);
        Demands::of(&[directive])
    }

    #[test]
    fn demands_cover_what_every_alternative_meets() {
        assert!(scopes(&[&["a", "b"]]).cover(&scopes(&[&["a"]])));
        assert!(scopes(&[&["a", "b"], &["c"]]).cover(&scopes(&[&["a"], &["c"]])));
        assert!(!scopes(&[&["a"], &["c"]]).cover(&scopes(&[&["a"]])), "a caller with `c` alone would get in");
        assert!(!Demands::of(&[]).cover(&scopes(&[&["a"]])));
        assert!(scopes(&[&["a"]]).cover(&Demands::of(&[])));
    }
}
