//! The end-to-end tests: one program, a module for each subject.

mod harness;
mod panics;
