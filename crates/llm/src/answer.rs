//! A streamed answer on its way from a provider to a reader.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::error::{ErrorKind, GatewayError, Result};
use crate::gateway::{Gateway, closed};
use crate::providers::{EventStream, StreamEvent};
use crate::route::{Routes, Target};

/// Pieces of a stream that may wait for a slow reader.
const PIECES_AHEAD: usize = 32;

/// A streamed answer. It ends with `None` only when the answer is complete.
pub struct ChatStream {
    /// `provider/model` that answers.
    pub resolved: String,
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

impl Gateway {
    /// Reads a stream on from its first piece, in a task of its own, so that a
    /// reader who stops reading can't hold the provider's place for ever.
    pub(crate) fn pump(
        &self,
        routes: &Routes,
        target: Target,
        place: OwnedSemaphorePermit,
        first: Option<StreamEvent>,
        mut events: EventStream,
    ) -> ChatStream {
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let mut closing = self.closing.subscribe();
        let scrub = routes.scrub.clone();
        let patience = routes.idle;
        let resolved = target.name();
        let pumping = async move {
            let _place = place;
            loop {
                let piece = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    _ = closing.wait_for(|closing| *closing) => Err(closed()),
                    event = events.next() => event.transpose(),
                };
                if let Err(error) = &piece {
                    target.slot.note(Some(error));
                }
                let piece = piece.map_err(|error| error.scrubbed(&scrub));
                let over = !matches!(piece, Ok(Some(_)));
                let sent = timeout(patience, sender.send(piece)).await;
                if over || !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        };
        if first.is_some() {
            tokio::spawn(pumping);
        }
        ChatStream {
            resolved,
            first: Some(first),
            receiver,
            over: false,
        }
    }
}
