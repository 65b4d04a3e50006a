//! Bearer tokens: short-lived EdDSA JWTs.
//!
//! `jsonwebtoken` reads and checks the claims; the signature itself is `ring`'s, which TLS needs anyway. Neither of
//! `jsonwebtoken`'s two backends, each of them large, is built.

use std::sync::Once;

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Header, Validation, decode, encode,
};
use mana_core::Micros;
use mana_store::UserId;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::known_device::{DEVICE_LIFETIME_S, KnownDevice};

/// How long a token is valid, in seconds. A device asks for a new one before that.
pub const TOKEN_LIFETIME_S: i64 = 15 * 60;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Id of the user.
    pub sub: String,
    /// Id of the session: when the session ends, the token does. Empty for a foreign issuer's token, which has no
    /// session here.
    pub sid: String,
    /// Time of issue, in seconds since the epoch.
    pub iat: i64,
    /// Time of expiry, in seconds since the epoch.
    pub exp: i64,
}

impl Claims {
    /// Returns the user that the token belongs to.
    pub fn user(&self) -> UserId {
        UserId(self.sub.clone())
    }

    /// Whether the token has not ended at this time.
    pub fn is_valid_at(&self, now: Micros) -> bool {
        now.0 < self.exp.saturating_mul(1_000_000)
    }
}

/// The claims of a device's token, without a session, so that the token is no bearer token.
#[derive(Debug, Serialize, Deserialize)]
struct DeviceClaims {
    /// Id of the user.
    sub: String,
    /// Id of the device.
    device: String,
    /// [`DEVICE_AUDIENCE`].
    aud: String,
    /// Time of expiry, in seconds since the epoch.
    exp: i64,
}

/// The audience of the tokens of devices.
const DEVICE_AUDIENCE: &str = "mana-device";

/// Key pair that tokens are signed with.
pub struct TokenKeys {
    id: String,
    public: Vec<u8>,
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: DecodingKey,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// Generates a private key, as PKCS #8.
    pub fn generate() -> Result<Vec<u8>> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| anyhow!("the operating system gave no randomness for a key"))?;
        Ok(document.as_ref().to_vec())
    }

    /// Reads the pair of a private key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<TokenKeys> {
        install_provider();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8)
            .map_err(|e| anyhow!("the key is no Ed25519 key: {e}"))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(TokenKeys {
            id: crate::random::sha256_base64(&public)
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(16)
                .collect(),
            encoding: EncodingKey::from_ed_der(pkcs8),
            decoding: DecodingKey::from_ed_der(&public),
            public,
        })
    }

    /// Issues a token for a session. Returns it with the time of its end.
    pub fn issue(&self, user: &UserId, session: &str, now: Micros) -> Result<(String, Micros)> {
        let iat = now.0.div_euclid(1_000_000);
        let exp = iat + TOKEN_LIFETIME_S;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.id.clone());
        let claims = Claims {
            sub: user.0.clone(),
            sid: session.to_owned(),
            iat,
            exp,
        };
        Ok((
            encode(&header, &claims, &self.encoding)?,
            Micros(exp * 1_000_000),
        ))
    }

    /// Returns the claims of a token that this key signed and that has not ended.
    pub fn verify(&self, token: &str, now: Micros) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would read the machine's clock.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let claims = decode::<Claims>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        claims.is_valid_at(now).then_some(claims)
    }

    /// Issues the token of a device.
    pub fn issue_device(&self, device: &KnownDevice, now: Micros) -> Result<String> {
        let claims = DeviceClaims {
            sub: device.user.0.clone(),
            device: device.id.clone(),
            aud: DEVICE_AUDIENCE.to_owned(),
            exp: now.0.div_euclid(1_000_000) + DEVICE_LIFETIME_S,
        };
        let header = Header::new(Algorithm::EdDSA);
        Ok(encode(&header, &claims, &self.encoding)?)
    }

    /// Returns the device of a token that this key signed and that has not ended.
    pub fn verify_device(&self, token: &str, now: Micros) -> Option<KnownDevice> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would read the machine's clock.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        validation.set_audience(&[DEVICE_AUDIENCE]);
        let claims = decode::<DeviceClaims>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        let is_valid = now.0 < claims.exp.saturating_mul(1_000_000);
        is_valid.then_some(KnownDevice {
            id: claims.device,
            user: UserId(claims.sub),
        })
    }

    /// Returns the public key as a JSON Web Key Set.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.id, "x": URL_SAFE_NO_PAD.encode(&self.public),
        }] })
    }
}

fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            eddsa_only(algorithm)?;
            let pair = Ed25519KeyPair::from_pkcs8(key.as_bytes())
                .map_err(|_| ErrorKind::InvalidEddsaKey)?;
            Ok(Box::new(EdDsaSigner(pair)))
        },
        verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier::new(*algorithm, key)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        PROVIDER
            .install_default()
            .expect("no other part of the process installs a provider")
    });
}

fn eddsa_only(algorithm: &Algorithm) -> JwtResult<()> {
    match algorithm {
        Algorithm::EdDSA => Ok(()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct EdDsaSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

/// Verifies signatures: Mana's own by EdDSA, and those of OpenID providers.
enum RingVerifier {
    Point(Algorithm, UnparsedPublicKey<Vec<u8>>),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl RingVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> JwtResult<RingVerifier> {
        let point = |kind: &'static dyn VerificationAlgorithm| {
            let bytes = key.try_get_as_bytes()?.to_vec();
            Ok(RingVerifier::Point(
                algorithm,
                UnparsedPublicKey::new(kind, bytes),
            ))
        };
        match (algorithm, key.kind()) {
            (Algorithm::EdDSA, _) => point(&ED25519),
            (Algorithm::ES256, _) => point(&ECDSA_P256_SHA256_FIXED),
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                Ok(RingVerifier::Rsa {
                    modulus: n.clone(),
                    exponent: e.clone(),
                })
            }
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let verified = match self {
            RingVerifier::Point(_, key) => key.verify(message, signature),
            RingVerifier::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        };
        verified.map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        match self {
            RingVerifier::Point(algorithm, _) => *algorithm,
            RingVerifier::Rsa { .. } => Algorithm::RS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_of_a_device_is_no_bearer_token_and_the_other_way_round() {
        let keys = TokenKeys::from_pkcs8(&TokenKeys::generate().unwrap()).unwrap();
        let device = KnownDevice {
            id: "phone".to_owned(),
            user: UserId("ada".to_owned()),
        };
        let token = keys.issue_device(&device, NOW).unwrap();
        assert_eq!(keys.verify_device(&token, NOW), Some(device.clone()));
        assert_eq!(keys.verify(&token, NOW), None);
        let late = Micros(NOW.0 + (DEVICE_LIFETIME_S + 1) * 1_000_000);
        assert_eq!(keys.verify_device(&token, late), None);
        let (bearer, _) = keys.issue(&device.user, "session", NOW).unwrap();
        assert_eq!(keys.verify_device(&bearer, NOW), None);
        let others = TokenKeys::from_pkcs8(&TokenKeys::generate().unwrap()).unwrap();
        assert_eq!(others.verify_device(&token, NOW), None);
    }

    /// The year 2100: the library under test reads the machine's clock for one of the tests.
    const NOW: Micros = Micros(4_102_444_800_000_000);

    fn keys() -> TokenKeys {
        TokenKeys::from_pkcs8(&TokenKeys::generate().unwrap()).unwrap()
    }

    fn user() -> UserId {
        UserId("u1".to_owned())
    }

    #[test]
    fn token_of_own_key_is_valid_until_it_ends() {
        let keys = keys();
        let now = NOW;
        let (token, ends) = keys.issue(&user(), "s1", now).unwrap();
        let claims = keys.verify(&token, now).expect("the key's own token");
        assert_eq!((claims.sub.as_str(), claims.sid.as_str()), ("u1", "s1"));
        assert_eq!(claims.exp * 1_000_000, ends.0);

        let (old, _) = keys
            .issue(
                &user(),
                "s1",
                Micros(now.0 - (TOKEN_LIFETIME_S + 1) * 1_000_000),
            )
            .unwrap();
        assert_eq!(keys.verify(&old, now), None);
    }

    #[test]
    fn token_of_another_key_or_none_is_refused() {
        let (keys, now) = (keys(), NOW);
        let (foreign, _) = self::keys().issue(&user(), "s1", now).unwrap();
        assert_eq!(keys.verify(&foreign, now), None);
        let (token, _) = keys.issue(&user(), "s1", now).unwrap();
        let mut parts: Vec<_> = token.split('.').collect();
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        parts[0] = &unsigned;
        assert_eq!(keys.verify(&parts.join("."), now), None);
        let other = URL_SAFE_NO_PAD.encode(r#"{"sub":"u2","sid":"s1","iat":0,"exp":99999999999}"#);
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(
            keys.verify(&[parts[0], &other, parts[2]].join("."), now),
            None
        );
        assert_eq!(keys.verify("not a token", now), None);
    }

    #[test]
    fn token_key_set_holds_the_public_key_only() {
        let keys = keys();
        let set = keys.jwks();
        let key = &set["keys"][0];
        assert_eq!(key["crv"], "Ed25519");
        assert_eq!(key.get("d"), None);
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.clone()).unwrap();
        let (token, _) = keys.issue(&user(), "s1", NOW).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        decode::<Claims>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation)
            .expect("anyone can check it by the key set");
    }
}
