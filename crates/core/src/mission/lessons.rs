//! The lessons of a person's decisions on a mission: refusals, undone and edited steps. Rules MISSIONS R6–R9.
//!
//! Lessons derive from the steps of the mission's iterations. The list of iterations is bounded, so the runner keeps
//! each lesson in the mission's keyed list `lessons` before its iteration can leave; the id is the step's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    iteration::{Intent, Iteration, Step},
    record::Mission,
    status::StepStatus,
};
use crate::{
    Gather, Map,
    text::{NormalForm, nfkc, same_meaning_by},
    time::{DAY, Micros},
};

/// How many days a lesson is kept that is not for ever.
pub const KEPT_DAYS: i64 = 30;

/// Until when a lesson is kept that is for ever: 9999-12-30.
const FOR_EVER: Micros = Micros(253_402_128_000_000_000);

/// Words of a reason by which a refusal is for ever.
const NEVER: &[&str] = &[
    "never",
    "don t suggest",
    "do not suggest",
    "don t propose",
    "do not propose",
    "stop suggesting",
    "stop proposing",
    "not again",
    "nie",
    "niemals",
    "nicht mehr vorschlagen",
    "nicht wieder",
    "nicht noch einmal",
];

/// Words by which a reason is about the day or the time alone: the same on another day is another proposal.
const WHEN: &[&str] = &[
    "date", "day", "time", "late", "early", "tomorrow", "termin", "tag", "datum", "uhrzeit",
    "spät", "früh", "morgen",
];

/// The kind of a lesson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LessonKind {
    /// The person refused a step.
    #[default]
    Refused,
    /// The person approved a step and took it back.
    Undone,
    /// The person changed a step before approving it.
    Edited,
}

/// A decision of the person that the mission's next plans follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Lesson {
    /// The step's id.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The kind.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub kind: LessonKind,
    /// The step in a line.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub summary: String,
    /// The step's tool.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tool_name: String,
    /// The step's parameters.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, serde_json::Value>, required = true))]
    pub params: Map,
    /// The parameters as the person changed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, serde_json::Value>>))]
    pub edited_params: Option<Map>,
    /// The person's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is for ever.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub for_ever: bool,
    /// When the person decided.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub decided_at: Micros,
    /// Until when it is kept.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub kept_until: Micros,
    /// The iteration of the step.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub iteration_id: String,
    /// When the person took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Micros>,
    /// Decides which of two versions of this lesson wins.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub updated_at: Micros,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, serde_json::Value>))]
    pub extra: Map,
}

impl Lesson {
    /// The lesson of a step, if the person's decision on it is one.
    fn of(nfkc: NormalForm, iteration: &Iteration, step: &Step) -> Option<Lesson> {
        let Intent::ToolCall { tool_name, params } = &step.intent else {
            return None;
        };
        let edited = step.edited_params.as_ref();
        let edited = edited.filter(|edited| !edited.is_empty() && *edited != params);
        let kind = match step.status {
            StepStatus::Rejected => LessonKind::Refused,
            StepStatus::Undone => LessonKind::Undone,
            StepStatus::Approved if edited.is_some() => LessonKind::Edited,
            _ => return None,
        };
        let reason = step.feedback.as_deref().map(str::trim);
        let reason = reason.filter(|reason| !reason.is_empty());
        let for_ever =
            kind == LessonKind::Refused && reason.is_some_and(|reason| is_for_ever(nfkc, reason));
        let decided_at = step.decided_at.unwrap_or(iteration.created_at());
        Some(Lesson {
            id: step.id.clone(),
            kind,
            summary: step.summary.clone(),
            tool_name: tool_name.clone(),
            params: params.clone(),
            edited_params: edited.cloned(),
            reason: reason.map(str::to_owned),
            for_ever,
            decided_at,
            kept_until: match for_ever {
                true => FOR_EVER,
                false => decided_at.plus(KEPT_DAYS * DAY),
            },
            iteration_id: iteration.id.clone(),
            removed_at: None,
            updated_at: decided_at,
            extra: Map::new(),
        })
    }

    /// Whether it counts at a time.
    pub fn is_kept(&self, now: Micros) -> bool {
        self.removed_at.is_none() && now < self.kept_until
    }

    /// Whether the same on another day would be another proposal.
    pub fn is_about_time(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        !self.for_ever && speaks_of(nfkc, reason, WHEN)
    }
}

/// Whether a person's reason says that a refusal is for ever.
fn is_for_ever(nfkc: NormalForm, reason: &str) -> bool {
    speaks_of(nfkc, reason, NEVER) && !speaks_of(nfkc, reason, &["never mind"])
}

/// Whether a reason has one of the phrases, which are written as [`same_meaning_by`] writes them.
fn speaks_of(nfkc: NormalForm, reason: &str, phrases: &[&str]) -> bool {
    let words = format!(" {} ", same_meaning_by(nfkc, reason));
    phrases
        .iter()
        .any(|phrase| words.contains(&format!(" {phrase} ")))
}

/// Everything that a mission has learnt, kept or not, newest first: what is stored, and what its iterations say. A
/// stored lesson whose step was decided otherwise meanwhile is left out.
pub fn lessons(mission: &Mission) -> Vec<Lesson> {
    lessons_by(nfkc, mission)
}

/// [`lessons`] by a given NFKC.
pub fn lessons_by(nfkc: NormalForm, mission: &Mission) -> Vec<Lesson> {
    let steps = || {
        let iterations = mission.iterations.iter();
        iterations.flat_map(|iteration| iteration.plan.iter().map(move |step| (iteration, step)))
    };
    let mut derived: BTreeMap<String, Lesson> = steps()
        .filter_map(|(iteration, step)| Lesson::of(nfkc, iteration, step))
        .map(|lesson| (lesson.id.clone(), lesson))
        .gather();
    let is_known = |id: &str| steps().any(|(_, step)| step.id == id);
    let mut all = Vec::new();
    for stored in &mission.lessons {
        let now = derived.remove(&stored.id);
        match now {
            Some(now) => all.push(Lesson {
                removed_at: stored.removed_at,
                updated_at: stored.updated_at,
                ..now
            }),
            None if is_known(&stored.id) => {}
            None => all.push(stored.clone()),
        }
    }
    all.extend(derived.into_values());
    all.sort_by(|a, b| (b.decided_at, &a.id).cmp(&(a.decided_at, &b.id)));
    all
}

/// The lessons that the mission's record does not keep yet.
pub fn unstored(mission: &Mission) -> Vec<Lesson> {
    let stored: BTreeSet<&str> = mission
        .lessons
        .iter()
        .map(|lesson| lesson.id.as_str())
        .gather();
    let mut lessons = lessons(mission);
    lessons.retain(|lesson| !stored.contains(lesson.id.as_str()));
    lessons
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Micros {
        Micros::parse(text).expect("a time")
    }

    fn mission(steps: serde_json::Value, stored: serde_json::Value) -> Mission {
        let data = json!({"title": "M", "lessons": stored, "iterations": [
            {"id": "i", "slot": "run:1", "startedAt": "2026-11-20T08:00:00Z", "source": "server", "plan": steps}]});
        Mission::parse("m", data.as_object().expect("an object"))
    }

    fn step(id: &str, status: &str, more: serde_json::Value) -> serde_json::Value {
        let mut step = json!({"id": id, "index": 0, "summary": id, "rationale": "r", "status": status,
            "decidedAt": "2026-11-20T09:00:00Z",
            "intent": {"kind": "toolCall", "toolName": "create_task", "params": {"title": id}}});
        let more = more.as_object().expect("an object").clone();
        step.as_object_mut().expect("an object").extend(more);
        step
    }

    #[test]
    fn missions_r6_never_is_for_ever_and_everything_else_for_thirty_days() {
        for (reason, for_ever) in [
            ("Never propose this again, I settled it in court", true),
            ("Don’t suggest this again", true),
            ("don't suggest this", true),
            ("Nicht mehr vorschlagen", true),
            ("Bitte nie wieder!", true),
            ("Not now", false),
            ("Never mind, later", false),
            ("Already done", false),
            ("", false),
        ] {
            let steps = json!([step("a", "rejected", json!({ "feedback": reason }))]);
            let lesson = lessons(&mission(steps, json!([]))).remove(0);
            assert_eq!(lesson.for_ever, for_ever, "{reason}");
            assert!(lesson.is_kept(at("2026-12-20T08:59:59Z")), "{reason}");
            assert_eq!(
                lesson.is_kept(at("2026-12-20T09:00:00Z")),
                for_ever,
                "{reason}"
            );
        }
    }

    #[test]
    fn missions_r7_refusals_undone_and_edited_steps_are_lessons_and_others_are_none() {
        let edited = json!({"editedParams": {"title": "Another"}});
        let same = json!({"editedParams": {"title": "e"}});
        let found = lessons(&mission(
            json!([
                step("a", "rejected", json!({})),
                step("b", "undone", json!({})),
                step("c", "approved", edited),
                step("d", "approved", json!({})),
                step("e", "approved", same),
                step("f", "expired", json!({})),
                step("g", "planned", json!({})),
            ]),
            json!([]),
        ));
        let kinds: Vec<_> = found
            .iter()
            .map(|lesson| (lesson.id.as_str(), lesson.kind))
            .collect();
        use LessonKind::{Edited, Refused, Undone};
        assert_eq!(kinds, [("a", Refused), ("b", Undone), ("c", Edited)]);
    }

    #[test]
    fn missions_r8_a_lesson_outlives_its_iteration_until_it_is_taken_back() {
        let first = mission(json!([step("a", "rejected", json!({}))]), json!([]));
        let stored = json!(unstored(&first));
        let later = mission(json!([]), stored.clone());
        assert_eq!(lessons(&later), lessons(&first));
        assert_eq!(unstored(&later), []);
        let mut removed = stored;
        removed[0]["removedAt"] = json!("2026-11-21T08:00:00Z");
        let back = mission(json!([step("a", "rejected", json!({}))]), removed);
        assert!(!lessons(&back)[0].is_kept(at("2026-11-21T08:00:00Z")));
        assert_eq!(unstored(&back), [], "taken back once is enough");
        let approved = mission(
            json!([step("a", "approved", json!({}))]),
            json!(lessons(&first)),
        );
        assert_eq!(
            lessons(&approved),
            [],
            "another device's approval counts for more"
        );
    }
}
