//! Entry points of the fuzzers in `fuzz/`: each reads bytes as a stranger would send them, and panics where what comes
//! out can't be true. Only with the feature `fuzzing`.

use bytes::Bytes;
use serde_json::Value;

use crate::call_usage::CallEstimate;
use crate::protocols::messages::{Betas, MessagesRequest, MessagesWriter};
use crate::protocols::responses::ResponsesRequest;
use crate::protocols::{AnswerWriter, give_back};
use crate::providers::fuzzing as providers;
use crate::sse::{Decoder, Frame};
use crate::wire::{ChatRequest, completion, mended};

/// The largest event that a reader takes.
const MOST: usize = 1 << 16;

fn frames(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Option<Vec<Frame>> {
    let mut decoder = Decoder::new(MOST);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece.as_ref());
        while let Some(frame) = decoder.next().ok()? {
            frames.push(frame);
        }
    }
    decoder.end();
    while let Some(frame) = decoder.next().ok()? {
        frames.push(frame);
    }
    Some(frames)
}

/// A stream of events gives the same frames in any cut. The first byte says how it is cut.
pub fn events(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = frames([bytes].iter());
    let pieces = frames(bytes.chunks(usize::from(*cut) % 16 + 1));
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
    }
}

/// An answer that is read can be written, and read again.
pub fn answers(bytes: &[u8]) {
    let mended = mended(bytes);
    for bytes in [bytes, &mended] {
        let Some(read) = completion(bytes, "m") else {
            continue;
        };
        let passed = read
            .changed
            .map_or_else(|| bytes.to_vec(), String::into_bytes);
        let again = completion(&passed, "m").expect("what is passed on can be read");
        assert_eq!(again.value.choices.len(), read.value.choices.len());
        let _: Value = serde_json::from_str(&read.value.clone().into_chunk().to_string())
            .expect("a chunk is JSON");
        let _ = read.value.text_bytes();
    }
}

/// Requests and answers of Anthropic's protocol, from the gateway's words and into them.
pub fn anthropic(bytes: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<ChatRequest>(bytes) {
        to_providers(request);
    }
    providers::anthropic_answer(bytes, MOST);
}

/// A request of the gateway's goes up to every kind of provider as JSON, or is refused with a reason.
fn to_providers(mut request: ChatRequest) {
    if request.settle_limits().is_err() {
        return;
    }
    let _ = CallEstimate::of_chat(&request);
    let messages = request.messages.iter_mut();
    messages.for_each(|message| give_back(message, "mana"));
    for body in providers::bodies(request) {
        match body {
            Ok(body) => {
                let body: Value = serde_json::from_slice(&body).expect("a body is JSON");
                assert!(body["messages"].is_array());
            }
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
}

/// Anthropic's Messages as callers send them, and the answer to each.
pub fn messages(bytes: &[u8]) {
    let (request, chunks) = halves(bytes);
    let Ok(request) = serde_json::from_slice::<MessagesRequest>(request) else {
        return;
    };
    if let Ok(request) = request.into_chat(Betas::default()) {
        let writer = MessagesWriter::to(&request, 1);
        to_providers(request);
        written(writer, chunks, "message_stop");
    }
}

/// OpenAI's Responses as callers send them, and the answer to each.
pub fn responses(bytes: &[u8]) {
    let (request, chunks) = halves(bytes);
    let Ok(request) = serde_json::from_slice::<ResponsesRequest>(request) else {
        return;
    };
    if let Ok((request, writer)) = request.into_chat() {
        to_providers(request);
        written(writer, chunks, "response.");
    }
}

/// A request in the first line, the chunks of its answer in the others.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    (&bytes[..end], &bytes[end..])
}

/// Writes an answer from the lines of its chunks: every event is JSON of its name, and the last one is an end.
fn written(mut writer: impl AnswerWriter, chunks: &[u8], end: &str) {
    writer.answered_by("mana");
    let mut sent = Vec::new();
    for chunk in chunks.split(|byte| *byte == b'\n') {
        match writer.piece(&Bytes::copy_from_slice(chunk)) {
            Ok(events) => sent.extend_from_slice(&events),
            Err(_) => return,
        }
    }
    sent.extend_from_slice(&writer.end());
    let text = String::from_utf8(sent).expect("events are text");
    let mut last = "";
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        let (name, data) = event
            .split_once('\n')
            .expect("an event has a name and data");
        last = name.strip_prefix("event: ").expect("the name comes first");
        let data = data
            .strip_prefix("data: ")
            .expect("the data comes after it");
        let data: Value = serde_json::from_str(data).expect("data is JSON");
        assert_eq!(data["type"], last);
    }
    assert!(last.starts_with(end), "{last}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Reader = fn(&[u8]);

    /// How often each seed is changed.
    const CHANGES: usize = 400;

    /// Bytes that mean something to one of the readers.
    const TELLING: &[u8] = b"\"\\{}[]:,\n\r 0-9.eEtfn\0\xEF\xFF";

    /// A seed with some of its bytes changed, cut or said twice.
    fn changed(seed: &[u8], chance: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..chance.usize(1..6) {
            let at = chance.usize(..bytes.len().max(1));
            let end = (at + chance.usize(..40)).min(bytes.len());
            match chance.u8(..4) {
                0 if at < bytes.len() => bytes[at] = TELLING[chance.usize(..TELLING.len())],
                1 if at < end => drop(bytes.drain(at..end)),
                2 if at < end => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ if at < bytes.len() => bytes[at] = chance.u8(..),
                _ => {}
            }
        }
        bytes
    }

    #[test]
    fn every_reader_takes_its_seeds_however_they_are_changed() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        let readers: [(&str, Reader); 5] = [
            ("events", super::events),
            ("answers", super::answers),
            ("anthropic", super::anthropic),
            ("messages", super::messages),
            ("responses", super::responses),
        ];
        for (name, read) in readers {
            let mut tried = 0;
            for seed in fs::read_dir(seeds.join(name)).unwrap() {
                let seed = fs::read(seed.unwrap().path()).unwrap();
                read(&seed);
                let mut chance = fastrand::Rng::with_seed(1);
                for _ in 0..CHANGES {
                    read(&changed(&seed, &mut chance));
                    tried += 1;
                }
            }
            assert!(tried >= CHANGES, "{name}");
        }
    }
}
