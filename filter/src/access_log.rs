//! Decisions as dynamic metadata, for Envoy's access log and for later filters: `%DYNAMIC_METADATA(catalyst:KEY)%`.
//!
//! | key | value |
//! |---|---|
//! | `decision` | `allow` or `deny` |
//! | `subject`, `issuer`, `organisation` | the verified caller; of a denial `issuer` alone, as the token named it |
//! | `policies` | ids of the determining policies, joined by commas |
//! | `reason`, `deny_id` | of a denial |

use catalyst_authz::{Decision, Deny};
use envoy_dynamic_module::EnvoyHttpFilter;

use crate::settings::AccessLog;

/// The namespace of the entries.
const NAMESPACE: &str = "catalyst";

/// Writes the entries of one decision, if `wanted`.
pub(crate) fn write<EHF: EnvoyHttpFilter>(envoy: &mut EHF, decision: &Decision, wanted: AccessLog) {
    let (policies, mut entries) = match (decision, wanted) {
        (Decision::Allow(_), AccessLog::Denials) => return,
        (Decision::Allow(allow), AccessLog::All) => {
            let caller = [("subject", allow.subject()), ("issuer", allow.issuer())];
            let caller = caller.into_iter().chain([("organisation", allow.organisation())]);
            let caller = caller.filter_map(|(key, value)| Some((key, value?)));
            (allow.policies(), [("decision", "allow")].into_iter().chain(caller).collect())
        }
        (Decision::Deny(deny), AccessLog::Denials | AccessLog::All) => (deny.policies(), denial(deny)),
    };
    let policies = policies.join(",");
    if !policies.is_empty() {
        entries.push(("policies", &policies));
    }
    envoy.set_dynamic_metadata_strings(NAMESPACE, &entries);
}

fn denial(deny: &Deny) -> Vec<(&'static str, &str)> {
    let mut entries =
        vec![("decision", "deny"), ("reason", deny.reason().name()), ("deny_id", deny.id().as_str())];
    entries.extend(deny.issuer().map(|issuer| ("issuer", issuer)));
    entries
}
