//! Server-sent events, taken apart as they arrive: a piece is handed on as soon
//! as its blank line is there, and no piece may grow without bound.

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::BYTE_ORDER_MARK;

/// A part of a stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The data of one event.
    Data(Bytes),
    /// A comment; servers send it to show that they are still there.
    Comment,
    /// An error: the data of an event of that name, or a line that some servers write for it.
    Error(Bytes),
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
    /// The event under way is named `error`.
    is_error: bool,
    /// The last line ended with a carriage return, to which a line feed right after it belongs.
    after_return: bool,
    /// Nothing has been read yet, so that a byte order mark may come.
    at_start: bool,
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
            is_error: false,
            after_return: false,
            at_start: true,
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
        if self.at_start && !BYTE_ORDER_MARK.starts_with(&self.buffer[..self.buffer.len().min(3)]) {
            self.at_start = false;
        }
        if self.at_start && self.buffer.len() >= BYTE_ORDER_MARK.len() {
            self.buffer.advance(BYTE_ORDER_MARK.len());
            self.at_start = false;
        }
        if self.at_start {
            return Ok(None);
        }
        while let Some(at) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.scanned..]) {
            let line = self.buffer.split_to(self.scanned + at);
            let end = self.buffer.get_u8();
            self.scanned = 0;
            let is_rest = end == b'\n' && self.after_return && line.is_empty();
            self.after_return = end == b'\r';
            if is_rest {
                continue;
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
            let is_error = std::mem::take(&mut self.is_error);
            return Ok(
                complete.then(|| match (is_error, self.data.split().freeze()) {
                    (true, data) => Frame::Error(data),
                    // An event without data is none, and shows that the server is still there.
                    (false, data) if data.trim_ascii().is_empty() => Frame::Comment,
                    (false, data) => Frame::Data(data),
                }),
            );
        }
        if line[0] == b':' {
            return Ok(Some(Frame::Comment));
        }
        if let Some(name) = line.strip_prefix(b"event:") {
            self.is_error = name.trim_ascii() == b"error";
            return Ok(None);
        }
        if let Some(error) = line.strip_prefix(b"error:") {
            return Ok(Some(Frame::Error(Bytes::copy_from_slice(
                error.trim_ascii(),
            ))));
        }
        // JSON on a line of its own is no field of an event, and means the same.
        if line[0] == b'{' && !self.has_data {
            return Ok(Some(Frame::Data(Bytes::copy_from_slice(line))));
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
        let wire = concat!(
            ": hello\n\ndata: {\"a\":\"\u{1f389}\"}\r\n\r\n",
            "event: x\nid: 1\ndata:two\ndata: lines\n\ndata: [DONE]\n\n"
        );
        let expected = [
            Frame::Comment,
            data("{\"a\":\"\u{1f389}\"}"),
            data("two\nlines"),
            data("[DONE]"),
        ];
        for cut in 1..wire.len() {
            let mut decoder = Decoder::new(100);
            let mut frames = Vec::new();
            for piece in wire.as_bytes().chunks(cut) {
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
    fn every_end_of_a_line_counts_and_a_byte_order_mark_does_not() {
        let expected = [data("a"), data("b\nc"), data("d")];
        for end in ["\n", "\r", "\r\n"] {
            let lines = [
                "\u{FEFF}data: a",
                "",
                "data: b",
                "data: c",
                "",
                "",
                "data: d",
                "",
                "",
            ];
            let wire = lines.join(end);
            for cut in 1..wire.len() {
                let mut decoder = Decoder::new(100);
                let mut frames = Vec::new();
                for piece in wire.as_bytes().chunks(cut) {
                    decoder.push(piece);
                    frames.extend(all(&mut decoder));
                }
                decoder.end();
                frames.extend(all(&mut decoder));
                assert_eq!(frames, expected, "{end:?} cut {cut}");
            }
        }
    }

    #[test]
    fn an_error_is_one_in_any_dress() {
        let error = |text: &str| Frame::Error(Bytes::copy_from_slice(text.as_bytes()));
        let mut decoder = Decoder::new(100);
        decoder.push(b"error: {\"code\":500}\n\nevent: error\ndata: {}\n\nevent: message\ndata: x\n\n{\"a\":1}\n");
        let expected = [
            error(r#"{"code":500}"#),
            error("{}"),
            data("x"),
            data(r#"{"a":1}"#),
        ];
        assert_eq!(all(&mut decoder), expected);
    }

    #[test]
    fn an_event_without_data_is_a_sign_of_life() {
        let mut decoder = Decoder::new(100);
        decoder.push(b"data:\n\ndata: \n\nevent: ping\ndata:\ndata:\n\nevent: ping\n\ndata:x\n\n");
        let expected = [Frame::Comment, Frame::Comment, Frame::Comment, data("x")];
        assert_eq!(all(&mut decoder), expected);
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
