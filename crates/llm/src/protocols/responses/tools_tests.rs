use super::*;

fn tools(given: &Value) -> Result<Tools> {
    let mut tools = Tools::default();
    for tool in given.as_array().unwrap() {
        tools.add(&RawJson::of(tool).unwrap(), None)?;
    }
    Ok(tools)
}

fn names(tools: &Tools) -> Vec<Value> {
    let json = tools.json().map(|json| json.value()).unwrap_or_default();
    let tools = json.as_array().cloned().unwrap_or_default();
    tools
        .iter()
        .map(|tool| tool["function"]["name"].clone())
        .collect()
}

#[test]
fn every_tool_that_a_client_runs_becomes_a_function() {
    let given = json!([
        {"type": "function", "name": "f", "description": "d", "strict": false, "parameters": {"type": "object"}},
        {"type": "function", "name": "g", "parameters": null, "strict": null},
        {"type": "custom", "name": "apply", "description": "Patches.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        {"type": "namespace", "name": "agents", "description": "", "tools": [
            {"type": "function", "name": "close", "parameters": {"type": "object"}}]},
        {"type": "local_shell"}, {"type": "shell", "environment": {"type": "local"}}, {"type": "apply_patch"},
        {"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": {"type": "object"}},
        {"type": "web_search", "external_web_access": false}, {"type": "web_search_preview"},
            {"type": "image_generation"},
    ]);
    let tools = tools(&given).unwrap();
    assert_eq!(
        names(&tools),
        [
            "f",
            "g",
            "apply",
            "agents__close",
            "local_shell",
            "shell",
            "apply_patch",
            "tool_search"
        ]
    );
    assert_eq!(tools.left_out, ["web_search", "image_generation"]);
    let json = tools.json().unwrap().value();
    assert_eq!(
        json[0],
        json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"},
            "strict": false}})
    );
    assert_eq!(
        json[1]["function"]["parameters"],
        json!({"type": "object", "properties": {}})
    );
    let custom = &json[2]["function"];
    assert!(
        custom["description"]
            .as_str()
            .unwrap()
            .ends_with("(lark):\nstart: x"),
        "{custom}"
    );
    assert_eq!(custom["parameters"]["required"], json!(["input"]));
    let known = tools.known("agents__close");
    assert_eq!(
        (known.namespace.as_deref(), &*known.name),
        (Some("agents"), "close")
    );
    assert_eq!(tools.known("made_up").kind.kind, "function");
}

#[test]
fn a_tool_that_runs_at_openai_is_refused_by_name() {
    for (tool, told) in [
        (
            json!({"type": "file_search"}),
            "The tool file_search runs at OpenAI",
        ),
        (json!({"type": "code_interpreter"}), "code_interpreter"),
        (
            json!({"type": "computer_use_preview"}),
            "computer_use_preview",
        ),
        (json!({"type": "mcp", "server_label": "x"}), "mcp"),
        (
            json!({"type": "shell", "environment": {"type": "container_auto"}}),
            "The tool shell",
        ),
        (json!({"type": "made_up"}), "is not known here"),
        (json!({"type": "function"}), "needs a `name`"),
        (json!({"name": "f"}), "needs a `type`"),
    ] {
        let refused = tools(&json!([tool])).err().unwrap();
        assert!(refused.message.contains(told), "{refused}");
    }
}

#[test]
fn a_name_fits_every_server_and_stays_apart_from_others() {
    assert_eq!(function_name(Some("mcp__git"), "log"), "mcp__git__log");
    let long = "x".repeat(80);
    let (first, second) = (function_name(None, &long), function_name(Some("a.b"), "c"));
    assert_eq!(first.len(), NAME_CHARS);
    assert!(second.starts_with("a_b__c_"), "{second}");
    assert_ne!(first, function_name(None, &"x".repeat(81)));
    assert_eq!(second, function_name(Some("a.b"), "c"));
    assert_eq!(function_name(None, "größe").len(), "gr__e_".len() + 8);
}

#[test]
fn a_choice_is_put_into_the_words_of_chat_completions() {
    let given = json!([{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}, {"type": "local_shell"},
        {"type": "web_search"}]);
    let chosen = |choice: Value| {
        let mut tools = tools(&given).unwrap();
        let chosen = tools.choose(&choice);
        (chosen.map_err(|error| error.message), names(&tools))
    };
    let forced = |name: &str| json!({"type": "function", "function": {"name": name}});
    assert_eq!(chosen(json!("required")).0, Ok(json!("required")));
    assert_eq!(
        chosen(json!({"type": "function", "name": "f"})).0,
        Ok(forced("f"))
    );
    assert_eq!(
        chosen(json!({"type": "custom", "name": "c"})).0,
        Ok(forced("c"))
    );
    assert_eq!(
        chosen(json!({"type": "local_shell"})).0,
        Ok(forced("local_shell"))
    );
    assert!(
        chosen(json!({"type": "web_search"}))
            .0
            .unwrap_err()
            .contains("web_search")
    );
    assert!(
        chosen(json!({"type": "function", "name": "nope"}))
            .0
            .is_err()
    );
    let allowed = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "c"}]});
    let (choice, left) = chosen(allowed);
    assert_eq!((choice, left), (Ok(json!("auto")), vec![json!("c")]));
}

#[test]
fn what_a_call_says_goes_there_and_back() {
    for (kind, field, arguments) in [
        ("function", json!("{\"a\":1}"), "{\"a\":1}"),
        (
            "custom",
            json!("*** Begin\n"),
            "{\"input\":\"*** Begin\\n\"}",
        ),
        (
            "apply_patch",
            json!({"type": "create_file", "path": "x", "diff": "+a"}),
            "{\"diff\":\"+a\",\"path\":\"x\",\"type\":\"create_file\"}",
        ),
        (
            "shell",
            json!({"commands": ["ls"]}),
            "{\"commands\":[\"ls\"]}",
        ),
        ("tool_search", json!({"query": "x"}), "{\"query\":\"x\"}"),
    ] {
        let known = ToolKind::of_tool(kind).unwrap();
        assert_eq!(known.to_arguments(&field.to_string()), arguments, "{kind}");
        assert_eq!(known.of_arguments(arguments), field, "{kind}");
    }
    let shell = ToolKind::of_tool("local_shell").unwrap();
    assert_eq!(
        shell.of_arguments("{\"command\":[\"ls\"]}"),
        json!({"type": "exec", "command": ["ls"], "env": {}})
    );
    assert_eq!(
        CUSTOM.of_arguments("*** Begin"),
        "*** Begin",
        "a model that wrote no object"
    );
    assert_eq!(FUNCTION.of_arguments(""), "{}");
    assert_eq!(
        shell.of_arguments("{\"cut"),
        json!({"type": "exec", "env": {}})
    );
}
