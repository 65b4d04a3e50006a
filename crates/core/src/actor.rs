//! The author of a change: a person, the AI on a mission's behalf, or the system itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Map, time::Micros};

/// The field of an actor that holds the time of the decision.
const DECIDED_AT: &str = "decidedAt";

/// The field of a removal's actor that holds the stamps that were seen, by field.
pub(crate) const SEEN: &str = "seen";

/// The author of a write. Fields that this version doesn't know are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Actor {
    /// The person whose data it is.
    User {
        /// Further fields, `principalId` and `displayName` among them.
        #[serde(flatten)]
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
        extra: Map,
    },
    /// The AI: always with the mission, the iteration and the reason.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Ai {
        /// The mission that planned this write.
        mission_id: String,
        /// The iteration that planned it.
        iteration_id: String,
        /// Why the model wanted it, for a person to read.
        rationale: String,
        /// Further fields.
        #[serde(flatten)]
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
        extra: Map,
    },
    /// Mana itself.
    System {
        /// Which part of it.
        source: SystemSource,
        /// Further fields.
        #[serde(flatten)]
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
        extra: Map,
    },
}

/// The parts of Mana that write by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SystemSource {
    /// A value derived from others.
    Projection,
    /// A rule that a person set up.
    Rule,
    /// A change of the data's shape.
    Migration,
    /// The runner, writing an iteration.
    MissionRunner,
}

impl Actor {
    /// The person.
    pub fn user() -> Actor {
        Actor::User { extra: Map::new() }
    }

    /// The AI, with what it has to account for.
    pub fn ai(
        mission_id: impl Into<String>,
        iteration_id: impl Into<String>,
        rationale: impl Into<String>,
    ) -> Actor {
        Actor::Ai {
            mission_id: mission_id.into(),
            iteration_id: iteration_id.into(),
            rationale: rationale.into(),
            extra: Map::new(),
        }
    }

    /// The AI, under the name that its agent has at this moment. An empty name is left out.
    pub fn agent(
        mission_id: impl Into<String>,
        iteration_id: impl Into<String>,
        rationale: impl Into<String>,
        principal_id: Option<&str>,
        display_name: Option<&str>,
    ) -> Actor {
        let named = [("principalId", principal_id), ("displayName", display_name)];
        let extra = named
            .into_iter()
            .filter_map(|(field, value)| Some((field.to_owned(), value?.into())));
        Actor::Ai {
            mission_id: mission_id.into(),
            iteration_id: iteration_id.into(),
            rationale: rationale.into(),
            extra: extra.collect(),
        }
    }

    /// The same author at work on one step: what it writes is known as the step's, for as long as it stands.
    pub fn of_step(mut self, step_id: &str) -> Actor {
        if let Actor::Ai { extra, .. } = &mut self {
            extra.insert("stepId".to_owned(), step_id.into());
        }
        self
    }

    /// The same author with the time of the decision, which the stamps of its writes don't tell (S6, U8).
    pub fn decided(mut self, at: Micros) -> Actor {
        self.extra_mut()
            .insert(DECIDED_AT.to_owned(), at.to_string().into());
        self
    }

    /// The same author of a removal, with the stamps of the fields that were seen: an edit that the removal had not
    /// seen is told from the others for as long as the tombstone stands ([`RecordState::unseen_edits`]).
    ///
    /// [`RecordState::unseen_edits`]: crate::RecordState::unseen_edits
    pub fn having_seen<'s>(mut self, seen: impl Iterator<Item = (&'s String, Micros)>) -> Actor {
        let seen = seen.map(|(field, at)| (field.clone(), Value::from(at.to_string())));
        let seen: Map = seen.collect();
        self.extra_mut().insert(SEEN.to_owned(), seen.into());
        self
    }

    /// The time of the decision that the write carries out.
    pub fn decided_at(&self) -> Option<Micros> {
        Micros::parse(self.extra().get(DECIDED_AT)?.as_str()?).ok()
    }

    /// Replaces the time of the decision; false where there is none.
    pub(crate) fn set_decided_at(&mut self, at: Micros) -> bool {
        match self.extra_mut().get_mut(DECIDED_AT) {
            Some(decided @ Value::String(_)) => {
                *decided = at.to_string().into();
                true
            }
            _ => false,
        }
    }

    /// The further fields.
    pub fn extra(&self) -> &Map {
        match self {
            Actor::User { extra } | Actor::Ai { extra, .. } | Actor::System { extra, .. } => extra,
        }
    }

    pub(crate) fn extra_mut(&mut self) -> &mut Map {
        match self {
            Actor::User { extra } | Actor::Ai { extra, .. } | Actor::System { extra, .. } => extra,
        }
    }

    /// A part of Mana.
    pub fn system(source: SystemSource) -> Actor {
        Actor::System {
            source,
            extra: Map::new(),
        }
    }
}
