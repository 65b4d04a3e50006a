//! Missions: when they run next, and what their form says.

use std::collections::BTreeMap;

use mana_core::{
    Map, Micros,
    mission::{
        Cadence, EffectiveAgent, Mission, Overlap, Problem, cadence, cadence::Zone, check_mission,
        lessons,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, Named, call},
    normal_form::nfkc,
};

#[wasm_bindgen]
impl Core {
    /// `{cadence, timezone, after}` → `{at: string|null}`: the first occurrence strictly after a time; null
    /// for a manual mission. Throws where the cadence or the time zone can't be read; details: `{field}`.
    #[wasm_bindgen(js_name = "nextRun")]
    pub fn next_run(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: NextRun| {
            let cadence = Cadence::parse(input.cadence.as_ref()).map_err(fault)?;
            let zone = BrowserZone::named(&input.timezone).map_err(fault)?;
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

fn fault(problem: Problem) -> Fault {
    Fault {
        code: problem.code,
        message: problem.message,
        details: json!({ "field": problem.field }),
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

#[wasm_bindgen(inline_js = r#"
const formats = new Map();
export function offsetSeconds(zone, ms) {
  let format = formats.get(zone);
  if (!format) {
    // Newer engines take "+01:00" for a zone; the server doesn't.
    if (!/^[A-Za-z]/.test(zone)) return NaN;
    const part = 'numeric';
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23',
        year: part, month: part, day: part, hour: part, minute: part, second: part
      });
    } catch {
      return NaN;
    }
    formats.set(zone, format);
  }
  const at = {};
  for (const { type, value } of format.formatToParts(ms)) at[type] = Number(value);
  const wall = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
  return wall / 1000 - Math.floor(ms / 1000);
}
"#)]
extern "C" {
    /// Seconds by which a zone's wall clock is ahead of UTC; NaN where there is no such zone.
    #[wasm_bindgen(js_name = "offsetSeconds")]
    fn offset_seconds(zone: &str, ms: f64) -> f64;
}

/// A time zone as the browser knows it.
struct BrowserZone<'a>(&'a str);

impl<'a> BrowserZone<'a> {
    fn named(name: &'a str) -> Result<Self, Problem> {
        if is_zone(name) {
            Ok(BrowserZone(name))
        } else {
            Err(cadence::unknown_zone(name))
        }
    }
}

impl Zone for BrowserZone<'_> {
    fn offset(&self, at: Micros) -> i64 {
        (offset_seconds(self.0, at.millis() as f64) * 1e6) as i64
    }
}

fn is_zone(name: &str) -> bool {
    !offset_seconds(name, 0.0).is_nan()
}
