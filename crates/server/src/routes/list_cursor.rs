//! Pages of lists that are ordered by a time and an id, and the cursors between them.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mana_core::Micros;
use serde_json::json;

use crate::error::{ApiError, ApiResult};

/// Cuts a list, of which one entry more than a page was read, to the page. Returns it with the cursor behind its last
/// entry, if another page follows. `place` gives the time and the id of an entry.
pub(super) fn page<T>(
    mut entries: Vec<T>,
    size: usize,
    place: impl FnOnce(&T) -> (String, String),
) -> (Vec<T>, Option<String>) {
    let has_more = entries.len() > size;
    entries.truncate(size);
    let last = entries.last().filter(|_| has_more);
    let cursor = last.map(|last| URL_SAFE_NO_PAD.encode(json!(place(last)).to_string()));
    (entries, cursor)
}

/// Reads a cursor that a client hands back: a time and an id. None where there is none, or an empty one.
pub(super) fn read(cursor: Option<&str>) -> ApiResult<Option<(String, String)>> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else {
        return Ok(None);
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    match serde_json::from_slice(&bytes) {
        Ok(place) => Ok(Some(place)),
        Err(_) => Err(unreadable()),
    }
}

/// Reads a cursor whose time is exact.
pub(super) fn read_exact(cursor: Option<&str>) -> ApiResult<Option<(Micros, String)>> {
    let exact = |(at, id): (String, String)| match Micros::parse(&at) {
        Ok(at) => Ok((at, id)),
        Err(_) => Err(unreadable()),
    };
    read(cursor)?.map(exact).transpose()
}

/// The answer to a cursor that no page had.
fn unreadable() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "invalid_cursor",
        "This cursor can't be read; leave it out to begin at the start of the list.",
    )
}
