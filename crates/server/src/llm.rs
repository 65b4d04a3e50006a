//! The runner's way to a model: the gateway, in this process.

use std::sync::Arc;

use async_trait::async_trait;
use mana_ai::{ChatAnswer, ChatRequest, Llm, LlmError, ModelFacts};
use mana_core::manifest::Schema;
use mana_core::planner::calls::Function;
use mana_core::planner::{Message, MessageRole};
use mana_llm::wire::RawJson;
use mana_llm::{Call, ChatCompletion, ErrorKind, Gateway, GatewayError};
use serde::Serialize;
use serde_json::{Value, json};

/// The gateway as the runner sees it.
pub struct GatewayLlm(Arc<Gateway>);

impl GatewayLlm {
    /// Asks this gateway.
    pub fn new(gateway: Arc<Gateway>) -> GatewayLlm {
        GatewayLlm(gateway)
    }
}

impl GatewayLlm {
    /// The answer as the runner reads it. A usage that can't be true is left out, and estimated by the runner.
    fn answered(&self, answer: ChatCompletion, sent_bytes: u64) -> ChatAnswer {
        let choice = answer.choices.first().map(|choice| json!(choice));
        let usage = answer.usage.as_ref().and_then(|usage| {
            let (prompt, made) = self.0.believed(&answer.resolved, usage, sent_bytes, 1)?;
            let total = prompt.saturating_add(made);
            // A zero says nothing, but for the planner that is no model.
            (total > 0 || answer.resolved.starts_with("builtin/")).then_some((prompt, total))
        });
        let micros_usd = usage.and_then(|(prompt, total)| {
            let told = answer.usage.as_ref()?;
            self.0.cost(&answer.resolved, told, prompt, total - prompt)
        });
        let lost = answer.failed.iter().filter(|attempt| attempt.prompt_read);
        ChatAnswer {
            tokens: usage.map(|(_, total)| total),
            prompt_tokens: usage.map(|(prompt, _)| prompt),
            micros_usd,
            prompts_lost: lost.count() as u64,
            model: answer.resolved,
            ..choice
                .as_ref()
                .map(ChatAnswer::of_choice)
                .unwrap_or_default()
        }
    }
}

#[async_trait]
impl Llm for GatewayLlm {
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError> {
        let (timeout, max_bytes) = (request.timeout, request.max_bytes);
        let sent = request.messages.iter().map(|message| message.content.len());
        let functions = functions_bytes(&request);
        let sent_bytes = (sent.sum::<usize>() + functions) as u64;
        let call = Call {
            request: asked(request),
            timeout: Some(timeout),
            max_bytes: Some(max_bytes),
        };
        match self.0.chat(call).await {
            Ok(answer) => Ok(self.answered(answer, sent_bytes)),
            Err(error) => Err(LlmError {
                refused: is_refused(&error),
                prompts_read: error.prompts_read().count() as u64,
                limit: error.context_limit().map(|limit| {
                    let window = limit.window.and_then(|tokens| usize::try_from(tokens).ok());
                    window.unwrap_or_default()
                }),
                retry_after: error.retry_after(),
                is_about_form: error.is_about_form,
                ..LlmError::new(error.code(), error.message)
            }),
        }
    }

    async fn facts(&self, model: &str) -> ModelFacts {
        let Ok(can) = self.0.capabilities(model).await else {
            return ModelFacts::default();
        };
        let chain = self.0.resolve_all(model).await.ok();
        // Any of them may answer, so the dearest is what is set aside.
        let price = chain.as_ref().and_then(|chain| self.0.dearest(chain));
        ModelFacts {
            tools: can.tools,
            json_schema: can.json_schema,
            context_tokens: can.context_tokens.and_then(|all| usize::try_from(all).ok()),
            price: price.map(|price| (price.input, price.output)),
            unpriced: chain.is_some() && price.is_none(),
        }
    }
}

/// A tool as OpenAI describes it. The members of its schema keep their order.
#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: &'a Function,
}

/// `response_format` with a schema.
#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: PlanSchema<'a>,
}

#[derive(Serialize)]
struct PlanSchema<'a> {
    name: &'static str,
    /// OpenAI's strict form has no optional parameters. Servers of local models bind to any schema.
    strict: bool,
    schema: &'a Schema,
}

/// The size of the functions that go with a request.
fn functions_bytes(request: &ChatRequest) -> usize {
    let functions = request.functions.iter();
    functions
        .map(|function| serde_json::to_string(function).map_or(0, |text| text.len()))
        .sum()
}

/// A request in OpenAI's shape.
fn asked(request: ChatRequest) -> mana_llm::ChatRequest {
    let messages = request.messages.into_iter().map(wire).collect();
    let mut asked = mana_llm::ChatRequest::new(request.model, messages);
    asked.keeps_prompt = true;
    asked.caller = format!("user:{}", request.user);
    asked.outline = Some(request.outline);
    asked.bound = Some(request.max_tokens as u64);
    asked.usual_temperature = Some(request.temperature);
    asked.window = request.window.map(|tokens| tokens as u64);
    if !request.functions.is_empty() {
        let tools = request.functions.iter().map(|function| Tool {
            kind: "function",
            function,
        });
        asked.tools = RawJson::of(&tools.collect::<Vec<_>>());
    }
    if let Some(schema) = &request.schema {
        asked.response_format = RawJson::of(&Format {
            kind: "json_schema",
            json_schema: PlanSchema {
                name: "plan",
                strict: false,
                schema,
            },
        });
    }
    asked
}

fn wire(message: Message) -> mana_llm::Message {
    let role = match message.role {
        MessageRole::System => "system",
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
        MessageRole::Tool => "tool",
    };
    let mut wired = mana_llm::Message::text(role, message.content);
    if let Some(id) = message.call_id {
        wired
            .extra
            .insert("tool_call_id".to_owned(), Value::from(id));
    }
    if !message.calls.is_empty() {
        let calls = message.calls.into_iter().map(|call| {
            json!({
                "id": call.id,
                "type": "function",
                "function": { "name": call.name, "arguments": call.arguments },
            })
        });
        wired.extra.insert("tool_calls".to_owned(), calls.collect());
    }
    wired
}

/// The server of the model says that the request is one that it can't serve.
fn is_refused(error: &GatewayError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Http(400 | 404 | 405 | 415 | 422 | 501) | ErrorKind::InvalidRequest { .. }
    )
}

#[cfg(test)]
mod tests {
    use mana_llm::{LlmConfig, ModelSettings, ProviderConfig};

    use super::*;

    fn claude() -> GatewayLlm {
        let base = "https://models.invalid/v1";
        let mut anthropic = ProviderConfig::new("anthropic", base, "test").unwrap();
        anthropic.models = vec!["claude-sonnet-4-6".to_owned()];
        GatewayLlm::new(Gateway::from_config(LlmConfig {
            providers: vec![anthropic],
            probe: None,
            ..LlmConfig::default()
        }))
    }

    #[tokio::test]
    async fn tokens_of_the_providers_cache_cost_what_they_cost() {
        let llm = claude();
        let mut answer = ChatCompletion::of_text("m", 1, "Hi".to_owned());
        answer.resolved = "anthropic/claude-sonnet-4-6".to_owned();
        let usage = json!({"prompt_tokens": 3000, "completion_tokens": 100, "total_tokens": 3100,
            "prompt_tokens_details": {"cached_tokens": 1000}, "cache_creation_input_tokens": 1000});
        answer.usage = serde_json::from_value(usage).unwrap();
        // 3 dollars for a million tokens, a tenth of it to read from the cache, a quarter more to write to it; 15 for
        // the answer.
        let expected = 3 * (1000 + 100 + 1250) + 15 * 100;
        assert_eq!(llm.answered(answer, 9000).micros_usd, Some(expected));
    }

    #[tokio::test]
    async fn a_prompt_that_is_kept_is_reserved_at_what_keeping_costs() {
        let facts = claude().facts("anthropic/claude-sonnet-4-6").await;
        assert_eq!(facts.price, Some((3.75, 15.0)));
    }

    #[tokio::test]
    async fn a_model_is_without_a_price_where_one_of_its_chain_is() {
        let provider = |name: &str, address: &str| {
            let mut provider = ProviderConfig::new(name, address, "test").unwrap();
            provider.models = vec!["m".to_owned(), "priced".to_owned()];
            provider
        };
        let priced = ModelSettings {
            input: Some(1.0),
            output: Some(2.0),
            ..ModelSettings::default()
        };
        let chain = |models: &[&str]| models.iter().map(|&model| model.to_owned()).collect();
        let gateway = Gateway::from_config(LlmConfig {
            providers: vec![
                provider("far", "https://models.invalid/v1"),
                provider("near", "http://127.0.0.1:9/v1"),
            ],
            probe: None,
            models: [("far/priced".to_owned(), priced)].into(),
            aliases: [
                (
                    "mana/good".to_owned(),
                    chain(&["near/m", "far/priced", "builtin/outline"]),
                ),
                ("mana/bad".to_owned(), chain(&["near/m", "far/m"])),
            ]
            .into(),
            ..LlmConfig::default()
        });
        let llm = GatewayLlm::new(gateway);
        for (model, unpriced, price) in [
            ("far/m", true, None),
            ("far/priced", false, Some((1.0, 2.0))),
            ("near/m", false, Some((0.0, 0.0))),
            ("builtin/outline", false, Some((0.0, 0.0))),
            ("mana/good", false, Some((1.0, 2.0))),
            ("mana/bad", true, None),
            // Nobody would answer, which is no question of its price.
            ("mana/nobody-knows", false, None),
        ] {
            let facts = llm.facts(model).await;
            assert_eq!((facts.unpriced, facts.price), (unpriced, price), "{model}");
        }
    }
}
