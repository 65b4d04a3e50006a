//! Answers that come compressed although nobody asked for it.

use std::io::{Error, Write};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// So much is decompressed at a time: what comes out of it has a bound before it is looked at.
const STEP_BYTES: usize = 1024;

/// The compression of a body, as it is found out.
pub(crate) enum Inflate {
    /// Nothing has arrived yet. The header names a coding, or none.
    Unknown(Option<Coding>),
    /// The body is as it is.
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
}

/// A coding that a header may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    /// A coding that is not known here.
    Other(String),
}

/// Why a body can't be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The body is compressed in a way that is not known here.
    Coding(String),
    /// The body is larger than allowed.
    TooLarge,
    /// The body breaks the rules of its compression.
    Broken,
}

impl From<Error> for Unreadable {
    fn from(_: Error) -> Self {
        Self::Broken
    }
}

impl Inflate {
    /// By the headers of an answer; its first bytes have the last word.
    pub fn of(headers: &HeaderMap) -> Self {
        let named = headers.get(CONTENT_ENCODING);
        let named = named.and_then(|value| value.to_str().ok()).unwrap_or("");
        Self::Unknown(match named.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "utf-8" => None,
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            other => Some(Coding::Other(other.to_owned())),
        })
    }

    /// Whether bytes pass as they are.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Takes the first bytes, which show how the body is written.
    pub fn begin(&mut self, first: &[u8]) -> Result<(), Unreadable> {
        let Self::Unknown(named) = self else {
            return Ok(());
        };
        let Some(start) = first.first() else {
            return Ok(());
        };
        *self = match (named.take(), start) {
            // No text begins so.
            (_, 0x1F) => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            (Some(Coding::Deflate), byte) if byte & 0x0F == 8 => {
                Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
            }
            // Some name a compression and send the text itself.
            (_, b'{' | b'[' | b'd' | b':' | b' ' | b'\n' | b'\r' | b'<' | b'e') => Self::Plain,
            (Some(Coding::Deflate), _) => Self::Deflate(Box::new(DeflateDecoder::new(Vec::new()))),
            (Some(Coding::Other(name)), _) => return Err(Unreadable::Coding(name)),
            _ => Self::Plain,
        };
        Ok(())
    }

    /// Takes compressed bytes and gives what they hold, `most` bytes at most.
    pub fn take(&mut self, bytes: &[u8], most: usize) -> Result<Vec<u8>, Unreadable> {
        let mut taken = Vec::new();
        for step in bytes.chunks(STEP_BYTES) {
            match self {
                Self::Gzip(decoder) => {
                    decoder.write_all(step)?;
                    decoder.flush()?;
                    taken.append(decoder.get_mut());
                }
                Self::Zlib(decoder) => {
                    decoder.write_all(step)?;
                    decoder.flush()?;
                    taken.append(decoder.get_mut());
                }
                Self::Deflate(decoder) => {
                    decoder.write_all(step)?;
                    decoder.flush()?;
                    taken.append(decoder.get_mut());
                }
                Self::Unknown(_) | Self::Plain => taken.extend_from_slice(step),
            }
            if taken.len() > most {
                return Err(Unreadable::TooLarge);
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"{\"choices\": [1, 2, 3]}";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(
        named: &'static str,
        body: &[u8],
        cut: usize,
        most: usize,
    ) -> Result<Vec<u8>, Unreadable> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(named));
        let mut inflate = Inflate::of(&headers);
        let mut all = Vec::new();
        for piece in body.chunks(cut) {
            inflate.begin(piece)?;
            all.extend(inflate.take(piece, most)?);
        }
        Ok(all)
    }

    #[test]
    fn every_usual_compression_is_read_in_any_cut() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(TEXT).unwrap();
        for (named, body) in [
            ("gzip", gzip(TEXT)),
            ("x-gzip", gzip(TEXT)),
            ("identity", gzip(TEXT)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("gzip", TEXT.to_vec()),
            ("br", TEXT.to_vec()),
            ("", TEXT.to_vec()),
        ] {
            for cut in [1, 7, 1000] {
                assert_eq!(
                    read(named, &body, cut, 1000).unwrap(),
                    TEXT,
                    "{named} {cut}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_a_bomb_is_stopped() {
        let is = |result: Result<Vec<u8>, Unreadable>| format!("{:?}", result.unwrap_err());
        assert_eq!(is(read("br", &[0x8B, 2], 9, 9)), r#"Coding("br")"#);
        assert_eq!(
            is(read(
                "gzip",
                &[0x1F, 0x8B, 9, 9, 9, 9, 9, 9, 9, 9, 9],
                99,
                9
            )),
            "Broken"
        );
        let bomb = gzip(&vec![b'x'; 10 << 20]);
        assert_eq!(is(read("gzip", &bomb, 1 << 20, 1 << 20)), "TooLarge");
    }
}
