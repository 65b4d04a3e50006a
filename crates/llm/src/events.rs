//! A stream of server-sent events from an upstream: in time, and within bounds.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use tokio::time::Instant;

use crate::error::Result;
use crate::providers::Limits;
use crate::sse::{Decoder, Frame};
use crate::upstream::{Answer, Upstream};

/// Events as they arrive.
pub(crate) struct Events {
    pub upstream: Arc<Upstream>,
    response: Answer,
    decoder: Decoder,
    pub limits: Limits,
    /// The first event is there; before it, a slow model has until the deadline.
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
                    self.begun = true;
                    return Ok(Some(Frame::Data(self.upstream.clean(data.into()))));
                }
                Some(frame) => return Ok(Some(frame)),
                None if self.ended => return Ok(None),
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> Result<()> {
        let until = match self.begun {
            true => self.limits.deadline.min(Instant::now() + self.limits.idle),
            false => self.limits.deadline,
        };
        let chunk = self
            .upstream
            .chunk(&mut self.response, until, &self.limits)
            .await?;
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

/// Whether an answer comes as events; a server that does not stream answers in one piece.
pub(crate) fn is_event_stream(response: &Answer) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        })
}
