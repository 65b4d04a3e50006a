//! Streams as servers write them: what a client can use arrives, in the form that clients rely on, and ends are told
//! truly.

use std::collections::HashSet;

use crate::lenient::{JSON, passed};
use crate::raw::{STOP, chunk};
use crate::*;

#[tokio::test]
async fn chunks_are_put_right_where_clients_would_stumble() {
    let call = r#"{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#;
    for (sent, expected) in [
        (
            r#"{"id":null,"object":null,"z":1,"model":null,"choices":[{"delta":{},"index":0}]}"#,
            r#""object":"chat.completion.chunk","z":1,"model":"m","choices":[{"delta":{},"index":0}]}"#,
        ),
        (
            r#"{"choices":[{"index":null,"delta":{}}]}"#,
            r#"{"choices":[{"index":0,"delta":{}}]}"#,
        ),
        (
            r#"{"choices":[{"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x"},"index":0}]}"#,
        ),
        (
            &format!(r#"{{"choices":[{{"index":0,"delta":{call}}}]}}"#),
            r#"[{"id":"c","function":{"name":"f","arguments":"{}"},"index":0}]}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{},"logprobs":NaN}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"logprobs":null}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{}}],"usage":[],"error":{}}"#,
            r#"{"choices":[{"index":0,"delta":{}}],"usage":[],"error":{}}"#,
        ),
        (
            r#"{"choices":[{"index":"0","delta":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"message":{"content":"x"}}]}"#,
            r#""delta":{"content":"x"}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"text":"x"}]}"#,
            r#""delta":{"content":"x"}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":"hm"},{"text":"x"}]}}]}"#,
            r#"{"index":0,"delta":{"content":"x","reasoning_content":"hm"}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":"x"}},]}"#,
            r#"{"index":0,"delta":{"content":"x"}}]}"#,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":"5","completion_tokens":null}}"#,
            r#""usage":{"prompt_tokens":5,"completion_tokens":0}}"#,
        ),
    ] {
        let body = format!("data: {sent}\n\ndata: [DONE]\n\n");
        let (_, text) = passed("", body.as_bytes(), json!({"stream": true})).await;
        let (first, end) = text.split_once("\n\n").unwrap();
        assert!(first.ends_with(expected), "{first}");
        assert_eq!(end, "data: [DONE]\n\n");
    }
}

#[tokio::test]
async fn calls_without_a_place_get_one_by_their_id() {
    let call =
        |call: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#);
    let calls = [
        r#"{"id":"a"}"#,
        r#"{"function":{}}"#,
        r#"{"id":"b"}"#,
        r#"{"function":{}}"#,
        r#"{"id":"a"}"#,
    ];
    let events = calls.map(|one| format!("data: {}\n\n", call(one))).concat();
    let body = format!("{events}data: [DONE]\n\n");
    let (_, text) = passed("", body.as_bytes(), json!({"stream": true})).await;
    let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let places = chunks.map(|chunk| {
        let chunk: Value = serde_json::from_str(&format!("{{{chunk}")).unwrap();
        chunk["choices"][0]["delta"]["tool_calls"][0]["index"]
            .as_u64()
            .unwrap()
    });
    assert_eq!(places.collect::<Vec<_>>(), [0, 0, 1, 1, 0]);
}

/// The calls of a streamed answer as clients put them together, of an upstream that sends these choices.
async fn calls_of(choices: &[Value]) -> Vec<(String, String, String)> {
    let events = choices
        .iter()
        .map(|choice| format!("data: {}\n\n", json!({"choices": [choice]})));
    let body = format!("{}data: [DONE]\n\n", events.collect::<String>());
    let (_, text) = passed("", body.as_bytes(), json!({"stream": true})).await;
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("data: {")) {
        let chunk: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        let pieces = chunk["choices"][0]["delta"]["tool_calls"].as_array();
        for piece in pieces.into_iter().flatten() {
            let place = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            calls.resize(calls.len().max(place + 1), Default::default());
            let call = &mut calls[place];
            call.0 += piece["id"].as_str().unwrap_or_default();
            call.1 += piece["function"]["name"].as_str().unwrap_or_default();
            let arguments = &piece["function"]["arguments"];
            assert!(arguments.is_null() || arguments.is_string(), "{line}");
            call.2 += arguments.as_str().unwrap_or_default();
        }
    }
    calls
}

#[tokio::test]
async fn every_call_of_a_stream_has_an_id_and_arguments() {
    let call = |call: Value| json!({"index": 0, "delta": {"tool_calls": [call]}});
    let named =
        |name: &str, arguments: Value| json!({"function": {"name": name, "arguments": arguments}});
    let placed = |place: u64, mut call: Value| {
        call["index"] = place.into();
        call
    };
    let ends = |delta: Value| json!({"index": 0, "delta": delta, "finish_reason": "tool_calls"});
    for (choices, expected) in [
        (
            vec![call(named("f", json!("{}"))), call(named("g", json!("{}")))],
            vec![("f", "{}"), ("g", "{}")],
        ),
        (
            vec![
                call(placed(0, named("f", json!("")))),
                call(placed(0, named("", json!("{\"a\":1}")))),
            ],
            vec![("f", "{\"a\":1}")],
        ),
        (
            vec![call(placed(0, named("f", json!({"a": 1}))))],
            vec![("f", "{\"a\":1}")],
        ),
        (
            vec![call(placed(0, named("f", json!("")))), ends(json!({}))],
            vec![("f", "{}")],
        ),
        (
            vec![
                call(placed(0, named("f", Value::Null))),
                call(placed(1, named("g", json!("[]")))),
                ends(Value::Null),
            ],
            vec![("f", "{}"), ("g", "[]")],
        ),
        (
            vec![ends(
                json!({"tool_calls": [placed(0, named("f", json!("")))]}),
            )],
            vec![("f", "{}")],
        ),
        (
            vec![ends(
                json!({"tool_calls": [placed(0, named("f", json!("{}")))]}),
            )],
            vec![("f", "{}")],
        ),
    ] {
        let calls = calls_of(&choices).await;
        let told: Vec<(&str, &str)> = calls.iter().map(|call| (&*call.1, &*call.2)).collect();
        assert_eq!(told, expected, "{choices:?}");
        let ids: HashSet<&str> = calls.iter().map(|call| &*call.0).collect();
        assert!(
            ids.len() == calls.len() && ids.iter().all(|id| id.starts_with("call_")),
            "{calls:?}"
        );
    }
    let own = json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}});
    let more = json!({"index": 0, "id": null, "function": {"arguments": " "}});
    assert_eq!(
        calls_of(&[call(own), call(more)]).await,
        [("a".into(), "f".into(), "{} ".into())]
    );
}

#[tokio::test]
async fn signs_of_life_of_every_kind_are_no_pieces() {
    let life = concat!(
        ": x\n\ndata:\n\ndata: \n\nevent: ping\ndata: {}\n\n",
        "data: {\"type\":\"ping\"}\n\ndata: {\"choices\":null}\n\n"
    );
    let body = format!(
        "{life}data: {}\n\n{life}data: {STOP}\n\ndata: [DONE]\n\n",
        chunk("Hi")
    );
    let (status, text) = passed("", body.as_bytes(), json!({"stream": true})).await;
    let expected = format!("data: {}\n\ndata: {STOP}\n\ndata: [DONE]\n\n", chunk("Hi"));
    assert_eq!((status, text.replace(":\n\n", "")), (200, expected));
}

#[tokio::test]
async fn a_whole_answer_to_a_stream_has_places_for_its_calls() {
    let mut answer = completion("");
    answer["choices"][0]["message"]["tool_calls"] = json!([
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]);
    let (_, text) = passed(JSON, answer.to_string().as_bytes(), json!({"stream": true})).await;
    let first = text.lines().next().unwrap().strip_prefix("data: ").unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    let calls = &first["choices"][0]["delta"]["tool_calls"];
    assert_eq!(
        (&calls[0]["index"], &calls[1]["index"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(calls[0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn an_error_in_a_stream_is_one_in_any_dress() {
    for body in [
        "error: {\"code\":500,\"message\":\"no slot\"}\n\ndata: [DONE]\n\n",
        "error: no slot\n\ndata: [DONE]\n\n",
        "data: {\"object\":\"error\",\"message\":\"no slot\",\"code\":500}\n\ndata: [DONE]\n\n",
        "data: {\"type\":\"error\",\"error\":{\"message\":\"no slot\"}}\n\n",
        "event: error\ndata: {\"message\":\"no slot\"}\n\n",
        "event: error\ndata: no slot\n\n",
        "data: {\"error\":\"no slot\"}\n\ndata: [DONE]\n\n",
        "{\"error\":{\"message\":\"no slot\"}}",
    ] {
        let (status, text) = passed("", body.as_bytes(), json!({"stream": true})).await;
        assert!(status >= 500, "{body}: {status} {text}");
        assert!(text.contains("no slot"), "{body}: {text}");
        let late = format!("data: {}\n\n{body}", chunk("Hi"));
        let (_, text) = passed("", late.as_bytes(), json!({"stream": true})).await;
        assert!(
            text.contains("no slot") && !text.contains("[DONE]"),
            "{late}: {text}"
        );
    }
}

#[tokio::test]
async fn a_complete_answer_stays_complete_whatever_comes_after_it() {
    // The connection breaks off within the body, after the model's last word.
    let body = format!("data: {}\n\ndata: {STOP}\n\n", chunk("Hi"));
    let head = format!(
        "content-type: text/event-stream\r\ncontent-length: {}\r\n",
        body.len() + 100
    );
    let (_, text) = passed(&head, body.as_bytes(), json!({"stream": true})).await;
    assert!(
        text.ends_with("data: [DONE]\n\n") && !text.contains("error"),
        "{text}"
    );
    let half = format!("data: {}\n\n", chunk("Hi"));
    let (_, text) = passed(&head, half.as_bytes(), json!({"stream": true})).await;
    assert!(
        text.contains("answer_cut_off") && !text.contains("[DONE]"),
        "{text}"
    );
    // Of two answers one is finished.
    let (_, text) = passed(&head, body.as_bytes(), json!({"stream": true, "n": 2})).await;
    assert!(text.contains("answer_cut_off"), "{text}");
    // An empty reason is none.
    let open = body.replace("\"stop\"", "\"\"");
    let (_, text) = passed("", open.as_bytes(), json!({"stream": true})).await;
    assert!(text.contains("answer_cut_off"), "{text}");
}

#[tokio::test]
async fn a_model_that_said_its_last_word_is_not_waited_for() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("Hi")).await;
        caller.event(STOP).await;
        caller.hung_up().await;
    })
    .await;
    let base = serve(gateway_to(&upstream)).await;
    let mut request = hello("up/m");
    request.stream = Some(true);
    let begun = std::time::Instant::now();
    let request = serde_json::to_value(request).unwrap();
    let response = post(format!("{base}/v1/chat/completions"), &request).await;
    let text = soon(response.text()).await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(8));
}
