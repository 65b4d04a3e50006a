//! Answers kept for the same question again, by one instance and by several.

use std::process::{Child, Command, Stdio};

use mana_llm::CacheSettings;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

/// A Redis of the test's own, stopped at its end.
struct Redis {
    server: Child,
    url: String,
}

impl Redis {
    async fn start() -> Redis {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (Debian's package redis-server, or `cargo xtask test` as root)");
        let up = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(up).await;
        Redis {
            server,
            url: format!("redis://127.0.0.1:{port}/"),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn caching(base: &str, redis: &str) -> Arc<Gateway> {
    let cache = CacheSettings {
        megabytes: 1,
        seconds: 60,
        redis: Some(Secret::new(redis)),
    };
    Gateway::from_config(LlmConfig {
        cache: Some(cache),
        ..config(vec![provider("up", base)])
    })
}

#[tokio::test]
async fn instances_that_name_the_same_redis_share_their_answers_and_go_on_without_it() {
    let upstream = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .expect(2)
        .mount(&upstream)
        .await;
    let redis = Redis::start().await;
    let ask = async |base: &str| {
        let question = json!({"model": "up/m", "temperature": 0, "messages": [{"role": "user", "content": "Hello"}]});
        let response = post(format!("{base}/v1/chat/completions"), &question).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-mana-llm-resolved"], "up/m");
        let hit = response.headers().get("x-mana-llm-cache").is_some();
        (hit, body(response).await)
    };
    let one = serve(caching(&upstream.uri(), &redis.url)).await;
    let other = serve(caching(&upstream.uri(), &redis.url)).await;
    let (hit, answer) = ask(&one).await;
    assert!(!hit);
    assert_eq!(
        ask(&other).await,
        (true, answer),
        "what the one was told the other knows"
    );
    // Nobody reads a question in the names that Redis has.
    let names = Command::new("redis-cli")
        .args(["-u", &redis.url, "keys", "*"])
        .output()
        .unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    assert!(
        names.starts_with("mana:llm:") && !names.contains("Hello"),
        "{names}"
    );
    drop(redis);
    assert!(!ask(&other).await.0, "the model answers instead");
}
