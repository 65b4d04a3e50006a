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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_cursor_is_read_as_it_was_written_and_nonsense_is_refused() {
        let place = |id: &&str| ("2026-04-08T08:00:00.000000Z".to_owned(), (*id).to_owned());
        let (entries, cursor) = page(vec!["i 1", "i 2"], 1, place);
        let text = cursor.expect("another page follows");
        assert_eq!(entries, ["i 1"]);
        assert_eq!(read(Some(&text)).unwrap(), Some(place(&"i 1")));
        let (at, _) = read_exact(Some(&text)).unwrap().expect("the time is exact");
        assert_eq!(at.to_string(), place(&"i 1").0);
        assert_eq!(read(Some("")).unwrap(), None);
        for nonsense in ["x", "AAAA", &text[1..]] {
            read(Some(nonsense)).unwrap_err();
        }
        assert_eq!(page(vec!["i 1"], 1, place), (vec!["i 1"], None));
    }
}
