//! Signed tokens that open nothing by themselves: each is good for one purpose.

use anyhow::Result;
use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use mana_core::Micros;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::tokens::TokenKeys;

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A password was right, and a second step is to follow.
    SecondStep,
    /// A device on which no second step is asked for a while.
    TrustedDevice,
    /// A sign-in by an OpenID provider is under way.
    Oidc,
}

impl Purpose {
    fn audience(self) -> &'static str {
        match self {
            Purpose::SecondStep => "mana-second-step",
            Purpose::TrustedDevice => "mana-trusted-device",
            Purpose::Oidc => "mana-oidc",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct PurposeClaims<T> {
    aud: String,
    exp: i64,
    content: T,
}

impl TokenKeys {
    /// Issues a token for a purpose.
    pub(crate) fn issue_for(
        &self,
        purpose: Purpose,
        content: impl Serialize,
        lifetime_s: i64,
        now: Micros,
    ) -> Result<String> {
        let claims = PurposeClaims {
            aud: purpose.audience().to_owned(),
            exp: now.0.div_euclid(1_000_000) + lifetime_s,
            content,
        };
        let header = Header::new(Algorithm::EdDSA);
        Ok(encode(&header, &claims, &self.encoding)?)
    }

    /// Returns the content of a token that this key signed for a purpose and that has not ended.
    pub(crate) fn verify_for<T: DeserializeOwned + Clone>(
        &self,
        purpose: Purpose,
        token: &str,
        now: Micros,
    ) -> Option<T> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would read the machine's clock.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.set_audience(&[purpose.audience()]);
        let claims = decode::<PurposeClaims<T>>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        (now.0 < claims.exp.saturating_mul(1_000_000)).then_some(claims.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_good_for_its_purpose_until_it_ends() {
        let keys = TokenKeys::from_pkcs8(&TokenKeys::generate().unwrap()).unwrap();
        let now = Micros(4_102_444_800_000_000);
        let token = keys.issue_for(Purpose::SecondStep, "ada", 60, now).unwrap();
        let read = |purpose, at: i64| keys.verify_for::<String>(purpose, &token, now.plus(at));
        assert_eq!(
            read(Purpose::SecondStep, 59_000_000).as_deref(),
            Some("ada")
        );
        assert_eq!(read(Purpose::SecondStep, 60_000_000), None);
        assert_eq!(read(Purpose::TrustedDevice, 0), None);
        assert_eq!(keys.verify(&token, now), None);
        assert_eq!(keys.verify_device(&token, now), None);
    }
}
