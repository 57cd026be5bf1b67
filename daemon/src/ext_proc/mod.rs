//! The fallback for an Envoy that cannot load the module: Envoy asks the daemon about each request by gRPC, and the
//! daemon asks the very same engine.
//!
//! | part | does |
//! |---|---|
//! | [`service`] | both gRPC services, to be mounted on one server |
//! | `processor` | `envoy.service.ext_proc.v3.ExternalProcessor` |
//! | `authorization` | `envoy.service.auth.v3.Authorization`, for Envoys that are set up for `ext_authz` |
//! | `wire` | Envoy's messages from and to the engine's terms, by way of `catalyst_authz::proxy` |
//! | `routes` | the routes' settings, which travel with each question |
//! | [`settings`] | what Envoy must be told so that it asks, and so that it denies when nobody answers |
//!
//! **Fails closed.** Both of Envoy's filters answer 503 by themselves when the daemon is gone or an answer is late or
//! makes no sense; they are set up so in [`settings`]. What this side cannot understand ends in a gRPC error, which
//! comes to the same.

mod authorization;
mod processor;
mod routes;
pub mod settings;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use catalyst_authz::proxy::{self, Attributes, Headers};
use catalyst_authz::{Decision, Engine, Route, Timestamp};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;

use routes::{InvalidRoute, Routes};

/// The largest question taken, in bytes; a larger one is refused, so that the request is denied. Envoy's own limit
/// for a request's headers is 60 KiB unless configured otherwise.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Both services. `engine` is read anew for every question: whoever stores another one changes the answers from then
/// on.
pub fn service(engine: Arc<ArcSwap<Engine>>) -> tonic::service::Routes {
    let asked = Arc::new(Asked { engine, routes: Routes::default() });
    let processor = ExternalProcessorServer::new(processor::Processor::new(Arc::clone(&asked)));
    let authorization = AuthorizationServer::new(authorization::Authorization::new(asked));
    tonic::service::Routes::new(processor.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(authorization.max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// What both services ask.
struct Asked {
    engine: Arc<ArcSwap<Engine>>,
    routes: Routes,
}

/// A header line as Envoy sent it; the name in lower case.
type Line<'m> = (&'m [u8], &'m [u8]);

impl Asked {
    /// The route whose settings came with a question, or `None` if none came.
    fn route(&self, settings: Option<&str>) -> Result<Option<Arc<Route>>, InvalidRoute> {
        settings.map(|settings| self.routes.get(settings)).transpose()
    }

    /// The decision, and the names of the request's headers that the client should not have sent.
    fn decide<'m>(
        &self,
        route: Option<&Route>,
        lines: impl Iterator<Item = Line<'m>>,
        attributes: &Attributes<'_>,
    ) -> (Decision, Vec<String>) {
        let engine = self.engine.load();
        let mut headers = Headers::new(&engine, route);
        for (name, value) in lines {
            headers.visit(name, value);
        }
        let request = proxy::request(&headers, attributes);
        let decision = engine.decide(&request, Timestamp::from(SystemTime::now()));
        (decision, wire::names(headers.reserved()))
    }

    /// The names of trailers that the client should not have sent.
    fn reserved_trailers<'m>(
        &self,
        route: Option<&Route>,
        lines: impl Iterator<Item = Line<'m>>,
    ) -> Vec<String> {
        let engine = self.engine.load();
        let mut trailers = Headers::new(&engine, route);
        for (name, value) in lines {
            trailers.visit(name, value);
        }
        wire::names(trailers.reserved())
    }
}
