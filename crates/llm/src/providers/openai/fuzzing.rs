//! The plain form of a request, for the fuzzers.

use super::chat_form;
use super::dialect::Dialect;
use crate::error::Result;
use crate::wire::ChatRequest;

/// A request in the form that every server takes.
pub(in crate::providers) fn plain(mut request: ChatRequest) -> Result<ChatRequest> {
    chat_form::plain(&mut request, &Dialect::USUAL)?;
    Ok(request)
}
