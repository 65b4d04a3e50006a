//! The trait of everything that writes answers in a caller's protocol.

use bytes::Bytes;

use crate::error::{ErrorKind, GatewayError, Result};
use crate::wire::{ChatCompletion, Extra, Usage};

/// Writes one answer in the protocol of its caller: as a whole, or as the events of a stream. Empty bytes say that
/// there is nothing to send.
pub(crate) trait AnswerWriter: Send + 'static {
    /// Tells the provider that answers, as far as the caller's next request has to find back to it.
    fn answered_by(&mut self, provider: &str) {
        let _ = provider;
    }

    /// A whole answer, as JSON.
    fn whole(&mut self, answer: &ChatCompletion) -> Result<Bytes>;

    /// The events for a chunk of a chat completion.
    fn piece(&mut self, chunk: &Bytes) -> Result<Bytes>;

    /// An event of the upstream's, where the upstream speaks the caller's protocol itself. The chunks that say the same
    /// come beside it.
    fn native(&mut self, event: &Bytes) -> Bytes {
        let _ = event;
        Bytes::new()
    }

    /// The tokens that the answer took so far. `chunk` is the upstream's own text of it.
    fn usage(&mut self, usage: &Usage, chunk: Option<Bytes>) -> Bytes;

    /// The end of a complete stream.
    fn end(&mut self) -> Bytes;

    /// The end of a stream that failed, which nobody must take for complete.
    fn failure(&mut self, error: &GatewayError) -> Bytes;
}

/// The most bytes of an answer that are kept, as its last event says all of it again.
pub(super) const MOST_KEPT: usize = 32 << 20;

/// The number of bytes that a writer keeps of an answer.
#[derive(Default)]
pub(super) struct KeptBytes(usize);

impl KeptBytes {
    /// Keeps so many bytes more, unless they are too many.
    pub fn keep(&mut self, bytes: usize) -> Result<()> {
        self.0 += bytes;
        match self.0 > MOST_KEPT {
            true => Err(GatewayError::new(
                ErrorKind::TooLarge,
                format!("The answer is larger than {} MB", MOST_KEPT >> 20),
            )),
            false => Ok(()),
        }
    }

    /// Keeps fields as JSON.
    pub fn keep_fields(&mut self, fields: &Extra) -> Result<()> {
        let bytes = fields.values().map(|value| value.to_string().len());
        self.keep(bytes.sum())
    }
}

/// An event without a name. Data of several lines stays one event.
pub(super) fn frame(data: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(data.len() + 8);
    push_data(&mut frame, data);
    frame.into()
}

/// Adds a named event to a text.
pub(super) fn push_event(events: &mut Vec<u8>, name: &str, data: &[u8]) {
    events.extend_from_slice(b"event: ");
    events.extend_from_slice(name.as_bytes());
    events.push(b'\n');
    push_data(events, data);
}

fn push_data(events: &mut Vec<u8>, data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        events.extend_from_slice(b"data: ");
        events.extend_from_slice(line);
        events.push(b'\n');
    }
    events.push(b'\n');
}
