//! The Mana server.
fn main() {}
