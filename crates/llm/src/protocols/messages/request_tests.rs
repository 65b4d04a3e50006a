use super::*;

fn chat(body: &str) -> Result<ChatRequest> {
    serde_json::from_str::<MessagesRequest>(body)
        .unwrap()
        .into_chat(Betas::default())
}

fn messages(request: &ChatRequest) -> Value {
    serde_json::to_value(&request.messages).unwrap()
}

#[test]
fn a_request_of_a_program_with_tools_is_put_into_the_gateways_words() {
    let body = r#"{"model":"mana/reasoning","max_tokens":32000,"stream":true,
        "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral","scope":"global"}}],
        "thinking":{"type":"adaptive"},"output_config":{"effort":"high"},
        "context_management":{"edits":[]},"metadata":{"user_id":"u"},"stop_sequences":["END"],
        "tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"z":{},"a":{}}},
            "cache_control":{"type":"ephemeral"}},{"type":"web_search_20250305","name":"web_search"}],
        "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
        "messages":[{"role":"user","content":"Hi"}]}"#;
    let request = chat(body).unwrap();
    assert_eq!(request.protocol, CallerProtocol::Messages);
    assert_eq!(
        messages(&request),
        json!([{"role": "system", "content": [{"type": "text", "text": "Be brief.",
            "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": "Hi"}])
    );
    assert_eq!(
        request.tools.unwrap().text(),
        concat!(
            r#"[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","#,
            r#""properties":{"z":{},"a":{}}}},"cache_control":{"type":"ephemeral"}},"#,
            r#"{"type":"web_search_20250305","name":"web_search"}]"#,
        )
    );
    assert_eq!(
        Value::Object(request.extra),
        json!({"max_tokens": 32000, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
            "metadata": {"user_id": "u"}, "stop": ["END"], "parallel_tool_calls": false,
            "tool_choice": {"type": "function", "function": {"name": "f"}}})
    );
}

#[test]
fn a_history_of_calls_becomes_messages_of_tools() {
    let body = r#"{"messages":[
        {"role":"user","content":[{"type":"text","text":"Look"},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
            {"type":"text","text":"I look."},{"type":"tool_use","id":"a","name":"f","input":{"z": 1,"a":2}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,
            "content":[{"type":"text","text":"sunny"}]},{"type":"text","text":"And?"}]},
        {"role":"system","content":"Mind the time."},
        {"role":"assistant","content":[{"type":"thinking","thinking":"so","signature":"mana"},
            {"type":"tool_use","id":"b","name":"g","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"b"}]}]}"#;
    let request = chat(body).unwrap();
    assert!(request.has_images());
    assert_eq!(
        messages(&request),
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}], "reasoning_content": "hm",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f",
                    "arguments": "{\"z\": 1,\"a\":2}"}}]},
            {"role": "tool", "tool_call_id": "a", "is_error": true, "content": [{"type": "text", "text": "sunny"}]},
            {"role": "user", "content": [{"type": "text", "text": "And?"}]},
            {"role": "user", "content": "<system-reminder>\nMind the time.\n</system-reminder>"},
            // Thoughts that nobody has signed are no block of Anthropic's.
            {"role": "assistant", "reasoning_content": "so",
                "tool_calls": [{"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "b", "content": ""},
        ])
    );
}

#[test]
fn an_answer_by_schema_keeps_the_order_of_its_schema() {
    let body = r#"{"messages":[],
        "output_config":{"format":{"type":"json_schema","schema":{"properties":{"z":{},"a":{}}}}}}"#;
    let request = chat(body).unwrap();
    assert!(request.wants_schema());
    let format = request.response_format.unwrap();
    assert!(
        format.text().contains(r#"{"properties":{"z":{},"a":{}}}"#),
        "{}",
        format.text()
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (body, told) in [
        (
            r#"{"messages":[{"role":"tool","content":"x"}]}"#,
            "messages.0.role",
        ),
        (r#"{"messages":[{"role":"user"}]}"#, "`messages.0` needs"),
        (
            r#"{"messages":[{"role":"user","content":7}]}"#,
            "messages.0.content",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            "needs a `type`",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}"#,
            "tool_use_id",
        ),
        (r#"{"messages":[],"tools":[{"name":"f"}]}"#, "input_schema"),
        (
            r#"{"messages":[],"tool_choice":{"type":"maybe"}}"#,
            "tool_choice.type",
        ),
    ] {
        let error = chat(body).unwrap_err();
        assert!(error.message.contains(told), "{body}: {error}");
        assert_eq!(error.status(), 400);
    }
}
