//! The face of the sync step by which a device syncs: `mana-core` itself, or the JSON that the browser speaks.

use mana_core::{
    manifest::Registry,
    sync::{Effect, Event},
};
use mana_device::{Replica, SyncStep};

/// Which devices of a world sync by which face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// Every device calls `mana-core`, as the command line does.
    Native,
    /// Every device calls `mana-core-wasm` with JSON, as the browser does.
    Json,
    /// Every other device speaks JSON.
    #[default]
    Mixed,
}

impl Face {
    /// Reads the value of `--face`.
    pub fn parse(text: &str) -> Option<Face> {
        match text {
            "native" => Some(Face::Native),
            "json" => Some(Face::Json),
            "mixed" => Some(Face::Mixed),
            _ => None,
        }
    }

    /// The replica of a device, with the face by which it syncs.
    pub(crate) fn of(self, device: usize, replica: Replica) -> Replica {
        let json = match self {
            Face::Native => false,
            Face::Json => true,
            Face::Mixed => device % 2 == 1,
        };
        match json {
            true => replica.with_step(|| Box::<JsonStep>::default()),
            false => replica,
        }
    }
}

/// The step behind the JSON of `mana-core-wasm`, compiled for this machine.
#[derive(Default)]
struct JsonStep(mana_core_wasm::SyncStep);

impl SyncStep for JsonStep {
    fn next(&mut self, registry: &Registry, event: Event) -> Vec<Effect> {
        let event = serde_json::to_string(&event).expect("an event is JSON");
        let effects = self.0.step(registry, &event);
        let effects = effects.unwrap_or_else(|fault| panic!("{}", fault.message));
        serde_json::from_str(&effects).expect("effects are JSON")
    }
}
