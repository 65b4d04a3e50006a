//! Answers that come compressed although nobody asked for it.

use std::io::{Error, Write};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use brotli_decompressor::DecompressorWriter;
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
    Brotli(Box<DecompressorWriter<Bounded>>),
}

/// A coding that a header may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
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
            "br" => Some(Coding::Brotli),
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
            (Some(Coding::Brotli), _) if !is_text(first) => Self::Brotli(Box::new(
                DecompressorWriter::new(Bounded::default(), STEP_BYTES),
            )),
            // Some name a compression and send the text itself.
            (Some(Coding::Brotli), _)
            | (_, b'{' | b'[' | b'd' | b':' | b' ' | b'\n' | b'\r' | b'<' | b'e') => Self::Plain,
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
                Self::Brotli(decoder) => {
                    decoder.get_mut().most = most;
                    let written = decoder.write_all(step).and_then(|()| decoder.flush());
                    if decoder.get_ref().is_full {
                        return Err(Unreadable::TooLarge);
                    }
                    written?;
                    taken.append(&mut decoder.get_mut().bytes);
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

/// Bytes with a bound. A kilobyte of Brotli may hold gigabytes, unlike one of the others.
#[derive(Default)]
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.is_full |= self.bytes.len() + bytes.len() > self.most;
        if self.is_full {
            return Err(Error::other("the bound is reached"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Whether bytes are the beginning of a text. Any byte may begin what is compressed by Brotli, but hardly any of it is
/// text throughout.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A letter may be cut at the end.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid
        .chars()
        .all(|letter| !letter.is_control() || letter.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"{\"choices\": [1, 2, 3]}";
    /// The same, compressed by Brotli.
    const BROTLI: &[u8] = b"\x8b\x0a\x80{\"choices\": [1, 2, 3]}\x03";
    /// 64 MB of the letter x, compressed by Brotli.
    const BOMB: [u8; 106] = [
        0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x25, 0xf0, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x8f, 0xff,
        0xff, 0x7f, 0xf0, 0x4b, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f, 0xff, 0xff, 0xff,
        0xe0, 0x97, 0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x3f, 0xfe, 0xff, 0xff, 0xc1, 0x2f,
        0x01, 0x10, 0x87, 0x05, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff, 0x83, 0x5f, 0x02, 0x20,
        0x0e, 0x0b, 0x00, 0x74, 0xef, 0xff, 0xf8, 0xff, 0xff, 0x07, 0xbf, 0x04, 0x40, 0x1c, 0x16,
        0x00, 0xe8, 0xde, 0xff, 0xf1, 0xff, 0xff, 0x0f, 0x7e, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0,
        0xbd, 0xff, 0xcb, 0xff, 0xff, 0x3f, 0xfc, 0x12, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff,
        0x07,
    ];

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
            ("br", BROTLI.to_vec()),
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
        assert_eq!(is(read("zstd", &[0x28, 0xB5], 9, 9)), r#"Coding("zstd")"#);
        assert_eq!(is(read("br", b"\x11\x80\x80\x80\x80", 9, 9)), "Broken");
        assert_eq!(is(read("br", &BOMB, 99, 1 << 20)), "TooLarge");
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
