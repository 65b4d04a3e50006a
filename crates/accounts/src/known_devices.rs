//! Attempts to sign in, of known devices and of strangers.

use std::net::IpAddr;

use mana_store::UserId;

use crate::audit_events::Origin;
use crate::auth::Auth;
use crate::browser::device_label;
use crate::error::{AccountError, Result};
use crate::known_device::KnownDevice;
use crate::random;

/// An attempt to sign in or up, counted before its request's body is read.
#[derive(Debug, Clone)]
pub struct SignInAttempt {
    pub(crate) address: IpAddr,
    pub(crate) device: Option<KnownDevice>,
    /// The browser and the system, for the list of sessions.
    pub(crate) browser: String,
}

impl SignInAttempt {
    /// Somebody who is not signed in, at the attempt's address.
    pub fn origin(&self) -> Origin {
        Origin::stranger(self.address)
    }

    /// Somebody who is signed in, at the attempt's address.
    pub fn origin_of(&self, user: &UserId) -> Origin {
        Origin {
            actor: Some(user.clone()),
            ..self.origin()
        }
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The browser and the system, such as `Firefox on Linux`; empty where unknown.
    pub fn browser(&self) -> &str {
        &self.browser
    }
}

impl Auth {
    /// Takes one attempt of the caller's address, or of the caller's device where it is known.
    ///
    /// # Errors
    ///
    /// The address or the device has used up its attempts.
    pub fn begin_attempt(
        &self,
        address: IpAddr,
        device_token: Option<&str>,
        user_agent: &str,
    ) -> Result<SignInAttempt> {
        let device = device_token.and_then(|token| self.known_device(token));
        match &device {
            Some(device) => self.limits.take_device(&device.id)?,
            None => self.limits.take_address(address)?,
        }
        Ok(SignInAttempt {
            address,
            device,
            browser: device_label(user_agent),
        })
    }

    /// Returns the device of a token that this server issued and that has not ended.
    pub fn known_device(&self, token: &str) -> Option<KnownDevice> {
        self.tokens.verify_device(token, self.now())
    }

    /// Issues the token of a device that an account is signed in on: the next one of `device`, if it is the account's.
    pub fn issue_device_token(&self, user: &UserId, device: Option<KnownDevice>) -> Result<String> {
        let known = device.filter(|device| device.user == *user);
        let device = known.unwrap_or_else(|| KnownDevice {
            id: random::secret(),
            user: user.clone(),
        });
        self.tokens
            .issue_device(&device, self.now())
            .map_err(AccountError::internal)
    }
}
