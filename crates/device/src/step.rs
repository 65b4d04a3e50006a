//! The sync step, as a replica calls it.

use mana_core::{
    manifest::Registry,
    sync::{self, Effect, Event, State},
};

/// The sync step with the state of one sync, as a driver calls it. The simulation calls it as the browser does, through
/// JSON.
pub trait SyncStep: Send {
    /// The effects of an event.
    fn next(&mut self, registry: &Registry, event: Event) -> Vec<Effect>;
}

/// The step of `mana-core` itself.
#[derive(Default)]
pub(crate) struct CoreStep(State);

impl SyncStep for CoreStep {
    fn next(&mut self, registry: &Registry, event: Event) -> Vec<Effect> {
        let (state, effects) = sync::step(registry, std::mem::take(&mut self.0), event);
        self.0 = state;
        effects
    }
}
