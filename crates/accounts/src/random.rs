//! Random secrets and hashes, from `ring`, which TLS needs anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Returns a new secret of 256 bits, safe in URLs and headers.
pub fn secret() -> String {
    let mut bytes = [0_u8; 32];
    fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Fills with random bytes.
pub fn fill(bytes: &mut [u8]) {
    // Without the operating system's generator no secret may be made at all.
    SystemRandom::new()
        .fill(bytes)
        .expect("the operating system gives no randomness");
}

/// Returns the SHA-256 in standard base64, the form of content security policies.
pub fn sha256_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, bytes))
}
