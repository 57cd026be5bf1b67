//! The last denials, by id.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::Denial;

/// Denials kept; when full, the oldest goes. A flood of bad requests thus hides older denials, and costs no memory.
pub const MAX_DENIALS: usize = 10_000;

/// The last denials of this node. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Denials {
    /// Held for one insertion or one look-up.
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<String, Arc<Denial>>,
    order: VecDeque<Arc<Denial>>,
}

impl Denials {
    /// Keeps a denial. Of two with one id, the first stays: ids are random, so the second is a repetition.
    pub fn insert(&self, denial: Denial) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.by_id.contains_key(&denial.id) {
            return;
        }
        let full = inner.order.len() >= MAX_DENIALS;
        if let Some(oldest) = full.then(|| inner.order.pop_front()).flatten() {
            inner.by_id.remove(&oldest.id);
        }
        let denial = Arc::new(denial);
        inner.by_id.insert(denial.id.clone(), Arc::clone(&denial));
        inner.order.push_back(denial);
    }

    /// The denial of this id, if it is still kept.
    pub fn find(&self, id: &str) -> Option<Arc<Denial>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    /// The last `count` denials, newest first.
    pub fn recent(&self, count: usize) -> Vec<Arc<Denial>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.order.iter().rev().take(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn denial(id: usize) -> Denial {
        Denial {
            id: format!("d{id}"),
            reason: "expired".into(),
            issuer: None,
            kid: None,
            policies: vec![],
            method: "GET".into(),
            host: "books.acme.example".into(),
            path: "/".into(),
            source: None,
            at: UNIX_EPOCH,
        }
    }

    #[test]
    fn a_denial_is_found_by_its_id_until_too_many_came_after_it() {
        let denials = Denials::default();
        for id in 0..=MAX_DENIALS {
            denials.insert(denial(id));
        }
        assert!(denials.find("d0").is_none());
        assert_eq!(denials.find("d1").unwrap().id, "d1");
        let newest: Vec<_> = denials.recent(2).iter().map(|denial| denial.id.clone()).collect();
        assert_eq!(newest, [format!("d{MAX_DENIALS}"), format!("d{}", MAX_DENIALS - 1)]);
    }

    #[test]
    fn the_first_of_two_with_one_id_stays() {
        let denials = Denials::default();
        denials.insert(denial(1));
        denials.insert(Denial { reason: "forbidden".into(), ..denial(1) });
        assert_eq!(denials.find("d1").unwrap().reason, "expired");
        assert_eq!(denials.recent(10).len(), 1);
    }
}
