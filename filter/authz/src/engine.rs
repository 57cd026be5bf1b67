//! One configuration, ready to decide.

mod build;
mod credentials;
mod deny_id;
mod key;
mod outcome;
mod token;
mod trust;

pub(crate) use outcome::Outcome;
pub(crate) use token::Verified;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use thread_local::ThreadLocal;

use crate::cache::{Caches, Decisions, Front, Window};

use crate::cedar::{Policies, Principal, Question, Reads, Verdict, action};
use crate::claims::Claims;
use crate::config::{Access, ClaimType, ConfigError, FilterConfig, TokenSource};
use crate::decision::{Allow, Decision, Deny, DenyReason, Effort};
use crate::request::{Request, Timestamp};
use crate::route::Route;

use deny_id::DenyIds;
use key::{DecisionKey, MAX_KEY_BYTES};
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
    caches: Caches,
    decisions: Arc<Decisions>,
    fronts: ThreadLocal<RefCell<Front>>,
    /// The outcome of public routes for those who show no good token.
    nobody: Arc<Outcome>,
}

impl Engine {
    /// Checks a configuration and makes it ready. Its files must have been read
    /// ([`FilterConfig::resolve_files`]).
    ///
    /// # Errors
    /// [`ConfigError`] names the JSON path of what is wrong, what was expected, and for policies the position.
    pub fn new(config: &FilterConfig) -> Result<Self, ConfigError> {
        build::engine(config, &Caches::new(&config.caches))
    }

    /// Like [`Engine::new`], with the caches of another engine, usually the one that this one replaces. What it
    /// verified and decided is used as far as it still holds under the new configuration. If the configured
    /// bounds of the caches have changed, the engine gets new ones.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_caches(config: &FilterConfig, caches: &Caches) -> Result<Self, ConfigError> {
        build::engine(config, caches)
    }

    /// The caches, to be passed on to [`Engine::with_caches`].
    pub fn caches(&self) -> &Caches {
        &self.caches
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
            return self.refuse(Refusal::new(DenyReason::NoRoute), Effort::default());
        };
        let effort = Cell::default();
        let outcome = match route.access() {
            Access::Public => self.public(request, route, now, &effort),
            Access::Authenticated | Access::Policy => self.guarded(request, route, now, &effort),
        };
        match outcome {
            Ok(outcome) => self.conclude(outcome, effort.get()),
            Err(refusal) => self.refuse(refusal, effort.get()),
        }
    }

    /// Everybody may pass; whoever shows a good token is named upstream.
    fn public(
        &self,
        request: &Request<'_>,
        route: &Route,
        now: Timestamp,
        effort: &Cell<Effort>,
    ) -> Result<Arc<Outcome>, Refusal> {
        Ok(self.guarded(request, route, now, effort).unwrap_or_else(|_| Arc::clone(&self.nobody)))
    }

    fn guarded(
        &self,
        request: &Request<'_>,
        route: &Route,
        now: Timestamp,
        effort: &Cell<Effort>,
    ) -> Result<Arc<Outcome>, Refusal> {
        let token = credentials::token(&self.token_source, request.credentials)?;
        if token.is_none() && !route.config().anonymous {
            return Err(Refusal::new(DenyReason::MissingToken));
        }
        let action = action(route.config().protocol, request.operation, request.method);
        let key = key::decision_key(self.policies.reads(), route, action, request, now);
        let (of_token, of_both) = self.caches.hashes(token.unwrap_or_default(), &key);
        let front = self.fronts.get_or(|| RefCell::new(Front::new(self.caches.front_entries())));
        let known = front.borrow().find(of_both, now, |known| known.is_of_token(token, &key)).cloned();
        if let Some(known) = known {
            return match &known.verified {
                Some(verified) if !verified.is_presented_by(request) => {
                    Err(Refusal::of(DenyReason::CertificateMismatch, verified))
                }
                Some(_) | None => Ok(known),
            };
        }
        let inquiry = Inquiry { request, route, action, key, now, effort };
        let (outcome, window) = match token {
            None => (self.recall_or(&inquiry, None, || self.ask_anonymously(&inquiry))?, Window::ALWAYS),
            Some(token) => self.judge(&inquiry, token, of_token)?,
        };
        if inquiry.key.len() <= MAX_KEY_BYTES {
            front.borrow_mut().keep(of_both, window, Arc::clone(&outcome));
        }
        Ok(outcome)
    }

    /// Judges a request with a token that this thread has not seen in this place.
    fn judge(
        &self,
        inquiry: &Inquiry<'_>,
        token: &[u8],
        hash: u64,
    ) -> Result<(Arc<Outcome>, Window), Refusal> {
        let Inquiry { request, route, now, effort, .. } = *inquiry;
        let mut payload = Vec::new();
        if let Some(recalled) = self.trust.recall(&self.caches, hash, token) {
            let verified = recalled?;
            let window = self.trust.admit(&verified, route, request, now).inspect_err(|refusal| {
                if refusal.reason == DenyReason::Expired {
                    self.caches.forget_verified(hash);
                }
            })?;
            let outcome = self.recall_or(inquiry, Some(&verified), || {
                let claims = verified.claims(&mut payload);
                let claims = claims.map_err(|_| Refusal::of(DenyReason::InvalidClaim, &verified))?;
                self.ask_for(inquiry, &verified, &claims)
            })?;
            return Ok((outcome, window));
        }
        let (verified, claims) = self.trust.verify(&self.caches, hash, token, now, effort, &mut payload)?;
        self.caches.keep_verified(hash, Arc::clone(&verified));
        let window = self.trust.admit(&verified, route, request, now)?;
        let outcome =
            self.recall_or(inquiry, Some(&verified), || self.ask_for(inquiry, &verified, &claims))?;
        Ok((outcome, window))
    }

    /// The shared cache's decision, or a new one that is kept there.
    fn recall_or(
        &self,
        inquiry: &Inquiry<'_>,
        verified: Option<&Arc<Verified>>,
        decide: impl FnOnce() -> Result<Outcome, Refusal>,
    ) -> Result<Arc<Outcome>, Refusal> {
        let key = &inquiry.key;
        if key.len() > MAX_KEY_BYTES {
            return decide().map(Arc::new);
        }
        let hash = self.caches.hash_decision(verified, key);
        if let Some(known) = self.decisions.find(hash, |known| known.is_of(verified, key)) {
            return Ok(known);
        }
        let outcome = Arc::new(decide()?);
        self.decisions.keep(hash, Arc::clone(&outcome));
        Ok(outcome)
    }

    fn ask_anonymously(&self, inquiry: &Inquiry<'_>) -> Result<Outcome, Refusal> {
        Ok(Outcome::anonymous(self.ask(inquiry, Principal::Anonymous)?, &inquiry.key))
    }

    fn ask_for(
        &self,
        inquiry: &Inquiry<'_>,
        verified: &Arc<Verified>,
        claims: &Claims<'_>,
    ) -> Result<Outcome, Refusal> {
        let issuer = verified.issuer();
        let verdict = match inquiry.route.access() {
            Access::Public | Access::Authenticated => Verdict::Permit(Arc::from([])),
            Access::Policy => {
                let groups = claims.groups(issuer.groups_claim());
                let groups = groups.map_err(|_| Refusal::of(DenyReason::InvalidClaim, verified))?;
                let principal = Principal::Identified {
                    kind: issuer.principal(),
                    issuer: issuer.name(),
                    organisation: issuer.organisation(),
                    claims,
                    groups: &groups,
                };
                self.ask(inquiry, principal)?
            }
        };
        Ok(Outcome::identified(Arc::clone(verified), verdict, &inquiry.key, inquiry.route, claims))
    }

    fn ask(&self, inquiry: &Inquiry<'_>, principal: Principal<'_>) -> Result<Verdict, Refusal> {
        let Inquiry { request, route, action, now, .. } = *inquiry;
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
            action,
            resource: route.resource(),
            method: text(request.method)?,
            path: text(key::without_query(request.path))?,
            host: text(request.host)?,
            headers: &headers,
            source: request.source,
            tls_peer: request.tls_peer.map(|peer| peer.identity),
            peer_organisation: request.peer_organisation,
            now,
            declared_claims: &self.declared_claims,
        };
        let effort = inquiry.effort;
        effort.set(Effort { evaluated_policies: true, ..effort.get() });
        Ok(self.policies.evaluate(&question))
    }

    fn conclude(&self, outcome: Arc<Outcome>, effort: Effort) -> Decision {
        let (reason, policies) = match &outcome.verdict {
            Verdict::Permit(_) => return Decision::Allow(Allow { outcome, effort }),
            Verdict::NotPermitted => (DenyReason::NotPermitted, Arc::from([])),
            Verdict::Forbid(policies) => (DenyReason::Forbidden, Arc::clone(policies)),
            Verdict::Error(policies) => (DenyReason::PolicyError, Arc::clone(policies)),
        };
        let issuer = outcome.verified.as_ref().map(|verified| verified.issuer().shared_name());
        let anonymous = outcome.verified.is_none();
        self.deny(Refusal { reason, issuer }, anonymous, policies, effort)
    }

    fn refuse(&self, refusal: Refusal, effort: Effort) -> Decision {
        self.deny(refusal, false, Arc::from([]), effort)
    }

    fn deny(&self, refusal: Refusal, anonymous: bool, policies: Arc<[Box<str>]>, effort: Effort) -> Decision {
        let Refusal { reason, issuer } = refusal;
        let (id, realm) = (self.deny_ids.next(), Arc::clone(&self.realm));
        Decision::Deny(Deny { reason, anonymous, id, policies, issuer, realm, effort })
    }
}

/// A request on its way to a decision.
struct Inquiry<'a> {
    request: &'a Request<'a>,
    route: &'a Route,
    action: &'static str,
    key: DecisionKey,
    now: Timestamp,
    effort: &'a Cell<Effort>,
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
