//! What Envoy knows of a request and its connection. Nothing is copied: it all borrows from Envoy.

use catalyst_authz::cedar::Reads;
use catalyst_authz::proxy::{Attributes, Certificate};
use envoy_dynamic_module::EnvoyHttpFilter;
use envoy_dynamic_module::abi::envoy_dynamic_module_type_attribute_id as Attribute;

/// Reads the attributes that the engine may ask for; of the dearer ones those that a policy reads.
pub(crate) fn attributes<'e, EHF: EnvoyHttpFilter>(envoy: &'e EHF, reads: &Reads) -> Attributes<'e> {
    let text = |attribute| envoy.get_attribute_string(attribute).map_or(&[][..], |value| value.as_slice());
    let text_if = |wanted: bool, attribute| if wanted { text(attribute) } else { &[] };
    let presented = envoy.get_attribute_bool(Attribute::ConnectionMtls) == Some(true);
    Attributes {
        method: text(Attribute::RequestMethod),
        path: text(Attribute::RequestPath),
        host: text(Attribute::RequestHost),
        source_address: text_if(reads.source, Attribute::SourceAddress),
        certificate: presented.then(|| Certificate {
            uri: text_if(
                reads.tls_peer || reads.peer_organisation,
                Attribute::ConnectionUriSanPeerCertificate,
            ),
            dns: text_if(reads.tls_peer, Attribute::ConnectionDnsSanPeerCertificate),
            subject: text_if(reads.tls_peer, Attribute::ConnectionSubjectPeerCertificate),
            sha256: text(Attribute::ConnectionSha256PeerCertificateDigest),
        }),
    }
}
