//! Streams: every piece at once, in order, unchanged; an end only when it is one.

use std::sync::Arc;

use futures_util::StreamExt;
use mana_llm::{ErrorKind, GatewayError, StreamEvent};
use tokio::sync::{Notify, mpsc};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw::{STOP, chunk};
use crate::*;

/// Reads a stream to its end: the pieces and how it ended.
async fn read(gateway: &Gateway) -> (Vec<String>, Option<GatewayError>) {
    let mut pieces = Vec::new();
    let mut stream = match soon(gateway.chat_stream(hello("up/m"))).await {
        Ok(stream) => stream,
        Err(error) => return (pieces, Some(error)),
    };
    while let Some(event) = soon(stream.next()).await {
        match event {
            Ok(StreamEvent::Data(data)) => pieces.push(String::from_utf8(data.to_vec()).unwrap()),
            Ok(StreamEvent::Usage { chunk, .. }) => {
                pieces.extend(chunk.map(|chunk| String::from_utf8(chunk.to_vec()).unwrap()))
            }
            Ok(StreamEvent::KeepAlive) => pieces.push(":".to_owned()),
            Ok(StreamEvent::Native(_)) => {}
            Err(error) => return (pieces, Some(error)),
        }
    }
    (pieces, None)
}

async fn ask_for_stream(base: &str) -> reqwest::Response {
    let mut request = hello("up/m");
    request.stream = Some(true);
    let options = json!({"include_usage": true});
    request.extra.insert("stream_options".to_owned(), options);
    post(
        format!("{base}/v1/chat/completions"),
        &serde_json::to_value(request).unwrap(),
    )
    .await
}

#[tokio::test]
async fn every_piece_passes_before_the_next_one_is_made() {
    let received = Arc::new(Notify::new());
    let go_on = received.clone();
    let odd = r#"{"choices":[],"x_unknown":{"b":1,"a":2}, "usage":{"total_tokens":3}}"#;
    let upstream = raw::serve(move |mut caller| {
        let go_on = go_on.clone();
        async move {
            caller.begin_events().await;
            for piece in [
                chunk("one"),
                odd.to_owned(),
                STOP.to_owned(),
                "[DONE]".to_owned(),
            ] {
                caller.event(&piece).await;
                go_on.notified().await;
            }
        }
    })
    .await;
    let base = serve(gateway_to(&upstream)).await;

    let mut response = ask_for_stream(&base).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-mana-llm-resolved"], "up/m");
    for piece in [&chunk("one"), odd, STOP, "[DONE]"] {
        let expected = format!("data: {piece}\n\n");
        let mut got = Vec::new();
        while got.len() < expected.len() {
            got.extend_from_slice(
                &soon(response.chunk())
                    .await
                    .unwrap()
                    .expect("the stream goes on"),
            );
        }
        assert_eq!(String::from_utf8(got).unwrap(), expected);
        received.notify_one();
    }
    assert_eq!(soon(response.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_taken_for_complete() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("half")).await;
    })
    .await;
    let gateway = gateway_to(&upstream);
    let (pieces, error) = read(&gateway).await;
    assert_eq!(pieces, [chunk("half")]);
    assert_eq!(error.unwrap().kind, ErrorKind::CutOff);

    let text = soon(ask_for_stream(&serve(gateway).await).await.text())
        .await
        .unwrap();
    let (piece, error) = text.split_once("\n\n").unwrap();
    assert_eq!(piece, format!("data: {}", chunk("half")));
    let error: Value = serde_json::from_str(error.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "answer_cut_off");
}

#[tokio::test]
async fn an_end_without_done_counts_when_the_model_had_finished() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("all")).await;
        caller.send(format!("data: {STOP}\n")).await;
    })
    .await;
    let (pieces, error) = read(&gateway_to(&upstream)).await;
    assert_eq!((pieces, error), (vec![chunk("all"), STOP.to_owned()], None));
}

#[tokio::test]
async fn a_stream_without_a_piece_is_complete() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event("[DONE]").await;
    })
    .await;
    let (pieces, failure) = soon(read(&gateway_to(&upstream))).await;
    assert!(pieces.is_empty() && failure.is_none(), "{failure:?}");
    let response = ask_for_stream(&serve(gateway_to(&upstream)).await).await;
    assert_eq!(response.text().await.unwrap(), "data: [DONE]\n\n");
}

#[tokio::test]
async fn signs_of_life_pass() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("a")).await;
        caller.send(": still here\n\n").await;
        caller.event("[DONE]").await;
    })
    .await;
    let (pieces, error) = read(&gateway_to(&upstream)).await;
    assert_eq!((pieces, error), (vec![chunk("a"), ":".to_owned()], None));
}

#[tokio::test]
async fn silence_in_a_stream_is_given_up_and_so_is_an_endless_drip_of_comments() {
    let silent = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("a")).await;
        caller.hung_up().await;
    })
    .await;
    let mut settings = config(vec![provider("up", &silent)]);
    settings.idle = Duration::from_millis(100);
    let (pieces, error) = read(&Gateway::from_config(settings)).await;
    assert_eq!(pieces, [chunk("a")]);
    let error = error.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("sent nothing for 100 ms"), "{error}");

    let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    for (begins, drips) in [
        (true, ": here\n\n".to_owned()),
        (false, ": here\n\n".to_owned()),
        (true, format!("data: {role}\n\n")),
        (false, format!("data: {role}\n\n")),
    ] {
        let drip = raw::serve(move |mut caller| {
            let drips = drips.clone();
            async move {
                caller.begin_events().await;
                if begins {
                    caller.event(&chunk("a")).await;
                }
                while caller.send(&drips).await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
        .await;
        let mut settings = config(vec![provider("up", &drip)]);
        settings.timeout = Duration::from_millis(500);
        let (_, error) = read(&Gateway::from_config(settings)).await;
        assert_eq!(error.unwrap().kind, ErrorKind::Timeout);
    }
}

#[tokio::test]
async fn a_stream_that_goes_on_may_take_longer_than_a_whole_answer() {
    let long = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        for _ in 0..30 {
            caller.event(&chunk("more")).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        caller.event(STOP).await;
        caller.event("[DONE]").await;
    })
    .await;
    let mut settings = config(vec![provider("up", &long)]);
    settings.timeout = Duration::from_millis(1000);
    let (pieces, error) = read(&Gateway::from_config(settings)).await;
    assert_eq!((pieces.len(), error), (31, None));
}

#[tokio::test]
async fn a_caller_hears_signs_of_life_before_the_first_piece() {
    for fails in [false, true] {
        let heard = Arc::new(Notify::new());
        let go_on = heard.clone();
        let upstream = raw::serve(move |mut caller| {
            let go_on = go_on.clone();
            async move {
                go_on.notified().await;
                if fails {
                    caller
                        .send("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
                        .await;
                    return;
                }
                caller.begin_events().await;
                for piece in [&chunk("late"), STOP, "[DONE]"] {
                    caller.event(piece).await;
                }
            }
        })
        .await;
        let base = serve(gateway_to(&upstream)).await;
        let mut response = ask_for_stream(&base).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let first = soon(response.chunk()).await.unwrap().unwrap();
        assert_eq!(first, ":\n\n");
        heard.notify_one();
        let rest = soon(response.text()).await.unwrap();
        if fails {
            assert!(
                rest.contains("provider_error") && !rest.contains("[DONE]"),
                "{rest}"
            );
        } else {
            let whole = format!(
                "data: {}\n\ndata: {STOP}\n\ndata: [DONE]\n\n",
                chunk("late")
            );
            assert_eq!(rest, whole);
        }
    }
}

#[tokio::test]
async fn a_role_is_no_answer_and_an_error_after_it_asks_the_next_entry() {
    let role = r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":9}}"#;
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let start =
        r#"{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":9}}}"#;
    let good = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        for piece in [&chunk("from the second"), STOP, "[DONE]"] {
            caller.event(piece).await;
        }
    })
    .await;
    for (name, events) in [
        ("first", vec![role, overloaded]),
        ("first", vec![usage, role, overloaded]),
        ("first", vec![role]),
        ("anthropic", vec![start, r#"{"type":"ping"}"#, overloaded]),
    ] {
        let first = raw::serve(move |mut caller| {
            let events = events.clone();
            async move {
                caller.begin_events().await;
                for event in events {
                    caller.event(event).await;
                }
            }
        })
        .await;
        let providers = vec![provider(name, &first), provider("second", &good)];
        let gateway = Gateway::from_config(fallback::chained(providers));
        let request = hello("mana/reasoning");
        let stream = soon(gateway.chat_stream(request)).await.unwrap();
        assert_eq!(
            (stream.resolved.as_str(), stream.failed.len()),
            ("second/m", 1)
        );
        let pieces: Vec<_> = soon(stream.collect()).await;
        assert_eq!(pieces.len(), 2, "nothing of the first is in it: {pieces:?}");
    }
}

#[tokio::test]
async fn lines_of_json_pass_before_the_next_one_is_made() {
    for kind in ["application/x-ndjson", "application/json"] {
        let received = Arc::new(Notify::new());
        let go_on = received.clone();
        let upstream = raw::serve(move |mut caller| {
            let go_on = go_on.clone();
            async move {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
                caller.send(head).await;
                for piece in [&chunk("one"), &chunk("two"), STOP] {
                    caller.send(format!("{piece}\r\n")).await;
                    go_on.notified().await;
                }
            }
        })
        .await;
        let gateway = gateway_to(&upstream);
        let mut stream = soon(gateway.chat_stream(hello("up/m"))).await.unwrap();
        for piece in [&chunk("one"), &chunk("two"), STOP] {
            let event = soon(stream.next()).await.unwrap().unwrap();
            assert_eq!(event, StreamEvent::Data(piece.to_owned().into()));
            received.notify_one();
        }
        assert!(soon(stream.next()).await.is_none());
    }
}

#[tokio::test]
async fn what_is_wrong_inside_a_stream_is_said() {
    for (event, kind) in [
        ("Sorry, no.".to_owned(), ErrorKind::BadJson),
        (
            r#"{"error": {"message": "overloaded", "code": 503}}"#.to_owned(),
            ErrorKind::Http(503),
        ),
        (
            format!(r#"{{"error": "{}"}}"#, "x".repeat(9 << 20)),
            ErrorKind::TooLarge,
        ),
    ] {
        let sent = event.clone();
        let upstream = raw::serve(move |mut caller| {
            let sent = sent.clone();
            async move {
                caller.begin_events().await;
                caller.event(&chunk("a")).await;
                caller.event(&sent).await;
            }
        })
        .await;
        let (pieces, error) = read(&gateway_to(&upstream)).await;
        assert_eq!(pieces, [chunk("a")]);
        assert_eq!(error.unwrap().kind, kind);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_still_answers() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("whole")))
        .mount(&upstream)
        .await;
    let (pieces, error) = read(&gateway_to(&upstream.uri())).await;
    assert_eq!((pieces.len(), error), (1, None));
    let piece: Value = serde_json::from_str(&pieces[0]).unwrap();
    assert_eq!(piece["object"], "chat.completion.chunk");
    assert_eq!(piece["choices"][0]["delta"]["content"], "whole");
    assert_eq!(piece["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_key_in_a_stream_is_hidden() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk(KEY)).await;
        caller
            .event(&format!(r#"{{"error": {{"message": "bad key {KEY}"}}}}"#))
            .await;
    })
    .await;
    let (pieces, error) = read(&gateway_to(&upstream)).await;
    assert_eq!(pieces, [chunk("[hidden]")]);
    assert!(error.unwrap().message.ends_with("bad key [hidden]"));
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_upstream() {
    let (hung_up, mut seen) = mpsc::channel(1);
    let (asked, mut requests) = mpsc::channel(1);
    let upstream = raw::serve(move |mut caller| {
        let (hung_up, asked) = (hung_up.clone(), asked.clone());
        async move {
            asked.send(()).await.unwrap();
            caller.begin_events().await;
            caller.event(&chunk("a")).await;
            caller.hung_up().await;
            hung_up.send(()).await.unwrap();
        }
    })
    .await;
    let mut settings = config(vec![provider("up", &upstream)]);
    settings.providers[0].concurrency = 1;
    let gateway = Gateway::from_config(settings);

    // In process: the stream is dropped.
    let mut stream = soon(gateway.chat_stream(hello("up/m"))).await.unwrap();
    soon(stream.next()).await.unwrap().unwrap();
    drop(stream);
    soon(requests.recv()).await.unwrap();
    soon(seen.recv()).await.unwrap();

    // Over HTTP: the connection is dropped. The one place is free again.
    let base = serve(gateway.clone()).await;
    let mut response = ask_for_stream(&base).await;
    soon(response.chunk()).await.unwrap().unwrap();
    drop(response);
    soon(requests.recv()).await.unwrap();
    soon(seen.recv()).await.unwrap();

    // Not streamed: the caller hangs up while the upstream still thinks.
    let request = client()
        .post(format!("{base}/v1/chat/completions"))
        .bearer_auth("good");
    let request = request.body(serde_json::to_string(&hello("up/m")).unwrap());
    let waiting = tokio::spawn(request.send());
    soon(requests.recv()).await.unwrap();
    waiting.abort();
    soon(seen.recv()).await.unwrap();
}

#[tokio::test]
async fn a_reader_who_stops_reading_does_not_hold_the_place_for_ever() {
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        while caller.event(&chunk("more")).await {}
    })
    .await;
    let mut settings = config(vec![provider("up", &upstream)]);
    settings.providers[0].concurrency = 1;
    settings.idle = Duration::from_millis(100);
    let gateway = Gateway::from_config(settings);
    let mut stalled = soon(gateway.chat_stream(hello("up/m"))).await.unwrap();

    soon(gateway.chat_stream(hello("up/m"))).await.unwrap();

    let mut last = None;
    while let Some(event) = soon(stalled.next()).await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().unwrap_err().kind, ErrorKind::Cancelled);
}
