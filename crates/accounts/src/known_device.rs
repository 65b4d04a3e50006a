//! A device that has signed in before: a signed token that opens nothing tells it from a stranger.
//!
//! Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".

use mana_store::UserId;

/// How long a device stays known after it last signed in, in seconds.
pub const DEVICE_LIFETIME_S: i64 = 180 * 24 * 60 * 60;

/// A device that an account has signed in on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDevice {
    /// The device's id, random.
    pub id: String,
    /// The account.
    pub user: UserId,
}
