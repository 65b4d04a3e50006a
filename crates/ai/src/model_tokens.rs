//! The facts that models show when they are asked: how they count tokens, and the window that their server keeps.
//! Rule MISSIONS P7.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mana_core::Micros;
use mana_core::planner::prompt::functions_tokens;
use mana_core::planner::{Message, fit};

use crate::llm::ChatRequest;

/// The tokens of messages, with what the templates of models put around each.
pub(crate) fn messages_tokens(messages: &[Message]) -> usize {
    const AROUND: usize = 8;
    let sizes = messages.iter().map(|message| {
        let calls = message.calls.iter();
        let calls =
            calls.map(|call| fit::tokens(&call.name) + fit::tokens(&call.arguments) + AROUND);
        fit::tokens(&message.content) + calls.sum::<usize>() + AROUND
    });
    sizes.sum()
}

/// The tokens of a request's prompt by Mana's count. A schema is no part of a prompt: servers bind the answer to it.
pub(crate) fn prompt_tokens(request: &ChatRequest) -> usize {
    messages_tokens(&request.messages) + functions_tokens(&request.functions)
}

/// The most models that are remembered.
const MODELS: usize = 200;

/// Prompts with fewer tokens than this say little about how a model counts.
const TELLING: usize = 400;

/// How long a window that was seen is believed.
const WINDOW_LASTS: Duration = Duration::from_secs(3_600);

/// The facts that are known of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shown {
    /// The model's tokens for one of Mana's, near enough and rather too many.
    factor: f64,
    /// The tokens that its server was seen to take, and when.
    window: Option<(usize, Micros)>,
}

/// The facts that models have shown to this process, by the names under which they are asked.
#[derive(Debug, Default)]
pub(crate) struct ModelTokens(Mutex<BTreeMap<String, Shown>>);

impl ModelTokens {
    /// How many of the model's tokens one of Mana's own is; 1 before it has shown it, which errs upwards.
    pub fn factor(&self, model: &str) -> f64 {
        self.with(model, |shown| shown.factor)
    }

    /// The window that the model's server was seen to keep within the last hour. It may have been raised since.
    pub fn window(&self, model: &str, now: Micros) -> Option<usize> {
        let (window, seen) = self.with(model, |shown| shown.window)?;
        (now.0.abs_diff(seen.0) < WINDOW_LASTS.as_micros() as u64).then_some(window)
    }

    /// A model counted a prompt that Mana counted too.
    pub fn counted(&self, model: &str, own: usize, theirs: u64) {
        if own < TELLING {
            return;
        }
        // A server that counts less than half of it leaves out what it had in its cache.
        let seen = (theirs as f64 / own as f64).clamp(0.5, 3.0) * 1.02;
        self.change(model, |shown, is_new| {
            let slowly = (shown.factor * 3.0 + seen) / 4.0;
            shown.factor = if is_new { seen } else { seen.max(slowly) };
        });
    }

    /// The model's server took no more tokens than this.
    pub fn limited(&self, model: &str, window: usize, now: Micros) {
        self.change(model, |shown, _| shown.window = Some((window, now)));
    }

    fn with<T>(&self, model: &str, read: impl Fn(Shown) -> T) -> T {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(all.get(model).copied().unwrap_or(UNKNOWN))
    }

    fn change(&self, model: &str, change: impl FnOnce(&mut Shown, bool)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = all
            .get(model)
            .is_none_or(|shown| shown.factor == UNKNOWN.factor);
        if all.len() >= MODELS && !all.contains_key(model) {
            all.clear();
        }
        change(all.entry(model.to_owned()).or_insert(UNKNOWN), is_new);
    }
}

const UNKNOWN: Shown = Shown {
    factor: 1.0,
    window: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_p7_the_count_is_corrected_by_what_a_model_counts() {
        let tokens = ModelTokens::default();
        let near = |factor: f64| (tokens.factor("m") - factor).abs() < 0.001;
        assert!(near(1.0));
        tokens.counted("m", 100, 300);
        assert!(near(1.0), "a short prompt says nothing");
        tokens.counted("m", 1_000, 800);
        assert!(near(0.816));
        tokens.counted("m", 1_000, 1_200);
        assert!(near(1.224), "more is taken at once");
        tokens.counted("m", 1_000, 800);
        assert!(near(1.122), "less slowly");
        tokens.counted("m", 1_000, 3);
        assert!(tokens.factor("m") > 0.9, "a prompt out of a cache");
        assert_eq!(
            (tokens.factor("other"), tokens.window("m", Micros(0))),
            (1.0, None)
        );
        tokens.limited("m", 4_096, Micros(0));
        assert_eq!(tokens.window("m", Micros(3_599_000_000)), Some(4_096));
        assert_eq!(tokens.window("m", Micros(3_600_000_000)), None);
        for n in 0..=MODELS {
            tokens.limited(&n.to_string(), 1, Micros(0));
        }
        assert_eq!(
            tokens.window("m", Micros(0)),
            None,
            "so many models are forgotten"
        );
    }
}
