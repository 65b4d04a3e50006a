//! Providers: a folder for each, behind one trait. The gateway knows the trait alone; [`PROVIDERS`] is the only list.

pub(crate) mod builtin;
pub(crate) mod catalogue;
#[cfg(test)]
pub(crate) mod dummy;
pub(crate) mod known;
pub(crate) mod known_provider;
pub(crate) mod model_names;
pub(crate) mod model_pick;
mod provider;

mod anthropic;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gemini;
mod groq;
mod mistral;
mod ollama;
mod openai;
mod openrouter;
mod together;

pub(crate) use known::connect;
use known_provider::KnownProvider;
pub use provider::{EventStream, Limits, Provider, StreamEvent};

/// The providers that Mana knows beforehand, in the order in which an alias looks for one.
pub(crate) const PROVIDERS: &[KnownProvider] = &[
    ollama::PROVIDER,
    openai::PROVIDER,
    anthropic::PROVIDER,
    groq::PROVIDER,
    openrouter::PROVIDER,
    together::PROVIDER,
    mistral::PROVIDER,
    gemini::PROVIDER,
];
