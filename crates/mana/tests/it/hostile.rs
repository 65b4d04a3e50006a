//! A hostile model's server: it hangs, drips, lies about its length, cuts its answers, refuses, and echoes the key.
//! The mission says so in plain words, and other missions don't wait.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::missions::{mission, moved_on, push_due_mission};
use crate::support::{Home, PATIENCE, Server};
use crate::upstream::{fenced, step};

/// How each mission's model behaves, by the mission's title.
const MANNERS: [&str; 9] = [
    "Hangs",
    "Drips",
    "Lies",
    "Truncates",
    "Slams",
    "Busy",
    "Broken",
    "Echoes",
    "Redirects",
];

const SECRET: &str = "sk-hunter2";

async fn hostile() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream));
        }
    });
    url
}

async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    // Whoever asks closes the connection after the answer, or is made to.
    let request = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            break text;
        }
    };
    let manner = MANNERS.iter().find(|manner| request.contains(**manner));
    let error = |status: &str, body: String| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let says = format!("Wrong key {SECRET}: Authorization: Bearer {SECRET} was sent");
    let told = json!({ "error": { "message": says, "code": SECRET, "type": says } }).to_string();
    let completion = json!({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content":
            fenced(&json!({"summary": "A plan.",
                "steps": [step("Buy milk", "The fridge is empty.")]}).to_string())}}]});
    let answer = match manner {
        Some(&"Hangs") => {
            sleep(Duration::from_secs(600)).await;
            return Ok(());
        }
        Some(&"Drips") => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head).await?;
            loop {
                stream.write_all(b" ").await?;
                sleep(Duration::from_millis(50)).await;
            }
        }
        Some(&"Lies") => {
            error("200 OK", completion.to_string()).replace("content-length: ", "content-length: 9")
        }
        Some(&"Truncates") => {
            let text = completion.to_string();
            error("200 OK", text[..text.len() / 2].to_owned())
        }
        Some(&"Slams") => String::new(),
        Some(&"Busy") => error("429 Too Many Requests", told)
            .replace("connection:", "retry-after: 100000\r\nconnection:"),
        Some(&"Broken") => error("500 Internal Server Error", format!("<html>{says}</html>")),
        Some(&"Echoes") => error("401 Unauthorized", told),
        Some(&"Redirects") => error("307 Temporary Redirect", told).replace(
            "connection:",
            "location: http://127.0.0.1:1/steal\r\nconnection:",
        ),
        _ => error("200 OK", completion.to_string()),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[tokio::test]
async fn failure_of_a_hostile_upstream_tells_no_secret_and_delays_nobody_else() {
    let url = hostile().await;
    let home = Home::new(&[
        ("MANA_LLM_URL", &url),
        ("MANA_LLM_MODEL", "test-model"),
        ("MANA_LLM_KEY", SECRET),
        ("MANA_LLM_TIMEOUT_MS", "12000"),
        ("MANA_SIGNUP", "open"),
    ]);
    let (server, owner) = Server::with_owner(&home).await;
    let friend = server.sign_up("friend@example.org", None).await;
    for manner in MANNERS {
        push_due_mission(&owner, manner, manner).await;
    }
    push_due_mission(&friend, "good", "All is well").await;
    let key = home.service_key();
    let ticking = server.tick(&key);
    // The other person's is done while those that hang still do.
    let watching = async {
        loop {
            let (_, runs) = friend.get("/ai/missions/good/runs").await;
            if runs["runs"][0]["status"] == "ran" {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        let mut hanging = 0;
        for manner in ["Hangs", "Drips"] {
            let (iterations, _) = mission(&owner, manner).await;
            hanging += usize::from(iterations.is_empty());
        }
        assert_eq!(hanging, 2, "it waited for them");
    };
    let ((status, report), watched) = tokio::join!(ticking, timeout(PATIENCE, watching));
    watched.expect("the other person's mission runs");
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(report["plansWrittenBack"], 1, "{report}");

    for manner in MANNERS {
        let (iterations, next) = mission(&owner, manner).await;
        assert_eq!(iterations.len(), 1, "{manner}: {iterations:?}");
        let all = iterations[0].to_string();
        assert!(!all.contains("hunter2"), "{manner}: {all}");
        let reason = iterations[0]["error"]["message"]
            .as_str()
            .unwrap_or_default();
        // The busy server asks to be left alone until after the next occurrence.
        let goes_on = match manner {
            "Busy" => "Nothing was changed. The next run is due at",
            _ => "Nothing was changed. Mana tries again at",
        };
        assert!(
            (20..600).contains(&reason.len()) && reason.contains(goes_on),
            "{manner}: {reason}"
        );
        assert!(moved_on(&next), "{manner}: {next}");
        let (_, runs) = owner.get(&format!("/ai/missions/{manner}/runs")).await;
        assert_eq!(
            runs["runs"].as_array().map(Vec::len),
            Some(1),
            "{manner}: {runs}"
        );
        assert!(!runs.to_string().contains("hunter2"), "{manner}: {runs}");
    }
    let (iterations, _) = mission(&friend, "good").await;
    assert_eq!(iterations[0]["error"], Value::Null);
    assert!(!report.to_string().contains("hunter2"), "{report}");
    server.stop().await;
    assert!(!home.log().contains("hunter2"), "{}", home.log());
}
