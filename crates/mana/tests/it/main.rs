//! The real binary over real HTTP, on a port of its own, with a data directory of its own.

mod accounts;
mod attacks;
mod bench;
mod cli;
mod failures;
mod gateway;
mod hostile;
mod invitations;
mod issuer;
mod missions;
mod postgres;
mod process;
mod runs;
mod snapshot;
mod strangers;
mod stream;
mod support;
mod sync;
mod traces;
mod upkeep;
mod upstream;
mod web;
mod ws;
