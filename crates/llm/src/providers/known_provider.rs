//! The facts that a provider's folder states.

use super::openai::dialect::Dialect;
use super::provider::Provider;
use crate::models::Price;
use crate::provider_config::Api;
use crate::upstream::{ProtocolHeaders, Upstream};

/// Calls at the same time at most, of a provider that says nothing else.
pub(crate) const CONCURRENCY: usize = 64;

/// A provider that Mana knows beforehand.
pub(crate) struct KnownProvider {
    /// Its name in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// Its address, with `/v1` or what stands for it.
    pub base_url: &'static str,
    /// The variable that holds its key; `None` where it needs none.
    pub key: Option<&'static str>,
    /// The variable that replaces its address. A provider without a key is configured by it alone.
    pub address: Option<AddressVariable>,
    /// The protocol that it speaks.
    pub protocol: &'static Protocol,
    /// The end of the host by which its dialect is recognised, under any name; `None`: by its own name.
    pub host: Option<&'static str>,
    /// How it differs from others that speak OpenAI's protocol.
    pub dialect: Dialect,
    /// Calls at the same time at most.
    pub concurrency: usize,
    /// Whether it runs on this machine: it is looked for where nobody configured it, and costs nothing.
    pub is_local: bool,
    /// Which of its models to take where nobody chose, best first, by the start of their names.
    pub prefers: &'static [&'static str],
    /// The remedy where it has no model, as the end of a sentence.
    pub without_models: &'static str,
    /// The abilities of models that it made or names.
    pub models: &'static [ModelFamily],
    /// The list prices of its models, as of November 2026. The owner's own table counts before them, and what isn't in
    /// either has no price.
    pub prices: &'static [ListPrice],
    /// Where a token costs another part of the price of its model than the whole.
    pub rates: &'static [Rates],
}

/// A variable with a provider's address.
pub(crate) struct AddressVariable {
    /// Its name.
    pub name: &'static str,
    /// The meaning of leaving it unset.
    pub unset: &'static str,
    /// The address that its text stands for.
    pub read: fn(&str) -> String,
}

/// A protocol between the gateway and a provider.
pub(crate) struct Protocol {
    /// Its name in settings.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// The headers of its requests.
    pub headers: ProtocolHeaders,
    /// The adapter to an upstream that speaks it.
    pub connect: fn(Upstream, Dialect) -> Box<dyn Provider>,
}

impl Protocol {
    /// The protocol as a provider's configuration holds it.
    pub fn api(&self) -> Api {
        Api::of(self.name)
    }
}

/// The abilities of models whose names begin alike.
pub(crate) struct ModelFamily {
    /// The start of their names.
    pub start: &'static str,
    /// Whether they call tools.
    pub tools: bool,
    /// Whether they keep to a JSON schema.
    pub json_schema: bool,
    /// Whether they look at pictures.
    pub vision: bool,
    /// Tokens of a request and its answer together; `None` where it depends on how they are run.
    pub context_tokens: Option<u64>,
}

/// A family: `[tools, JSON schema, vision]`, and tokens of context (0: it depends on how they are run).
pub(crate) const fn family(
    start: &'static str,
    [tools, json_schema, vision]: [bool; 3],
    context_tokens: u64,
) -> ModelFamily {
    ModelFamily {
        start,
        tools,
        json_schema,
        vision,
        context_tokens: match context_tokens {
            0 => None,
            tokens => Some(tokens),
        },
    }
}

/// The list price of a model.
pub(crate) struct ListPrice {
    /// The model's name, without the date of a release.
    pub model: &'static str,
    /// Its price.
    pub price: Price,
}

/// A price: US dollars per million tokens of the request, and of the answer.
pub(crate) const fn price(model: &'static str, input: f64, output: f64) -> ListPrice {
    ListPrice {
        model,
        price: Price { input, output },
    }
}

/// The parts of a price that tokens of some kinds cost, for models whose names begin alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// The start of their names.
    pub start: &'static str,
    /// A token of the request that the provider had in its cache.
    pub cached: f64,
    /// A token of the request that it wrote to its cache.
    pub written: f64,
    /// The same, where it is kept for an hour.
    pub written_for_an_hour: f64,
    /// A token in the tier that is served first.
    pub priority: f64,
    /// A long request costs more.
    pub long: Option<LongRequest>,
}

/// A request above so many tokens costs another part of the price, all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LongRequest {
    /// Tokens of the request.
    pub above: u64,
    /// The part of the price of the request.
    pub input: f64,
    /// The part of the price of the answer.
    pub output: f64,
}

impl Rates {
    /// The rates of a model of which no more is known: nothing is cheaper.
    pub const USUAL: Self = Self {
        start: "",
        cached: 1.0,
        written: 1.25,
        written_for_an_hour: 2.0,
        priority: 2.0,
        long: None,
    };
}

/// Rates that differ from the usual ones in what the cache costs alone.
pub(crate) const fn cached(start: &'static str, cached: f64) -> Rates {
    Rates {
        start,
        cached,
        ..Rates::USUAL
    }
}

/// The same rates for long requests, twice as dear and their answers by a half.
pub(crate) const fn long(rates: Rates, above: u64) -> Rates {
    Rates {
        long: Some(LongRequest {
            above,
            input: 2.0,
            output: 1.5,
        }),
        ..rates
    }
}
