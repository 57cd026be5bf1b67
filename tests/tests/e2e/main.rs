//! The end-to-end tests: one program, a module for each subject.

mod config;
mod federation;
mod harness;
mod keys;
mod lifecycle;
mod panics;
mod quickstart;
mod standalone;
mod tokens;
mod xds;
