//! From JSON to an engine and to routes. Runs on Envoy's main thread, also under `envoy --mode validate`.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwap;
use catalyst_authz::config::RouteConfig;
use catalyst_authz::{Engine, Route};
use envoy_dynamic_module::{
    EnvoyHttpFilter, EnvoyHttpFilterConfig, HttpFilter, HttpFilterConfig, envoy_log_error, envoy_log_info,
};

use crate::files::Files;
use crate::filter::AuthzFilter;
use crate::settings::{AccessLog, Settings};
use crate::stats::{Reloads, Stats};

/// The only `filter_name` of this module.
const FILTER_NAME: &str = "authz";

/// The configuration made last. Envoy makes the next one while this one still serves, so the next one takes over its
/// caches and a push costs nobody a second verification. Locked for a moment on the main thread only.
static LAST: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// One configuration, as Envoy holds it.
struct AuthzConfig(Arc<Shared>);

/// What all streams of one configuration share.
pub(crate) struct Shared {
    /// Decides. Replaced as a whole when a file changes; a request keeps the one it began with.
    pub(crate) engine: ArcSwap<Engine>,
    /// Which decisions the access log can show.
    pub(crate) access_log: AccessLog,
    /// Counts.
    pub(crate) stats: Stats,
    /// What became of changed files, until a request counts it.
    pub(crate) reloads: Reloads,
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for AuthzConfig {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(AuthzFilter::new(Arc::clone(&self.0)))
    }
}

/// Makes the filter's configuration from the JSON of a `FilterConfig`; `None`, with the reason in Envoy's log, if it
/// does not hold.
pub(crate) fn new_http_filter_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    envoy: &mut EC,
    name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    const KIND: &str = "filter configuration";
    let json = json(KIND, name, config)?;
    let (settings, config) = accepted(KIND, Settings::split(json))?;
    // A poisoned lock still holds a configuration, or none.
    let mut last = LAST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let earlier = last.upgrade().map(|shared| shared.engine.load_full());
    let (files, engine) = accepted(KIND, Files::load(config, earlier.as_deref()))?;
    let stats = match Stats::define(envoy) {
        Ok(stats) => stats,
        Err(error) => return refuse(KIND, &format_args!("cannot define its statistics: {error:?}")),
    };
    let shared = Arc::new(Shared {
        engine: ArcSwap::from_pointee(engine),
        access_log: settings.access_log,
        stats,
        reloads: Reloads::default(),
    });
    accepted(KIND, files.watch(&shared))?;
    *last = Arc::downgrade(&shared);
    envoy_log_info!("catalyst: filter configuration accepted");
    Some(Box::new(AuthzConfig(shared)))
}

/// Makes a route's configuration from the JSON of a `RouteConfig`: a [`Route`]. `None`, with the reason in Envoy's
/// log, if it does not hold.
pub(crate) fn new_http_filter_per_route_config(
    name: &str,
    config: &[u8],
) -> Option<Box<dyn Any + Send + Sync>> {
    const KIND: &str = "route configuration";
    let json = json(KIND, name, config)?;
    let route = accepted(KIND, RouteConfig::from_json(json).and_then(|config| Route::new(&config)))?;
    Some(Box::new(route))
}

fn json<'c>(kind: &str, name: &str, config: &'c [u8]) -> Option<&'c str> {
    if name != FILTER_NAME {
        return refuse(kind, &format_args!("filter_name is `{name}`, expected `{FILTER_NAME}`"));
    }
    match std::str::from_utf8(config) {
        Ok(json) => Some(json),
        Err(error) => {
            let hint = "give JSON as a google.protobuf.StringValue or Struct";
            refuse(kind, &format_args!("not UTF-8 ({error}); {hint}"))
        }
    }
}

fn accepted<T, E: fmt::Display>(kind: &str, result: Result<T, E>) -> Option<T> {
    result.map_or_else(|error| refuse(kind, &error), Some)
}

/// Envoy itself reports only that the module refused, so the reason goes to its log.
fn refuse<T>(kind: &str, reason: &dyn fmt::Display) -> Option<T> {
    envoy_log_error!("catalyst: {kind} refused: {reason}");
    None
}
