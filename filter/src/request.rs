//! What Envoy knows of a request and its connection. Nothing is copied: it all borrows from Envoy.

use catalyst_authz::proxy::{Attributes, Certificate};
use envoy_dynamic_module::EnvoyHttpFilter;
use envoy_dynamic_module::abi::envoy_dynamic_module_type_attribute_id as Attribute;

/// Reads the attributes that the engine may ask for.
pub(crate) fn attributes<EHF: EnvoyHttpFilter>(envoy: &EHF) -> Attributes<'_> {
    let text = |attribute| envoy.get_attribute_string(attribute).map_or(&[][..], |value| value.as_slice());
    let presented = envoy.get_attribute_bool(Attribute::ConnectionMtls) == Some(true);
    Attributes {
        method: text(Attribute::RequestMethod),
        path: text(Attribute::RequestPath),
        host: text(Attribute::RequestHost),
        source_address: text(Attribute::SourceAddress),
        certificate: presented.then(|| Certificate {
            uri: text(Attribute::ConnectionUriSanPeerCertificate),
            dns: text(Attribute::ConnectionDnsSanPeerCertificate),
            subject: text(Attribute::ConnectionSubjectPeerCertificate),
            sha256: text(Attribute::ConnectionSha256PeerCertificateDigest),
        }),
    }
}
