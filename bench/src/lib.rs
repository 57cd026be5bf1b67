//! Benchmarks of Catalyst Node. Every figure has its peer from the same run on the same machine, so what counts is the ratio.
//!
//! - [`report`]: rows (ours, peer, goal) to `bench/results/NAME.{json,md,svg}`.
//! - [`process`]: a program under test as a child, and the CPU time the scheduler has charged to it.
//! - [`envoy`]: an Envoy with one worker and a static configuration, one for each variant compared.
//! - [`load`]: a closed-loop HTTP/2 client whose every request can carry another token.
//! - `src/bin/NAME.rs`: one program for each scenario; `cargo xtask bench NAME` builds and runs it.
//! - `benches/`: criterion micro benchmarks, `cargo bench -p catalyst-bench`.
//!
//! Deliberately absent: pass or fail. A benchmark says whether its goal was met; only tests fail.

pub mod envoy;
pub mod load;
pub mod process;
pub mod report;
