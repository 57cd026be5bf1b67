//! One configuration, ready to decide.

mod build;
mod credentials;
mod deny_id;
mod outcome;
mod token;
mod trust;

pub(crate) use outcome::Outcome;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cedar::{Policies, Principal, Question, Reads, Verdict, action};
use crate::config::{Access, ClaimType, ConfigError, FilterConfig, TokenSource};
use crate::decision::{Allow, Decision, Deny, DenyReason};
use crate::request::{Request, Timestamp};
use crate::route::Route;

use deny_id::DenyIds;
use token::{Fresh, Verified};
use trust::Trust;

/// One configuration, checked and ready. Shared by all threads; [`Engine::decide`] takes `&self`.
#[derive(Debug)]
pub struct Engine {
    realm: Arc<str>,
    token_source: TokenSource,
    context_headers: Vec<String>,
    declared_claims: BTreeMap<String, ClaimType>,
    trust: Trust,
    policies: Policies,
    default_route: Option<Route>,
    deny_ids: DenyIds,
}

impl Engine {
    /// Checks a configuration and makes it ready. Its files must have been read
    /// ([`FilterConfig::resolve_files`]).
    ///
    /// # Errors
    /// [`ConfigError`] names the JSON path of what is wrong, what was expected, and for policies the position.
    pub fn new(config: &FilterConfig) -> Result<Self, ConfigError> {
        build::engine(config)
    }

    /// The request header whose values go into [`Request::credentials`]; in lower case.
    pub fn credentials_header(&self) -> &str {
        self.token_source.header()
    }

    /// The request headers that go into [`Request::headers`]; in lower case. [`Engine::reads`] says which of them
    /// the policies use.
    pub fn context_headers(&self) -> &[String] {
        &self.context_headers
    }

    /// What of a request the policies read, so that the shell need not fetch the rest.
    pub fn reads(&self) -> &Reads {
        self.policies.reads()
    }

    /// The route of requests that bring none.
    pub fn default_route(&self) -> Option<&Route> {
        self.default_route.as_ref()
    }

    /// Decides about a request at a time. Never fails: what cannot be decided is denied.
    pub fn decide(&self, request: &Request<'_>, now: Timestamp) -> Decision {
        let Some(route) = request.route.or(self.default_route.as_ref()) else {
            return self.refuse(Refusal::new(DenyReason::NoRoute));
        };
        let outcome = match route.access() {
            Access::Public => self.public(request, route, now),
            Access::Authenticated | Access::Policy => self.guarded(request, route, now),
        };
        match outcome {
            Ok(outcome) => self.conclude(outcome),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Everybody may pass; whoever shows a good token is named upstream.
    fn public(&self, request: &Request<'_>, route: &Route, now: Timestamp) -> Result<Arc<Outcome>, Refusal> {
        match self.guarded(request, route, now) {
            Ok(outcome) => Ok(outcome),
            Err(_) => Ok(Arc::new(Outcome::anonymous(Verdict::Permit(Arc::from([]))))),
        }
    }

    fn guarded(&self, request: &Request<'_>, route: &Route, now: Timestamp) -> Result<Arc<Outcome>, Refusal> {
        let Some(token) = credentials::token(&self.token_source, request.credentials)? else {
            if !route.config().anonymous {
                return Err(Refusal::new(DenyReason::MissingToken));
            }
            let verdict = self.ask(request, route, Principal::Anonymous, now)?;
            return Ok(Arc::new(Outcome::anonymous(verdict)));
        };
        let mut payload = Vec::new();
        let fresh = self.trust.verify(token, now, &mut payload)?;
        self.trust.admit(&fresh.verified, route, request, now)?;
        self.judge(request, route, fresh, now)
    }

    fn judge(
        &self,
        request: &Request<'_>,
        route: &Route,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Arc<Outcome>, Refusal> {
        let Fresh { verified, claims } = fresh;
        let issuer = verified.issuer();
        let verdict = match route.access() {
            Access::Public | Access::Authenticated => Verdict::Permit(Arc::from([])),
            Access::Policy => {
                let invalid = |_| Refusal::of(DenyReason::InvalidClaim, &verified);
                let groups = claims.groups(issuer.groups_claim()).map_err(invalid)?;
                let principal = Principal::Identified {
                    kind: issuer.principal(),
                    issuer: issuer.name(),
                    organisation: issuer.organisation(),
                    claims: &claims,
                    groups: &groups,
                };
                self.ask(request, route, principal, now)?
            }
        };
        Ok(Arc::new(Outcome::identified(Arc::clone(&verified), verdict, route, &claims)))
    }

    fn ask(
        &self,
        request: &Request<'_>,
        route: &Route,
        principal: Principal<'_>,
        now: Timestamp,
    ) -> Result<Verdict, Refusal> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Refusal::new(DenyReason::MalformedRequest));
        let mut headers: Vec<(&str, Cow<'_, str>)> = Vec::new();
        for name in &self.context_headers {
            let values = request.headers.iter().filter(|(header, _)| header == name);
            for (_, value) in values {
                let value = text(value)?;
                match headers.last_mut() {
                    Some((last, joined)) if last == name => {
                        *joined = Cow::Owned(format!("{joined}, {value}"))
                    }
                    Some(_) | None => headers.push((name, Cow::Borrowed(value))),
                }
            }
        }
        let question = Question {
            principal,
            action: action(route.config().protocol, request.operation, request.method),
            resource: route.resource(),
            method: text(request.method)?,
            path: text(request.path)?.split(['?', '#']).next().unwrap_or_default(),
            host: text(request.host)?,
            headers: &headers,
            source: request.source,
            tls_peer: request.tls_peer.map(|peer| peer.identity),
            peer_organisation: request.peer_organisation,
            now,
            declared_claims: &self.declared_claims,
        };
        Ok(self.policies.evaluate(&question))
    }

    fn conclude(&self, outcome: Arc<Outcome>) -> Decision {
        let (reason, policies) = match &outcome.verdict {
            Verdict::Permit(_) => return Decision::Allow(Allow { outcome }),
            Verdict::NotPermitted => (DenyReason::NotPermitted, Arc::from([])),
            Verdict::Forbid(policies) => (DenyReason::Forbidden, Arc::clone(policies)),
            Verdict::Error(policies) => (DenyReason::PolicyError, Arc::clone(policies)),
        };
        let issuer = outcome.verified.as_ref().map(|verified| verified.issuer().shared_name());
        let anonymous = outcome.verified.is_none();
        self.deny(Refusal { reason, issuer }, anonymous, policies)
    }

    fn refuse(&self, refusal: Refusal) -> Decision {
        self.deny(refusal, false, Arc::from([]))
    }

    fn deny(&self, refusal: Refusal, anonymous: bool, policies: Arc<[Box<str>]>) -> Decision {
        let Refusal { reason, issuer } = refusal;
        let (id, realm) = (self.deny_ids.next(), Arc::clone(&self.realm));
        Decision::Deny(Deny { reason, anonymous, id, policies, issuer, realm })
    }
}

/// A denial before the policies were asked.
#[derive(Debug, Clone)]
struct Refusal {
    reason: DenyReason,
    issuer: Option<Arc<str>>,
}

impl Refusal {
    fn new(reason: DenyReason) -> Self {
        Self { reason, issuer: None }
    }

    fn of(reason: DenyReason, verified: &Verified) -> Self {
        Self { reason, issuer: Some(verified.issuer().shared_name()) }
    }
}
