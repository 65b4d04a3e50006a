//! No log line holds a word of a request or an answer, whatever fails.

use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use futures_util::StreamExt;
use mana_llm::ErrorKind;
use mana_llm::wire::{EmbeddingsRequest, RawJson};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::raw::chunk;
use crate::*;

/// A word of a person's, which is nowhere in the code.
const MARK: &str = "HYPERTENSION-7313";

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn keep(&self, metadata: &Metadata<'_>, line: Line) {
        // Libraries trace what they send where an owner turns that on by their name.
        if metadata.target().starts_with("mana") || *metadata.level() <= Level::INFO {
            let text = format!("{} {}{}", metadata.level(), metadata.target(), line.0);
            self.0.lock().unwrap().push(text);
        }
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line::default();
        span.record(&mut line);
        self.keep(span.metadata(), line);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line::default();
        values.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.keep(event.metadata(), line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A person's request, with calls of the conversation so far.
fn marked(model: &str) -> ChatRequest {
    let mut call = Message::text("assistant", "");
    let function = json!({"name": "diagnose", "arguments": format!("{{\"{MARK}\"")});
    let calls = json!([{"id": "c1", "type": "function", "function": function}]);
    call.extra.insert("tool_calls".to_owned(), calls);
    let mut result = Message::text("tool", MARK);
    result.extra.insert("tool_call_id".to_owned(), "c1".into());
    let mut request = ChatRequest::new(model, vec![Message::user(MARK), call, result]);
    let tool = json!([{"type": "function", "function": {"name": "f", "description": MARK}}]);
    request.tools = RawJson::of(&tool);
    request
}

/// Answers every request with these bytes.
async fn saying(answer: String) -> String {
    raw::serve(move |mut caller| {
        let answer = answer.clone();
        async move {
            caller.send(answer).await;
        }
    })
    .await
}

fn whole(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nx-request-id: {MARK}\r\nretry-after: {MARK}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn events(events: &[&str]) -> String {
    let events: String = events.iter().map(|event| format!("{event}\n\n")).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close";
    format!("{head}\r\nx-request-id: {MARK}\r\n\r\n{events}")
}

#[tokio::test]
async fn a_mark_in_every_failure_is_in_no_line_of_the_log() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let json = "application/json";
    let said = json!({"error": {"message": format!("You said {MARK}"), "type": MARK, "code": MARK, "param": MARK}});
    let said = said.to_string();
    let piece = format!("data: {}", chunk(MARK));
    let mut answers: Vec<String> = [
        "400 Bad Request",
        "401 Unauthorized",
        "402 Payment Required",
        "403 Forbidden",
        "404 Not Found",
        "413 Too Large",
        "422 Unprocessable",
        "429 Too Many",
        "500 Broken",
        "503 Later",
    ]
    .iter()
    .flat_map(|status| {
        [
            whole(status, json, &said),
            whole(status, "text/plain", MARK),
            whole(status, "text/html", &format!("<p>{MARK}</p>")),
            whole(status, json, &json!({ "detail": MARK }).to_string()),
        ]
    })
    .collect();
    answers.extend([
        whole("200 OK", json, &said),
        whole("200 OK", json, &json!({ "error": MARK }).to_string()),
        whole("200 OK", json, &json!({ MARK: MARK }).to_string()),
        whole("200 OK", json, &format!("{{\"{MARK}\"")),
        whole("200 OK", "text/plain", MARK),
        whole("200 OK", json, ""),
        format!("HTTP/1.1 302 Found\r\nlocation: http://{MARK}/\r\ncontent-length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: {MARK}\r\ncontent-length: 4\r\n\r\n{{\"a\""),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{{\"{MARK}\""),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{MARK}\r\n"),
        format!("{MARK} is no HTTP\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{MARK}\r\n\r\n"),
        events(&[&piece, &format!("data: {said}")]),
        events(&[&piece, &format!("error: {said}")]),
        events(&[&piece, &format!("event: error\ndata: {MARK}")]),
        events(&[&piece, &format!("data: {MARK}")]),
        events(&[&piece]),
        events(&[&format!("data: {said}")]),
        events(&[&format!("data: {MARK}")]),
        events(&[
            "data: {\"type\":\"message_start\",\"message\":{}}",
            &format!("data: {said}"),
        ]),
    ]);
    let failed = answers.len();
    for answer in answers {
        let base = saying(answer).await;
        let mut native = provider("anthropic", &base);
        native.timeout = Some(Duration::from_secs(2));
        let gateway = Gateway::from_config(config(vec![provider("up", &base), native]));
        for model in ["up/m", "anthropic/claude-sonnet-4-5"] {
            let _ = soon(gateway.chat(marked(model))).await;
            match soon(gateway.chat_stream(marked(model))).await {
                Ok(stream) => drop(soon(stream.collect::<Vec<_>>()).await),
                Err(error) => assert_ne!(error.kind, ErrorKind::UnknownModel),
            }
            let embeddings = EmbeddingsRequest::new(model, json!([MARK]));
            let _ = soon(gateway.embeddings(embeddings)).await;
        }
        let health = serde_json::to_string(&gateway.health()).unwrap();
        assert!(!health.contains(MARK), "{health}");
        let _ = soon(gateway.models()).await;
        let base = serve(gateway).await;
        let body = serde_json::to_value(marked("up/m")).unwrap();
        let request = client()
            .post(format!("{base}/v1/chat/completions"))
            .bearer_auth("good");
        let request = request.header("x-mark", MARK).body(body.to_string());
        drop(soon(soon(request.send()).await.unwrap().bytes()).await);
        let broken = client()
            .post(format!("{base}/v1/chat/completions"))
            .bearer_auth("good");
        let broken = broken.body(format!("{{\"messages\": {MARK}"));
        drop(soon(soon(broken.send()).await.unwrap().bytes()).await);
    }
    let lines = log.0.lock().unwrap();
    let warned = lines
        .iter()
        .filter(|line| line.contains("call to up/m failed"));
    assert!(warned.count() >= failed, "{}", lines.join("\n"));
    for line in lines.iter() {
        assert!(!line.contains(MARK), "{line}");
    }
}
