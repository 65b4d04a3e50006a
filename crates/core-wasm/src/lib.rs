//! The core for the browser: JSON in, JSON out, no logic of its own.
//!
//! Each method of [`Core`] takes one JSON text and returns one. A failed call throws
//! an `Error` whose message is the JSON of a [`Fault`].

mod data;
mod fault;
mod missions;
mod modules;
mod normal_form;
mod recurrence;
mod sync;
mod time_words;
mod zone;

use mana_core::{Actor, manifest::Registry};
use serde::Serialize;
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

/// The text with its hidden characters written out, as `[U+202E]`, and letters that pass for others marked, as
/// `pа[U+0430]ypal` (rules MISSIONS X1 and X4).
#[wasm_bindgen]
pub fn legible(text: &str) -> String {
    mana_core::text::legible(text).into_owned()
}

/// A text without what makes no difference in meaning: two titles that mean the same become the same.
#[wasm_bindgen(js_name = "sameMeaning")]
pub fn same_meaning(text: &str) -> String {
    mana_core::text::same_meaning_by(normal_form::nfkc, text)
}

/// Whether a name passes for Mana's own (rule SYNC S13).
#[wasm_bindgen(js_name = "passesForMana")]
pub fn passes_for_mana(name: &str) -> bool {
    mana_core::text::passes_for_mana_by(normal_form::nfkd, name)
}

/// The program behind a write.
#[derive(Debug, Serialize)]
struct Program {
    /// Whether the program is Mana itself, by the mark that no device may send.
    own: bool,
    /// The name by which another program is told; missing where none of its names is its own.
    name: Option<String>,
}

/// The actor of a write, as JSON → `{own, name|null}`: the program behind it (rule SYNC S13). An actor that can't be
/// read has no name.
#[wasm_bindgen]
pub fn program(actor: &str) -> Result<String, JsError> {
    let actor: Option<Actor> = fault::read(actor).ok();
    let program = Program {
        own: actor.as_ref().is_some_and(Actor::is_servers),
        name: actor.and_then(|actor| actor.program_by(normal_form::nfkd)),
    };
    Ok(fault::write(&program)?)
}
