//! Settings of accounts, which the server reads from its configuration.

use crate::provider::OidcConfig;

/// Settings of accounts.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The people who may sign up.
    pub signup: Signup,
    /// A foreign issuer whose tokens are accepted beside the server's own.
    pub issuer: Option<IssuerConfig>,
    /// The OpenID provider by which people may sign in.
    pub oidc: Option<OidcConfig>,
}

/// People who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signup {
    /// Everybody.
    Open,
    /// People with an invitation.
    Invite,
    /// Nobody but the owner.
    Closed,
}

impl Signup {
    /// Returns the setting's value in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Signup::Open => "open",
            Signup::Invite => "invite",
            Signup::Closed => "closed",
        }
    }
}

/// A foreign issuer of tokens. Its tokens can speak for every account: `sub` is the account's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Address of its JSON Web Key Set.
    pub jwks_url: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens for this server.
    pub audience: String,
}
