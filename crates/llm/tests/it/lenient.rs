//! Answers as servers write them: what a client can use arrives, in the form that clients rely on, and never counts as
//! a provider's failure.

use mana_llm::providers::StreamEvent;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw::{STOP, chunk};
use crate::*;

/// The answer over HTTP to a chat with these fields, of an upstream that sends these bytes after the head of an answer.
pub async fn passed(head: &str, body: &[u8], fields: Value) -> (u16, String) {
    let wire = [
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n").as_bytes(),
        body,
    ]
    .concat();
    let upstream = raw::serve(move |mut caller| {
        let wire = wire.clone();
        async move {
            caller.send(&wire).await;
        }
    })
    .await;
    let base = serve(gateway_to(&upstream)).await;
    let mut request = json!({"model": "up/m", "messages": [{"role": "user", "content": "Hello"}]});
    let fields = fields.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(fields);
    let response = post(format!("{base}/v1/chat/completions"), &request).await;
    let status = response.status().as_u16();
    (status, soon(response.text()).await.unwrap())
}

pub const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn an_answer_passes_byte_for_byte() {
    let body = concat!(
        r#"{"usage": {"total_tokens":3, "prompt_tokens":1,"completion_tokens":2}, "#,
        r#""z":[1.0, 1e2],"id":"1","object":"o","#,
        "\n",
        r#""model":"m","choices":[{"message":{"role":"assistant","content":"\u0048i"},"index":0,"#,
        r#""finish_reason":"stop"}]}"#,
    );
    let (status, text) = passed(JSON, body.as_bytes(), json!({})).await;
    assert_eq!((status, text.as_str()), (200, body));
}

#[tokio::test]
async fn an_answer_with_odd_fields_arrives_and_is_put_right() {
    let answer = |fields: &str, choice: &str, message: &str| {
        format!(
            r#"{{{fields}"choices":[{{{choice}"message":{{{message}"content":"Hi"}},"finish_reason":"stop"}}]}}"#
        )
    };
    let plain = |fields: &str| answer(fields, r#""index":0,"#, r#""role":"assistant","#);
    let bodies = [
        plain(r#""usage":{"prompt_tokens":5,"completion_tokens":null,"total_tokens":"5"},"#),
        plain(r#""usage":{"prompt_tokens":12.0,"completion_tokens":-1},"#),
        plain(r#""usage":[],"#),
        plain(r#""usage":"none","#),
        plain(r#""usage":{"prompt_tokens":{},"total_tokens":[1]},"#),
        plain(r#""id":null,"object":null,"model":null,"created":null,"#),
        plain(r#""id":7,"object":1,"model":[],"#),
        plain(r#""error":null,"#),
        plain(r#""error":{},"#),
        plain(r#""error":{"code":0,"message":""},"#),
        plain(r#""logprobs":NaN,"x":[Infinity,-Infinity,1e999],"#),
        answer("", r#""index":null,"#, ""),
        answer("", "", r#""role":null,"#),
        answer("", r#""index":"0","#, r#""role":"","#),
        format!("\u{FEFF}{}", plain("")),
        format!("\r\n\r\n  {}\r\n", plain("")),
        format!(": WAIT\n\n: WAIT\n\n{}", plain("")),
        format!(": WAIT\n\n{}", plain("").replace(',', ",\n  ")),
        plain("").replace("}]", "},]"),
        plain(r#""x":None,"y":[True,False],"#),
        plain("").replace(r#""Hi""#, r#"[{"type":"text","text":"Hi"}]"#),
        plain("").replace(r#""Hi""#, r#"{"text":"Hi"}"#),
        plain("").replace(r#""finish_reason":"stop""#, r#""finish_reason":7"#),
        plain("").replace(r#""Hi""#, "\"Hi\n\""),
        r#"{"choices":[{"index":0,"text":"Hi"}]}"#.to_owned(),
    ];
    for body in bodies {
        let (status, text) = passed(JSON, body.as_bytes(), json!({})).await;
        assert_eq!(status, 200, "{body}: {text}");
        let said: Value = serde_json::from_str(&text).unwrap();
        for field in ["id", "object", "model"] {
            assert!(
                said[field].as_str().is_some_and(|text| !text.is_empty()),
                "{body}: {text}"
            );
        }
        let choice = &said["choices"][0];
        assert_eq!(
            choice["message"]["content"].as_str().unwrap().trim(),
            "Hi",
            "{text}"
        );
        assert_eq!(
            (&choice["message"]["role"], &choice["index"]),
            (&json!("assistant"), &json!(0)),
            "{text}"
        );
        for count in ["prompt_tokens", "completion_tokens", "total_tokens"] {
            let count = &said["usage"][count];
            assert!(count.is_null() || count.is_u64(), "{text}");
        }
    }
}

#[tokio::test]
async fn an_odd_answer_never_counts_against_its_provider() {
    let upstream = MockServer::start().await;
    let body = r#"{"usage":[],"choices":[{"message":{"content":"Hi"}}]}"#;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    for _ in 0..8 {
        assert_eq!(
            soon(gateway.chat(hello("up/m"))).await.unwrap().text(),
            "Hi"
        );
    }
    assert_eq!(gateway.health().providers[0].state, "up");
}

#[tokio::test]
async fn a_stream_is_one_whatever_its_content_type_and_line_ends() {
    let events = |end: &str| {
        let events = [&chunk("Hi"), STOP, "[DONE]"].map(|data| format!("data: {data}{end}{end}"));
        events.concat()
    };
    let expected = events("\n");
    for content_type in [
        "text/event-stream",
        "text/event-stream; charset=utf-8",
        "text/plain",
        "application/json",
        "application/octet-stream",
        "application/x-ndjson",
        "",
    ] {
        let head = match content_type {
            "" => String::new(),
            content_type => format!("content-type: {content_type}\r\n"),
        };
        for (start, end) in [
            ("", "\n"),
            ("\u{FEFF}", "\r\n"),
            (": hello\r\r", "\r"),
            ("\n\nretry: 5\n", "\n"),
        ] {
            let body = format!("{start}{}", events(end));
            let (status, text) = passed(&head, body.as_bytes(), json!({"stream": true})).await;
            assert_eq!(status, 200, "{text}");
            assert_eq!(
                text.replace(":\n\n", ""),
                expected,
                "{content_type} {end:?}"
            );
        }
        let whole = completion("Hi").to_string();
        let (status, text) = passed(&head, whole.as_bytes(), json!({"stream": true})).await;
        assert_eq!(status, 200, "{text}");
        assert!(
            text.contains(r#""content":"Hi""#) && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_nobody_asked_for_becomes_an_answer() {
    let events = format!("data: {}\n\ndata: {STOP}\n\ndata: [DONE]\n\n", chunk("Hi"));
    let lines = format!("{}\n{STOP}\n", chunk("Hi"));
    for (content_type, body) in [
        ("text/event-stream", &events),
        ("application/json", &events),
        ("application/x-ndjson", &lines),
    ] {
        let head = format!("content-type: {content_type}\r\n");
        let (status, text) = passed(&head, body.as_bytes(), json!({})).await;
        assert_eq!(status, 200, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(said["choices"][0]["message"]["content"], "Hi", "{text}");
        let (_, text) = passed(&head, body.as_bytes(), json!({"stream": true})).await;
        assert!(
            text.contains("Hi") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
    }
    let error = "error: {\"message\":\"no slot\",\"code\":503}\n\ndata: [DONE]\n\n";
    let (status, text) = passed("", error.as_bytes(), json!({})).await;
    assert_eq!(status, 503);
    assert!(text.contains("no slot"), "{text}");
}

fn compressed(coding: &str, text: &[u8]) -> Vec<u8> {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    let level = Compression::default();
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "zlib" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
    }
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let whole = completion("Hi").to_string();
    let events = format!("data: {}\n\ndata: {STOP}\n\ndata: [DONE]\n\n", chunk("Hi"));
    for (coding, named) in [
        ("gzip", "gzip"),
        ("gzip", "identity"),
        ("zlib", "deflate"),
        ("raw", "deflate"),
    ] {
        let head = format!("{JSON}content-encoding: {named}\r\n");
        let (_, text) = passed(&head, &compressed(coding, whole.as_bytes()), json!({})).await;
        assert_eq!(text, whole, "{coding}");
        let body = compressed(coding, events.as_bytes());
        let (_, text) = passed(&head, &body, json!({"stream": true})).await;
        assert_eq!(text, events, "{coding}");
    }
    let head = format!("{JSON}content-encoding: br\r\n");
    let brotli = b"\x8b\x14\x80{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}\x03";
    let (status, text) = passed(&head, brotli, json!({})).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(r#""content":"Hi""#), "{text}");
    let head = format!("{JSON}content-encoding: zstd\r\n");
    let (status, text) = passed(&head, &[0x28, 0xB5, 0x2F, 0xFD], json!({})).await;
    assert_eq!(status, 502);
    assert!(text.contains("was not asked for (zstd)"), "{text}");
    let bomb = compressed("gzip", &vec![b' '; 20 << 20]);
    let (status, text) = passed(
        &format!("{JSON}content-encoding: gzip\r\n"),
        &bomb,
        json!({}),
    )
    .await;
    assert_eq!(status, 502);
    assert!(text.contains("answer_too_large"), "{text}");
}

#[tokio::test]
async fn a_request_passes_in_the_callers_order_and_words() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let base = serve(gateway_to(&upstream.uri())).await;
    let written = concat!(
        "\u{FEFF}",
        r#"{"z": {"b":1.0,"a":[ 1e2 ]},"messages": [{"name":"x","#,
        r#""content":[{"z":1,"type":"text","text":"\u0048i"}],"role":"user"}],"#,
        r#""temperature":0.10,"guided_json":{"properties":{"reasoning":{},"answer":{}}},"n":"1","model":"up/m","#,
        r#""max_tokens":7,"#,
        r#""seed":12345678901234567890,"#,
        r#""tools":[{"function":{"name":"f","parameters":{"z":1,"a":2}},"type":"function"}]}"#,
    );
    let sent = client()
        .post(format!("{base}/v1/chat/completions"))
        .bearer_auth("good")
        .body(written);
    assert_eq!(soon(sent.send()).await.unwrap().status(), 200);
    let requests = upstream.received_requests().await.unwrap();
    let went_up = std::str::from_utf8(&requests[0].body).unwrap();
    let expected = concat!(
        r#"{"z":{"b":1.0,"a":[ 1e2 ]},"messages":[{"name":"x","#,
        r#""content":[{"z":1,"type":"text","text":"\u0048i"}],"role":"user"}],"#,
        r#""temperature":0.10,"guided_json":{"properties":{"reasoning":{},"answer":{}}},"n":1,"model":"m","#,
        r#""max_tokens":7,"#,
        r#""seed":12345678901234567890,"#,
        r#""tools":[{"function":{"name":"f","parameters":{"z":1,"a":2}},"type":"function"}]}"#,
    );
    assert_eq!(went_up, expected);
    assert_eq!(requests[0].headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn embeddings_pass_as_they_are_within_their_own_bound() {
    let vectors = |count: usize| {
        let vector = format!(
            r#"{{"object":"embedding","index":0,"embedding":[{}0.10]}}"#,
            "-0.0123456789012345,".repeat(1535)
        );
        vec![vector; count].join(",")
    };
    for (body, status) in [
        (
            format!(
                r#"{{"object":"list","data":[{}],"model":"m","usage":{{"total_tokens":3,"prompt_tokens":3}}}}"#,
                vectors(300)
            ),
            200,
        ),
        (
            r#"{"data":[],"usage":{"prompt_tokens":5.5,"total_tokens":null}}"#.to_owned(),
            200,
        ),
        (
            r#"{"data":[{"embedding":[NaN,1.0]}],"usage":[]}"#.to_owned(),
            200,
        ),
        (r#"{"data":null}"#.to_owned(), 502),
    ] {
        let upstream = MockServer::start().await;
        Mock::given(path("/v1/embeddings"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body.clone()))
            .mount(&upstream)
            .await;
        let base = serve(gateway_to(&upstream.uri())).await;
        let request = json!({"model": "up/m", "input": ["x"], "dimensions": 5});
        let response = post(format!("{base}/v1/embeddings"), &request).await;
        assert_eq!(response.status(), status);
        let text = soon(response.text()).await.unwrap();
        if body.len() > 1000 {
            assert!(text == body, "9 MB pass as they are");
        }
        assert!(
            status != 200 || serde_json::from_str::<Value>(&text).is_ok(),
            "{text}"
        );
    }
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/embeddings"))
        .respond_with(ResponseTemplate::new(200).set_body_string(format!("[{}]", vectors(100))))
        .mount(&upstream)
        .await;
    let mut settings = config(vec![provider("up", &upstream.uri())]);
    settings.max_embeddings_bytes = 1 << 20;
    let base = serve(Gateway::from_config(settings)).await;
    let response = post(
        format!("{base}/v1/embeddings"),
        &json!({"model": "up/m", "input": "x"}),
    )
    .await;
    assert_eq!(body(response).await["error"]["code"], "answer_too_large");
}

#[tokio::test]
async fn in_process_too_an_answer_in_one_piece_is_a_stream() {
    use futures_util::StreamExt;
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    let mut stream = soon(gateway.chat_stream(hello("up/m"))).await.unwrap();
    let first = soon(stream.next()).await.unwrap().unwrap();
    assert!(matches!(first, StreamEvent::Data(_)));
}
