//! A stream of server-sent events from an upstream: in time, and within bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use crate::error::{ErrorKind, GatewayError, Result};
use crate::providers::Limits;
use crate::sse::{Decoder, Frame};
use crate::upstream::{Answer, Upstream, human};
use crate::wire::BYTE_ORDER_MARK;

/// The longest wait for the last words of a stream, its usage, once every answer in it is finished.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(3);

/// Events as they arrive.
pub(crate) struct Events {
    pub upstream: Arc<Upstream>,
    response: Answer,
    decoder: Decoder,
    pub limits: Limits,
    /// A part of the answer is there; before it, a slow model has until the deadline.
    begun: bool,
    ended: bool,
}

impl Events {
    pub fn new(upstream: Arc<Upstream>, response: Answer, limits: Limits) -> Self {
        Self {
            upstream,
            response,
            decoder: Decoder::new(limits.max_bytes),
            limits,
            begun: false,
            ended: false,
        }
    }

    /// The next event without configured keys; `None` where the wire ends.
    pub async fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            let frame = self
                .decoder
                .next()
                .map_err(|_| self.upstream.too_large(&self.limits))?;
            match frame {
                Some(Frame::Data(data)) => {
                    return Ok(Some(Frame::Data(self.upstream.clean(data.into()))));
                }
                Some(Frame::Error(data)) => {
                    return Ok(Some(Frame::Error(self.upstream.clean(data.into()))));
                }
                Some(Frame::Comment) => return Ok(Some(Frame::Comment)),
                None if self.ended => return Ok(None),
                None => self.fill().await?,
            }
        }
    }

    /// A part of the answer came: more of it has as much time as the first had. Signs of life alone don't count.
    pub fn goes_on(&mut self) {
        self.begun = true;
        self.limits.deadline = Instant::now() + self.limits.timeout;
    }

    /// The failure of an answer that holds too much.
    pub fn too_large(&self) -> GatewayError {
        self.upstream.too_large(&self.limits)
    }

    async fn fill(&mut self) -> Result<()> {
        let deadline = self.limits.deadline;
        let until = match self.begun {
            true => deadline.min(Instant::now() + self.limits.idle),
            false => deadline,
        };
        let chunk = self
            .upstream
            .chunk(&mut self.response, until, &self.limits)
            .await;
        let chunk = chunk.map_err(|error| match error.kind {
            ErrorKind::Timeout if self.begun && until == deadline => self.upstream.error(
                ErrorKind::Timeout,
                format!(
                    "{} sent nothing more of its answer for {} and was given up",
                    self.upstream.label(),
                    human(self.limits.timeout)
                ),
            ),
            _ => error,
        })?;
        match chunk {
            Some(chunk) => self.decoder.push(&chunk),
            None => {
                self.decoder.end();
                self.ended = true;
            }
        }
        Ok(())
    }
}

/// A body, by its first byte: servers name all kinds of content types for a stream of events.
pub(crate) enum Opened {
    /// A stream of events.
    Events(Box<Events>),
    /// A whole answer; a server that does not stream answers in one piece.
    Whole(Bytes),
}

/// Opens the answer to a request for a stream.
pub(crate) async fn open(
    upstream: &Arc<Upstream>,
    mut answer: Answer,
    limits: Limits,
) -> Result<Opened> {
    let mut ahead = BytesMut::new();
    let is_whole = loop {
        let start = ahead.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&ahead);
        let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
        // The mark itself may come in pieces.
        match first.filter(|first| **first != BYTE_ORDER_MARK[0]) {
            Some(b'{') => match first_line(start.trim_ascii_start()) {
                Some(line) => break !is_chunk(line),
                None if ahead.len() > limits.max_bytes => return Err(upstream.too_large(&limits)),
                None => {}
            },
            Some(first) => break !is_of_event(*first),
            None if ahead.len() > FIRST_BYTES => break false,
            None => {}
        }
        match upstream
            .chunk(&mut answer, limits.deadline, &limits)
            .await?
        {
            Some(chunk) => ahead.extend_from_slice(&chunk),
            None => break true,
        }
    };
    answer.put_back(ahead.freeze());
    if is_whole {
        let body = upstream.read(answer, &limits).await?;
        return Ok(Opened::Whole(body));
    }
    let events = Events::new(upstream.clone(), answer, limits);
    Ok(Opened::Events(Box::new(events)))
}

/// So many bytes of white space may come before an answer shows what it is.
const FIRST_BYTES: usize = 64 * 1024;

/// The first line of a text, once its end is there.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr2(b'\n', b'\r', text)?;
    Some(&text[..end])
}

/// Whether a line is a piece of an answer, as servers send that write a line of JSON for each.
fn is_chunk(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Piece {
        choices: Vec<PieceChoice>,
    }
    #[derive(Deserialize)]
    struct PieceChoice {
        delta: Option<IgnoredAny>,
    }
    let piece: Option<Piece> = serde_json::from_slice(line).ok();
    piece.is_some_and(|piece| piece.choices.iter().any(|choice| choice.delta.is_some()))
}

/// Whether a stream of events begins so: with a comment, or the name of a field.
fn is_of_event(first: u8) -> bool {
    first == b':' || first.is_ascii_lowercase()
}
