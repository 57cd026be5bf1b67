//! Counters in Envoy's statistics, under the configuration's `metrics_namespace`.

use std::sync::atomic::{AtomicU64, Ordering};

use catalyst_authz::{Decision, DenyReason};
use envoy_dynamic_module::abi::envoy_dynamic_module_type_metrics_result as MetricsError;
use envoy_dynamic_module::{EnvoyCounterId, EnvoyHttpFilter, EnvoyHttpFilterConfig, envoy_log_warn};

/// `allowed`; `denied_REASON` for every [`DenyReason`]; `files_accepted` and `files_refused` for changed files.
/// Every configuration of the same namespace counts into the same counters.
pub(crate) struct Stats {
    allowed: EnvoyCounterId,
    denied: Vec<(DenyReason, EnvoyCounterId)>,
    files_accepted: EnvoyCounterId,
    files_refused: EnvoyCounterId,
}

impl Stats {
    /// Defines them; possible only while the configuration is being created.
    pub(crate) fn define<EC: EnvoyHttpFilterConfig>(envoy: &mut EC) -> Result<Self, MetricsError> {
        let denied = DenyReason::ALL
            .iter()
            .map(|reason| Ok((*reason, envoy.define_counter(&format!("denied_{}", reason.name()))?)));
        Ok(Self {
            denied: denied.collect::<Result<_, _>>()?,
            allowed: envoy.define_counter("allowed")?,
            files_accepted: envoy.define_counter("files_accepted")?,
            files_refused: envoy.define_counter("files_refused")?,
        })
    }

    /// Counts one decision, and the reloads since the last one.
    pub(crate) fn count<EHF: EnvoyHttpFilter>(&self, envoy: &EHF, decision: &Decision, reloads: &Reloads) {
        let counter = match decision {
            Decision::Allow(_) => Some(self.allowed),
            Decision::Deny(deny) => {
                self.denied.iter().find(|(reason, _)| *reason == deny.reason()).map(|(_, counter)| *counter)
            }
        };
        add(envoy, counter.expect("a counter was defined for each of DenyReason::ALL"), 1);
        for (counter, waiting) in
            [(self.files_accepted, &reloads.accepted), (self.files_refused, &reloads.refused)]
        {
            // The swap is rare, the load is not.
            if waiting.load(Ordering::Relaxed) != 0 {
                add(envoy, counter, waiting.swap(0, Ordering::Relaxed));
            }
        }
    }
}

fn add<EHF: EnvoyHttpFilter>(envoy: &EHF, counter: EnvoyCounterId, value: u64) {
    if let Err(error) = envoy.increment_counter(counter, value) {
        envoy_log_warn!("catalyst: a counter was not increased: {error:?}");
    }
}

/// Reloads that no counter shows yet: the watching thread outlives Envoy's side of the configuration, so it leaves
/// the counting to the next request.
#[derive(Default)]
pub(crate) struct Reloads {
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Reloads {
    /// Changed files were taken into use.
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Changed files did not hold.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
