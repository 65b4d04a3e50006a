//! Missions: when they run next, and what their form says.

use std::collections::BTreeMap;

use mana_core::{
    Map, Micros,
    mission::{Cadence, EffectiveAgent, Mission, Overlap, cadence, check_mission, lessons},
};
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, Named, call},
    normal_form::nfkc,
    zone::{BrowserZone, is_zone},
};

#[wasm_bindgen]
impl Core {
    /// `{cadence, timezone, after}` → `{at: string|null}`: the first occurrence strictly after a time; null
    /// for a manual mission. Throws where the cadence or the time zone can't be read; details: `{field}`.
    #[wasm_bindgen(js_name = "nextRun")]
    pub fn next_run(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: NextRun| {
            let cadence = Cadence::parse(input.cadence.as_ref()).map_err(Fault::from)?;
            let zone = BrowserZone::named(&input.timezone).map_err(Fault::from)?;
            let at = cadence::next_after(&cadence, &zone, input.after);
            Ok(Named("at", at))
        })
    }

    /// `{mission, agents, settings}`, the data of the mission, of agents by their id and of the settings → the
    /// mission's terms: its agent, whose `policy` is the `overrides` of the other calls, its model and its bounds.
    pub fn terms(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: TermsInput| {
            let mission = Mission::parse("", &input.mission);
            let agent = |id: &str| input.agents.get(id);
            Ok(EffectiveAgent::resolve(
                &mission,
                agent,
                input.settings.as_ref(),
            ))
        })
    }

    /// `{mission, now}`, a mission's data and the time → `{lessons: []}`: what it has learnt and keeps, newest first.
    pub fn lessons(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: LessonsInput| {
            let mission = Mission::parse("", &input.mission);
            let mut lessons = lessons::lessons_by(nfkc, &mission);
            lessons.retain(|lesson| lesson.is_kept(input.now));
            Ok(Named("lessons", lessons))
        })
    }

    /// `{cadence}` → `{overlap}`: the rule of a new mission for a run that comes while proposals wait.
    #[wasm_bindgen(js_name = "usualOverlap")]
    pub fn usual_overlap(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: UsualOverlap| {
            // A cadence that can't be read is the form's to name.
            let cadence = Cadence::parse(input.cadence.as_ref()).unwrap_or(Cadence::Manual);
            Ok(Named("overlap", Overlap::of_new(&cadence)))
        })
    }

    /// A mission's data → `{errors: [{field, code, message}]}`: what is wrong with its form.
    #[wasm_bindgen(js_name = "checkMission")]
    pub fn check_mission(&self, input: &str) -> Result<String, JsError> {
        call(input, |data: Map| {
            Ok(Named("errors", check_mission(&data, is_zone)))
        })
    }
}

#[derive(Debug, Deserialize)]
struct NextRun {
    cadence: Option<Value>,
    timezone: String,
    after: Micros,
}

#[derive(Debug, Deserialize)]
struct LessonsInput {
    mission: Map,
    now: Micros,
}

#[derive(Debug, Deserialize)]
struct UsualOverlap {
    cadence: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct TermsInput {
    mission: Map,
    #[serde(default)]
    agents: BTreeMap<String, Map>,
    settings: Option<Map>,
}
