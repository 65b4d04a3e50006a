//! The web app as a browser gets it: the page, its files, their headers.

use reqwest::{Method, StatusCode};

use crate::support::{Home, Server, assert_error};

#[tokio::test]
async fn web_answers_carry_the_security_headers() {
    let home = Home::new(&[]);
    let server = home.start().await;
    for path in ["/", "/health", "/sync/none", "/todo"] {
        let response = server.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
}

#[tokio::test]
async fn web_page_has_a_policy_without_unsafe_scripts() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let response = server
        .request(Method::GET, "/companion/missions")
        .send()
        .await
        .unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    let scripts = policy
        .split(';')
        .find(|part| part.trim().starts_with("script-src "))
        .unwrap();
    assert!(
        scripts.contains("'wasm-unsafe-eval'") && !scripts.contains("'unsafe-inline'"),
        "{policy}"
    );
    let host = server.base.strip_prefix("http://").unwrap();
    assert!(
        policy.contains(&format!("connect-src 'self' ws://{host} wss://{host};")),
        "{policy}"
    );
}

#[tokio::test]
async fn web_unknown_addresses_of_the_api_are_errors_and_no_pages() {
    let home = Home::new(&[]);
    let server = home.start().await;
    for path in [
        "/auth/none",
        "/ai/none",
        "/v1/none/none",
        "/internal/none",
        "/app/none",
        "/modules/none",
        "/api/v1/me/ai-audit",
        "/mcp",
    ] {
        let answer = server.get(path).await;
        assert!(
            matches!(answer.0, StatusCode::NOT_FOUND),
            "{path}: {answer:?}"
        );
        assert_error(&answer, StatusCode::NOT_FOUND, "not_found");
    }
    assert_error(
        &server.get("/favicon-that-is-missing.ico").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    assert_error(
        &server.get("/_app/immutable/gone.js").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
}

#[tokio::test]
async fn web_programs_in_browsers_and_programs_without_v1_are_answered() {
    let home = Home::new(&[("MANA_API_CORS_ORIGINS", "capacitor://localhost")]);
    let server = home.start().await;
    assert_error(
        &server.get("/models").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    let preflight = server
        .request(Method::OPTIONS, "/v1/chat/completions")
        .header("origin", "capacitor://localhost")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,x-stainless-os",
        );
    let response = preflight.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(
        headers["access-control-allow-origin"],
        "capacitor://localhost"
    );
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("x-stainless-os"), "{allowed}");
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let other = server
        .request(Method::GET, "/v1/models")
        .header("origin", "https://evil.example");
    let response = other.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn web_is_left_out_where_the_role_is_not_served() {
    let home = Home::new(&[("MANA_ROLES", "auth,sync")]);
    let server = home.start().await;
    assert_error(
        &server.get("/todo").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    assert_error(
        &server.get("/v1/models").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    assert_error(&server.tick("x").await, StatusCode::NOT_FOUND, "not_found");
    assert_eq!(server.get("/health").await.0, StatusCode::OK);

    let models = Home::new(&[("MANA_ROLES", "llm")]);
    let server = models.start().await;
    let (status, said) = server.get("/models").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        said.to_string().contains("end their base URL with /v1"),
        "{said}"
    );
}

#[tokio::test]
async fn web_answers_are_compressed_for_who_takes_it() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    for encoding in ["br", "gzip"] {
        let request = owner
            .request(Method::GET, "/modules")
            .header("accept-encoding", encoding);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
    }
}
