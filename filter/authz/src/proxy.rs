//! What a proxy knows of a request, in the engine's terms, and a denial in the proxy's. Envoy's module and the
//! daemon's external processor both come through here, so that they ask and answer alike.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use crate::decision::{DENY_ID_HEADER, RESERVED_HEADER_PREFIX};
use crate::{Decision, Deny, Engine, Request, Route, TlsPeer};

/// What is to be read from a request's headers, gathered in one walk over them.
#[derive(Debug)]
pub struct Headers<'a> {
    engine: &'a Engine,
    route: Option<&'a Route>,
    first_credential: Option<&'a [u8]>,
    /// All credentials, once there are several.
    credentials: Vec<&'a [u8]>,
    context: Vec<(&'a str, &'a [u8])>,
    reserved: Vec<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// Nothing yet. `route` is what the proxy found for the request; without one the engine's default counts.
    pub fn new(engine: &'a Engine, route: Option<&'a Route>) -> Self {
        Self {
            engine,
            route,
            first_credential: None,
            credentials: Vec::new(),
            context: Vec::new(),
            reserved: Vec::new(),
        }
    }

    /// Takes note of one header line; `name` in lower case.
    pub fn visit(&mut self, name: &'a [u8], value: &'a [u8]) {
        if name == self.engine.credentials_header().as_bytes() {
            self.add_credential(value);
        }
        let context_headers = self.engine.context_headers();
        if let Some(wanted) = context_headers.iter().find(|wanted| wanted.as_bytes() == name) {
            self.context.push((wanted, value));
        }
        if is_reserved(name, self.route.or(self.engine.default_route())) && !self.reserved.contains(&name) {
            self.reserved.push(name);
        }
    }

    /// The names, each once, of headers that the client must not send and that the proxy removes.
    pub fn reserved(&self) -> &[&'a [u8]] {
        &self.reserved
    }

    fn add_credential(&mut self, value: &'a [u8]) {
        match self.first_credential {
            None => self.first_credential = Some(value),
            Some(first) => {
                if self.credentials.is_empty() {
                    self.credentials.push(first);
                }
                self.credentials.push(value);
            }
        }
    }

    fn credentials(&self) -> &[&'a [u8]] {
        if self.credentials.is_empty() { self.first_credential.as_slice() } else { &self.credentials }
    }
}

/// Whether a client may not send a header or trailer of this name: [`RESERVED_HEADER_PREFIX`], and what `route`
/// sets from claims. Case does not count, and an underscore counts as a hyphen, since many servers present both
/// alike.
pub fn is_reserved(name: &[u8], route: Option<&Route>) -> bool {
    let prefix = RESERVED_HEADER_PREFIX.as_bytes();
    if name.len() >= prefix.len() && alike(prefix, &name[..prefix.len()]) {
        return true;
    }
    let forwarded = route.map_or(&[][..], Route::forwarded_headers);
    forwarded.iter().any(|header| alike(header.as_bytes(), name))
}

fn alike(ours: &[u8], theirs: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    ours.len() == theirs.len() && ours.iter().map(plain).eq(theirs.iter().map(plain))
}

/// The request line and the connection, as a proxy's attributes give them; empty or `None` where unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path`, normalised by the listener.
    pub path: &'a [u8],
    /// `:authority`.
    pub host: &'a [u8],
    /// `192.0.2.1:99`, `[2001:db8::1]:99`, or the address alone; anything else (a Unix socket) is no address.
    pub source_address: &'a [u8],
    /// The client's certificate, if it presented one. Whether it has to verify is the listener's setting.
    pub certificate: Option<Certificate<'a>>,
}

/// A client certificate as a proxy describes it; empty where it lacks the part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Certificate<'a> {
    /// The first URI among the subject's alternative names.
    pub uri: &'a [u8],
    /// The first DNS name among them.
    pub dns: &'a [u8],
    /// The subject.
    pub subject: &'a [u8],
    /// SHA-256 of the DER form in hexadecimal.
    pub sha256: &'a [u8],
}

impl<'a> Certificate<'a> {
    fn tls_peer(&self) -> TlsPeer<'a> {
        let identity = [self.uri, self.dns, self.subject].into_iter().find_map(text);
        TlsPeer { identity: identity.unwrap_or_default(), certificate_sha256: sha256(self.sha256) }
    }

    /// The organisation, if this is a node's certificate: the trust domain of its SPIFFE id,
    /// `spiffe://acme.example/node/edge-1`.
    fn node_organisation(&self) -> Option<&'a str> {
        let (trust_domain, path) = text(self.uri)?.strip_prefix("spiffe://")?.split_once('/')?;
        let name = path.strip_prefix("node/")?;
        (!trust_domain.is_empty() && !name.is_empty() && !name.contains('/')).then_some(trust_domain)
    }
}

/// The question that [`Engine::decide`] answers. What no policy reads is left out; a shell may spare itself the
/// fetching of it ([`Engine::reads`]).
pub fn request<'a>(headers: &'a Headers<'a>, attributes: &Attributes<'a>) -> Request<'a> {
    let reads = headers.engine.reads();
    let certificate = attributes.certificate.as_ref();
    Request {
        route: headers.route,
        credentials: headers.credentials(),
        method: attributes.method,
        path: attributes.path,
        host: attributes.host,
        operation: None,
        headers: &headers.context,
        source: if reads.source { source(attributes.source_address) } else { None },
        // Always: a token can be bound to the certificate.
        tls_peer: certificate.map(Certificate::tls_peer),
        peer_organisation: if reads.peer_organisation {
            certificate.and_then(Certificate::node_organisation)
        } else {
            None
        },
    }
}

/// UTF-8 that is not empty.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

fn source(address: &[u8]) -> Option<IpAddr> {
    let address = text(address)?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}

fn sha256(digits: &[u8]) -> Option<[u8; 32]> {
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).expect("two hexadecimal digits fit a byte");
    }
    Some(digest)
}

/// A denial as a response of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 400, 401, 403 or 503.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// One line of plain text.
    pub body: String,
    /// A short word without spaces for the proxy's access log.
    pub details: String,
}

impl From<&Deny> for Response {
    fn from(deny: &Deny) -> Self {
        let mut headers = vec![(DENY_ID_HEADER, deny.id().to_string())];
        headers.extend(deny.www_authenticate().map(|challenge| ("www-authenticate", challenge)));
        Self {
            status: deny.status(),
            headers,
            body: format!("{} (denied as {})\n", deny.description(), deny.id()),
            details: format!("catalyst_{}", deny.reason().name()),
        }
    }
}

/// The namespace of [`metadata`] in a proxy's stream metadata.
pub const METADATA_NAMESPACE: &str = "catalyst";

/// A decision for the proxy's access log, as keys and values:
///
/// | key | value |
/// |---|---|
/// | `decision` | `allow` or `deny` |
/// | `subject`, `issuer`, `organisation` | the verified caller; of a denial `issuer` alone, as the token named it |
/// | `policies` | ids of the determining policies, joined by commas |
/// | `reason`, `deny_id` | of a denial |
pub fn metadata(decision: &Decision) -> Vec<(&'static str, Cow<'_, str>)> {
    let (known, policies) = match decision {
        Decision::Allow(allow) => {
            let caller = [Some("allow"), allow.subject(), allow.issuer(), allow.organisation()];
            (["decision", "subject", "issuer", "organisation"].into_iter().zip(caller), allow.policies())
        }
        Decision::Deny(deny) => {
            let denial = [Some("deny"), Some(deny.reason().name()), Some(deny.id().as_str()), deny.issuer()];
            (["decision", "reason", "deny_id", "issuer"].into_iter().zip(denial), deny.policies())
        }
    };
    let mut entries: Vec<_> = known.filter_map(|(key, value)| Some((key, Cow::Borrowed(value?)))).collect();
    if !policies.is_empty() {
        entries.push(("policies", Cow::Owned(policies.join(","))));
    }
    entries
}

#[cfg(test)]
mod tests;
