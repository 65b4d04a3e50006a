//! Anthropic's Messages: `POST /v1/messages` for programs that speak nothing else, over the same chains.

mod answer;
mod input;
mod models;
mod refusal;
mod request;
mod writer;

pub(crate) use models::{listed, named};
pub(crate) use refusal::{body as refusal_body, refusal, speaks_messages};
pub(crate) use request::MessagesRequest;
pub(crate) use writer::MessagesWriter;
