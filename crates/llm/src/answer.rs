//! A streamed answer on its way from a provider to a reader.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::chain::Answered;
use crate::error::{Attempt, ErrorKind, GatewayError, Result};
use crate::providers::{EventStream, StreamEvent};
use crate::route::Routes;
use crate::wire::says_something;

/// Pieces of a stream that may wait for a slow reader.
const PIECES_AHEAD: usize = 32;

/// Pieces that may come before the first word of an answer.
const MOST_PREAMBLE: usize = 16;

/// The beginning of a streamed answer, up to the first piece that says something.
pub(crate) struct Beginning {
    ahead: VecDeque<StreamEvent>,
    /// The answer has ended with it.
    is_whole: bool,
    events: EventStream,
}

impl Beginning {
    /// Reads a stream up to its first word. A role alone is no answer: servers name it before they know whether they
    /// have one.
    pub async fn of(mut events: EventStream) -> Result<Self> {
        let mut ahead = VecDeque::new();
        let is_whole = loop {
            match events.next().await.transpose()? {
                Some(StreamEvent::KeepAlive) => {}
                Some(event) => {
                    let is_word = matches!(&event, StreamEvent::Data(data) if says_something(data));
                    ahead.push_back(event);
                    if is_word || ahead.len() > MOST_PREAMBLE {
                        break false;
                    }
                }
                None => break true,
            }
        };
        Ok(Self {
            ahead,
            is_whole,
            events,
        })
    }
}

/// A streamed answer, which ends with `None` only when it is complete.
pub struct ChatStream {
    /// `provider/model` that answers.
    pub resolved: String,
    /// The entries of the chain that failed before.
    pub failed: Vec<Attempt>,
    /// The fields of the request that the provider has no word for.
    pub left_out: Vec<Cow<'static, str>>,
    /// The first pieces: on their way to the reader before the next one is read.
    ahead: VecDeque<StreamEvent>,
    /// The first pieces are all that there is.
    is_whole: bool,
    receiver: mpsc::Receiver<Result<Option<StreamEvent>>>,
    over: bool,
}

impl Stream for ChatStream {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let piece = match self.ahead.pop_front() {
            Some(first) => Some(Ok(Some(first))),
            None if self.is_whole => Some(Ok(None)),
            None => std::task::ready!(self.receiver.poll_recv(cx)),
        };
        let piece = match piece {
            Some(Ok(Some(event))) => return Poll::Ready(Some(Ok(event))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(GatewayError::new(
                ErrorKind::Cancelled,
                "The answer was given up because nobody read on",
            ))),
        };
        self.over = true;
        Poll::Ready(piece)
    }
}

impl ChatStream {
    /// Reads a stream on from its first piece, in a task of its own, so that a reader who stops reading can't hold
    /// the provider's place for ever.
    pub(crate) fn begin(
        answered: Answered<Beginning>,
        routes: &Routes,
        mut closing: watch::Receiver<bool>,
    ) -> Self {
        let Answered {
            answer,
            target,
            permit,
            failed,
        } = answered;
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let Beginning {
            ahead,
            is_whole,
            mut events,
        } = answer;
        let stream = Self {
            resolved: target.name(),
            failed,
            left_out: Vec::new(),
            ahead,
            is_whole,
            receiver,
            over: false,
        };
        if is_whole {
            permit.end(None);
            return stream;
        }
        permit.begun();
        let scrub = routes.scrub.clone();
        let patience = routes.idle;
        tokio::spawn(async move {
            loop {
                let piece = tokio::select! {
                    biased;
                    // A reader who leaves says nothing about the provider, which was answering.
                    () = sender.closed() => break,
                    _ = closing.wait_for(|closing| *closing) => Err(GatewayError::closed()),
                    event = events.next() => event.transpose(),
                };
                if let Err(error) = &piece {
                    permit.end(Some(error));
                    let piece = piece.map_err(|error| error.scrubbed(&scrub));
                    let _ = timeout(patience, sender.send(piece)).await;
                    return;
                }
                let over = matches!(piece, Ok(None));
                let sent = timeout(patience, sender.send(piece)).await;
                if over || !matches!(sent, Ok(Ok(()))) {
                    break;
                }
            }
            permit.end(None);
        });
        stream
    }
}
