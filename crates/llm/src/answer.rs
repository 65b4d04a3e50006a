//! A streamed answer on its way from a provider to a reader.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::chain::Answered;
use crate::error::{Attempt, ErrorKind, GatewayError, Result};
use crate::providers::{EventStream, StreamEvent};
use crate::route::Routes;

/// Pieces of a stream that may wait for a slow reader.
const PIECES_AHEAD: usize = 32;

/// A streamed answer, which ends with `None` only when it is complete.
pub struct ChatStream {
    /// `provider/model` that answers.
    pub resolved: String,
    /// The entries of the chain that failed before.
    pub failed: Vec<Attempt>,
    /// The first piece: on its way to the reader before the next one is read.
    first: Option<Option<StreamEvent>>,
    receiver: mpsc::Receiver<Result<Option<StreamEvent>>>,
    over: bool,
}

impl Stream for ChatStream {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let piece = match self.first.take() {
            Some(first) => Some(Ok(first)),
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
        answered: Answered<(Option<StreamEvent>, EventStream)>,
        routes: &Routes,
        mut closing: watch::Receiver<bool>,
    ) -> Self {
        let Answered {
            answer: (first, mut events),
            target,
            permit,
            failed,
        } = answered;
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let is_empty = first.is_none();
        let stream = Self {
            resolved: target.name(),
            failed,
            first: Some(first),
            receiver,
            over: false,
        };
        if is_empty {
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
