//! Headers and fields that an owner adds to requests over the settings, and the switch for members' programs.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wiremock::MockServer;

use crate::gateway::{call, chat, upstream, with_model, with_model_and};
use crate::support::{Account, assert_kept_nowhere};

/// A value of a header that no answer and no file may show.
const VALUE: &str = "of-cloudflare-0123456789";

async fn last_request(upstream: &MockServer) -> (Option<String>, Value) {
    let request = upstream.received_requests().await.unwrap().pop().unwrap();
    let header = request.headers.get("cf-access-client-secret");
    let header = header.map(|value| value.to_str().unwrap().to_owned());
    (header, serde_json::from_slice(&request.body).unwrap())
}

#[tokio::test]
async fn what_an_owner_adds_goes_up_after_a_restart_and_is_seen_nowhere() {
    let upstream = upstream().await;
    let (home, server, owner) = with_model(&upstream).await;
    let add = async |server: &crate::support::Server, owner: &Account, body: Value| {
        call(server, Method::PUT, "/llm/extra", owner, body).await
    };
    let body = json!({"name": "box", "headers": {"CF-Access-Client-Secret": VALUE}, "body": {"keep_alive": -1}});
    let (status, said) = add(&server, &owner, body).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(
        said["extra"]["box"],
        json!({"headers": ["CF-Access-Client-Secret"], "body": {"keep_alive": -1}})
    );
    assert!(!said.to_string().contains(VALUE), "{said}");
    let body = json!({"name": "box/m", "body": {"top_k": 3}});
    assert_eq!(add(&server, &owner, body).await.0, StatusCode::OK);
    server.stop().await;

    let server = home.start().await;
    let owner = server
        .sign_in("owner@example.org", crate::support::PASSWORD)
        .await
        .unwrap();
    let (status, _) = chat(&server, &owner.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let (header, sent) = last_request(&upstream).await;
    assert_eq!(header.as_deref(), Some(VALUE));
    assert_eq!(
        (&sent["keep_alive"], &sent["top_k"]),
        (&json!(-1), &json!(3))
    );

    // A header without a value keeps the one that it has; one that is not named goes.
    let kept = json!({"name": "box", "headers": {"CF-Access-Client-Secret": null}});
    assert_eq!(add(&server, &owner, kept).await.0, StatusCode::OK);
    chat(&server, &owner.token, "box/m", json!({})).await;
    let (header, sent) = last_request(&upstream).await;
    assert_eq!(
        (header.as_deref(), sent.get("keep_alive")),
        (Some(VALUE), None)
    );
    let (_, said) = add(&server, &owner, json!({"name": "box"})).await;
    assert_eq!(said["extra"].get("box"), None, "{said}");
    chat(&server, &owner.token, "box/m", json!({})).await;
    assert_eq!(last_request(&upstream).await.0, None);

    for (body, told) in [
        (json!({"name": "box", "headers": {"x-new": null}}), "x-new"),
        (json!({"name": "box", "headers": {"host": "x"}}), "host"),
        (
            json!({"name": "box", "body": {"max_tokens": 5}}),
            "max_tokens",
        ),
    ] {
        let (status, said) = add(&server, &owner, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        let problem = &said["error"]["details"]["problem"];
        let message = problem
            .as_str()
            .or(said["error"]["message"].as_str())
            .unwrap();
        assert!(message.contains(told), "{said}");
    }
    let bob = server.sign_up("bob@example.org", None).await;
    for (path, body) in [
        ("/llm/extra", json!({"name": "box"})),
        ("/llm/members", json!({"mayCall": true})),
    ] {
        let (status, _) = call(&server, Method::PUT, path, &bob, body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    server.stop().await;
    assert_kept_nowhere(&home, VALUE);
}

#[tokio::test]
async fn an_added_header_follows_its_provider_to_no_other_address() {
    let first = upstream().await;
    let (_home, server, owner) = with_model(&first).await;
    let elsewhere = MockServer::start().await;
    let body = |name: &str| json!({"name": name, "headers": {"CF-Access-Client-Secret": VALUE}});
    for name in ["box", "box/m", "boxes"] {
        let (status, _) = call(&server, Method::PUT, "/llm/extra", &owner, body(name)).await;
        assert_eq!(status, StatusCode::OK);
    }
    let same = json!({"baseUrl": format!("{}/v2", first.uri()), "models": ["m"]});
    let (_, said) = call(&server, Method::PUT, "/llm/providers/box", &owner, same).await;
    assert_eq!(said["extra"].as_object().unwrap().len(), 3, "{said}");
    let other = json!({"baseUrl": format!("{}/v1", elsewhere.uri()), "models": ["m"]});
    let (_, said) = call(&server, Method::PUT, "/llm/providers/box", &owner, other).await;
    let names: Vec<&String> = said["extra"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["boxes"], "{said}");
    chat(&server, &owner.token, "box/m", json!({})).await;
    let asked = elsewhere.received_requests().await.unwrap();
    let told = asked
        .iter()
        .any(|request| format!("{:?}", request.headers).contains(VALUE));
    assert!(!asked.is_empty() && !told);
}

#[tokio::test]
async fn an_owner_lets_members_programs_in_unless_the_environment_says_otherwise() {
    let upstream = upstream().await;
    let (home, server, owner) = with_model_and(&upstream, &[]).await;
    let bob = server.sign_up("bob@example.org", None).await;
    for (may, status) in [
        (json!(null), StatusCode::FORBIDDEN),
        (json!(true), StatusCode::OK),
        (json!(false), StatusCode::FORBIDDEN),
        (json!(true), StatusCode::OK),
    ] {
        let body = json!({ "mayCall": may });
        let (saved, said) = call(&server, Method::PUT, "/llm/members", &owner, body).await;
        assert_eq!(saved, StatusCode::OK, "{said}");
        assert_eq!(said["membersMayCall"], status == StatusCode::OK);
        assert_eq!(said["membersMayCallIsFixed"], false);
        assert_eq!(
            chat(&server, &bob.token, "box/m", json!({})).await.0,
            status
        );
    }
    server.stop().await;
    let server = home.start().await;
    let bob = server
        .sign_in("bob@example.org", crate::support::PASSWORD)
        .await
        .unwrap();
    let (status, _) = chat(&server, &bob.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::OK, "the switch stays as it was");
    server.stop().await;

    let (_home, server, owner) = with_model_and(&upstream, &[("MANA_MEMBER_API", "off")]).await;
    let body = json!({"mayCall": true});
    let (status, said) = call(&server, Method::PUT, "/llm/members", &owner, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("MANA_MEMBER_API"), "{message}");
    let (_, said) = call(&server, Method::GET, "/llm/settings", &owner, Value::Null).await;
    assert_eq!(said["membersMayCallIsFixed"], true);
}
