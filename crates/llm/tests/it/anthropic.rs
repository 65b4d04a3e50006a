//! Anthropic's own protocol, behind OpenAI's.

use futures_util::StreamExt;
use mana_llm::{ErrorKind, StreamEvent};
use wiremock::matchers::{body_partial_json, header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

pub fn gateway(base: &str) -> Arc<Gateway> {
    let mut anthropic = provider("anthropic", base);
    assert_eq!(anthropic.api.name(), "anthropic", "by its name");
    anthropic.models = vec!["claude-x".to_owned()];
    Gateway::from_config(config(vec![anthropic]))
}

#[tokio::test]
async fn a_call_with_tools_goes_there_and_back() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/messages"))
        .and(header("x-api-key", KEY))
        .and(header("anthropic-version", "2023-06-01"))
        .and(body_partial_json(
            json!({"model": "claude-x", "max_tokens": 8192,
            "system": [{"type": "text", "text": "Be brief."}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}],
            "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}})))
        .mount(&upstream)
        .await;
    let base = serve(gateway(&upstream.uri())).await;
    let response = post(
        format!("{base}/v1/chat/completions"),
        &json!({"model": "anthropic/claude-x",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}),
    )
    .await;
    assert_eq!(
        response.headers()["x-mana-llm-resolved"],
        "anthropic/claude-x"
    );
    let answer = body(response).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": "{\"a\":1}"})
    );
    assert_eq!(answer["usage"]["total_tokens"], 7);
}

/// A stream as Anthropic documents it.
pub const EVENTS: [&str; 12] = [
    concat!(
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","#,
        r#""usage":{"input_tokens":10,"output_tokens":1}}}"#,
    ),
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me "}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"look."}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":20}}"#,
    r#"{"type":"message_stop"}"#,
];

pub async fn streaming(events: Vec<&'static str>) -> String {
    raw::serve(move |mut caller| {
        let events = events.clone();
        async move {
            caller.begin_events().await;
            for event in events {
                caller.event(event).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_comes_in_openais_pieces_with_its_usage_last() {
    let gateway = gateway(&streaming(EVENTS.to_vec()).await);
    let mut stream = soon(gateway.chat_stream(hello("anthropic/claude-x")))
        .await
        .unwrap();
    let (mut text, mut arguments, mut reason, mut last) =
        (String::new(), String::new(), None, None);
    while let Some(event) = soon(stream.next()).await {
        match event.unwrap() {
            StreamEvent::Data(data) => {
                let chunk: Value = serde_json::from_slice(&data).unwrap();
                assert_eq!(chunk["object"], "chat.completion.chunk");
                let choice = &chunk["choices"][0];
                text += choice["delta"]["content"].as_str().unwrap_or_default();
                let call = &choice["delta"]["tool_calls"][0]["function"];
                arguments += call["arguments"].as_str().unwrap_or_default();
                reason = choice["finish_reason"]
                    .as_str()
                    .map(str::to_owned)
                    .or(reason);
            }
            StreamEvent::Usage { usage, .. } => last = Some(usage),
            StreamEvent::KeepAlive | StreamEvent::Native(_) => {}
        }
    }
    assert_eq!(
        (text.as_str(), arguments.as_str()),
        ("Let me look.", "{\"a\":1}")
    );
    assert_eq!(reason.as_deref(), Some("tool_calls"));
    let usage = last.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (10, 20));
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_reports_an_error_is_not_complete() {
    const OVERLOADED: &str =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (events, kind) in [
        (EVENTS[..5].to_vec(), ErrorKind::CutOff),
        (vec![EVENTS[0], EVENTS[3], OVERLOADED], ErrorKind::Http(502)),
    ] {
        let gateway = gateway(&streaming(events).await);
        let mut stream = soon(gateway.chat_stream(hello("anthropic/claude-x")))
            .await
            .unwrap();
        let mut end = None;
        while let Some(event) = soon(stream.next()).await {
            end = event.err();
        }
        assert_eq!(end.map(|error| error.kind), Some(kind));
    }
}

#[tokio::test]
async fn its_refusals_keep_their_reason() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/messages"))
        .respond_with(ResponseTemplate::new(400).set_body_json(json!({
            "type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long"}})))
        .mount(&upstream)
        .await;
    let gateway = gateway(&upstream.uri());
    let refused = soon(gateway.chat(hello("anthropic/claude-x")))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Http(400));
    assert!(refused.message.contains("prompt is too long"), "{refused}");
}
