use super::*;
use crate::error::ErrorKind;
use crate::protocols::responses::ResponsesRequest;
use crate::protocols::writer::MOST_KEPT;

fn writer(more: Value) -> ResponsesWriter {
    let mut body = json!({"input": "Hi", "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "custom", "name": "c"},
        {"type": "local_shell"}, {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "g"}]}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let request: ResponsesRequest = serde_json::from_value(body).unwrap();
    request.into_chat().unwrap().1
}

fn chunk(delta: Value) -> Bytes {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
    Bytes::from(json!({"id": "c1", "model": "m", "choices": choices}).to_string())
}

fn finished(reason: &str) -> Bytes {
    let choices = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    Bytes::from(json!({"id": "c1", "model": "m", "choices": choices}).to_string())
}

fn events(sent: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(sent).unwrap();
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    let events: Vec<Value> = events
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
            data
        })
        .collect();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], place, "{event}");
    }
    events
}

/// The output put together from a stream's items, parts and deltas.
fn put_together(events: &[Value]) -> Vec<Value> {
    let mut output: Vec<Value> = Vec::new();
    let mut done: Vec<Value> = Vec::new();
    for event in events {
        let place = event["output_index"].as_u64().unwrap_or(0) as usize;
        let mut add = |pointer: &str| {
            let field = output[place].pointer_mut(pointer).unwrap();
            *field = format!(
                "{}{}",
                field.as_str().unwrap(),
                event["delta"].as_str().unwrap()
            )
            .into();
        };
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                while output.len() <= place {
                    output.push(Value::Null);
                }
                output[place] = event["item"].clone();
            }
            "response.content_part.added" => {
                output[place]["content"]
                    .as_array_mut()
                    .unwrap()
                    .push(event["part"].clone());
            }
            "response.reasoning_summary_part.added" => {
                output[place]["summary"]
                    .as_array_mut()
                    .unwrap()
                    .push(event["part"].clone());
            }
            "response.output_text.delta" => add("/content/0/text"),
            "response.reasoning_summary_text.delta" => add("/summary/0/text"),
            "response.function_call_arguments.delta" => add("/arguments"),
            "response.custom_tool_call_input.delta" => add("/input"),
            "response.output_item.done" => {
                assert_eq!(output[place]["id"], event["item"]["id"]);
                done.push(event["item"].clone());
            }
            _ => {}
        }
    }
    assert_eq!(done.len(), output.len(), "every item ends");
    output
}

fn streamed(mut writer: ResponsesWriter, chunks: &[Bytes]) -> Vec<Value> {
    let usage: Usage = serde_json::from_value(json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 2}}))
    .unwrap();
    let mut sent = Vec::new();
    for chunk in chunks {
        sent.extend_from_slice(&writer.piece(chunk).unwrap());
    }
    sent.extend_from_slice(&writer.usage(&usage, None));
    sent.extend_from_slice(&writer.end());
    events(&sent)
}

fn without_ids(items: &[Value], fields: &[&str]) -> Vec<Value> {
    let items = items.iter().cloned().map(|mut item| {
        for field in fields {
            item.as_object_mut().unwrap().remove(*field);
        }
        item
    });
    items.collect()
}

fn call(place: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": place, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

#[test]
fn every_kind_of_item_is_streamed_and_told_again_at_the_end() {
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""})),
        chunk(json!({"reasoning": "hm"})),
        chunk(json!({"content": "I "})),
        chunk(json!({"content": "look."})),
        chunk(call(0, "a", "f", "")),
        chunk(call(1, "b", "c", "{\"input\":")),
        chunk(call(0, "", "", "{\"z\":1}")),
        chunk(call(1, "", "", "\"*** Begin\"}")),
        chunk(call(2, "d", "local_shell", "{\"command\":[\"ls\"]}")),
        chunk(call(3, "", "n__g", "")),
        finished("tool_calls"),
    ];
    let events = streamed(writer(json!({})), &chunks);
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events[1]["type"], "response.in_progress");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let output = last["response"]["output"].as_array().unwrap();
    let mut together = put_together(&events);
    // The streamed items say "in progress" still.
    for item in &mut together {
        if item.get("status").is_some() {
            item["status"] = "completed".into();
        }
    }
    assert_eq!(*output, together);
    let call_ids: Vec<&Value> = output[2..].iter().map(|item| &item["call_id"]).collect();
    assert_eq!(call_ids[..3], ["a", "b", "d"]);
    assert!(call_ids[3].as_str().unwrap().starts_with("call_"));
    assert_eq!(
        without_ids(output, &["id", "call_id"]),
        [
            json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}),
            json!({"type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}]}),
            json!({"type": "function_call", "name": "f", "arguments": "{\"z\":1}", "status": "completed"}),
            json!({"type": "custom_tool_call", "name": "c", "input": "*** Begin"}),
            json!({"type": "local_shell_call", "status": "completed", "action": {"type": "exec", "command": ["ls"],
                "env": {}}}),
            json!({"type": "function_call", "namespace": "n", "name": "g", "arguments": "{}", "status": "completed"}),
        ]
    );
    assert_eq!(
        last["response"]["usage"],
        json!({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 13})
    );
}

#[test]
fn a_whole_answer_says_the_same() {
    let answer = json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "I look.",
            "reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let answer: ChatCompletion = serde_json::from_value(answer).unwrap();
    let mut writer = writer(
        json!({"include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}, "instructions": "Be brief."}),
    );
    let response: Value = serde_json::from_slice(&writer.whole(&answer).unwrap()).unwrap();
    assert_eq!(response["object"], "response");
    assert_eq!(response["status"], "incomplete");
    assert_eq!(
        response["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(response["model"], "m");
    for (field, value) in [
        ("store", json!(false)),
        ("metadata", json!({"a": "b"})),
        ("instructions", json!("Be brief.")),
        ("previous_response_id", json!(null)),
        ("tool_choice", json!("auto")),
        ("error", json!(null)),
    ] {
        assert_eq!(response[field], value, "{field}");
    }
    let sealed = response["output"][0]["encrypted_content"].as_str().unwrap();
    let thoughts = Thoughts::unsealed(sealed).unwrap();
    assert_eq!(
        (&*thoughts.text, &thoughts.blocks[0]["signature"]),
        ("hm", &json!("s"))
    );
    assert_eq!(response["output"][1]["content"][0]["text"], "I look.");
    assert_eq!(response["usage"]["total_tokens"], 5);
}

#[test]
fn a_failure_is_no_end_and_names_its_kind() {
    for (kind, message, code) in [
        (ErrorKind::CutOff, "cut", "answer_cut_off"),
        (ErrorKind::OverBudget, "spent", "insufficient_quota"),
        (
            ErrorKind::RateLimited { retry_after: None },
            "slow",
            "rate_limit_exceeded",
        ),
        (
            ErrorKind::Http(400),
            "This model's maximum context length is 8192 tokens",
            "context_length_exceeded",
        ),
    ] {
        let mut writer = writer(json!({}));
        let mut sent = writer
            .piece(&chunk(json!({"content": "x"})))
            .unwrap()
            .to_vec();
        sent.extend_from_slice(&writer.failure(&GatewayError::new(kind, message)));
        let events = events(&sent);
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["status"], "failed");
        assert_eq!(last["response"]["error"]["code"], code);
        assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    }
    // A failure before the first piece has a beginning too: clients wait for it.
    let early = events(&writer(json!({})).failure(&GatewayError::new(ErrorKind::Timeout, "late")));
    let kinds: Vec<&Value> = early.iter().map(|event| &event["type"]).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.failed"
        ]
    );
}

#[test]
fn an_answer_that_is_too_large_to_say_again_ends() {
    let mut writer = writer(json!({}));
    let part = "x".repeat(MOST_KEPT / 2 + 1);
    assert!(writer.piece(&chunk(json!({"content": part}))).is_ok());
    let error = writer.piece(&chunk(json!({"content": part}))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}
