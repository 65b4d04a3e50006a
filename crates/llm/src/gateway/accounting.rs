//! The usage and the cost of an answer, as far as a provider is believed.

use super::Gateway;
use crate::cost;
use crate::models::Price;
use crate::wire::{Usage, count_of};

/// A usage up to this is believed without a look at the model.
const BELIEVED_TOKENS: u64 = 8_192;
/// The window of a model that nobody knows: the largest that any model has.
const LARGEST_WINDOW: u64 = 10_000_000;

impl Gateway {
    /// The price of a model, by `provider/model` (an alias is [`resolve`](Self::resolve)d
    /// first); `None` where nobody knows. A model on this machine costs nothing.
    pub fn price(&self, model: &str) -> Option<Price> {
        self.routes().price(model)
    }

    /// The highest price of a chain of `provider/model` for a request whose prompt is to be kept, which some charge
    /// more for, each half for itself; `None` where that of one isn't known.
    pub fn dearest(&self, chain: &[String]) -> Option<Price> {
        let routes = self.routes();
        chain.iter().try_fold(Price::default(), |dearest, model| {
            let price = routes.price(model)?;
            let name = model.split('/').next().unwrap_or_default();
            let mut states = routes.states.iter();
            let keeps = states
                .any(|state| state.name() == name && state.provider.keeps_prompts_when_told());
            let rate = if keeps {
                cost::rate_of_keeping(model)
            } else {
                1.0
            };
            Some(Price {
                input: dearest.input.max(price.input * rate),
                output: dearest.output.max(price.output),
            })
        })
    }

    /// The tokens that a provider counts for an answer, of the request and of the answer; `None` where the numbers
    /// can't be true: they are beyond the model's window, and the request is not that large either. Zero says nothing.
    ///
    /// `model` is `provider/model` that answered, `sent_bytes` the size of the request, `choices` the number of
    /// answers that it asked for.
    pub fn believed(
        &self,
        model: &str,
        usage: &Usage,
        sent_bytes: u64,
        choices: u64,
    ) -> Option<(u64, u64)> {
        let (prompt, reasoning) = prompt_and_reasoning(usage);
        let completion = usage.completion_tokens.max(output_tokens(usage));
        // Reasoning is a part of the answer's tokens, but where it is more than all of them.
        let with_reasoning = match reasoning > completion {
            true => completion.saturating_add(reasoning),
            false => completion,
        };
        // Some count hidden reasoning in the total alone.
        let in_total = usage.total_tokens.saturating_sub(prompt);
        let told = (prompt, with_reasoning.max(in_total));
        if told.0.max(told.1) <= BELIEVED_TOKENS {
            return Some(told);
        }
        let routes = self.routes();
        let window = routes.context_tokens(model).unwrap_or(LARGEST_WINDOW);
        let most = (
            window.max(sent_bytes),
            window.saturating_mul(choices.max(1)),
        );
        // A sum that can't be true says nothing against its parts.
        let parts = [told.1, with_reasoning, completion];
        let believed = parts.into_iter().find(|completion| *completion <= most.1);
        if let Some(completion) = believed.filter(|_| prompt <= most.0) {
            return Some((prompt, completion));
        }
        tracing::warn!(
            %model, prompt_tokens = told.0, completion_tokens = told.1, window,
            "the usage that {model} reports can't be true and is replaced by an estimate"
        );
        None
    }

    /// The cost of an answer in millionths of a US dollar, by what the provider tells; `None` where it is not known.
    /// The tokens are those that are [`believed`](Self::believed).
    pub fn cost(
        &self,
        model: &str,
        usage: &Usage,
        prompt_tokens: u64,
        completion_tokens: u64,
    ) -> Option<u64> {
        let price = self.price(model);
        cost::micros_usd(model, price, usage, prompt_tokens, completion_tokens)
    }

    /// The most that so many tokens cost at any entry of a chain of `provider/model`, in millionths of a US dollar;
    /// `None` where the price of one isn't known.
    pub fn most_micros_usd(
        &self,
        chain: &[String],
        prompt_tokens: u64,
        completion_tokens: u64,
    ) -> Option<u64> {
        let routes = self.routes();
        chain.iter().try_fold(0, |most: u64, model| {
            let price = routes.price(model)?;
            Some(most.max(cost::most_micros_usd(
                model,
                price,
                prompt_tokens,
                completion_tokens,
            )))
        })
    }
}

/// The tokens of a request, and those of hidden reasoning. Some servers call the first by Anthropic's name, and some
/// leave out of them what came from a cache.
fn prompt_and_reasoning(usage: &Usage) -> (u64, u64) {
    let said = |field: &str| count_of(usage.extra.get(field));
    let of_cache =
        said("cache_read_input_tokens").saturating_add(said("cache_creation_input_tokens"));
    let prompt = match usage.prompt_tokens {
        0 => said("input_tokens"),
        prompt => prompt,
    };
    let prompt = match of_cache > prompt {
        true => prompt.saturating_add(of_cache),
        false => prompt,
    };
    let details = ["completion_tokens_details", "output_tokens_details"];
    let details = details.iter().filter_map(|field| usage.extra.get(*field));
    let reasoning = details.map(|details| count_of(details.get("reasoning_tokens")));
    let reasoning = reasoning.max().unwrap_or(0).max(said("reasoning_tokens"));
    (prompt, reasoning)
}

/// The tokens of an answer by Anthropic's name for them.
fn output_tokens(usage: &Usage) -> u64 {
    count_of(usage.extra.get("output_tokens"))
}
