//! Accounts: who may come in, and who is calling.
//!
//! The crate knows people, sessions, second factors, bearer tokens, invitations, the audit log and the issuer of
//! foreign tokens. The crate knows no HTTP routes: the server calls it, and turns [`AccountError`] into an answer.
//! Time is passed in as a [`Clock`].

mod audit;
mod audit_events;
mod auth;
mod browser;
mod clock;
mod error;
mod factor_rule;
mod invitations;
mod issuer;
mod known_device;
mod known_devices;
mod lookalikes;
mod oidc;
mod outgoing;
mod password_change;
mod password_quality;
mod passwords;
mod people;
mod profile;
mod profile_checks;
mod provider;
mod purpose_tokens;
pub mod random;
mod required_factor;
mod seal;
mod second_step;
mod session_ended;
mod sessions;
mod settings;
mod sign_in_limits;
mod sign_up;
mod tokens;
mod verified_tokens;

pub use audit_events::{AuditEvent, CHANGES_PEOPLE, Origin, entry};
pub use auth::Auth;
pub use clock::Clock;
pub use error::{AccountError, Result};
pub use known_device::{DEVICE_LIFETIME_S, KnownDevice};
pub use known_devices::SignInAttempt;
pub use oidc::{OidcOutcome, OidcStart};
pub use password_change::create_password_reset;
pub use profile::ProfileChange;
pub use profile_checks::new_account;
pub use provider::{OidcConfig, OidcReturn};
pub use seal::Seal;
pub use second_step::{NewFactor, SecondProof, TRUST_LIFETIME_S};
pub use session_ended::SessionEnded;
pub use sessions::{SESSION_LIFETIME_S, SessionStep};
pub use settings::{AccountSettings, IssuerConfig, Signup};
pub use sign_in_limits::network;
pub use sign_up::SignUpRequest;
pub use tokens::{Claims, TokenKeys};
