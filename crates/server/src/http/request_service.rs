//! Counts a connection's requests while they are under way: until the last piece of the answer is handed over.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use tower::Service;

use super::open_connections::{OpenConnection, RequestUnderWay};

/// A service that counts.
#[derive(Clone)]
pub struct RequestService<S> {
    /// The service that answers.
    pub inner: S,
    /// The connection of the requests.
    pub connection: Arc<OpenConnection>,
}

impl<S, B> Service<Request<B>> for RequestService<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let under_way = self.connection.begin();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // A WebSocket is under way until its stream is dropped.
                std::mem::forget(under_way);
                return Ok(response);
            }
            Ok(response.map(|body| {
                Body::new(CountedBody {
                    body,
                    _under_way: under_way,
                })
            }))
        })
    }
}

/// An answer's body, whose end is the request's end.
struct CountedBody {
    body: Body,
    _under_way: RequestUnderWay,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
