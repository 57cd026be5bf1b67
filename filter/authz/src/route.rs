//! A route's configuration, checked and ready for decisions.

use std::sync::Arc;

use aws_lc_rs::digest;

use crate::cedar::Resource;
use crate::config::{Access, ConfigError, ForwardedClaim, Problem, RouteConfig};
use crate::decision::{ISSUER_HEADER, ORGANISATION_HEADER, SUBJECT_HEADER};

/// The longest name of a service or organisation, in bytes (RFC 1035, 2.3.4).
pub const MAX_NAME_BYTES: usize = 253;

/// The most entries of any list in a route's configuration.
pub const MAX_LIST: usize = 256;

/// A checked [`RouteConfig`]. It belongs to no engine: the same route serves successive configurations.
#[derive(Debug)]
pub struct Route {
    id: RouteId,
    config: RouteConfig,
    forwarded_headers: Arc<[Box<str>]>,
    resource: Resource,
}

/// Identifies a route by what its configuration says, so that the same configuration pushed again keeps its
/// cached decisions.
pub type RouteId = [u8; 16];

impl Route {
    /// Checks a route's configuration.
    ///
    /// # Errors
    /// [`ConfigError`] with the JSON path within the route's configuration.
    pub fn new(config: &RouteConfig) -> Result<Self, ConfigError> {
        check(config)?;
        let canonical = serde_json::to_vec(config).expect("strings, lists and string-keyed maps serialize");
        let mut id = RouteId::default();
        id.copy_from_slice(&digest::digest(&digest::SHA256, &canonical).as_ref()[..16]);
        let resource = Resource::new(config);
        let forwarded_headers =
            config.forward_claims.iter().map(|claim| claim.header.as_str().into()).collect();
        Ok(Self { id, config: config.clone(), forwarded_headers, resource })
    }

    /// Headers that this route sets from claims. The shell strips them from the client's request, whether or not
    /// it is allowed as anonymous, beside those of [`crate::decision::RESERVED_HEADER_PREFIX`].
    pub fn forwarded_headers(&self) -> &[Box<str>] {
        &self.forwarded_headers
    }

    /// The service behind the route.
    pub fn service(&self) -> &str {
        &self.config.service
    }

    /// Who may use it.
    pub fn access(&self) -> Access {
        self.config.access
    }

    /// Identifies what the route's configuration says: equal for equal configurations.
    pub fn id(&self) -> &RouteId {
        &self.id
    }

    pub(crate) fn config(&self) -> &RouteConfig {
        &self.config
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    pub(crate) fn shared_forwarded_headers(&self) -> Arc<[Box<str>]> {
        Arc::clone(&self.forwarded_headers)
    }
}

fn check(config: &RouteConfig) -> Result<(), ConfigError> {
    check_name("service", &config.service)?;
    if let Some(organisation) = &config.organisation {
        check_name("organisation", organisation)?;
    } else if organisation_of(config).is_empty() {
        return Err(ConfigError::new(
            "organisation",
            Problem::Empty { hint: "name the service's owner, or a service like `books.acme.example`" },
        ));
    }
    if config.anonymous && config.access != Access::Policy {
        let conflict = "`anonymous` needs `access: policy`; use `access: public` to let everybody in";
        return Err(ConfigError::new("anonymous", Problem::Conflict(conflict)));
    }
    for (list, length) in [
        ("audiences", config.audiences.len()),
        ("forward_claims", config.forward_claims.len()),
        ("groups", config.groups.len()),
        ("tags", config.tags.len()),
    ] {
        if length > MAX_LIST {
            return Err(ConfigError::new(
                list,
                Problem::TooMany { found: length as u64, limit: MAX_LIST as u64 },
            ));
        }
    }
    for (index, ForwardedClaim { claim, header }) in config.forward_claims.iter().enumerate() {
        let path = format!("forward_claims[{index}]");
        if claim.is_empty() {
            return Err(ConfigError::new(format!("{path}.claim"), Problem::Empty { hint: "name a claim" }));
        }
        check_header(&format!("{path}.header"), header)?;
        if config.forward_claims[..index].iter().any(|other| other.header == *header) {
            let hint = "each header can carry one claim";
            let problem = Problem::Duplicate { value: header.clone(), hint };
            return Err(ConfigError::new(format!("{path}.header"), problem));
        }
    }
    Ok(())
}

/// The owner of a service: as configured, else what follows the first dot of its name.
pub(crate) fn organisation_of(config: &RouteConfig) -> &str {
    match &config.organisation {
        Some(organisation) => organisation,
        None => config.service.split_once('.').map_or("", |(_, organisation)| organisation),
    }
}

/// Names of services and organisations: DNS names in lower case, without a dot at the end.
pub(crate) fn check_name(path: &str, name: &str) -> Result<(), ConfigError> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    if name.len() <= MAX_NAME_BYTES && name.split('.').all(label) {
        return Ok(());
    }
    let expected = "a DNS name in lower case, like `books.acme.example`";
    Err(ConfigError::new(path, Problem::Invalid { value: name.to_owned(), expected }))
}

/// Headers that no claim may be written to: they carry the identity, or steer HTTP itself.
const UNFORWARDABLE: [&str; 16] = [
    SUBJECT_HEADER,
    ISSUER_HEADER,
    ORGANISATION_HEADER,
    crate::decision::DENY_ID_HEADER,
    "authorization",
    "proxy-authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];

fn check_header(path: &str, name: &str) -> Result<(), ConfigError> {
    if is_header_name(name) && !UNFORWARDABLE.contains(&name) {
        return Ok(());
    }
    let expected = "a header name in lower case that is not reserved, like `x-user-email`";
    Err(ConfigError::new(path, Problem::Invalid { value: name.to_owned(), expected }))
}

/// RFC 9110, 5.6.2, in the lower case of HTTP/2.
pub(crate) fn is_header_name(name: &str) -> bool {
    let token = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(token)
}
