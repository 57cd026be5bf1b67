//! The end-to-end tests: one program, a module for each subject.

mod config;
mod harness;
mod panics;
mod standalone;
