//! Lets the tests' stand-in of Envoy be found as Envoy itself is: by name, in the running program.

fn main() {
    println!("cargo::rustc-link-arg-tests=-Wl,--export-dynamic");
    println!("cargo::rerun-if-changed=build.rs");
}
