//! The author of a change: a person, the AI on a mission's behalf, or the system itself.

use serde::{Deserialize, Serialize};

use crate::Map;

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

    /// A part of Mana.
    pub fn system(source: SystemSource) -> Actor {
        Actor::System {
            source,
            extra: Map::new(),
        }
    }
}
