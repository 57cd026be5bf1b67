//! A bound on the work of one check, so that no set of subgraphs can keep the composer busy.

use std::cell::Cell;

/// Units of work one check may take: look-ups of fields and comparisons of nodes. A supergraph of 50
/// subgraphs and 3,000 types takes less than a million. One that needs more is refused as too entangled.
const MAX_WORK: u64 = 100_000_000;

/// What is left of the work allowed.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Budget(Cell::new(MAX_WORK))
    }
}

impl Budget {
    /// Takes `units`; false once all is spent.
    pub(super) fn spend(&self, units: usize) -> bool {
        self.0.set(self.0.get().saturating_sub(units as u64));
        self.0.get() > 0
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}
