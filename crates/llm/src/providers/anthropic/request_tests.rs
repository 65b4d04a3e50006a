//! Requests in Anthropic's shape, by table.

use super::*;

fn asked(request: Value) -> Value {
    let request: ChatRequest = serde_json::from_value(request).unwrap();
    serde_json::to_value(body(request, false).unwrap()).unwrap()
}

#[test]
fn a_conversation_with_tools_and_pictures_is_put_into_blocks() {
    let body = asked(json!({
        "model": "claude-x", "max_tokens": 100, "temperature": 1.7, "stop": "END", "user": "u",
        "seed": 1, "top_k": 5,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [
                {"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}],
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "user", "content": "Go on"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "F", "parameters": {"type": "object"}, "strict": true}},
            {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": "required", "parallel_tool_calls": false,
    }));
    let expected = json!({
        "model": "claude-x", "max_tokens": 100, "temperature": 1.0, "top_k": 5,
        "stop_sequences": ["END"], "metadata": {"user_id": "u"},
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "g", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "one"}]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "two"}]},
                {"type": "text", "text": "Go on"}]}],
        "tools": [
            {"name": "f", "description": "F", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
    });
    assert_eq!(body, expected);
}

#[test]
fn a_schema_becomes_the_tool_that_answers() {
    let ask = |extra: Value| {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
            "response_format": {"type": "json_schema", "json_schema": {
                "name": "n", "schema": {"type": "object"}, "strict": true}}});
        let fields = extra.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(fields);
        asked(request)
    };
    let alone = ask(json!({}));
    assert_eq!(alone["tools"][0]["name"], ANSWER);
    assert_eq!(
        alone["tool_choice"],
        json!({"type": "tool", "name": ANSWER})
    );
    assert_eq!(alone.get("response_format"), None);
    let beside = ask(json!({"tools": [{"type": "function", "function": {"name": "f"}}]}));
    assert_eq!(beside["tool_choice"], json!({"type": "any"}));
    let thinking = ask(json!({"reasoning_effort": "low", "temperature": 0.5}));
    assert_eq!(thinking["tool_choice"], json!({"type": "auto"}));
    assert_eq!(
        thinking["thinking"],
        json!({"type": "enabled", "budget_tokens": 1024})
    );
    assert_eq!(thinking.get("temperature"), None);
}

#[test]
fn thoughts_are_cut_to_the_answer_and_never_the_answer_raised() {
    let budget = |fields: Value| {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        request
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let body = asked(request);
        (
            body["max_tokens"].as_u64(),
            body["thinking"]["budget_tokens"].as_u64(),
        )
    };
    let enabled = |tokens: Value| json!({"type": "enabled", "budget_tokens": tokens});
    for (fields, expected) in [
        (
            json!({"reasoning_effort": "high", "max_tokens": 100}),
            (100, None),
        ),
        (
            json!({"reasoning_effort": "low", "max_tokens": 1024}),
            (1024, None),
        ),
        (
            json!({"reasoning_effort": "low", "max_tokens": 2048}),
            (2048, Some(1024)),
        ),
        (
            json!({"reasoning_effort": "high", "max_tokens": 4000}),
            (4000, Some(2976)),
        ),
        (
            json!({"reasoning_effort": "high", "max_completion_tokens": 50_000}),
            (50_000, Some(16_384)),
        ),
        (json!({"reasoning_effort": "high"}), (17_408, Some(16_384))),
        (
            json!({"thinking": enabled(json!(20_000)), "max_tokens": 3000}),
            (3000, Some(1976)),
        ),
        (
            json!({"thinking": enabled(json!("20000.0")), "max_tokens": 3000}),
            (3000, Some(1976)),
        ),
        (
            json!({"thinking": enabled(json!(20_000)), "max_tokens": 100}),
            (100, None),
        ),
        (
            json!({"thinking": enabled(json!(20_000))}),
            (21_024, Some(20_000)),
        ),
        (
            json!({"thinking": enabled(json!(1e30)), "max_tokens": 9000}),
            (9000, Some(7976)),
        ),
        (
            json!({"thinking": {"type": "disabled"}, "max_tokens": 100}),
            (100, None),
        ),
    ] {
        assert_eq!(
            budget(fields.clone()),
            (Some(expected.0), expected.1),
            "{fields}"
        );
    }
}

#[test]
fn what_goes_together_goes_up_by_the_models_version() {
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
    let history = |thoughts: Value| {
        json!([{"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [call], "thinking_blocks": thoughts},
            {"role": "tool", "tool_call_id": "c", "content": "one"}])
    };
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let adaptive = json!({"type": "adaptive"});
    let enabled = json!({"type": "enabled", "budget_tokens": 4096});
    let thought = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}]);
    for (model, fields, field, expected) in [
        // A forced call and thoughts exclude each other, and so do thoughts and a history without them.
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "medium"}),
            "thinking",
            enabled.clone(),
        ),
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "medium", "tools": tools, "tool_choice": "required"}),
            "thinking",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "medium", "tools": tools,
                "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            "thinking",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "medium", "messages": history(json!([]))}),
            "thinking",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "medium", "messages": history(thought)}),
            "thinking",
            enabled,
        ),
        // Later models decide themselves.
        (
            "claude-opus-4-7",
            json!({"reasoning_effort": "high"}),
            "thinking",
            adaptive.clone(),
        ),
        (
            "claude-opus-4-7",
            json!({"reasoning_effort": "high"}),
            "output_config",
            json!({"effort": "high"}),
        ),
        (
            "claude-sonnet-5",
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "thinking",
            adaptive.clone(),
        ),
        (
            "claude-opus-4.8",
            json!({"reasoning_effort": "low", "max_tokens": 100}),
            "thinking",
            adaptive,
        ),
        (
            "claude-opus-4-7",
            json!({"reasoning_effort": "none"}),
            "thinking",
            Value::Null,
        ),
        (
            "claude-opus-4-7",
            json!({"temperature": 0.2, "top_p": 0.9}),
            "temperature",
            Value::Null,
        ),
        (
            "claude-opus-4-7",
            json!({"temperature": 0.2, "top_p": 0.9}),
            "top_p",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"temperature": 0.2, "top_p": 0.9}),
            "top_p",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"top_p": 0.9}),
            "top_p",
            json!(0.9),
        ),
        (
            "claude-3-5-haiku",
            json!({"temperature": 0.2, "top_p": 0.9}),
            "top_p",
            json!(0.9),
        ),
        (
            "claude-sonnet-4-5",
            json!({"reasoning_effort": "low", "top_k": 5, "top_p": 0.5}),
            "top_k",
            Value::Null,
        ),
        // Words of OpenAI's.
        (
            "claude-sonnet-4-5",
            json!({"prompt_cache_key": "k", "service_tier": "default"}),
            "service_tier",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"service_tier": "standard_only"}),
            "service_tier",
            json!("standard_only"),
        ),
        (
            "claude-sonnet-4-5",
            json!({"safety_identifier": "k"}),
            "safety_identifier",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"web_search_options": {}, "function_call": "auto"}),
            "web_search_options",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"metadata": {"task": "t"}}),
            "metadata",
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            json!({"metadata": {"user_id": "u", "task": "t"}}),
            "metadata",
            json!({"user_id": "u"}),
        ),
        (
            "claude-sonnet-4-5",
            json!({"user": "u".repeat(300)}),
            "metadata",
            json!({"user_id": "u".repeat(256)}),
        ),
        (
            "claude-sonnet-4-5",
            json!({"context_management": {}}),
            "context_management",
            json!({}),
        ),
        (
            "claude-sonnet-4-5",
            json!({"tools": tools, "tool_choice": {"type": "allowed_tools", "mode": "required"}}),
            "tool_choice",
            json!({"type": "any"}),
        ),
    ] {
        let mut request = json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
        request
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let body = asked(request);
        assert_eq!(body[field], expected, "{model} {fields}");
        assert!(body.get("reasoning_effort").is_none() && body.get("prompt_cache_key").is_none());
    }
}

#[test]
fn schemas_have_a_type_and_the_tool_that_answers_a_name_of_its_own() {
    let function = |function: Value| json!({"type": "function", "function": function});
    let body = asked(
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
        "tools": [
            function(json!({"name": "answer", "parameters": {}})),
            function(json!({"name": "g", "parameters": {"properties": {"z": {}, "a": {}}}})),
            function(json!({"name": "h", "parameters": null}))],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}}),
    );
    let tools = body["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["answer", "g", "h", "answer_2"]);
    assert!(
        tools
            .iter()
            .all(|tool| tool["input_schema"]["type"] == "object"),
        "{body}"
    );
}

#[test]
fn a_conversation_that_ends_with_the_models_words_goes_on_where_it_may() {
    let last = |model: &str| {
        let body = asked(json!({"model": model, "messages": [
            {"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]}));
        body["messages"].as_array().unwrap().last().unwrap()["role"].clone()
    };
    assert_eq!(last("claude-sonnet-4-5"), "assistant");
    assert_eq!(last("claude-opus-4-7"), "user");
}

#[test]
fn the_words_that_an_answer_goes_on_with_end_without_white_space() {
    let last = |content: Value| {
        let body = asked(json!({"model": "claude-sonnet-4-5", "messages": [
            {"role": "user", "content": "x"}, {"role": "assistant", "content": content}]}));
        body["messages"].as_array().unwrap().last().unwrap()["content"][0]["text"].clone()
    };
    assert_eq!(last(json!("The answer: \n")), "The answer:");
    assert_eq!(last(json!([{"type": "text", "text": "a "}])), "a");
}

#[test]
fn the_tools_of_a_history_are_described_where_the_request_has_none() {
    let call =
        |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": "{}"}});
    let mut request = json!({"model": "m", "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call("a", "f"), call("b", "g"), call("c", "f")]},
        {"role": "tool", "tool_call_id": "a", "content": "one"}]});
    let body = asked(request.clone());
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "input_schema": {"type": "object"}}, {"name": "g", "input_schema": {"type": "object"}}])
    );
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    request["response_format"] =
        json!({"type": "json_schema", "json_schema": {"schema": {"type": "object"}}});
    let body = asked(request.clone());
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": ANSWER}));
    request["tools"] = json!([{"type": "function", "function": {"name": "h"}}]);
    let names = asked(request)["tools"].clone();
    let names: Vec<&Value> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["h", ANSWER]);
    let plain = asked(json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}));
    assert_eq!((plain.get("tools"), plain.get("tool_choice")), (None, None));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let refused = |request: Value| {
        let request: ChatRequest = serde_json::from_value(request).unwrap();
        body(request, false).err().unwrap().message
    };
    assert!(
        refused(json!({"messages": [{"role": "user", "content": "x"}], "n": 2})).contains("`n`")
    );
    let picture = json!([{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]);
    let messages = json!([{"role": "user", "content": picture}]);
    assert!(refused(json!({"messages": messages})).contains("base64"));
}

#[test]
fn a_prompt_is_marked_to_be_kept_where_more_requests_begin_like_it() {
    let marks = |messages: Value| {
        let mut request: ChatRequest =
            serde_json::from_value(json!({"model": "claude-x", "messages": messages})).unwrap();
        request.keeps_prompt = true;
        let body = serde_json::to_value(body(request, false).unwrap()).unwrap();
        let marked = |block: &Value| block["cache_control"] == json!({"type": "ephemeral"});
        let system = body["system"].as_array().unwrap().iter().map(marked);
        let turns = body["messages"].as_array().unwrap().iter();
        let turns = turns.map(|turn| marked(turn["content"].as_array().unwrap().last().unwrap()));
        (system.collect::<Vec<_>>(), turns.collect::<Vec<_>>())
    };
    let begins = [
        json!({"role": "system", "content": "Plan."}),
        json!({"role": "user", "content": "Hi"}),
    ];
    assert_eq!(marks(json!(begins)), (vec![true], vec![false]));
    let call = json!({"id": "a", "function": {"name": "f", "arguments": "{}"}});
    let goes_on = [
        begins[0].clone(),
        begins[1].clone(),
        json!({"role": "assistant", "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": "a", "content": "one"}),
    ];
    assert_eq!(
        marks(json!(goes_on)),
        (vec![true], vec![false, false, true])
    );
}

#[test]
fn a_model_is_told_how_to_think_in_the_words_of_its_version() {
    for (model, thinking, config) in [
        (
            "claude-sonnet-4-5",
            json!({"type": "enabled", "budget_tokens": 4096}),
            Value::Null,
        ),
        (
            "claude-sonnet-4-6",
            json!({"type": "adaptive"}),
            json!({"effort": "high"}),
        ),
        (
            "claude-opus-4-8",
            json!({"type": "adaptive"}),
            json!({"effort": "high"}),
        ),
    ] {
        let body = asked(json!({"model": model, "max_tokens": 32_000,
            "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
            "messages": [{"role": "user", "content": "Hi"}]}));
        assert_eq!(body["thinking"], thinking, "{model}");
        assert_eq!(body["output_config"], config, "{model}");
    }
}

#[test]
fn words_in_the_models_mouth_go_up_where_it_may_go_on_with_them() {
    let last = |fields: Value| {
        let mut request = json!({"model": "claude-sonnet-4-5", "messages": [
            {"role": "user", "content": "x"}, {"role": "assistant", "content": "The answer is "}]});
        request
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let body = asked(request);
        body["messages"].as_array().unwrap().last().unwrap()["role"].clone()
    };
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    for (fields, role) in [
        (json!({}), "assistant"),
        (json!({"tools": tools}), "user"),
        (json!({"response_format": format}), "user"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 5000}),
            "user",
        ),
        (json!({"model": "claude-opus-4-6"}), "user"),
    ] {
        assert_eq!(last(fields.clone()), role, "{fields}");
    }
}
