//! Streams as vendors' documents show them: each reaches callers of every protocol whole.

use crate::*;

/// A streamed answer: who writes so, the lines, and the words, thoughts and calls in it.
struct Streamed {
    by: &'static str,
    lines: &'static [&'static str],
    says: &'static str,
    thinks: &'static str,
    calls: &'static str,
}

const STREAMS: [Streamed; 19] = [
    Streamed {
        by: "OpenAI",
        lines: &[
            concat!(
                r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","#,
                r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"#,
                r#""finish_reason":null}],"obfuscation":"x"}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            concat!(
                r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"#,
                r#""total_tokens":11}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "OpenAI, two calls",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"#,
                r#""tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"#,
                r#""finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"#,
                r#""function":{"arguments":"{\"x\":1}"}}]},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","#,
                r#""type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
        says: "",
        thinks: "",
        calls: r#"f{"x":1}f{}"#,
    },
    Streamed {
        by: "Azure",
        lines: &[
            concat!(
                r#"{"choices":[],"created":0,"id":"","model":"","object":"","#,
                r#""prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"content_filter_results":{},"delta":{"content":"Hello"},"#,
                r#""finish_reason":null,"index":0}]}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"delta":{},"finish_reason":"stop","index":0}]}"#,
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "Groq",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"#,
                r#""finish_reason":null}],"x_groq":{"id":"r"}}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning":"hm"},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#,
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"#,
                r#""x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":9}}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "Mistral",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}],"closed":true}]},"#,
                r#""finish_reason":null}],"p":"abcd"}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"#,
                r#""finish_reason":"stop"}],"usage":{"prompt_tokens":9,"total_tokens":11,"completion_tokens":2}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "DeepSeek",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"#,
                r#""reasoning_content":"h"},"logprobs":null,"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"m"},"#,
                r#""finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello","#,
                r#""reasoning_content":null},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"#,
                r#""finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"#,
                r#""prompt_cache_hit_tokens":0}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "OpenRouter",
        lines: &[
            concat!(
                r#"{"id":"gen-1","provider":"P","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""content":"","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","#,
                r#""format":"unknown","index":0}]},"finish_reason":null,"native_finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"gen-1","provider":"P","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""content":"Hello"},"finish_reason":"stop","native_finish_reason":"completed"}]}"#,
            ),
            concat!(
                r#"{"id":"gen-1","provider":"P","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""content":""},"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":2,"#,
                r#""total_tokens":11,"cost":0.0001}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "Together",
        lines: &[
            concat!(
                r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"text":"Hello","#,
                r#""logprobs":null,"finish_reason":null,"seed":null,"delta":{"token_id":1,"role":"assistant","#,
                r#""content":"Hello","tool_calls":null}}],"model":"m","usage":null}"#,
            ),
            concat!(
                r#"{"id":"c","choices":[{"index":0,"text":"","finish_reason":"stop","delta":{"token_id":2,"#,
                r#""role":"assistant","content":""}}],"model":"m","usage":{"prompt_tokens":9,"#,
                r#""completion_tokens":2,"total_tokens":11}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "Gemini",
        lines: &[
            concat!(
                r#"{"choices":[{"delta":{"role":"assistant","#,
                r#""tool_calls":[{"extra_content":{"google":{"thought_signature":"s"}},"#,
                r#""function":{"arguments":"{\"x\":1}","name":"f"},"id":"call_1","type":"function"}]},"index":0}],"#,
                r#""created":1,"id":"c","model":"m","object":"chat.completion.chunk"}"#,
            ),
            r#"{"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}],"id":"c","model":"m"}"#,
        ],
        says: "",
        thinks: "",
        calls: r#"f{"x":1}"#,
    },
    Streamed {
        by: "Ollama",
        lines: &[
            concat!(
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","#,
                r#""system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""content":"","reasoning":"hm"},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","#,
                r#""tool_calls":[{"id":"call_x","index":0,"type":"function","function":{"name":"f","#,
                r#""arguments":"{\"x\":1}"}}]},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"#,
                r#""finish_reason":"tool_calls"}]}"#,
            ),
        ],
        says: "",
        thinks: "hm",
        calls: r#"f{"x":1}"#,
    },
    Streamed {
        by: "vLLM",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"#,
                r#""logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"usage":{"prompt_tokens":9,"#,
                r#""total_tokens":9,"completion_tokens":0}}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"#,
                r#""finish_reason":null,"token_ids":null}],"usage":{"prompt_tokens":9,"total_tokens":10,"#,
                r#""completion_tokens":1}}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop","#,
                r#""stop_reason":null,"token_ids":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"total_tokens":11,"#,
                r#""completion_tokens":2,"prompt_tokens_details":null}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "llama.cpp",
        lines: &[
            concat!(
                r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"#,
                r#""created":1,"id":"c","model":"m","system_fingerprint":"b1"}"#,
            ),
            r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hello"}}],"id":"c","model":"m"}"#,
            r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"c","model":"m"}"#,
            concat!(
                r#"{"choices":[],"id":"c","model":"m","usage":{"completion_tokens":2,"prompt_tokens":9,"#,
                r#""total_tokens":11},"timings":{"prompt_n":9}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "LM Studio",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""tool_calls":[{"index":0,"id":"365174485","type":"function","function":{"name":"f","#,
                r#""arguments":""}}]},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"#,
                r#""type":"function","function":{"name":"","arguments":"{\"x\":"}}]},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"#,
                r#""function":{"arguments":"1}"}}]},"finish_reason":null}]}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
        says: "",
        thinks: "",
        calls: r#"f{"x":1}"#,
    },
    Streamed {
        by: "xAI",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""reasoning_content":"hm"}}],"system_fingerprint":"fp"}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"#,
                r#""finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":111,"#,
                r#""completion_tokens_details":{"reasoning_tokens":100},"num_sources_used":0}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "Cerebras",
        lines: &[
            concat!(
                r#"{"id":"c","choices":[{"delta":{"role":"assistant"},"index":0}],"created":1.5,"model":"m","#,
                r#""object":"chat.completion.chunk"}"#,
            ),
            concat!(
                r#"{"id":"c","choices":[{"delta":{"content":"Hello"},"index":0,"finish_reason":"stop"}],"#,
                r#""created":1.5,"model":"m","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11},"#,
                r#""time_info":{"queue_time":0.1}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "Perplexity",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","citations":["https://x"],"search_results":[],"choices":[{"index":0,"#,
                r#""message":{"role":"assistant","content":"Hel"},"delta":{"role":"assistant","content":"Hel"}}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"finish_reason":"stop","#,
                r#""message":{"role":"assistant","content":"Hello"},"delta":{"role":"assistant","content":"lo"}}],"#,
                r#""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"#,
                r#""cost":{"total_cost":0.006}}}"#,
            ),
        ],
        says: "Hello",
        thinks: "",
        calls: "",
    },
    Streamed {
        by: "Moonshot",
        lines: &[
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"#,
                r#""finish_reason":null}]}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}"#,
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"f:0","#,
                r#""type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}"#,
            ),
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","#,
                r#""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}]}"#,
            ),
        ],
        says: "",
        thinks: "hm",
        calls: "f{}",
    },
    Streamed {
        by: "Z.ai",
        lines: &[
            concat!(
                r#"{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","#,
                r#""reasoning_content":"hm"}}]}"#,
            ),
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}"#,
            concat!(
                r#"{"id":"c","model":"m","choices":[{"index":0,"finish_reason":"stop","delta":{"role":"assistant","#,
                r#""content":""}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
            ),
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
    Streamed {
        by: "LiteLLM before Anthropic",
        lines: &[
            concat!(
                r#"{"id":"chatcmpl-1","created":1,"model":"m","object":"chat.completion.chunk","#,
                r#""choices":[{"index":0,"delta":{"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","#,
                r#""thinking":"hm","signature":null}],"content":"","role":"assistant"}}]}"#,
            ),
            r#"{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"content":"Hello"}}]}"#,
            r#"{"id":"chatcmpl-1","model":"m","choices":[{"finish_reason":"stop","index":0,"delta":{}}]}"#,
        ],
        says: "Hello",
        thinks: "hm",
        calls: "",
    },
];

/// The data of a stream's events.
fn data(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The words, thoughts and calls of a message that is put together from Anthropic's events.
fn of_messages(events: &[Value]) -> [String; 3] {
    let mut said = [String::new(), String::new(), String::new()];
    for event in events {
        let block = &event["content_block"];
        if block["type"] == "tool_use" {
            said[2] += text_of(&block["name"]);
        }
        let delta = &event["delta"];
        said[0] += text_of(&delta["text"]);
        said[1] += text_of(&delta["thinking"]);
        said[2] += text_of(&delta["partial_json"]);
    }
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    said
}

/// The same of a response.
fn of_response(events: &[Value]) -> [String; 3] {
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let mut said = [String::new(), String::new(), String::new()];
    for item in last["response"]["output"].as_array().unwrap() {
        said[0] += text_of(&item["content"][0]["text"]);
        said[1] += text_of(&item["summary"][0]["text"]);
        said[2] += text_of(&item["name"]);
        said[2] += text_of(&item["arguments"]);
    }
    said
}

#[tokio::test]
async fn every_vendors_stream_reaches_callers_of_every_protocol_whole() {
    for streamed in &STREAMS {
        let base = raw::serve(move |mut caller| async move {
            caller.begin_events().await;
            caller.send(": keep-alive\n\n").await;
            for line in streamed.lines {
                caller.event(line).await;
            }
            caller.event("[DONE]").await;
        })
        .await;
        let base = serve(gateway_to(&base)).await;
        let expected = [streamed.says, streamed.thinks, streamed.calls];
        let messages = json!({"model": "up/m", "stream": true, "max_tokens": 99, "thinking": {"type": "adaptive"},
            "messages": [{"role": "user", "content": "Hi"}]});
        let response = post(format!("{base}/v1/messages"), &messages).await;
        let told = data(&soon(response.text()).await.unwrap());
        assert_eq!(of_messages(&told), expected, "{} as a message", streamed.by);
        let response = json!({"model": "up/m", "stream": true, "input": "Hi"});
        let response = post(format!("{base}/v1/responses"), &response).await;
        let told = data(&soon(response.text()).await.unwrap());
        assert_eq!(
            of_response(&told),
            expected,
            "{} as a response",
            streamed.by
        );
    }
}
