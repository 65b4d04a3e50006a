//! The link of a forgotten password, by mail.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::support::{Home, PASSWORD, Server, assert_error};

/// A mail server that takes everything. Returns its address and the mails.
async fn mail_server() -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mails, taken) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mails = mails.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let mut mail = None::<String>;
                write.write_all(b"220 here\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer: &[u8] = match (&mut mail, line.as_str()) {
                        (Some(text), ".") => {
                            mails.send(std::mem::take(text)).unwrap();
                            mail = None;
                            b"250 taken\r\n"
                        }
                        (Some(text), line) => {
                            text.push_str(line);
                            text.push('\n');
                            continue;
                        }
                        (None, "DATA") => {
                            mail = Some(String::new());
                            b"354 go on\r\n"
                        }
                        (None, "QUIT") => b"221 bye\r\n",
                        (None, _) => b"250 ok\r\n",
                    };
                    write.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (format!("smtp://{address}"), taken)
}

/// A quoted-printable text as it was written.
fn plain(mail: &str) -> String {
    mail.replace("=\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_and_nobody_learns_of_accounts() {
    let (url, mut mails) = mail_server().await;
    let home = Home::new(&[
        ("MANA_SMTP_URL", &url),
        ("MANA_SMTP_FROM", "Mana <mana@example.org>"),
    ]);
    let (server, _owner) = Server::with_owner(&home).await;
    assert_eq!(server.get("/app/info").await.1["mailsLinks"], true);
    let ask = |email: &'static str| server.post("/auth/forgot", json!({"email": email}));
    let unknown = ask("nobody@example.org").await;
    let known = ask("Owner@example.org").await;
    assert_eq!((known.0, known.clone()), (StatusCode::ACCEPTED, unknown));
    let mail = timeout(Duration::from_secs(20), mails.recv())
        .await
        .unwrap()
        .unwrap();
    let mail = plain(&mail);
    assert!(mail.contains("To: owner@example.org"), "{mail}");
    let token = mail.split_once("/reset#token=").expect(&mail).1;
    let token = token.lines().next().unwrap().trim().to_owned();
    let reset = json!({"token": token, "newPassword": "a kite over the harbour"});
    assert_eq!(server.post("/auth/reset", reset).await.0, StatusCode::OK);
    assert!(
        server
            .sign_in("owner@example.org", "a kite over the harbour")
            .await
            .is_ok()
    );

    // Three mails to an address, whether or not there is an account.
    for email in ["owner@example.org", "nobody@example.org"] {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(ask(email).await.0);
        }
        assert_eq!(
            answers.last(),
            Some(&StatusCode::TOO_MANY_REQUESTS),
            "{answers:?}"
        );
    }
    assert!(!home.log().contains(&token));
    // The answers above were the same; the mails were not: nobody@example.org got none.
    while let Ok(mail) = mails.try_recv() {
        assert!(!mail.contains("nobody@example.org"));
    }
}

#[tokio::test]
async fn a_server_without_mail_says_who_makes_the_link() {
    let home = Home::new(&[]);
    let (server, _owner) = Server::with_owner(&home).await;
    assert_eq!(server.get("/app/info").await.1["mailsLinks"], false);
    let refused = server
        .post("/auth/forgot", json!({"email": "owner@example.org"}))
        .await;
    assert_error(&refused, StatusCode::NOT_FOUND, "not_found");
    assert!(server.sign_in("owner@example.org", PASSWORD).await.is_ok());
}
