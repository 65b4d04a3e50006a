//! Randomness and hashes, from `ring`, which TLS brings along.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// A new secret of 256 bits, safe in URLs and headers.
pub fn secret() -> String {
    let mut bytes = [0_u8; 32];
    // The operating system's generator; without it no secret may be made at all.
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives no randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 in standard base64, as a content security policy wants it.
pub fn sha256_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, bytes))
}
