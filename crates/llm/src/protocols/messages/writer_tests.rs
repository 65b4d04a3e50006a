use super::*;
use crate::error::ErrorKind;
use crate::protocols::writer::MOST_KEPT;

fn writer(thinks: bool) -> MessagesWriter {
    MessagesWriter::new(thinks, vec!["END".to_owned()], 7)
}

fn chunk(delta: Value) -> Bytes {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
    Bytes::from(json!({"id": "c1", "model": "m", "choices": choices}).to_string())
}

fn finished(reason: &str, stopped_at: Value) -> Bytes {
    let choices =
        json!([{"index": 0, "delta": {}, "finish_reason": reason, "stop_reason": stopped_at}]);
    Bytes::from(json!({"id": "c1", "model": "m", "choices": choices}).to_string())
}

/// The events in a text: names and data have to agree.
fn events(sent: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(sent).unwrap();
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
            data
        })
        .collect()
}

/// A stream put together as Anthropic's own clients do it.
fn put_together(events: &[Value]) -> Value {
    let mut message = Value::Null;
    let mut json: Vec<String> = Vec::new();
    for event in events {
        let place = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), place, "blocks come in order");
                content.push(event["content_block"].clone());
                json.push(String::new());
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let block = &mut message["content"][place];
                let (field, kind) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "thinking"),
                    "input_json_delta" => {
                        assert_eq!(block["type"], "tool_use");
                        json[place] += delta["partial_json"].as_str().unwrap();
                        continue;
                    }
                    other => panic!("{other}"),
                };
                assert_eq!(block["type"], kind);
                let said = format!(
                    "{}{}",
                    block[field].as_str().unwrap(),
                    delta[field].as_str().unwrap()
                );
                block[field] = said.into();
            }
            "content_block_stop" => {
                if message["content"][place]["type"] == "tool_use" {
                    message["content"][place]["input"] =
                        serde_json::from_str(&json[place]).unwrap();
                }
            }
            "message_delta" => {
                for field in ["stop_reason", "stop_sequence"] {
                    message[field] = event["delta"][field].clone();
                }
                for (field, value) in event["usage"].as_object().unwrap() {
                    message["usage"][field] = value.clone();
                }
            }
            "message_stop" => {}
            other => panic!("{other}"),
        }
    }
    message
}

fn usage_of(prompt: u64, completion: u64, extra: Value) -> Usage {
    let mut usage =
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0});
    usage
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    serde_json::from_value(usage).unwrap()
}

/// The events and the whole message of chunks.
fn streamed(thinks: bool, chunks: &[Bytes], usage: &Usage) -> (Vec<Value>, Value) {
    let mut writer = writer(thinks);
    let mut sent = Vec::new();
    for chunk in chunks {
        sent.extend_from_slice(&writer.piece(chunk).unwrap());
    }
    sent.extend_from_slice(&writer.usage(usage, None));
    sent.extend_from_slice(&writer.end());
    let events = events(&sent);
    let message = put_together(&events);
    (events, message)
}

#[test]
fn words_thoughts_and_calls_become_blocks_in_order() {
    let call = |place: u64, id: &str, name: &str| {
        json!({"tool_calls": [{"index": place, "id": id,
        "function": {"name": name, "arguments": ""}}]})
    };
    let more = |place: u64, text: &str| json!({"tool_calls": [{"index": place, "function": {"arguments": text}}]});
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""})),
        chunk(json!({"reasoning_content": "Let me "})),
        chunk(json!({"reasoning_content": "see."})),
        chunk(json!({"content": "I "})),
        chunk(json!({"content": "look."})),
        chunk(call(0, "a", "f")),
        chunk(call(1, "b", "g")),
        // Two calls side by side.
        chunk(more(0, "{\"z\":1,")),
        chunk(more(0, "\"a\":2}")),
        chunk(call(2, "", "h")),
        finished("tool_calls", Value::Null),
    ];
    let usage = usage_of(
        20,
        9,
        json!({"prompt_tokens_details": {"cached_tokens": 12}, "cache_creation_input_tokens": 3}),
    );
    let (events, message) = streamed(true, &chunks, &usage);
    assert_eq!(message["id"], "msg_c1");
    assert_eq!(message["stop_reason"], "tool_use");
    assert_eq!(
        message["usage"],
        json!({"input_tokens": 5, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 12, "output_tokens": 9})
    );
    let content = message["content"].as_array().unwrap();
    assert_eq!(
        content[0],
        json!({"type": "thinking", "thinking": "Let me see.", "signature": "mana"})
    );
    assert_eq!(content[1], json!({"type": "text", "text": "I look."}));
    assert_eq!(
        content[2],
        json!({"type": "tool_use", "id": "a", "name": "f", "input": {"z": 1, "a": 2}})
    );
    assert_eq!(
        content[3],
        json!({"type": "tool_use", "id": "b", "name": "g", "input": {}})
    );
    assert!(content[4]["id"].as_str().unwrap().starts_with("toolu_"));
    // Every block ends, once.
    let stops = events
        .iter()
        .filter(|event| event["type"] == "content_block_stop");
    let stops: Vec<u64> = stops
        .map(|event| event["index"].as_u64().unwrap())
        .collect();
    assert_eq!(stops, [0, 1, 2, 3, 4]);
    assert_eq!(
        events[0]["message"]["usage"]["input_tokens"], 7,
        "estimated until it is known"
    );
}

#[test]
fn thoughts_are_told_to_those_who_asked_for_them() {
    let chunks = [
        chunk(json!({"reasoning_content": "hm"})),
        chunk(json!({"content": "so"})),
        finished("stop", Value::Null),
    ];
    let (_, message) = streamed(false, &chunks, &usage_of(1, 1, json!({})));
    assert_eq!(message["content"], json!([{"type": "text", "text": "so"}]));
}

#[test]
fn signed_thoughts_keep_their_signature_streamed_or_whole() {
    let signed = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking",
        "data": "x"}]);
    let piecemeal = [
        chunk(json!({"reasoning_content": "h"})),
        chunk(json!({"reasoning_content": "m"})),
        chunk(json!({"thinking_blocks": [signed[0]]})),
        chunk(json!({"thinking_blocks": [signed[1]]})),
        finished("stop", Value::Null),
    ];
    let at_once = [
        chunk(json!({"reasoning_content": "hm", "thinking_blocks": signed})),
        finished("stop", Value::Null),
    ];
    for chunks in [&piecemeal[..], &at_once] {
        let (_, message) = streamed(true, chunks, &usage_of(1, 1, json!({})));
        assert_eq!(message["content"], signed);
    }
}

#[test]
fn every_end_has_anthropics_reason() {
    let called = json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]});
    for (delta, reason, stopped_at, expected) in [
        (
            json!({"content": "x"}),
            "stop",
            Value::Null,
            ("end_turn", Value::Null),
        ),
        (
            json!({"content": "x"}),
            "length",
            Value::Null,
            ("max_tokens", Value::Null),
        ),
        (
            json!({"refusal": "no"}),
            "content_filter",
            Value::Null,
            ("refusal", Value::Null),
        ),
        (
            json!({"content": "x"}),
            "stop",
            json!("END"),
            ("stop_sequence", json!("END")),
        ),
        (
            json!({"content": "x"}),
            "stop",
            json!("other"),
            ("end_turn", Value::Null),
        ),
        (
            called.clone(),
            "stop",
            Value::Null,
            ("tool_use", Value::Null),
        ),
        (called, "length", Value::Null, ("max_tokens", Value::Null)),
    ] {
        let (_, message) = streamed(
            false,
            &[chunk(delta), finished(reason, stopped_at)],
            &usage_of(1, 1, json!({})),
        );
        assert_eq!(message["stop_reason"], expected.0, "{reason}");
        assert_eq!(message["stop_sequence"], expected.1, "{reason}");
    }
}

#[test]
fn a_whole_answer_says_the_same_and_keeps_the_order_of_arguments() {
    let answer = json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "I look.", "reasoning_content": "hm",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f",
                "arguments": "{\"z\":1, \"a\":2}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{\"cut"}}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let answer: ChatCompletion = serde_json::from_value(answer).unwrap();
    let whole = writer(true).whole(&answer).unwrap();
    let text = std::str::from_utf8(&whole).unwrap();
    assert!(text.contains(r#""input":{"z":1, "a":2}"#), "{text}");
    let message: Value = serde_json::from_slice(&whole).unwrap();
    let kinds: Vec<&str> = message["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(
        message["content"][3]["input"],
        json!({"arguments": "{\"cut"})
    );
    assert_eq!(message["usage"]["output_tokens"], 2);
    let mut native = answer;
    native.native = Some(Bytes::from_static(b"{ }"));
    assert_eq!(&*writer(true).whole(&native).unwrap(), b"{ }");
}

#[test]
fn anthropics_own_events_pass_byte_for_byte_and_replace_ours() {
    let mut writer = writer(true);
    let event = Bytes::from_static(
        br#"{"type":"content_block_delta", "index":0,"delta":{"type":"citations_delta","a":2.50}}"#,
    );
    let sent = writer.native(&event);
    assert_eq!(
        sent,
        Bytes::from([b"event: content_block_delta\ndata: ", &*event, b"\n\n"].concat())
    );
    assert!(
        writer
            .piece(&chunk(json!({"content": "x"})))
            .unwrap()
            .is_empty()
    );
    assert!(writer.end().is_empty());
    let failure = GatewayError::new(ErrorKind::CutOff, "cut");
    let failed = events(&writer.failure(&failure));
    assert_eq!(failed[0]["error"]["type"], "api_error");
}

#[test]
fn an_empty_stream_is_a_whole_message_and_a_huge_one_ends() {
    let (events, message) = streamed(false, &[], &Usage::default());
    assert_eq!(events.len(), 3);
    assert_eq!(message["content"], json!([]));
    let mut writer = writer(false);
    let part = "x".repeat(MOST_KEPT / 2 + 1);
    let call = json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": part}}]});
    assert!(writer.piece(&chunk(call.clone())).is_ok());
    assert_eq!(
        writer.piece(&chunk(call)).unwrap_err().kind,
        ErrorKind::TooLarge
    );
}
