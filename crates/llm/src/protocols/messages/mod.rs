//! Anthropic's Messages: `POST /v1/messages` for programs that speak nothing else, over the same chains.

mod answer;
mod betas;
mod input;
mod models;
mod refusal;
mod request;
mod writer;

pub(crate) use betas::{BETA, Betas};
pub(crate) use models::{listed, named};
pub(crate) use refusal::{body as refusal_body, refusal};
pub(crate) use request::MessagesRequest;
pub(crate) use writer::MessagesWriter;

/// The path below which callers speak this protocol.
pub(crate) const PATH: &str = "/v1/messages";
/// The header in which Anthropic's clients name the version of their protocol.
pub(crate) const VERSION: &str = "anthropic-version";
/// Anthropic's header for a key.
pub(crate) const API_KEY: &str = "x-api-key";
