//! The author of a change: a person, the AI on a mission's behalf, or the system itself.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::{
    Gather, Map, json,
    text::{NormalForm, nfkd, passes_for_mana_by},
    time::Micros,
};

/// The field of an actor that holds the time of the decision.
const DECIDED_AT: &str = "decidedAt";

/// The fields that the AI always has.
const AI_FIELDS: [&str; 3] = ["missionId", "iterationId", "rationale"];

/// The most characters of a program's name that are told.
const LONGEST_NAME: usize = 200;

/// The field of a removal's actor that holds the stamps that were seen, by field.
pub(crate) const SEEN: &str = "seen";

/// The author of a write. Fields that this version doesn't know are kept, and so are authors that it doesn't know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        extra: Map,
    },
    /// The AI: always with the mission, the iteration and the reason.
    Ai {
        /// The mission that planned this write.
        mission_id: String,
        /// The iteration that planned it.
        iteration_id: String,
        /// Why the model wanted it, for a person to read.
        rationale: String,
        /// Further fields.
        #[serde(flatten)]
        extra: Map,
    },
    /// Mana itself.
    System {
        /// Which part of it.
        source: SystemSource,
        /// Further fields.
        #[serde(flatten)]
        extra: Map,
    },
    /// Another program's author, as that program names it: any object with a `kind`.
    #[serde(untagged)]
    Other(OtherActor),
}

/// An author that another program names in its own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherActor {
    /// The program's word for it.
    pub kind: String,
    /// Further fields.
    #[serde(flatten)]
    pub extra: Map,
}

/// By hand: what serde derives for a tag with an open member reads an author up to three times.
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Actor, D::Error> {
        let unknown = || de::Error::custom("data did not match any variant of untagged enum Actor");
        let Value::Object(mut extra) = Value::deserialize(deserializer)? else {
            return Err(unknown());
        };
        let Some(Value::String(kind)) = extra.remove("kind") else {
            return Err(unknown());
        };
        let is_text = |field: &&str| extra.get(*field).is_some_and(Value::is_string);
        let source = extra.get("source").cloned();
        let source = source.and_then(|source| json::from_value(source).ok());
        Ok(match (kind.as_str(), source) {
            ("user", _) => Actor::User { extra },
            ("ai", _) if AI_FIELDS.iter().all(is_text) => {
                let [mission_id, iteration_id, rationale] =
                    AI_FIELDS.map(|field| match extra.remove(field) {
                        Some(Value::String(text)) => text,
                        _ => String::new(),
                    });
                Actor::Ai {
                    mission_id,
                    iteration_id,
                    rationale,
                    extra,
                }
            }
            ("system", Some(source)) => {
                extra.remove("source");
                Actor::System { source, extra }
            }
            _ => Actor::Other(OtherActor { kind, extra }),
        })
    }
}

#[cfg(feature = "openapi")]
mod schema {
    //! The authors that Mana itself names, for OpenAPI: a union with an open member can't be told apart by `kind`.

    use utoipa::{PartialSchema, ToSchema, openapi};

    use super::{Actor, SystemSource};

    /// The author of a write. Other programs name authors of other kinds, which are kept and passed on.
    #[derive(ToSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum KnownActor {
        /// The person whose data it is.
        User {
            /// Further fields, `principalId` and `displayName` among them.
            #[serde(flatten)]
            #[schema(value_type = BTreeMap<String, Value>)]
            extra: super::Map,
        },
        /// The AI: always with the mission, the iteration and the reason.
        #[schema(rename_all = "camelCase")]
        Ai {
            /// The mission that planned this write.
            mission_id: String,
            /// The iteration that planned it.
            iteration_id: String,
            /// Why the model wanted it, for a person to read.
            rationale: String,
            /// Further fields.
            #[serde(flatten)]
            #[schema(value_type = BTreeMap<String, Value>)]
            extra: super::Map,
        },
        /// Mana itself.
        System {
            /// Which part of it.
            source: SystemSource,
            /// Further fields.
            #[serde(flatten)]
            #[schema(value_type = BTreeMap<String, Value>)]
            extra: super::Map,
        },
    }

    impl PartialSchema for Actor {
        fn schema() -> openapi::RefOr<openapi::Schema> {
            KnownActor::schema()
        }
    }

    impl ToSchema for Actor {
        fn schemas(schemas: &mut Vec<(String, openapi::RefOr<openapi::Schema>)>) {
            KnownActor::schemas(schemas);
        }
    }
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

impl SystemSource {
    /// The word on the wire.
    fn name(self) -> &'static str {
        match self {
            SystemSource::Projection => "projection",
            SystemSource::Rule => "rule",
            SystemSource::Migration => "migration",
            SystemSource::MissionRunner => "mission-runner",
        }
    }
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
            extra: extra.gather(),
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
        let seen: Map = seen.gather();
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

    /// Whether the server's own process wrote it: it carries a mark that no device may send (SYNC S13).
    pub fn is_servers(&self) -> bool {
        matches!(
            self,
            Actor::System {
                source: SystemSource::MissionRunner | SystemSource::Projection,
                ..
            }
        )
    }

    /// The name of another program that wrote it, as that program says it: the first of its names that does not pass
    /// for Mana's own, its kind last. None for a person, a mission and the server, and where every name passes for
    /// Mana's. Quotation marks and what is too long are left out, so that a name in quotation marks ends where they
    /// end.
    pub fn program(&self) -> Option<String> {
        self.program_by(nfkd)
    }

    /// [`Actor::program`] by a given NFKD.
    pub fn program_by(&self, nfkd: NormalForm) -> Option<String> {
        let (source, kind) = match self {
            Actor::User { .. } | Actor::Ai { .. } => return None,
            _ if self.is_servers() => return None,
            Actor::System { source, .. } => (Some(source.name()), "system"),
            Actor::Other(OtherActor { kind, .. }) => (None, kind.as_str()),
        };
        let said = |field: &str| self.extra().get(field).and_then(Value::as_str);
        let source = source.or(said("source"));
        let names = [said("displayName"), said("principalId"), source, Some(kind)];
        let unquoted = |name: &str| -> String {
            let characters = name.chars().filter(|c| !is_quotation_mark(*c));
            characters.take(LONGEST_NAME).collect()
        };
        let is_own = |name: &String| !name.trim().is_empty() && !passes_for_mana_by(nfkd, name);
        names.into_iter().flatten().map(unquoted).find(is_own)
    }

    /// The further fields.
    pub fn extra(&self) -> &Map {
        match self {
            Actor::User { extra }
            | Actor::Ai { extra, .. }
            | Actor::System { extra, .. }
            | Actor::Other(OtherActor { extra, .. }) => extra,
        }
    }

    pub(crate) fn extra_mut(&mut self) -> &mut Map {
        match self {
            Actor::User { extra }
            | Actor::Ai { extra, .. }
            | Actor::System { extra, .. }
            | Actor::Other(OtherActor { extra, .. }) => extra,
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

/// Whether a character opens or closes a quotation in some language.
fn is_quotation_mark(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}') || "\"«»‹›〝〞〟＂「」『』".contains(c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program(actor: Value) -> Option<String> {
        let actor: Actor = serde_json::from_value(actor).expect("an author");
        actor.program()
    }

    #[test]
    fn sync_s13_no_program_is_named_as_mana() {
        for (actor, name) in [
            (
                json!({"kind": "system", "source": "rule", "displayName": "Streak tracker"}),
                "Streak tracker",
            ),
            (
                json!({"kind": "system", "source": "rule", "displayName": "Mana"}),
                "rule",
            ),
            (
                json!({"kind": "system", "source": "mana-server", "displayName": "Мана"}),
                "system",
            ),
            (
                json!({"kind": "system", "source": "stream", "displayName": "Mаnа", "principalId": "runner"}),
                "stream",
            ),
            (json!({"kind": "bot", "displayName": "MANA"}), "bot"),
            (
                json!({"kind": "bot", "displayName": " ", "principalId": 3}),
                "bot",
            ),
            (
                json!({"kind": "bot", "displayName": "x\", with your leave, by \u{201e}M\u{201d}ana\u{201d}"}),
                "bot",
            ),
            (
                json!({"kind": "bot", "displayName": "Lena\u{201d}, with your leave"}),
                "Lena, with your leave",
            ),
            // An author of the AI that says less than Mana's own does.
            (json!({"kind": "ai", "displayName": "Mana"}), "ai"),
        ] {
            assert_eq!(program(actor.clone()).as_deref(), Some(name), "{actor}");
        }
        for actor in [
            json!({"kind": "user", "displayName": "Lena"}),
            json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": ""}),
            json!({"kind": "system", "source": "mission-runner", "displayName": "X"}),
            json!({"kind": "system", "source": "projection"}),
            json!({"kind": "Mana"}),
        ] {
            assert_eq!(program(actor.clone()), None, "{actor}");
        }
    }
}
