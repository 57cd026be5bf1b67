//! One stream: asks the engine when the request's headers are here, and carries its decision out.

use std::sync::Arc;
use std::time::SystemTime;

use catalyst_authz::decision::DENY_ID_HEADER;
use catalyst_authz::{Allow, Decision, Deny, Route, Timestamp};
use envoy_dynamic_module::abi::{
    envoy_dynamic_module_type_http_header_type as HeaderMap,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
};
use envoy_dynamic_module::{EnvoyHttpFilter, HttpFilter, envoy_log_debug, envoy_log_error};

use crate::access_log;
use crate::config::Shared;
use crate::request::{Headers, is_reserved, question};

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
        let engine = self.shared.engine.load();
        let (decision, reserved) = {
            let route = route(envoy);
            let headers = Headers::walk(envoy, &engine, route);
            let decision =
                engine.decide(&question(envoy, route, &headers), Timestamp::from(SystemTime::now()));
            (decision, headers.reserved)
        };
        self.shared.stats.count(envoy, &decision, &self.shared.reloads);
        access_log::write(envoy, &decision, self.shared.access_log);
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
        let mut reserved = Vec::new();
        {
            let engine = self.shared.engine.load();
            let route = route(envoy).or(engine.default_route());
            envoy.for_each_header(HeaderMap::RequestTrailer, &mut |name, _| {
                if is_reserved(name.as_slice(), route) {
                    reserved.push(name.as_slice().to_vec());
                }
            });
        }
        for name in &reserved {
            if !envoy.remove_request_trailer(name) {
                fail(envoy, "a reserved trailer could not be removed");
                return RequestTrailersStatus::StopIteration;
            }
        }
        RequestTrailersStatus::Continue
    }
}

/// The configuration of the stream's route.
fn route<EHF: EnvoyHttpFilter>(envoy: &EHF) -> Option<&Route> {
    envoy.get_most_specific_route_config()?.downcast_ref()
}

/// Lets the request pass with the verified identity, after what the client itself sent by these names is gone.
fn admit<EHF: EnvoyHttpFilter>(envoy: &mut EHF, allow: &Allow, reserved: &[Vec<u8>]) -> RequestHeadersStatus {
    let stripped = reserved.iter().all(|name| envoy.remove_request_header(name));
    let set = allow.headers().all(|(name, value)| envoy.set_request_header(name, value.as_bytes()));
    if !(stripped && set) {
        fail(envoy, "the identity headers could not be set");
        return RequestHeadersStatus::StopIteration;
    }
    RequestHeadersStatus::Continue
}

/// Answers in the upstream's place. The client learns what RFC 6750 says it may, and the denial's id.
fn refuse<EHF: EnvoyHttpFilter>(envoy: &mut EHF, deny: &Deny) {
    let (reason, id) = (deny.reason().name(), deny.id());
    envoy_log_debug!(
        "catalyst: denied {id}: {reason}, issuer {:?}, policies {:?}",
        deny.issuer(),
        deny.policies()
    );
    let challenge = deny.www_authenticate();
    let mut headers: Vec<(&str, &[u8])> = vec![(DENY_ID_HEADER, id.as_str().as_bytes())];
    headers.extend(challenge.as_ref().map(|challenge| ("www-authenticate", challenge.as_bytes())));
    let body = format!("{} (denied as {id})\n", deny.description());
    let details = format!("catalyst_{reason}");
    envoy.send_response(u32::from(deny.status()), &headers, Some(body.as_bytes()), Some(&details));
}

/// Answers a request that the engine allowed but that Envoy did not let us make safe.
fn fail<EHF: EnvoyHttpFilter>(envoy: &mut EHF, what: &str) {
    envoy_log_error!("catalyst: request refused: {what}");
    envoy.send_response(500, &[], None, Some("catalyst_filter_failure"));
}
