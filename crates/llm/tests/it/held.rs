//! Habits of servers that work and go on working: odd forms of HTTP, connections that end in silence, names of every
//! kind.

use wiremock::matchers::query_param;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw::{STOP, chunk};
use crate::*;

/// A gateway to an upstream that sends these bytes to everybody.
async fn behind(wire: Vec<u8>) -> Arc<Gateway> {
    let upstream = raw::serve(move |mut caller| {
        let wire = wire.clone();
        async move {
            caller.send(&wire).await;
        }
    })
    .await;
    gateway_to(&upstream)
}

#[tokio::test]
async fn an_answer_is_read_in_every_form_of_http() {
    let whole = completion("Hi").to_string();
    let events = format!("data: {}\n\ndata: {STOP}\n\ndata: [DONE]\n\n", chunk("Hi"));
    for (stream, body) in [(false, whole), (true, events)] {
        let length = body.len();
        let half = length / 2;
        let chunked = format!(
            "{half:x};name=value\r\n{}\r\n{:X}\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n",
            &body[..half],
            length - half,
            &body[half..]
        );
        for head in [
            "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\ncontent-length: {length}\n\n"),
            format!("HTTP/1.1 200 OK\r\nx-name: caf\u{e9}\r\ncontent-length: {length}\r\n\r\n"),
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            ),
            format!(
                "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            ),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-trailer\r\n\r\n"
                .to_owned(),
            format!("HTTP/1.1 200\r\nContent-Length: {length}\r\n\r\n"),
        ] {
            // A head is written in Latin-1.
            let mut wire: Vec<u8> = head.chars().map(|letter| letter as u8).collect();
            let is_chunked = head.contains("chunked");
            wire.extend_from_slice(if is_chunked { &chunked } else { &body }.as_bytes());
            let base = serve(behind(wire).await).await;
            let mut request = serde_json::to_value(hello("up/m")).unwrap();
            request["stream"] = stream.into();
            let response = post(format!("{base}/v1/chat/completions"), &request).await;
            assert_eq!(response.status(), 200, "{head:?}");
            let text = soon(response.text()).await.unwrap();
            assert_eq!(text, body, "{head:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_ended_in_silence_costs_no_call() {
    let body = completion("Hi").to_string();
    let wire = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let gateway = behind(wire.into_bytes()).await;
    for _ in 0..20 {
        let answer = soon(gateway.chat(hello("up/m"))).await;
        assert_eq!(answer.unwrap().text(), "Hi");
    }
    assert_eq!(gateway.health().providers[0].state, "up");
}

#[tokio::test]
async fn names_of_models_pass_in_every_alphabet_and_with_every_sign() {
    let (server, asked) = upstream(
        "/v1/chat/completions",
        ResponseTemplate::new(200).set_body_json(completion("Hi")),
    )
    .await;
    let base = serve(gateway_to(&server.uri())).await;
    for model in [
        "org/m",
        "a/b/c:d@e",
        "@cf/meta/llama-3.1",
        "模型-1",
        "модель",
        "with space",
        "q%20r",
        "ft:gpt-4o:x::1",
    ] {
        let request =
            json!({"model": format!("up/{model}"), "messages": [{"role": "user", "content": "x"}]});
        let response = post(format!("{base}/v1/chat/completions"), &request).await;
        assert_eq!(response.status(), 200, "{model}");
        assert_eq!(asked.lock().unwrap().pop().unwrap()["model"], model);
    }
}

#[tokio::test]
async fn a_large_request_and_lists_of_tokens_pass() {
    let (server, asked) = upstream(
        "/v1/embeddings",
        ResponseTemplate::new(200)
            .set_body_json(json!({"data": [{"embedding": "AAAA", "index": 0}]})),
    )
    .await;
    let base = serve(gateway_to(&server.uri())).await;
    for input in [
        json!([1, 2, 3]),
        json!([[1, 2], [3]]),
        json!("x".repeat(20 << 20)),
    ] {
        let request = json!({"model": "up/e", "input": input, "encoding_format": "base64"});
        let response = post(format!("{base}/v1/embeddings"), &request).await;
        assert_eq!(response.status(), 200);
        let sent = asked.lock().unwrap().pop().unwrap();
        assert!(sent["input"] == input && sent["encoding_format"] == "base64");
    }
}

#[tokio::test]
async fn a_base_url_keeps_its_query_and_loses_its_last_slash() {
    let server = MockServer::start().await;
    Mock::given(path("/a/v1/chat/completions"))
        .and(query_param("api-version", "2025"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .expect(2)
        .mount(&server)
        .await;
    for base in ["/a/v1?api-version=2025", "/a/v1/?api-version=2025"] {
        let base = format!("{}{base}", server.uri());
        let up = ProviderConfig::new("up", &base, "test").unwrap();
        let gateway = Gateway::from_config(config(vec![up]));
        soon(gateway.chat(hello("up/m"))).await.unwrap();
    }
}

#[tokio::test]
async fn an_upstream_at_an_address_of_ipv6_is_reached() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = axum::Router::new().fallback(async || completion("Hi").to_string());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let gateway = gateway_to(&format!("http://[::1]:{port}"));
    assert_eq!(
        soon(gateway.chat(hello("up/m"))).await.unwrap().text(),
        "Hi"
    );
}
