//! The router among others of its kind, in a simulated network.

mod keys;
mod names;
mod organisations;
mod routes;
mod sessions;
mod sim;
mod solo;
mod world;

/// Two hundred lives; `cargo run --example simulate` lives through as many as one likes.
#[test]
fn whatever_happens_nothing_loops_nothing_lingers_and_all_agree_in_the_end() {
    for seed in 0..200 {
        sim::live(seed);
    }
}
