//! The Cedar schema: what policies can say about a request.
//!
//! Every principal has the same attributes, and none of the required ones is ever missing, so that policies need
//! no `has` for them: an anonymous one has empty texts, no groups and no claims, and a calling service has an empty
//! `protocol`. Claims and headers are those that the configuration declares; all of them are optional.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::config::ClaimType;

/// The namespace of everything the engine itself knows.
pub const NAMESPACE: &str = "Catalyst";

/// Actions and the groups they belong to.
///
/// HTTP requests are named by their method, GraphQL ones by their kind of operation where it is known, gRPC ones
/// `call`, byte streams `connect`, and any other method `other`.
pub const ACTIONS: [(&str, Option<&str>); 14] = [
    ("get", Some("read")),
    ("head", Some("read")),
    ("options", Some("read")),
    ("query", Some("read")),
    ("subscription", Some("read")),
    ("post", Some("write")),
    ("put", Some("write")),
    ("patch", Some("write")),
    ("delete", Some("write")),
    ("mutation", Some("write")),
    ("call", None),
    ("connect", None),
    ("trace", None),
    ("other", None),
];

/// Writes the schema in Cedar's schema language.
pub fn text(claims: &BTreeMap<String, ClaimType>, headers: &[String]) -> String {
    let mut text = String::new();
    write_schema(&mut text, claims, headers).expect("writing to a String does not fail");
    text
}

fn write_schema(
    out: &mut String,
    claims: &BTreeMap<String, ClaimType>,
    headers: &[String],
) -> std::fmt::Result {
    writeln!(out, "namespace {NAMESPACE} {{")?;
    writeln!(out, "  type Claims = {{")?;
    for (name, claim_type) in claims {
        writeln!(out, "    {}?: {},", quoted(name), cedar_type(*claim_type))?;
    }
    writeln!(out, "  }};")?;
    writeln!(out, "  type Headers = {{")?;
    for name in headers {
        writeln!(out, "    {}?: String,", quoted(name))?;
    }
    writeln!(out, "  }};")?;
    let identity =
        "issuer: String, subject: String, organisation: Organisation, groups: Set<String>, claims: Claims";
    writeln!(out, "  entity Organisation;")?;
    writeln!(out, "  entity Group in [Group, Organisation];")?;
    writeln!(out, "  entity ServiceGroup in [ServiceGroup, Organisation];")?;
    writeln!(out, "  entity Anonymous {{ {identity} }};")?;
    writeln!(out, "  entity User in [Group, Organisation] {{ {identity} }};")?;
    writeln!(out, "  entity Node in [Group, Organisation] {{ {identity} }};")?;
    writeln!(
        out,
        "  entity Service in [Group, ServiceGroup, Organisation] {{ {identity}, name: String, protocol: String }} tags String;"
    )?;
    writeln!(out, "  type Context = {{")?;
    writeln!(out, "    method: String, path: String, host: String, headers: Headers,")?;
    writeln!(
        out,
        "    source?: ipaddr, tls_peer?: String, peer_organisation?: Organisation, time: datetime,"
    )?;
    writeln!(out, "  }};")?;
    writeln!(out, "  action read, write;")?;
    for (action, group) in ACTIONS {
        let parents = group.map_or(String::new(), |group| format!(" in [\"{group}\"]"));
        writeln!(out, "  action \"{action}\"{parents} appliesTo {{")?;
        writeln!(
            out,
            "    principal: [User, Node, Service, Anonymous], resource: Service, context: Context"
        )?;
        writeln!(out, "  }};")?;
    }
    writeln!(out, "}}")
}

fn cedar_type(claim_type: ClaimType) -> &'static str {
    match claim_type {
        ClaimType::String => "String",
        ClaimType::Long => "Long",
        ClaimType::Bool => "Bool",
        ClaimType::StringSet => "Set<String>",
    }
}

/// A name as a string literal of the schema language. Names are checked when the configuration is read, so that
/// nothing in them needs an escape.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
