//! Pushes, pulls and notices over the store in memory.

mod accept;
mod hub;
mod pull;
mod support;
