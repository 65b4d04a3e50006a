//! Policies: what the AI may do by itself, what it must ask for and what never happens. Part P of `spec/MODULES.md`.

mod authorize;
mod level;
mod overrides;

pub use authorize::{Call, Consent, Refusal, authorize};
pub use level::Policy;
pub use overrides::Overrides;
