//! Requests under way that others may join: who asks a subgraph the very same at the same time, on behalf of
//! the same caller, gets the same answer, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use hashbrown::DefaultHashBuilder;

use super::FetchError;
use crate::json::Document;

type Outcome = Result<Arc<Document>, FetchError>;
type Call = BoxFuture<'static, Outcome>;

/// What makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The fetch of a plan, which names the subgraph and the query.
    pub(crate) fetch: u64,
    pub(crate) body: Bytes,
    /// The caller: every header that is passed on but for those of tracing.
    pub(crate) caller: Arc<[u8]>,
}

/// The requests under way. Bounded by the requests of clients under way.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// Locked for one look-up, insertion or removal. A call does not live by being in here: when the last who
    /// waits for it is gone, so is the call.
    calls: Mutex<HashMap<Key, WeakShared<Call>, DefaultHashBuilder>>,
}

impl InFlight {
    fn calls(&self) -> MutexGuard<'_, HashMap<Key, WeakShared<Call>, DefaultHashBuilder>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the call of that key, or starts `call`.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: Key,
        call: impl Future<Output = Outcome> + Send + 'static,
    ) -> Shared<Call> {
        let mut calls = self.calls();
        if let Some(running) = calls.get(&key).and_then(WeakShared::upgrade)
            && running.peek().is_none()
        {
            return running;
        }
        let entry = Entry { calls: Arc::clone(self), key: key.clone() };
        let started = async move {
            let outcome = call.await;
            drop(entry);
            outcome
        }
        .boxed()
        .shared();
        if let Some(weak) = started.downgrade() {
            calls.insert(key, weak);
        }
        started
    }
}

/// Takes a call out of the map when it ends or is given up.
struct Entry {
    calls: Arc<InFlight>,
    key: Key,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.calls.calls().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(body: &'static str, caller: &str) -> Key {
        Key { fetch: 1, body: Bytes::from_static(body.as_bytes()), caller: Arc::from(caller.as_bytes()) }
    }

    /// How many calls are made for requests of these keys at the same time.
    async fn calls(keys: &[Key]) -> usize {
        let in_flight = Arc::new(InFlight::default());
        let made = Arc::new(AtomicUsize::new(0));
        let requests = keys.iter().map(|key| {
            let made = Arc::clone(&made);
            in_flight.join(key.clone(), async move {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(Arc::new(Document::empty()))
            })
        });
        let requests: Vec<_> = requests.collect();
        for outcome in futures_util::future::join_all(requests).await {
            assert!(outcome.is_ok());
        }
        assert!(in_flight.calls().is_empty(), "a call that has ended is forgotten");
        made.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn the_same_request_is_made_once() {
        assert_eq!(calls(&[key("a", "x"), key("a", "x"), key("a", "x")]).await, 1);
    }

    #[tokio::test]
    async fn other_requests_and_other_callers_are_apart() {
        assert_eq!(calls(&[key("a", "x"), key("b", "x"), key("a", "y")]).await, 3);
    }

    #[tokio::test]
    async fn a_call_goes_on_when_who_started_it_gives_up() {
        let in_flight = Arc::new(InFlight::default());
        let call = || async {
            tokio::task::yield_now().await;
            Ok(Arc::new(Document::empty()))
        };
        let mut first = in_flight.join(key("a", "x"), call());
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = in_flight.join(key("a", "x"), async { panic!("joins the first") });
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_is_given_up() {
        let in_flight = Arc::new(InFlight::default());
        let mut call = in_flight.join(key("a", "x"), std::future::pending());
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        assert!(in_flight.calls().is_empty());
    }
}
