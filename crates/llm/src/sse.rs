//! Server-sent events, taken apart as they arrive: a piece is handed on as soon
//! as its blank line is there, and no piece may grow without bound.

use bytes::{Buf, Bytes, BytesMut};

/// A part of a stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The data of one event.
    Data(Bytes),
    /// A comment; servers send it to show that they are still there.
    Comment,
}

/// An event that is larger than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FrameTooLarge;

/// Takes bytes in any cut and gives frames.
pub(crate) struct Decoder {
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line end.
    scanned: usize,
    data: BytesMut,
    has_data: bool,
    max: usize,
}

impl Decoder {
    /// A decoder that refuses events above `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            data: BytesMut::new(),
            has_data: false,
            max,
        }
    }

    /// Takes what came over the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the end of the wire: an event without its blank line still counts.
    pub fn end(&mut self) {
        self.buffer.extend_from_slice(b"\n\n");
    }

    /// The next frame, if it is complete.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameTooLarge> {
        while let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
            let mut line = self.buffer.split_to(self.scanned + at);
            self.buffer.advance(1);
            self.scanned = 0;
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if let Some(frame) = self.line(&line)? {
                return Ok(Some(frame));
            }
        }
        self.scanned = self.buffer.len();
        self.check(self.scanned)?;
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Frame>, FrameTooLarge> {
        if line.is_empty() {
            let complete = std::mem::take(&mut self.has_data);
            return Ok(complete.then(|| Frame::Data(self.data.split().freeze())));
        }
        if line[0] == b':' {
            return Ok(Some(Frame::Comment));
        }
        let Some(value) = line.strip_prefix(b"data:") else {
            return Ok(None);
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        self.check(self.data.len() + value.len())?;
        if self.has_data {
            self.data.extend_from_slice(b"\n");
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(None)
    }

    fn check(&self, size: usize) -> Result<(), FrameTooLarge> {
        if size > self.max {
            return Err(FrameTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    fn data(text: &str) -> Frame {
        Frame::Data(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let wire = b": hello\n\ndata: {\"a\":1}\r\n\r\nevent: x\nid: 1\ndata:two\ndata: lines\n\ndata: [DONE]\n\n";
        let expected = [
            Frame::Comment,
            data("{\"a\":1}"),
            data("two\nlines"),
            data("[DONE]"),
        ];
        for cut in 1..wire.len() {
            let mut decoder = Decoder::new(100);
            let mut frames = Vec::new();
            for piece in wire.chunks(cut) {
                decoder.push(piece);
                frames.extend(all(&mut decoder));
            }
            assert_eq!(frames, expected, "cut {cut}");
        }
    }

    #[test]
    fn an_event_counts_at_the_end_without_its_blank_line() {
        let mut decoder = Decoder::new(100);
        decoder.push(b"data: [DONE]");
        assert_eq!(all(&mut decoder), []);
        decoder.end();
        assert_eq!(all(&mut decoder), [data("[DONE]")]);
    }

    #[test]
    fn an_event_may_not_grow_without_bound() {
        let mut line = Decoder::new(10);
        line.push(b"data: 0123456789");
        assert_eq!(line.next(), Err(FrameTooLarge));
        let mut lines = Decoder::new(10);
        lines.push(b"data: 01234\ndata: 567890\n");
        assert_eq!(lines.next(), Err(FrameTooLarge));
    }
}
