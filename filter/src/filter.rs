//! One stream: asks the engine when the request's headers are here, and carries its decision out.

use std::sync::Arc;
use std::time::SystemTime;

use catalyst_authz::proxy::{self, Headers, Response};
use catalyst_authz::{Allow, Decision, Deny, Engine, Route, Timestamp};
use envoy_dynamic_module::abi::{
    envoy_dynamic_module_type_http_header_type as HeaderMap,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
};
use envoy_dynamic_module::{EnvoyHttpFilter, HttpFilter, envoy_log_debug, envoy_log_error};

use crate::config::Shared;
use crate::request::attributes;
use crate::settings::AccessLog;

/// The filter of one stream.
pub(crate) struct AuthzFilter {
    shared: Arc<Shared>,
}

impl AuthzFilter {
    /// Asks the engine of `shared`.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for AuthzFilter {
    fn on_request_headers(&mut self, envoy: &mut EHF, _end_of_stream: bool) -> RequestHeadersStatus {
        let asked = SystemTime::now();
        let (decision, reserved) = decide(envoy, &self.shared.engine.load(), asked);
        self.shared.stats.count(envoy, &decision, asked, &self.shared.reloads);
        self.write_metadata(envoy, &decision);
        match decision {
            Decision::Allow(allow) => admit(envoy, &allow, &reserved),
            Decision::Deny(deny) => {
                refuse(envoy, &deny);
                RequestHeadersStatus::StopIteration
            }
        }
    }

    /// Some servers merge trailers into headers, so what a client must not send as the one it must not as the other.
    fn on_request_trailers(&mut self, envoy: &mut EHF) -> RequestTrailersStatus {
        let reserved = reserved_trailers(envoy, &self.shared.engine.load());
        if reserved.iter().all(|name| envoy.remove_request_trailer(name)) {
            return RequestTrailersStatus::Continue;
        }
        fail(envoy, "a reserved trailer could not be removed");
        RequestTrailersStatus::StopIteration
    }
}

impl AuthzFilter {
    /// Shows the decision to the access log and to later filters.
    fn write_metadata<EHF: EnvoyHttpFilter>(&self, envoy: &mut EHF, decision: &Decision) {
        match (decision, self.shared.access_log) {
            (Decision::Allow(_), AccessLog::Denials) => {}
            (Decision::Allow(_), AccessLog::All)
            | (Decision::Deny(_), AccessLog::Denials | AccessLog::All) => {
                let entries = proxy::metadata(decision);
                let entries: Vec<_> = entries.iter().map(|(key, value)| (*key, value.as_ref())).collect();
                envoy.set_dynamic_metadata_strings(proxy::METADATA_NAMESPACE, &entries);
            }
        }
    }
}

/// The decision, and the names of the request's headers that the client should not have sent.
fn decide<EHF: EnvoyHttpFilter>(envoy: &EHF, engine: &Engine, now: SystemTime) -> (Decision, Vec<Vec<u8>>) {
    let mut headers = Headers::new(engine, route(envoy));
    envoy.for_each_header(HeaderMap::RequestHeader, &mut |name, value| {
        headers.visit(name.as_slice(), value.as_slice());
    });
    let request = proxy::request(&headers, &attributes(envoy, engine.reads()));
    let decision = engine.decide(&request, Timestamp::from(now));
    (decision, headers.reserved().iter().map(|name| name.to_vec()).collect())
}

fn reserved_trailers<EHF: EnvoyHttpFilter>(envoy: &EHF, engine: &Engine) -> Vec<Vec<u8>> {
    let mut trailers = Headers::new(engine, route(envoy));
    envoy.for_each_header(HeaderMap::RequestTrailer, &mut |name, value| {
        trailers.visit(name.as_slice(), value.as_slice());
    });
    trailers.reserved().iter().map(|name| name.to_vec()).collect()
}

/// The configuration of the stream's route.
fn route<EHF: EnvoyHttpFilter>(envoy: &EHF) -> Option<&Route> {
    envoy.get_most_specific_route_config()?.downcast_ref()
}

/// Lets the request pass with the verified identity, after what the client itself sent by these names is gone.
fn admit<EHF: EnvoyHttpFilter>(envoy: &mut EHF, allow: &Allow, reserved: &[Vec<u8>]) -> RequestHeadersStatus {
    let stripped = reserved.iter().all(|name| envoy.remove_request_header(name));
    let set = allow.headers().all(|(name, value)| envoy.set_request_header(name, value.as_bytes()));
    if stripped && set {
        return RequestHeadersStatus::Continue;
    }
    fail(envoy, "the identity headers could not be set");
    RequestHeadersStatus::StopIteration
}

/// Answers in the upstream's place. The client learns what RFC 6750 says it may, and the denial's id.
fn refuse<EHF: EnvoyHttpFilter>(envoy: &mut EHF, deny: &Deny) {
    envoy_log_debug!("catalyst: denied {deny:?}");
    let Response { status, headers, body, details } = Response::from(deny);
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    envoy.send_response(u32::from(status), &headers, Some(body.as_bytes()), Some(&details));
}

/// Answers a request that the engine allowed but that Envoy did not let us make safe.
fn fail<EHF: EnvoyHttpFilter>(envoy: &mut EHF, what: &str) {
    envoy_log_error!("catalyst: request refused: {what}");
    envoy.send_response(500, &[], None, Some("catalyst_filter_failure"));
}
