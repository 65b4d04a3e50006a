//! The meter of a call over HTTP: opened before it, counting while it goes on, and settled when it ends, however it
//! ends.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::auth::{Auth, Caller};
use crate::call_usage::{BYTES_PER_TOKEN, CallEstimate, Ending, MeterGuard, Used};
use crate::error::{Attempt, GatewayError, Result};
use crate::gateway::Gateway;
use crate::wire::Usage;

/// Keeps count of one call. Dropped before its end, it says that the caller went away.
pub(crate) struct Meter {
    guard: Option<MeterGuard>,
    used: Used,
    pieces: u64,
    text_bytes: u64,
    /// The last piece, counted when it is on its way to the reader.
    uncounted: Option<Bytes>,
    /// The provider's own count is there, and better than the one made here while no more of the answer follows.
    told: bool,
    /// The gateway that knows the models' windows, and what was sent: what a count is judged by. Only with a guard.
    gateway: Option<Arc<Gateway>>,
    sent_bytes: u64,
    choices: u64,
}

impl Meter {
    pub async fn open(
        gateway: &Arc<Gateway>,
        auth: &dyn Auth,
        caller: &Caller,
        ask: impl FnOnce() -> CallEstimate,
    ) -> Result<Self> {
        let mut meter = Self {
            guard: None,
            used: Used {
                model: String::new(),
                prompt_tokens: 0,
                completion_tokens: 0,
                micros_usd: None,
                ending: Ending::Cancelled,
                also_read: Vec::new(),
            },
            pieces: 0,
            text_bytes: 0,
            uncounted: None,
            told: false,
            gateway: None,
            sent_bytes: 0,
            choices: 1,
        };
        if *caller == Caller::Service {
            return Ok(meter);
        }
        let mut ask = ask();
        ask.chain = gateway.resolve_all(&ask.model).await?;
        meter.sent_bytes = ask.prompt_tokens.saturating_mul(BYTES_PER_TOKEN);
        meter.choices = ask.choices;
        meter.used.model.clone_from(&ask.model);
        meter.used.prompt_tokens = ask.prompt_tokens;
        meter.guard = auth.reserve(caller, ask).await?;
        meter.gateway = meter.guard.is_some().then(|| gateway.clone());
        // What a caller who doesn't wait for it would have got is not known.
        let reserved = meter.guard.as_ref().map(|guard| guard.completion_tokens);
        meter.used.completion_tokens = reserved.unwrap_or(0).saturating_mul(meter.choices);
        Ok(meter)
    }

    /// The longest answer, where the caller left it open and has a budget.
    pub fn bound(&self) -> Option<u64> {
        let guard = self.guard.as_ref()?;
        guard.bounds.then_some(guard.completion_tokens)
    }

    /// Counts a whole answer, and the prompts of those that failed before.
    pub fn answered(
        &mut self,
        model: &str,
        usage: Option<&Usage>,
        text_bytes: usize,
        failed: &[Attempt],
    ) {
        self.used.completion_tokens = (text_bytes as u64).div_ceil(BYTES_PER_TOKEN);
        self.used.model = model.to_owned();
        self.failed_before(failed);
        if let Some(usage) = usage {
            self.usage(model, usage);
        }
        self.used.ending = Ending::Answered;
    }

    /// Counts the prompts of the entries that failed before the one that answers.
    pub fn failed_before(&mut self, failed: &[Attempt]) {
        let read = failed.iter().filter(|attempt| attempt.prompt_read);
        self.used
            .also_read
            .extend(read.map(|attempt| attempt.model.clone()));
    }

    /// Nobody answered: the prompts that were read are all that was used.
    pub fn failed(mut self, error: GatewayError) -> GatewayError {
        let mut read = error.prompts_read();
        match read.next_back() {
            Some(last) => self.used.model.clone_from(&last.model),
            None => self.used.prompt_tokens = 0,
        }
        self.used.also_read = read.map(|attempt| attempt.model.clone()).collect();
        self.used.completion_tokens = 0;
        self.used.ending = Ending::Failed;
        error
    }

    /// A piece of a streamed answer.
    pub fn piece(&mut self, model: &str, chunk: &Bytes) {
        if self.guard.is_none() {
            return;
        }
        self.count();
        if self.pieces == 0 {
            self.used.model = model.to_owned();
        }
        self.pieces += 1;
        self.uncounted = Some(chunk.clone());
    }

    fn count(&mut self) {
        let Some(chunk) = self.uncounted.take() else {
            return;
        };
        let bytes = text_bytes(&chunk);
        self.text_bytes += bytes;
        // A piece is a token at least, as models make them.
        let counted = self.pieces.max(self.text_bytes.div_ceil(BYTES_PER_TOKEN));
        match self.told {
            // The provider's count was not its last word, where more of the answer follows.
            true if bytes > 0 => {
                self.used.completion_tokens = self.used.completion_tokens.max(counted);
            }
            true => {}
            false => self.used.completion_tokens = counted,
        }
    }

    /// Takes over the provider's own count, where it can be true. A zero says nothing where there was something to
    /// count: some upstreams fill in zeros.
    pub fn usage(&mut self, model: &str, usage: &Usage) {
        let Some(gateway) = &self.gateway else {
            return;
        };
        let believed = gateway.believed(model, usage, self.sent_bytes, self.choices);
        let Some((prompt_tokens, completion_tokens)) = believed else {
            return;
        };
        let is_builtin = model.starts_with("builtin/");
        if (prompt_tokens, completion_tokens) == (0, 0) && !is_builtin {
            return;
        }
        let micros_usd = gateway.cost(model, usage, prompt_tokens, completion_tokens);
        self.count();
        self.told = true;
        self.used.model = model.to_owned();
        self.used.micros_usd = micros_usd;
        if prompt_tokens > 0 || is_builtin {
            self.used.prompt_tokens = prompt_tokens;
        }
        let counted_here = self.pieces > 0 || self.used.completion_tokens > 0;
        if completion_tokens > 0 || is_builtin || !counted_here {
            self.used.completion_tokens = completion_tokens;
        }
    }

    /// The stream is complete.
    pub fn complete(mut self) {
        self.used.ending = Ending::Answered;
    }

    /// The stream broke off; what was used up to then was used.
    pub fn broke_off(mut self, error: GatewayError) -> GatewayError {
        self.used.ending = Ending::Failed;
        error
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.count();
        if let Some(guard) = self.guard.take() {
            (guard.settle)(self.used.clone());
        }
    }
}

/// How much text a chunk brings: of the answer, of what was thought, of calls.
fn text_bytes(chunk: &[u8]) -> u64 {
    fn of(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(fields) => fields.values().map(of).sum(),
            _ => 0,
        }
    }
    let chunk: Value = serde_json::from_slice(chunk).unwrap_or_default();
    let choices = chunk["choices"].as_array().into_iter().flatten();
    choices.map(|choice| of(&choice["delta"])).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_counted_wherever_a_chunk_has_it() {
        let chunk = json!({"id": "long id that is no text", "choices": [
            {"delta": {"content": "abc", "tool_calls": [{"function": {"arguments": "{}"}}]}}]});
        assert_eq!(text_bytes(chunk.to_string().as_bytes()), 5);
        assert_eq!(text_bytes(b"nonsense"), 0);
    }
}
