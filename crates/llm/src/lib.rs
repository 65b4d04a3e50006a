//! An OpenAI-compatible gateway: a single address for every model.
//!
//! [`LlmConfig`] says which providers there are, [`Gateway`] answers in process,
//! [`http::router`] answers over HTTP. Providers know nothing of each other, of
//! callers, or of Mana; the gateway knows nothing of a provider but
//! [`Provider`](providers::Provider).
//!
//! The gateway must never: buffer a stream, read an answer without a bound, wait
//! without a deadline, let a slow provider hold up another, splice an answer
//! from two models, or let a key out.

mod aliases;
mod answer;
mod auth;
mod breaker;
mod breakers;
mod cache;
mod call_usage;
mod chain;
mod clients;
mod closing;
mod config;
mod context_limit;
mod cost;
mod error;
mod events;
mod extra;
mod fallback;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gateway;
pub mod http;
mod inflate;
mod metered;
pub mod metering;
mod models;
mod protocols;
mod provider_config;
mod provider_state;
pub mod providers;
mod reason;
mod refusal_shape;
mod route;
mod secret;
mod sse;
mod streaming;
mod trace_context;
mod unknown_paths;
mod upstream;
pub mod wire;

pub use answer::ChatStream;
pub use config::{CacheSettings, LlmConfig, LlmSettings, ProviderSettings};
pub use context_limit::ContextLimit;
pub use error::{Attempt, ErrorKind, GatewayError, Result};
pub use extra::ExtraSettings;
pub use fallback::FallbackSettings;
pub use gateway::{Alias, Call, Gateway, Health, ProviderHealth};
pub use models::{Capabilities, ModelSettings, Price};
pub use provider_config::{Api, ConfigError, ProviderConfig};
pub use providers::StreamEvent;
pub use providers::catalogue::{
    CatalogueProtocol, CatalogueProvider, ProviderCatalogue, ProviderVariable, catalogue, variables,
};
pub use secret::{Scrubber, Secret};
pub use trace_context::set_trace_headers;
pub use wire::{ChatCompletion, ChatRequest, Message, Usage};
