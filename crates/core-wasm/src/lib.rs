//! The core for the browser: JSON in, JSON out, no logic of its own.
//!
//! Each method of [`Core`] takes one JSON text and returns one. A failed call throws
//! an `Error` whose message is the JSON of a [`Fault`].

mod data;
mod fault;
mod missions;
mod modules;
mod sync;

use mana_core::manifest::Registry;
use wasm_bindgen::prelude::*;

pub use fault::Fault;
pub use sync::SyncStep;

/// The core with the modules of one user.
#[wasm_bindgen]
pub struct Core {
    registry: Registry,
}

#[wasm_bindgen]
impl Core {
    /// A core for these manifests, a JSON array as `GET /modules` gives it.
    #[wasm_bindgen(constructor)]
    pub fn new(manifests: &str) -> Result<Core, JsError> {
        let registry = Registry::from_json(manifests).map_err(Fault::unreadable)?;
        Ok(Core { registry })
    }
}

/// The text with its hidden characters written out, as `[U+202E]` (rule MISSIONS X1).
#[wasm_bindgen]
pub fn visible(text: &str) -> String {
    mana_core::text::visible(text).into_owned()
}
