//! The runner's way to a model: the gateway, in this process.

use std::sync::Arc;

use async_trait::async_trait;
use mana_ai::{ChatAnswer, ChatRequest, Llm, LlmError};
use mana_core::planner::{Message, Role};
use mana_llm::{Call, Gateway};

/// The gateway as the runner sees it.
pub struct GatewayLlm(Arc<Gateway>);

impl GatewayLlm {
    /// Asks this gateway.
    pub fn new(gateway: Arc<Gateway>) -> GatewayLlm {
        GatewayLlm(gateway)
    }
}

#[async_trait]
impl Llm for GatewayLlm {
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError> {
        let messages = request.messages.into_iter().map(wire).collect();
        let call = Call {
            request: mana_llm::ChatRequest::new(request.model, messages),
            timeout: Some(request.timeout),
            max_bytes: Some(request.max_bytes),
        };
        match self.0.chat(call).await {
            Ok(answer) => Ok(ChatAnswer {
                text: answer.text(),
                model: answer.resolved,
                tokens: answer.usage.map(|usage| usage.total_tokens),
            }),
            Err(error) => Err(LlmError::new(error.code(), error.message)),
        }
    }
}

fn wire(message: Message) -> mana_llm::Message {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    mana_llm::Message::text(role, message.content)
}
