//! Settings of routes, as they come with each question.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use catalyst_authz::Route;
use catalyst_authz::config::{ConfigError, RouteConfig};

/// The most routes remembered. Only the operator's configuration makes new ones, so more than that is a node with
/// very many routes: the memory is then emptied and filled again, which costs parsing and nothing else.
const MAX_ROUTES: usize = 10_000;

/// Routes by the text of their settings, so that each is parsed once.
#[derive(Default)]
pub(super) struct Routes {
    /// Held for one look-up or one insertion, never across a decision.
    known: RwLock<HashMap<Box<str>, Arc<Route>>>,
}

/// A route's settings do not hold.
#[derive(Debug, thiserror::Error)]
#[error("the settings of the route do not hold: {0}; they must be the JSON of a route's configuration")]
pub(super) struct InvalidRoute(#[from] ConfigError);

impl Routes {
    /// The route of these settings.
    pub(super) fn get(&self, settings: &str) -> Result<Arc<Route>, InvalidRoute> {
        // A panic while the lock was held cannot have left the map half-changed.
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(route) = known.get(settings) {
            return Ok(Arc::clone(route));
        }
        drop(known);
        let route = Arc::new(Route::new(&RouteConfig::from_json(settings)?)?);
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.len() >= MAX_ROUTES {
            known.clear();
        }
        known.insert(settings.into(), Arc::clone(&route));
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_parsed_once_and_a_bad_one_is_refused() {
        let routes = Routes::default();
        let text = r#"{"service":"books.acme.example"}"#;
        let first = routes.get(text).unwrap();
        assert!(Arc::ptr_eq(&first, &routes.get(text).unwrap()));
        for bad in ["", "{}", r#"{"service":"books"}"#, r#"{"service":"books.acme.example","x":1}"#] {
            assert!(routes.get(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_more_routes_are_remembered_than_the_bound() {
        let routes = Routes::default();
        for index in 0..=MAX_ROUTES {
            routes.get(&format!(r#"{{"service":"s{index}.acme.example"}}"#)).unwrap();
        }
        assert_eq!(routes.known.read().unwrap().len(), 1);
    }
}
