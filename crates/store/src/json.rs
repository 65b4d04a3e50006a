//! Values stored as JSON text, and bytes as hexadecimal text.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, StoreError};

/// Two lower-case digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of two hexadecimal digits each, in either case. None for anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] if pair.iter().all(u8::is_ascii_hexdigit) => {
                let digit = |byte: &u8| (*byte as char).to_digit(16);
                Some((digit(high)? * 16 + digit(low)?) as u8)
            }
            _ => None,
        })
        .collect()
}

/// A value as JSON text; `what` names it in an error.
pub(crate) fn json(what: &'static str, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|source| StoreError::Corrupt { what, source })
}

/// A value from JSON text; `what` names it in an error.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what, source })
}
