//! A streamed answer over HTTP, in the protocol of its caller: every piece as it comes, and signs of life while none
//! comes.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::answer::ChatStream;
use crate::error::Result;
use crate::metered::Meter;
use crate::protocols::AnswerWriter;
use crate::providers::StreamEvent;
use crate::route::provider_of;

/// How long a caller waits for the status of an answer. Then the answer begins with a sign of life: proxies give up who
/// says nothing, and a local model may read its prompt for minutes.
const FIRST_SIGN: Duration = Duration::from_secs(1);
/// How long an answer may say nothing before there is a sign of life.
const BEAT: Duration = Duration::from_secs(10);
/// A comment, which clients pass over.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// A call whose answer has not begun.
type Opening = Pin<Box<dyn Future<Output = Result<ChatStream>> + Send>>;

/// An answer on its way to its caller.
struct Answer<W> {
    state: State,
    meter: Meter,
    writer: W,
    beat: Interval,
    /// Nothing was sent since the last beat.
    is_quiet: bool,
}

enum State {
    /// The caller has a status, and no model has answered yet.
    Opening(Opening),
    Begun(ChatStream),
}

/// Answers as soon as there is a first piece, or a failure; or after a while in any case, with a failure as the last
/// event of the stream.
pub(crate) async fn answer(
    opening: impl Future<Output = Result<ChatStream>> + Send + 'static,
    mut meter: Meter,
    mut writer: impl AnswerWriter,
    headers: fn(&str, &[Cow<'static, str>]) -> HeaderMap,
) -> Result<Response> {
    let mut opening: Opening = Box::pin(opening);
    let (state, mut headers) = match timeout(FIRST_SIGN, &mut opening).await {
        Ok(Ok(answer)) => {
            meter.failed_before(&answer.failed);
            writer.answered_by(provider_of(&answer.resolved));
            let headers = headers(&answer.resolved, &answer.left_out);
            (State::Begun(answer), headers)
        }
        Ok(Err(error)) => return Err(meter.failed(error)),
        Err(_) => (State::Opening(opening), HeaderMap::with_capacity(16)),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    let first = match state {
        State::Opening(_) => Some(Ok(SIGN_OF_LIFE)),
        State::Begun(_) => None,
    };
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answer = Answer {
        state,
        meter,
        writer,
        beat,
        is_quiet: true,
    };
    let frames = stream::unfold(Some(answer), async |answer| Some(answer?.next().await));
    let frames = stream::iter(first).chain(frames.map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::from_stream(frames));
    *response.headers_mut() = headers;
    Ok(response)
}

/// Tells nginx to pass on each piece at once.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

impl<W: AnswerWriter> Answer<W> {
    /// The next frames, and the answer if it goes on after them. An answer that fails ends with an error, so that
    /// nobody takes it for complete.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        loop {
            let event = match &mut self.state {
                State::Opening(opening) => tokio::select! {
                    biased;
                    opened = opening => match opened {
                        Ok(answer) => {
                            self.meter.failed_before(&answer.failed);
                            self.writer.answered_by(provider_of(&answer.resolved));
                            self.state = State::Begun(answer);
                            continue;
                        }
                        Err(error) => return (self.writer.failure(&self.meter.failed(error)), None),
                    },
                    _ = self.beat.tick() => return (SIGN_OF_LIFE, Some(self)),
                },
                State::Begun(answer) => tokio::select! {
                    biased;
                    event = answer.next() => event,
                    _ = self.beat.tick() => {
                        match std::mem::replace(&mut self.is_quiet, true) {
                            true => return (SIGN_OF_LIFE, Some(self)),
                            false => continue,
                        }
                    }
                },
            };
            let State::Begun(answer) = &self.state else {
                continue;
            };
            let frames = match event {
                Some(Ok(StreamEvent::Data(data))) => {
                    self.meter.piece(&answer.resolved, &data);
                    match self.writer.piece(&data) {
                        Ok(frames) => frames,
                        Err(error) => {
                            return (self.writer.failure(&self.meter.broke_off(error)), None);
                        }
                    }
                }
                Some(Ok(StreamEvent::Native(event))) => self.writer.native(&event),
                Some(Ok(StreamEvent::Usage { usage, chunk })) => {
                    self.meter.usage(&answer.resolved, &usage);
                    self.writer.usage(&usage, chunk)
                }
                Some(Ok(StreamEvent::KeepAlive)) => SIGN_OF_LIFE,
                Some(Err(error)) => {
                    return (self.writer.failure(&self.meter.broke_off(error)), None);
                }
                None => {
                    self.meter.complete();
                    return (self.writer.end(), None);
                }
            };
            if !frames.is_empty() {
                self.is_quiet = false;
                return (frames, Some(self));
            }
        }
    }
}
