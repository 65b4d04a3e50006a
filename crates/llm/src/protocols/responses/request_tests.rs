use super::*;

fn chat(body: Value) -> Result<ChatRequest> {
    let request: ResponsesRequest = serde_json::from_value(body).unwrap();
    request.into_chat().map(|(request, _)| request)
}

fn messages(body: Value) -> Value {
    serde_json::to_value(chat(body).unwrap().messages).unwrap()
}

#[test]
fn a_request_is_put_into_the_gateways_words() {
    let body = r#"{"model":"mana/reasoning","instructions":"Be brief.","input":"Hi","stream":true,"store":false,
        "max_output_tokens":99,"temperature":0.5,"reasoning":{"effort":"low","summary":"auto"},
        "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","strict":true,"schema":{"z":1,"a":2}}},
        "tools":[{"type":"function","name":"f","parameters":{"z":1,"a":2}},{"type":"web_search"}],
        "tool_choice":"auto","parallel_tool_calls":true,"include":["reasoning.encrypted_content"],
        "prompt_cache_key":"k","client_metadata":{"x":1},"metadata":{"m":1},"truncation":"auto","max_tool_calls":3}"#;
    let request: ResponsesRequest = serde_json::from_str(body).unwrap();
    let (request, _) = request.into_chat().unwrap();
    assert_eq!(request.protocol, CallerProtocol::Responses);
    assert_eq!(
        serde_json::to_value(&request.messages).unwrap(),
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    );
    assert_eq!(
        Value::Object(request.extra.clone()),
        json!({"max_tokens": 99, "temperature": 0.5, "reasoning_effort": "low", "verbosity": "low",
            "tool_choice": "auto",
            "parallel_tool_calls": true, "prompt_cache_key": "k"})
    );
    let format = request.response_format.unwrap();
    assert_eq!(
        format.text(),
        r#"{"type":"json_schema","json_schema":{"name":"n","schema":{"z":1,"a":2},"strict":true}}"#
    );
    let tools = request.tools.unwrap();
    assert!(
        tools.text().contains(r#""parameters":{"z":1,"a":2}"#),
        "{}",
        tools.text()
    );
    assert_eq!(
        request.left_out,
        ["web_search", "max_tool_calls", "truncation"]
    );
}

#[test]
fn items_become_messages_with_their_calls_and_thoughts() {
    let sealed =
        json!({"text": "hm", "blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]});
    let sealed = {
        use base64::Engine as _;
        format!(
            "mana1.{}",
            base64::prelude::BASE64_STANDARD.encode(sealed.to_string())
        )
    };
    let told = messages(json!({"input": [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "original"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}]},
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": sealed},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look.",
            "annotations": []}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{\"z\":1}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "c", "input": "text"},
        {"type": "function_call", "call_id": "d", "namespace": "agents", "name": "close", "arguments": "{}"},
        {"type": "web_search_call", "id": "w", "status": "completed"},
        {"type": "function_call_output", "call_id": "a", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "two"}]},
        {"type": "function_call_output", "call_id": "d", "output": [{"type": "input_image",
            "image_url": "https://x/y.png"}]},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "so"}],
            "encrypted_content": "gAAAA"},
        {"type": "local_shell_call", "call_id": "e", "action": {"type": "exec", "command": ["ls"]},
            "status": "completed"},
        {"type": "local_shell_call_output", "id": "e", "output": "files"},
    ]}));
    let call = |id: &str, name: &str, arguments: &str| {
        json!({"id": id, "type": "function", "function": {"name": name,
        "arguments": arguments}})
    };
    assert_eq!(
        told,
        json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}], "reasoning_content": "hm",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                "tool_calls": [call("a", "f", "{\"z\":1}"), call("b", "c", "{\"input\":\"text\"}"), call("d",
                    "agents__close", "{}")]},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
            {"role": "tool", "tool_call_id": "d", "content": [{"type": "image_url",
                "image_url": {"url": "https://x/y.png"}}]},
            {"role": "assistant", "reasoning_content": "so",
                "tool_calls": [call("e", "local_shell", "{\"command\":[\"ls\"],\"type\":\"exec\"}")]},
            {"role": "tool", "tool_call_id": "e", "content": "files"},
        ])
    );
}

#[test]
fn tools_that_were_found_can_be_called() {
    let request = chat(json!({"tools": [{"type": "tool_search", "execution": "client"}], "input": [
        {"role": "user", "content": "Find"},
        {"type": "tool_search_call", "call_id": "a", "execution": "client", "arguments": {"query": "x"}},
        {"type": "tool_search_output", "call_id": "a", "execution": "client", "tools": [
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]},
        {"type": "additional_tools", "tools": [{"type": "function", "name": "g"}]}]}))
    .unwrap();
    let tools = request.tools.unwrap().value();
    let names: Vec<&Value> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["function"]["name"])
        .collect();
    assert_eq!(names, ["tool_search", "n__f", "g"]);
    assert_eq!(request.messages[2].role, "tool");
}

#[test]
fn what_needs_a_memory_is_refused_by_name_with_what_to_do() {
    for (field, value, told) in [
        (
            "previous_response_id",
            json!("resp_1"),
            "whole conversation",
        ),
        ("conversation", json!({"id": "c"}), "whole conversation"),
        ("prompt", json!({"id": "p"}), "`instructions`"),
        ("background", json!(true), "leave it out"),
        ("store", json!(true), "`store: false`"),
    ] {
        let error = chat(json!({"input": "Hi", field: value})).unwrap_err();
        assert!(
            error.message.contains(field) && error.message.contains(told),
            "{error}"
        );
        assert_eq!(error.body()["error"]["param"], field);
        for harmless in [json!(null), json!(false)] {
            assert!(
                chat(json!({"input": "Hi", field: harmless})).is_ok(),
                "{field}"
            );
        }
    }
}

#[test]
fn an_item_that_can_not_be_read_is_named_by_its_place() {
    for (item, told) in [
        (
            json!({"type": "item_reference", "id": "x"}),
            "send the item itself",
        ),
        (
            json!({"type": "compaction", "encrypted_content": "x"}),
            "compaction",
        ),
        (json!({"type": "made_up"}), "made_up"),
        (json!({"role": "tool", "content": "x"}), "input[0].role"),
        (json!({"role": "user", "content": 7}), "input[0].content"),
        (
            json!({"role": "user", "content": [{"type": "made_up"}]}),
            "made_up",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}),
            "image_url",
        ),
        (json!({"type": "function_call", "name": "f"}), "call_id"),
        (json!({"type": "function_call_output"}), "call_id"),
        (json!(7), "input[0]"),
    ] {
        let error = chat(json!({"input": [item]})).unwrap_err();
        assert!(error.message.contains(told), "{error}");
    }
    assert!(chat(json!({"input": 7})).is_err());
    let other = json!({"input": "x", "text": {"format": {"type": "grammar"}}});
    assert!(chat(other).unwrap_err().message.contains("grammar"));
}
