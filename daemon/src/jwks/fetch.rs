//! One bounded HTTP request for a key set.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use super::freshness;

/// Largest key set accepted, in bytes of its body; a larger one is a failed fetch.
pub const MAX_BYTES: usize = 256 * 1024;

/// Time for the whole request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Which addresses a key set may be fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// Public addresses over HTTPS only: an issuer's URL, or its DNS, cannot point us into our own network.
    Public,
    /// Any address, and plain HTTP too: for an issuer inside the operator's own network.
    Any,
}

/// What a fetch brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// A body, not yet looked at.
    New {
        /// The text of the key set.
        body: String,
        /// Its `ETag`, to be sent with the next request.
        etag: Option<HeaderValue>,
        /// How long it is fresh.
        lifetime: Duration,
    },
    /// The set with the `ETag` sent is still the issuer's (304).
    Unchanged {
        /// How long it is fresh from now.
        lifetime: Duration,
    },
}

/// Why there is no key set. The issuer's fault, or the operator's where the URL is wrong.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not `https`, though only public targets are allowed.
    #[error("{url}: only https is fetched; for an issuer inside your own network allow private targets")]
    Plain {
        /// The URL.
        url: Url,
    },
    /// The host is, or resolves to, an address that is not public.
    #[error(
        "{url}: {address} is not a public address; for an issuer inside your own network allow private targets"
    )]
    PrivateTarget {
        /// The URL.
        url: Url,
        /// Where it leads.
        address: IpAddr,
    },
    /// A redirect: the URL configured is the only one trusted.
    #[error("{url}: redirects to {location}, which is not followed; configure the final address")]
    Redirect {
        /// The URL.
        url: Url,
        /// The `Location` given.
        location: String,
    },
    /// Any other status than 200 or 304.
    #[error("{url}: answered {status}, expected 200")]
    Status {
        /// The URL.
        url: Url,
        /// The status.
        status: StatusCode,
    },
    /// More than [`MAX_BYTES`].
    #[error("{url}: the key set is larger than {MAX_BYTES} bytes")]
    TooLarge {
        /// The URL.
        url: Url,
    },
    /// The body is not UTF-8.
    #[error("{url}: the key set is not UTF-8 text")]
    NotText {
        /// The URL.
        url: Url,
    },
    /// No connection, no TLS, no answer in time.
    #[error("{url}: {}", innermost(.source))]
    Transport {
        /// The URL.
        url: Url,
        /// What failed.
        source: reqwest::Error,
    },
}

/// The HTTP client of one issuer's key set.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    url: Url,
    targets: Targets,
}

impl Fetcher {
    /// A client for `url`. `roots` are PEM certificates trusted besides the system's.
    ///
    /// # Errors
    /// A certificate does not parse, or the TLS library cannot start.
    pub fn new(url: Url, targets: Targets, roots: &[Vec<u8>]) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .dns_resolver(PublicOnly(targets))
            .user_agent(concat!("catalystd/", env!("CARGO_PKG_VERSION")));
        for pem in roots {
            for certificate in reqwest::Certificate::from_pem_bundle(pem)? {
                client = client.tls_certs_merge([certificate]);
            }
        }
        Ok(Self { client: client.build()?, url, targets })
    }

    /// Fetches the key set, or learns that the one with `etag` is still current.
    ///
    /// # Errors
    /// See [`FetchError`]; nothing is retried here.
    pub async fn fetch(&self, etag: Option<&HeaderValue>) -> Result<Fetched, FetchError> {
        self.check_target()?;
        let mut request =
            self.client.get(self.url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        let mut response = request.send().await.map_err(|error| self.transport(error))?;
        let status = response.status();
        let lifetime = freshness::lifetime(response.headers());
        let url = self.url.clone();
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Fetched::Unchanged { lifetime }),
            _ if status.is_redirection() => {
                let location =
                    response.headers().get(LOCATION).map(|location| location.as_bytes().escape_ascii());
                let location = location.map_or_else(|| "nowhere".to_owned(), |location| location.to_string());
                return Err(FetchError::Redirect { url, location });
            }
            _ => return Err(FetchError::Status { url, status }),
        }
        let etag = response.headers().get(ETAG).cloned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(error))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge { url });
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8(body).map_err(|_| FetchError::NotText { url })?;
        Ok(Fetched::New { body, etag, lifetime })
    }

    /// An address written in the URL itself is never resolved, so it is checked here.
    fn check_target(&self) -> Result<(), FetchError> {
        if self.targets == Targets::Any {
            return Ok(());
        }
        if self.url.scheme() != "https" {
            return Err(FetchError::Plain { url: self.url.clone() });
        }
        let literal =
            self.url.host_str().map(|host| host.trim_matches(['[', ']'])).and_then(|host| host.parse().ok());
        match literal {
            Some(address) if !is_public(address) => {
                Err(FetchError::PrivateTarget { url: self.url.clone(), address })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn transport(&self, source: reqwest::Error) -> FetchError {
        let mut cause = std::error::Error::source(&source);
        while let Some(error) = cause {
            if let Some(PrivateAddress(address)) = error.downcast_ref() {
                return FetchError::PrivateTarget { url: self.url.clone(), address: *address };
            }
            cause = error.source();
        }
        FetchError::Transport { url: self.url.clone(), source: source.without_url() }
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The system's resolver, whose answers must all be public: one private address among them may be the one that is
/// connected to.
#[derive(Debug)]
struct PublicOnly(Targets);

/// A name resolved to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address")]
struct PrivateAddress(IpAddr);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let targets = self.0;
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let private = addresses.iter().map(SocketAddr::ip).find(|address| !is_public(*address));
            match (targets, private) {
                (Targets::Public, Some(address)) => Err(PrivateAddress(address).into()),
                (Targets::Public | Targets::Any, _) if addresses.is_empty() => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
                (Targets::Public | Targets::Any, _) => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is reachable over the public internet (IANA's special-purpose registries, RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // shared address space, RFC 6598
        || (a == 192 && b == 0 && c == 0) // IETF protocol assignments
        || (a == 198 && (b == 18 || b == 19)); // benchmarking, RFC 2544
    !special
}

/// Only global unicast, 2000::/3, less what tunnels to IPv4 or is documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8, // IETF protocol assignments (Teredo), documentation
        0x2002 => true,                                // 6to4
        0x3fff => second < 0x1000,                     // documentation
        _ => false,
    };
    (first & 0xe000) == 0x2000 && !special
}

#[cfg(test)]
mod tests;
