//! The protocols in which callers ask and are answered. Inside, the gateway knows chat completions alone: a protocol
//! puts its requests into them and writes their answers in its own words. Both directions are pure.

mod chat;
mod chunk;
pub(crate) mod messages;
pub(crate) mod responses;
mod signed;
mod thoughts;
mod writer;

pub(crate) use chat::ChatWriter;
pub(crate) use signed::give_back;
pub(crate) use writer::AnswerWriter;
