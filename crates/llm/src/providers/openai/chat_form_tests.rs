use super::*;
use crate::wire::CallerProtocol;

fn plain_of(body: Value, dialect: &Dialect) -> Result<Value> {
    let mut request: ChatRequest = serde_json::from_value(body).unwrap();
    request.protocol = CallerProtocol::Messages;
    plain(&mut request, dialect)?;
    Ok(serde_json::to_value(&request).unwrap())
}

fn openai() -> Dialect {
    Dialect {
        knows_developer: true,
        is_openais: true,
        takes_thoughts: false,
        takes_temperature: |model| !super::super::dialect::thinks(model),
        ..Dialect::USUAL
    }
}

#[test]
fn a_conversation_becomes_what_every_server_takes() {
    let text =
        |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
    let call =
        json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": [text("x-anthropic-billing-header: cc_version=2"), text("Be brief."),
            text("Be kind.")]},
        {"role": "developer", "content": "Mind the tools."},
        {"role": "user", "content": [text("Look"), {"type": "image", "source": {"type": "base64",
            "media_type": "image/png", "data": "QUJD"}},
            {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf",
                "data": "QUJD"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}]},
        {"role": "assistant", "content": [text("I look."), {"type": "server_tool_use", "id": "s"}],
            "thinking_blocks": [{}],
            "reasoning_content": "hm", "tool_calls": call},
        {"role": "tool", "tool_call_id": "a", "is_error": true, "cache_control": {"type": "ephemeral"},
            "content": [text("one"), {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]},
        {"role": "system", "content": "Mind the time."}]});
    let told = plain_of(body.clone(), &Dialect::USUAL).unwrap();
    assert_eq!(
        told["messages"],
        json!([
            {"role": "system", "content": "Be brief.\n\nBe kind.\n\nMind the tools."},
            {"role": "user", "content": [{"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
                {"type": "text", "text": "words"}]},
            {"role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": call},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "What the tools showed:"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
            {"role": "user", "content": "Mind the time."},
        ])
    );
    let told = plain_of(body, &openai()).unwrap();
    assert_eq!(told["messages"][2]["reasoning_content"], Value::Null);
    assert_eq!(told["messages"][5]["role"], "system");
}

#[test]
fn marks_for_the_cache_stay_where_they_are_understood() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]});
    let dialect = Dialect {
        keeps_cache_marks: true,
        ..Dialect::USUAL
    };
    assert_eq!(
        plain_of(body.clone(), &dialect).unwrap()["messages"],
        body["messages"]
    );
}

#[test]
fn fields_stay_that_a_server_takes() {
    let body = |model: &str| {
        json!({"model": model, "messages": [], "max_tokens": 9, "temperature": 1, "top_k": 5, "stop": ["END"],
        "thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "metadata": {"user_id": "u"},
        "prompt_cache_key": "k", "verbosity": "low", "parallel_tool_calls": true, "tool_choice": "auto"})
    };
    assert_eq!(
        plain_of(body("llama"), &Dialect::USUAL).unwrap(),
        json!({"model": "llama", "messages": [], "max_tokens": 9, "temperature": 1, "stop": ["END"]})
    );
    assert_eq!(
        plain_of(body("gpt-5"), &openai()).unwrap(),
        json!({"model": "gpt-5", "messages": [], "max_tokens": 9, "stop": ["END"], "reasoning_effort": "high",
            "prompt_cache_key": "k", "verbosity": "low"})
    );
    let request: ChatRequest = serde_json::from_value(body("llama")).unwrap();
    assert_eq!(left_out(&request, &Dialect::USUAL), ["top_k", "verbosity"]);
}

#[test]
fn an_effort_is_read_in_every_protocols_words() {
    for (extra, expected) in [
        (json!({}), None),
        (json!({"reasoning_effort": "minimal"}), Some("minimal")),
        (
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}),
            None,
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            Some("low"),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 8192}}),
            Some("medium"),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 31999}}),
            Some("high"),
        ),
        (json!({"output_config": {"effort": "xhigh"}}), Some("high")),
    ] {
        let Value::Object(fields) = extra.clone() else {
            panic!()
        };
        assert_eq!(effort(&fields).as_deref(), expected, "{extra}");
    }
}

#[test]
fn functions_keep_their_schema_and_nothing_of_anthropics() {
    let tools = r#"[{"type":"function","function":{"name":"f","description":"d","parameters":{"z":1,"a":2},
        "strict":true,        "input_examples":[1]},"cache_control":{}}]"#;
    let tools = RawJson::of_text(tools).unwrap();
    assert_eq!(
        plain_tools(&tools).unwrap().unwrap().text(),
        r#"[{"type":"function","function":{"name":"f","description":"d","parameters":{"z":1,"a":2},"strict":true}}]"#
    );
    let own = RawJson::of_text(r#"[{"type":"web_search_20250305","name":"web_search"}]"#).unwrap();
    let refused = plain_tools(&own).unwrap_err();
    assert!(refused.message.contains("web_search_20250305"), "{refused}");
}

#[test]
fn a_part_that_only_anthropic_reads_is_refused_by_name() {
    let body =
        |part: Value| json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
    for (part, told) in [
        (
            json!({"type": "container_upload", "file_id": "f"}),
            "container_upload",
        ),
        (
            json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "source file",
        ),
    ] {
        let error = plain_of(body(part), &Dialect::USUAL).unwrap_err();
        assert!(error.message.contains(told), "{error}");
    }
    let found = json!({"type": "search_result", "title": "t", "content": [{"type": "text", "text": "found"}]});
    let told = plain_of(body(found), &Dialect::USUAL).unwrap();
    assert_eq!(told["messages"][0]["content"], "found");
}

fn gemini() -> Dialect {
    Dialect {
        signs_calls: |model| model.contains("gemini-3"),
        ..Dialect::USUAL
    }
}

#[test]
fn calls_that_gemini_has_not_signed_say_so() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "gemini-3-pro", "messages": [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]});
    let told = plain_of(body.clone(), &gemini()).unwrap();
    assert_eq!(
        told["messages"][1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"],
        "skip_thought_signature_validator"
    );
    let told = plain_of(body, &Dialect::USUAL).unwrap();
    assert_eq!(told["messages"][1]["tool_calls"][0], call);
}
