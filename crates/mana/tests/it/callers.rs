//! Programs that call `/v1` in every form of HTTP, and how they are refused.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::{chat, upstream, with_model};
use crate::support::{Home, PATIENCE, send};

/// Sends the parts of a request, each once something came back where it waits for that, and reads to the end.
async fn spoken(address: &str, parts: &[&str]) -> String {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut said = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                stream.read_buf(&mut said).await.unwrap();
            }
            stream.write_all(part.as_bytes()).await.unwrap();
        }
        stream.read_to_end(&mut said).await.unwrap();
        String::from_utf8_lossy(&said).into_owned()
    };
    timeout(PATIENCE, talk).await.expect("it never ended")
}

#[tokio::test]
async fn a_program_is_answered_in_every_form_of_http() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model(&upstream).await;
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let body =
        json!({"model": "box/m", "messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let (length, half) = (body.len(), body.len() / 2);
    let token = format!("authorization: Bearer {}", owner.token);
    let usual = format!(
        "host: {address}\r\n{token}\r\ncontent-type: application/json\r\nconnection: close"
    );
    let chunked = format!(
        "{half:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &body[..half],
        length - half,
        &body[half..]
    );
    let line = "POST /v1/chat/completions HTTP/1.1";
    for parts in [
        vec![format!(
            "{line}\r\n{usual}\r\ncontent-length: {length}\r\n\r\n{body}"
        )],
        vec![
            format!(
                "{line}\r\n{usual}\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
            ),
            body.clone(),
        ],
        vec![format!(
            "{line}\r\n{usual}\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"
        )],
        vec![format!(
            "POST http://{address}/v1/chat/completions HTTP/1.1\r\n{usual}\r\ncontent-length: {length}\r\n\r\n{body}"
        )],
        vec![format!(
            "POST /v1/chat/completions HTTP/1.0\r\n{token}\r\nContent-Length: {length}\r\n\r\n{body}"
        )],
        vec![format!(
            "{line}\r\n{}\r\ncontent-length: {length}\r\n\r\n{body}",
            usual.replace("content-type: application/json\r\n", "")
        )],
    ] {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let said = spoken(&address, &parts).await;
        assert!(said.contains(" 200 OK\r\n"), "{parts:?}: {said}");
        assert!(said.contains(r#""content":"Hi""#), "{parts:?}: {said}");
    }
}

#[tokio::test]
async fn no_answer_is_compressed_for_a_program() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model(&upstream).await;
    for stream in [false, true] {
        let body = json!({"model": "box/m", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]});
        let request = server
            .request(Method::POST, "/v1/chat/completions")
            .bearer_auth(&owner.token)
            .header("accept-encoding", "gzip, br, zstd")
            .json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("content-encoding"));
        let text = response.text().await.unwrap();
        assert!(text.contains("Hi"), "{text}");
    }
}

#[tokio::test]
async fn who_guesses_at_keys_is_refused_in_words_that_its_client_reads() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let ask = |key: String| {
        let request = server.request(Method::GET, "/v1/models").bearer_auth(key);
        // Loopback is a trusted proxy.
        request.header("x-forwarded-for", "192.0.2.1")
    };
    for guess in 0..20 {
        let (status, _) = send(ask(format!("guess {guess}"))).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let response = ask("one more".to_owned()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["error"]["type"], "rate_limit_error", "{told}");
    assert_eq!(told["error"]["code"], "rate_limit_exceeded", "{told}");
    let anthropics = ask("one more".to_owned()).header("anthropic-version", "2023-06-01");
    let (status, told) = send(anthropics).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (&told["type"], &told["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
}

#[tokio::test]
async fn a_member_who_may_not_call_is_told_so_in_words_that_its_client_reads() {
    let upstream = upstream().await;
    let (_home, server, _owner) = with_model(&upstream).await;
    let member = server.sign_up("member@example.org", None).await;
    let (status, told) = chat(&server, &member.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(told["error"]["type"], "invalid_request_error", "{told}");
    let body = json!({"model": "box/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]});
    let request = server
        .request(Method::POST, "/v1/messages")
        .header("x-api-key", &member.token)
        .json(&body);
    let (status, told) = send(request).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(told["error"]["type"], "permission_error", "{told}");
}
