//! OpenAI's Responses: `POST /v1/responses` for programs that speak nothing else, over the same chains. Nothing is
//! stored: every request brings its whole conversation.

mod echo;
mod input;
mod item;
mod request;
mod tool_kind;
mod tools;
mod writer;

pub(crate) use request::ResponsesRequest;
