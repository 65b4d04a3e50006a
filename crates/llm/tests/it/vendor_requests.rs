//! Requests as vendors' documents show them: each goes up in the words that a server of Chat Completions knows.

use std::sync::Mutex;

use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::*;

/// Requests: the path, the body, and what of it stands where in the request that goes up.
fn requests() -> Vec<(&'static str, Value, &'static str, Value)> {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let png = json!({"type": "base64", "media_type": "image/png", "data": "QUJD"});
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "QUJD"});
    let weather = json!({"name": "get_weather", "description": "Weather.", "input_schema": {"type": "object"}});
    let function = json!({"type": "function", "name": "get_weather", "strict": true, "parameters": {"type": "object"}});
    let called = |content: Value| {
        json!([{"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": content}]}])
    };
    let m = "messages";
    let r = "responses";
    vec![
        (
            m,
            json!({"messages": user(json!("Hello, Claude"))}),
            "/messages/0/content",
            json!("Hello, Claude"),
        ),
        (
            m,
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant",
            "content": "The answer is ("}]}),
            "/messages/1",
            json!({"role": "assistant", "content": "The answer is ("}),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "image", "source": png}]))}),
            "/messages/0/content/0/image_url/url",
            json!("data:image/png;base64,QUJD"),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "image", "source": {"type": "url", "url": "https://x/a.jpg"}}]))}),
            "/messages/0/content/0/image_url/url",
            json!("https://x/a.jpg"),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "document", "source": pdf}]))}),
            "/messages/0/content/0/file/file_data",
            json!("data:application/pdf;base64,QUJD"),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain",
            "data": "The grass is green."}, "title": "T", "context": "c", "citations": {"enabled": true}}]))}),
            "/messages/0/content",
            json!("T\n\nThe grass is green."),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "document", "source": {"type": "content",
            "content": [{"type": "text", "text": "First"}, {"type": "text", "text": "Second"}]}}]))}),
            "/messages/0/content",
            json!("First\nSecond"),
        ),
        (
            m,
            json!({"messages": user(json!([{"type": "search_result", "source": "https://x", "title": "T",
            "content": [{"type": "text", "text": "Found"}]}]))}),
            "/messages/0/content",
            json!("Found"),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "tools": [weather]}),
            "/tools/0/function/parameters",
            json!({"type": "object"}),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "tools": [weather], "tool_choice": {"type": "any"}}),
            "/tool_choice",
            json!("required"),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "tools": [weather], "tool_choice": {"type": "auto",
            "disable_parallel_tool_use": true}}),
            "/parallel_tool_calls",
            json!(false),
        ),
        (
            m,
            json!({"messages": called(json!("15 degrees"))}),
            "/messages/2",
            json!({"role": "tool",
            "tool_call_id": "a", "content": "15 degrees"}),
        ),
        (
            m,
            json!({"messages": called(json!([{"type": "text", "text": "15"}, {"type": "image", "source": png}]))}),
            "/messages/3/content/1/image_url/url",
            json!("data:image/png;base64,QUJD"),
        ),
        (
            m,
            json!({"messages": called(json!([{"type": "document", "source": {"type": "text", "data": "15"}}]))}),
            "/messages/2/content",
            json!("15"),
        ),
        (
            m,
            json!({"messages": called(json!([]))}),
            "/messages/2/content",
            json!(""),
        ),
        (
            m,
            json!({"messages": called(json!("x"))}),
            "/messages/1/tool_calls/0/function/arguments",
            json!("{\"x\":1}"),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "system": [{"type": "text", "text": "You are X."},
            {"type": "text", "text": "Mind Y.", "cache_control": {"type": "ephemeral"}}]}),
            "/messages/0",
            json!({"role": "system", "content": "You are X.\n\nMind Y."}),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "stop_sequences": ["END"], "metadata": {"user_id": "u"}}),
            "/stop",
            json!(["END"]),
        ),
        (
            m,
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [
            {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Hello"}]}, {"role": "user",
                "content": "And?"}]}),
            "/messages/1",
            json!({"role": "assistant", "content": "Hello"}),
        ),
        (
            m,
            json!({"messages": user(json!("Hi")), "output_config": {"format": {"type": "json_schema",
            "schema": {"type": "object"}}}}),
            "/response_format/json_schema/schema",
            json!({"type": "object"}),
        ),
        (
            r,
            json!({"input": "Tell me a story"}),
            "/messages",
            user(json!("Tell me a story")),
        ),
        (
            r,
            json!({"input": "Hi", "instructions": "Talk like a pirate."}),
            "/messages/0",
            json!({"role": "system",
            "content": "Talk like a pirate."}),
        ),
        (
            r,
            json!({"input": [{"role": "developer", "content": "Talk."}, {"role": "user", "content": "Hi"}]}),
            "/messages/0/role",
            json!("system"),
        ),
        (
            r,
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": "https://x/a.jpg", "detail": "high"}]}]}),
            "/messages/0/content/1/image_url",
            json!({"url": "https://x/a.jpg", "detail": "high"}),
        ),
        (
            r,
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,QUJD"}]}]}),
            "/messages/0/content/0/file/filename",
            json!("a.pdf"),
        ),
        (
            r,
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a.pdf"}]}]}),
            "/messages/0/content/0/file/file_url",
            json!("https://x/a.pdf"),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [function]}),
            "/tools/0/function",
            json!({"name": "get_weather",
            "strict": true, "parameters": {"type": "object"}}),
        ),
        (
            r,
            json!({"input": [{"role": "user", "content": "Hi"}, {"type": "function_call", "id": "fc_1",
            "call_id": "a", "name": "f", "arguments": "{}", "status": "completed"},
            {"type": "function_call_output", "call_id": "a", "output": "14"}]}),
            "/messages/2/content",
            json!("14"),
        ),
        (
            r,
            json!({"input": [{"role": "user", "content": "Hi"}, {"type": "message", "id": "msg_1",
            "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}, {"role": "user",
                "content": "And?"}]}),
            "/messages/1",
            json!({"role": "assistant", "content": "Hello"}),
        ),
        (
            r,
            json!({"input": "Hi", "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
            "schema": {"type": "object"}}}}),
            "/response_format/json_schema",
            json!({"name": "n", "strict": true, "schema": {"type": "object"}}),
        ),
        (
            r,
            json!({"input": "Hi", "text": {"format": {"type": "json_object"}}}),
            "/response_format",
            json!({"type": "json_object"}),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [{"type": "custom", "name": "code_exec", "description": "Runs."}]}),
            "/tools/0/function/parameters/required",
            json!(["input"]),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [function, {"type": "custom", "name": "c"}],
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function",
                "name": "get_weather"}]}}),
            "/tool_choice",
            json!("required"),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [{"type": "local_shell"}]}),
            "/tools/0/function/name",
            json!("local_shell"),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [{"type": "shell", "environment": {"type": "local"}}]}),
            "/tools/0/function/name",
            json!("shell"),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [{"type": "apply_patch"}]}),
            "/tools/0/function/name",
            json!("apply_patch"),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [function], "parallel_tool_calls": false}),
            "/parallel_tool_calls",
            json!(false),
        ),
        (
            r,
            json!({"input": "Hi", "max_output_tokens": 50, "truncation": "auto"}),
            "/max_tokens",
            json!(50),
        ),
        (
            r,
            json!({"input": "Hi", "tools": [{"type": "web_search"}], "tool_choice": "auto"}),
            "/messages",
            user(json!("Hi")),
        ),
        (
            r,
            json!({"input": "Hi", "temperature": 0.2, "top_p": 0.9, "metadata": {"a": "b"}, "user": "u"}),
            "/temperature",
            json!(0.2),
        ),
    ]
}

#[tokio::test]
async fn every_documented_request_goes_up_in_words_that_any_server_knows() {
    let server = MockServer::start().await;
    let asked = Arc::new(Mutex::new(Value::Null));
    let kept = asked.clone();
    Mock::given(path("/v1/chat/completions"))
        .respond_with(move |request: &Request| {
            *kept.lock().unwrap() = serde_json::from_slice(&request.body).unwrap();
            ResponseTemplate::new(200).set_body_json(completion("Hi"))
        })
        .mount(&server)
        .await;
    let base = serve(gateway_to(&server.uri())).await;
    let known = [
        "max_tokens",
        "messages",
        "model",
        "parallel_tool_calls",
        "response_format",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "user",
    ];
    for (way, mut request, pointer, expected) in requests() {
        request["model"] = json!("up/m");
        let response = post(format!("{base}/v1/{way}"), &request).await;
        let status = response.status();
        assert_eq!(
            status,
            200,
            "{request}: {}",
            soon(response.text()).await.unwrap()
        );
        let asked = asked.lock().unwrap().clone();
        assert_eq!(
            asked.pointer(pointer),
            Some(&expected),
            "{request} went up as {asked}"
        );
        for (field, _) in asked.as_object().unwrap() {
            assert!(known.contains(&&**field), "{field} of {request}");
        }
    }
}
