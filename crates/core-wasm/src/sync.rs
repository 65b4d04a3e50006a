//! The sync step, as the browser's driver calls it.

use mana_core::{
    manifest::Registry,
    sync::{Event, State, step},
};
use wasm_bindgen::prelude::*;

use crate::{
    Core, Fault,
    fault::{read, write},
};

/// The state of one sync. The state stays inside the WebAssembly, with the answer that is being merged.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct SyncStep {
    state: State,
}

#[wasm_bindgen]
impl SyncStep {
    /// The state in which a sync begins.
    #[wasm_bindgen(constructor)]
    pub fn new() -> SyncStep {
        SyncStep::default()
    }

    /// `mana_core::sync::Event` → `[mana_core::sync::Effect]`, under the modules of `core`.
    pub fn next(&mut self, core: &Core, event: &str) -> Result<String, JsError> {
        Ok(self.step(&core.registry, event)?)
    }
}

impl SyncStep {
    /// [`SyncStep::next`] for callers that are no JavaScript.
    pub fn step(&mut self, registry: &Registry, event: &str) -> Result<String, Fault> {
        let event: Event = read(event)?;
        let (state, effects) = step(registry, std::mem::take(&mut self.state), event);
        self.state = state;
        write(&effects)
    }
}
