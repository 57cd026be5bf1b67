//! Counters in Envoy's statistics, under the configuration's `metrics_namespace`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use catalyst_authz::{Decision, DenyReason};
use envoy_dynamic_module::abi::envoy_dynamic_module_type_metrics_result as MetricsError;
use envoy_dynamic_module::{
    EnvoyCounterId, EnvoyHistogramId, EnvoyHttpFilter, EnvoyHttpFilterConfig, envoy_log_warn,
};

/// What Envoy counts for us. Every configuration of the same namespace counts into the same counters.
///
/// | counter | counts |
/// |---|---|
/// | `allowed` | requests that passed |
/// | `denied_REASON` | requests that did not, for each [`DenyReason`] |
/// | `token_cache_hits` | requests that passed with a token that was known |
/// | `signatures_verified` | requests whose token was not |
/// | `policies_evaluated` | requests whose decision was not |
/// | `files_accepted`, `files_refused` | changes of the files that a configuration names |
///
/// The histogram `verify_us` has the microseconds that a decision took which included verifying a signature.
pub(crate) struct Stats {
    allowed: EnvoyCounterId,
    denied: Vec<(DenyReason, EnvoyCounterId)>,
    token_cache_hits: EnvoyCounterId,
    signatures_verified: EnvoyCounterId,
    policies_evaluated: EnvoyCounterId,
    files_accepted: EnvoyCounterId,
    files_refused: EnvoyCounterId,
    verify_us: EnvoyHistogramId,
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
            token_cache_hits: envoy.define_counter("token_cache_hits")?,
            signatures_verified: envoy.define_counter("signatures_verified")?,
            policies_evaluated: envoy.define_counter("policies_evaluated")?,
            files_accepted: envoy.define_counter("files_accepted")?,
            files_refused: envoy.define_counter("files_refused")?,
            verify_us: envoy.define_histogram("verify_us")?,
        })
    }

    /// Counts one decision, which was asked for at `asked`, and the reloads since the last one.
    pub(crate) fn count<EHF: EnvoyHttpFilter>(
        &self,
        envoy: &EHF,
        decision: &Decision,
        asked: SystemTime,
        reloads: &Reloads,
    ) {
        let effort = decision.effort();
        match decision {
            Decision::Allow(allow) => {
                add(envoy, self.allowed, 1);
                if allow.subject().is_some() && !effort.verified_signature {
                    add(envoy, self.token_cache_hits, 1);
                }
            }
            Decision::Deny(deny) => {
                let counter = self.denied.iter().find(|(reason, _)| *reason == deny.reason());
                let (_, counter) = counter.expect("a counter was defined for each of DenyReason::ALL");
                add(envoy, *counter, 1);
            }
        }
        if effort.verified_signature {
            add(envoy, self.signatures_verified, 1);
            self.record_verification(envoy, asked);
        }
        if effort.evaluated_policies {
            add(envoy, self.policies_evaluated, 1);
        }
        for (counter, waiting) in
            [(self.files_accepted, &reloads.accepted), (self.files_refused, &reloads.refused)]
        {
            // The swap is rare, the load is not.
            if waiting.load(Ordering::Relaxed) != 0 {
                add(envoy, counter, waiting.swap(0, Ordering::Relaxed));
            }
        }
    }

    /// The wall clock is read once for each request anyway, so a request that verifies nothing pays for no second
    /// clock. A step of the clock in between loses or spoils one sample.
    fn record_verification<EHF: EnvoyHttpFilter>(&self, envoy: &EHF, asked: SystemTime) {
        let Ok(elapsed) = asked.elapsed() else { return };
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if let Err(error) = envoy.record_histogram_value(self.verify_us, microseconds) {
            envoy_log_warn!("catalyst: a duration was not recorded: {error:?}");
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
