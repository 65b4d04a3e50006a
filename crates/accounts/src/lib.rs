//! Accounts: who may come in, and who is calling.
//!
//! The crate knows people, sessions, bearer tokens, invitations and the issuer of foreign tokens. The crate knows no
//! HTTP routes: the server calls it, and turns [`AccountError`] into an answer. Time is
//! passed in as a [`Clock`].

mod auth;
mod clock;
mod error;
mod invitations;
mod issuer;
mod known_device;
mod known_devices;
mod password_change;
mod passwords;
mod profile;
pub mod random;
mod session_ended;
mod sessions;
mod settings;
mod sign_in_limits;
mod sign_up;
mod tokens;
mod verified_tokens;

pub use auth::Auth;
pub use clock::Clock;
pub use error::{AccountError, Result};
pub use known_device::{DEVICE_LIFETIME_S, KnownDevice};
pub use known_devices::SignInAttempt;
pub use password_change::create_password_reset;
pub use session_ended::SessionEnded;
pub use sessions::SESSION_LIFETIME_S;
pub use settings::{AccountSettings, IssuerConfig, Signup};
pub use sign_in_limits::network;
pub use sign_up::SignUpRequest;
pub use tokens::{Claims, TokenKeys};
