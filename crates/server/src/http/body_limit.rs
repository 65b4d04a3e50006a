//! How large a request's body may be, and how long it may take.

use std::time::Duration;

use axum::Extension;
use axum::extract::Request;
use axum::http::header;
use futures_util::StreamExt as _;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    /// Its size.
    pub max_bytes: usize,
    /// The time from its first piece to its last.
    pub within: Duration,
}

/// Of people who are signed in: a push may be large, and its device on a slow line.
pub const SIGNED_IN: BodyLimit = BodyLimit {
    max_bytes: 10 * 1024 * 1024,
    within: Duration::from_secs(120),
};

/// Of strangers: an address, a password and a token.
pub const STRANGERS: BodyLimit = BodyLimit {
    max_bytes: 16 * 1024,
    within: Duration::from_secs(10),
};

/// Why a body was not read.
#[derive(Debug)]
pub enum BodyRefusal {
    /// The body is larger than its bound.
    TooLarge(BodyLimit),
    /// The body took longer than its bound.
    TooSlow(BodyLimit),
    /// The connection broke.
    Broken(axum::Error),
}

/// How much of a body that is too large is read and thrown away, in multiples of its bound: a client that is still
/// sending when the connection closes may never see the answer.
const DRAINED: usize = 8;

/// Bounds the bodies of some routes.
pub fn bound<S: Clone + Send + Sync + 'static>(
    router: OpenApiRouter<S>,
    limit: BodyLimit,
) -> OpenApiRouter<S> {
    router.layer(Extension(limit))
}

/// Reads a body within the bounds of its route, [`SIGNED_IN`] by default.
///
/// # Errors
///
/// The body is larger or slower than its bound, or the connection broke.
pub async fn read(request: Request) -> Result<Vec<u8>, BodyRefusal> {
    let limit: BodyLimit = request.extensions().get().copied().unwrap_or(SIGNED_IN);
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    // A body that is too large by its own word is not kept at all.
    let mut is_too_large = length.is_some_and(|length: usize| length > limit.max_bytes);
    let mut pieces = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    let mut received = 0;
    let reading = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(BodyRefusal::Broken)?;
            received += piece.len();
            is_too_large |= received > limit.max_bytes;
            if received > limit.max_bytes.saturating_mul(DRAINED) {
                break;
            }
            if is_too_large {
                bytes = Vec::new();
            } else {
                bytes.extend_from_slice(&piece);
            }
        }
        Ok(())
    };
    let read = timeout(limit.within, reading).await;
    match read {
        _ if is_too_large => Err(BodyRefusal::TooLarge(limit)),
        Ok(done) => done.map(|()| bytes),
        Err(_) => Err(BodyRefusal::TooSlow(limit)),
    }
}

/// Reads the body of a request that is refused, and keeps nothing of it: a client that is still sending when the
/// connection closes may never see the refusal.
pub async fn discard(request: Request) {
    let limit: BodyLimit = request.extensions().get().copied().unwrap_or(SIGNED_IN);
    let mut pieces = request.into_body().into_data_stream();
    let mut received = 0;
    let reading = async {
        while let Some(Ok(piece)) = pieces.next().await {
            received += piece.len();
            if received > limit.max_bytes {
                break;
            }
        }
    };
    // A slower client loses the connection.
    let _ = timeout(limit.within, reading).await;
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::http::StatusCode;
    use futures_util::stream;

    use super::*;

    const SMALL: BodyLimit = BodyLimit {
        max_bytes: 10,
        within: Duration::from_secs(10),
    };

    async fn status(body: Body, length: Option<usize>) -> StatusCode {
        let mut request = Request::new(body);
        request.extensions_mut().insert(SMALL);
        if let Some(length) = length {
            request
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length.into());
        }
        match read(request).await {
            Ok(_) => StatusCode::OK,
            Err(BodyRefusal::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Err(BodyRefusal::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Err(BodyRefusal::Broken(_)) => StatusCode::BAD_REQUEST,
        }
    }

    /// A body of these pieces that never ends.
    fn stuck(pieces: Vec<&'static str>) -> Body {
        let pieces = pieces
            .into_iter()
            .map(|piece| Ok::<_, axum::Error>(Bytes::from(piece)));
        Body::from_stream(stream::iter(pieces).chain(stream::pending()))
    }

    /// Paused time advances by itself while all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn bodies_are_bounded_in_size_and_time() {
        assert_eq!(status(Body::from("0123456789"), None).await, StatusCode::OK);
        assert_eq!(
            status(Body::from("0123456789a"), None).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        assert_eq!(
            status(Body::from("01"), Some(9_900_038)).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let began = tokio::time::Instant::now();
        assert_eq!(
            status(stuck(vec!["01"]), None).await,
            StatusCode::REQUEST_TIMEOUT
        );
        assert_eq!(
            status(stuck(vec!["0123456789", "a"]), Some(99)).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        assert_eq!(began.elapsed(), SMALL.within * 2);
    }
}
