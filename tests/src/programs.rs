//! Where the built programs are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A program of this workspace, built with the same profile as this test.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = profile_dir().join(name);
    assert!(
        path.exists(),
        "{} is missing; `cargo xtask test` builds it, or: cargo build --workspace --all-targets",
        path.display()
    );
    path
}

/// The filter module that Envoy loads.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn filter() -> PathBuf {
    program("libcatalyst_filter.so")
}

/// Envoy: `ENVOY_BIN`, or what `cargo xtask envoy` got.
///
/// # Panics
/// There is none.
#[must_use]
pub fn envoy() -> PathBuf {
    let path = env::var_os("ENVOY_BIN").map(PathBuf::from).unwrap_or_else(|| {
        profile_dir().parent().expect("a profile is in a target folder").join("envoy/1.40.0/envoy/_bin/envoy")
    });
    assert!(path.exists(), "{} is missing; `cargo xtask envoy` gets it", path.display());
    path
}

/// The checkout.
#[must_use]
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the checkout")
}

/// `target/debug` or `target/release`: this test is in its `deps`.
fn profile_dir() -> PathBuf {
    let test = env::current_exe().expect("a program has a path");
    let deps = test.parent().expect("a program is in a folder");
    deps.parent().expect("`deps` is in a profile's folder").to_owned()
}
