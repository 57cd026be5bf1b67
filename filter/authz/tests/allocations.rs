//! What a decision takes from the heap: nothing while it is known, and little to keep it known.

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use catalyst_authz::config::CacheBounds;
use catalyst_authz::{Decision, Engine, Request};
use serde_json::json;

use support::{bearer, claims, claims_with, config, config_with_policy, get, now, token};

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    // A thread that is ending has no counters any more, and nothing that is counted.
    let counted =
        ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + u64::from(bytes > 0)));
    if counted.is_ok() {
        BYTES.with(|total| total.set(total.get() + bytes));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: the caller keeps `GlobalAlloc::dealloc`'s contract, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn must_allow(engine: &Engine, request: &Request<'_>) {
    match engine.decide(request, now()) {
        Decision::Allow(allow) => assert!(allow.headers().count() >= 3),
        Decision::Deny(deny) => panic!("denied: {:?}", deny.reason()),
    }
}

#[test]
fn a_known_decision_allocates_nothing() {
    let engine = Engine::new(&config_with_policy(
        r#"permit (principal, action, resource) when { context.path like "/books/*" && context.host == "h" };"#,
    ))
    .expect("a valid configuration");
    let value = bearer(&token(&claims()));
    let credentials: [&[u8]; 1] = [value.as_bytes()];
    let request = Request { path: b"/books/1", host: b"h", ..get(&credentials) };
    must_allow(&engine, &request);
    assert_eq!(allocations(|| (0..1000).for_each(|_| must_allow(&engine, &request))), 0);
}

#[test]
fn known_decisions_about_many_tokens_allocate_nothing() {
    let engine = Engine::new(&config()).expect("a valid configuration");
    let values: Vec<String> =
        (0..2000).map(|number| bearer(&token(&claims_with(json!({ "jti": number.to_string() }))))).collect();
    let all = || {
        for value in &values {
            must_allow(&engine, &get(&[value.as_bytes()]));
        }
    };
    // The front grows while it fills.
    (0..4).for_each(|_| all());
    assert_eq!(allocations(all), 0);
}

#[test]
fn a_refusal_by_a_known_decision_allocates_nothing() {
    let engine = Engine::new(&config_with_policy("forbid (principal, action, resource);"))
        .expect("a valid configuration");
    let value = bearer(&token(&claims()));
    let credentials: [&[u8]; 1] = [value.as_bytes()];
    let deny = || assert!(!engine.decide(&get(&credentials), now()).is_allow());
    deny();
    assert_eq!(allocations(|| (0..100).for_each(|_| deny())), 0);
}

#[test]
fn a_cached_token_with_its_decision_takes_at_most_a_kibibyte() {
    const TOKENS: usize = 4000;
    let mut config = config();
    config.caches.tokens = CacheBounds { max_entries: 100_000, max_bytes: 1 << 30 };
    config.caches.decisions = config.caches.tokens;
    config.caches.front_entries = 0;
    let engine = Engine::new(&config).expect("a valid configuration");
    let values: Vec<String> = (0..TOKENS)
        .map(|number| bearer(&token(&claims_with(json!({ "jti": number.to_string() })))))
        .collect();
    // So that what the caches allocate once is not counted.
    must_allow(&engine, &get(&[values[0].as_bytes()]));
    let before = BYTES.get();
    for value in &values {
        must_allow(&engine, &get(&[value.as_bytes()]));
    }
    let bytes = (BYTES.get() - before) / signed(TOKENS);
    let length = values[0].len();
    assert!((200..=1024).contains(&bytes), "{bytes} bytes for each token of {length} bytes");
}
