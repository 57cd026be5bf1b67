//! The daemon of a Catalyst node.

fn main() {}
