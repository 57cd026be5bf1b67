//! What Envoy knows of a request, as the engine asks for it. Nothing is copied: the question borrows from Envoy.

use std::net::{IpAddr, SocketAddr};

use catalyst_authz::decision::RESERVED_HEADER_PREFIX;
use catalyst_authz::{Engine, Request, Route, TlsPeer};
use envoy_dynamic_module::EnvoyHttpFilter;
use envoy_dynamic_module::abi::{
    envoy_dynamic_module_type_attribute_id as Attribute,
    envoy_dynamic_module_type_http_header_type as HeaderMap,
};

/// The parts of a request that one walk over its headers finds.
#[derive(Default)]
pub(crate) struct Headers<'a> {
    first_credential: Option<&'a [u8]>,
    /// All credentials, if there are several.
    credentials: Vec<&'a [u8]>,
    context: Vec<(&'a str, &'a [u8])>,
    /// Names of headers that the client must not send.
    pub(crate) reserved: Vec<Vec<u8>>,
}

impl<'a> Headers<'a> {
    /// Walks the request's headers once.
    pub(crate) fn walk<EHF: EnvoyHttpFilter>(
        envoy: &'a EHF,
        engine: &'a Engine,
        route: Option<&Route>,
    ) -> Self {
        let (credentials_header, context_headers) = (engine.credentials_header(), engine.context_headers());
        let mut headers = Self::default();
        envoy.for_each_header(HeaderMap::RequestHeader, &mut |name, value| {
            let (name, value) = (name.as_slice(), value.as_slice());
            if name == credentials_header.as_bytes() {
                headers.add_credential(value);
            }
            if let Some(wanted) = context_headers.iter().find(|wanted| wanted.as_bytes() == name) {
                headers.context.push((wanted, value));
            }
            if is_reserved(name, route.or(engine.default_route())) {
                headers.reserved.push(name.to_vec());
            }
        });
        headers
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

/// Whether a client may not send a header or trailer of this name: [`RESERVED_HEADER_PREFIX`], and what `route` sets
/// from claims. An underscore counts as a hyphen, since many servers present both alike.
pub(crate) fn is_reserved(name: &[u8], route: Option<&Route>) -> bool {
    let same = |ours: &[u8], theirs: &[u8]| {
        ours.iter().zip(theirs).all(|(ours, theirs)| {
            let theirs = if *theirs == b'_' { b'-' } else { theirs.to_ascii_lowercase() };
            let ours = if *ours == b'_' { b'-' } else { *ours };
            ours == theirs
        })
    };
    let prefix = RESERVED_HEADER_PREFIX.as_bytes();
    if name.len() >= prefix.len() && same(prefix, name) {
        return true;
    }
    let forwarded = route.map_or(&[][..], Route::forwarded_headers);
    forwarded.iter().any(|header| header.len() == name.len() && same(header.as_bytes(), name))
}

/// The question that the engine answers.
pub(crate) fn question<'a, EHF: EnvoyHttpFilter>(
    envoy: &'a EHF,
    route: Option<&'a Route>,
    headers: &'a Headers<'a>,
) -> Request<'a> {
    let text = |attribute| envoy.get_attribute_string(attribute).map_or(&[][..], |value| value.as_slice());
    let (tls_peer, peer_organisation) = peer(envoy);
    Request {
        route,
        credentials: headers.credentials(),
        method: text(Attribute::RequestMethod),
        path: text(Attribute::RequestPath),
        host: text(Attribute::RequestHost),
        operation: None,
        headers: &headers.context,
        source: source(text(Attribute::SourceAddress)),
        tls_peer,
        peer_organisation,
    }
}

/// `192.0.2.1:99` or `[2001:db8::1]:99`; `None` for a Unix socket.
fn source(address: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(address).ok()?.parse::<SocketAddr>().ok().map(|address| address.ip())
}

/// Who is at the other end of a TLS connection with a client certificate, and the organisation if it is a node.
/// Whether the certificate must verify is the listener's setting (`validation_context`).
fn peer<EHF: EnvoyHttpFilter>(envoy: &EHF) -> (Option<TlsPeer<'_>>, Option<&str>) {
    if envoy.get_attribute_bool(Attribute::ConnectionMtls) != Some(true) {
        return (None, None);
    }
    let text = |attribute| {
        let value = envoy.get_attribute_string(attribute)?;
        std::str::from_utf8(value.as_slice()).ok().filter(|value| !value.is_empty())
    };
    let uri = text(Attribute::ConnectionUriSanPeerCertificate);
    let identity = uri
        .or_else(|| text(Attribute::ConnectionDnsSanPeerCertificate))
        .or_else(|| text(Attribute::ConnectionSubjectPeerCertificate));
    let digest = text(Attribute::ConnectionSha256PeerCertificateDigest).and_then(sha256);
    let peer = TlsPeer { identity: identity.unwrap_or_default(), certificate_sha256: digest };
    (Some(peer), uri.and_then(node_organisation))
}

/// The trust domain of a node's SPIFFE id, `spiffe://acme.example/node/edge-1`.
fn node_organisation(uri: &str) -> Option<&str> {
    let (trust_domain, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let name = path.strip_prefix("node/")?;
    (!trust_domain.is_empty() && !name.is_empty() && !name.contains('/')).then_some(trust_domain)
}

/// 64 hexadecimal digits.
fn sha256(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
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
