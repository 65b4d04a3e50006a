//! Missions: when they run next, and what their form says.

use std::collections::BTreeMap;

use mana_core::{
    Map, Micros,
    mission::{Cadence, Problem, cadence, check_mission},
};
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, call},
};

#[wasm_bindgen]
impl Core {
    /// `{cadence, timezone, after}` → `{at: string|null}`: the first occurrence strictly after a time; null
    /// for a manual mission. Throws where the cadence or the time zone can't be read; details: `{field}`.
    #[wasm_bindgen(js_name = "nextRun")]
    pub fn next_run(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: NextRun| {
            let cadence = Cadence::parse(input.cadence.as_ref()).map_err(fault)?;
            let zone = cadence::time_zone(&input.timezone).map_err(fault)?;
            let at = cadence::next_after(&cadence, &zone, input.after);
            Ok(BTreeMap::from([("at", at)]))
        })
    }

    /// A mission's data → `{errors: [{field, code, message}]}`: what is wrong with its form.
    #[wasm_bindgen(js_name = "checkMission")]
    pub fn check_mission(&self, input: &str) -> Result<String, JsError> {
        call(input, |data: Map| {
            Ok(BTreeMap::from([("errors", check_mission(&data))]))
        })
    }
}

fn fault(problem: Problem) -> Fault {
    Fault {
        code: problem.code,
        message: problem.message,
        details: Value::from(Map::from_iter([(
            "field".to_owned(),
            Value::from(problem.field),
        )])),
    }
}

#[derive(Debug, Deserialize)]
struct NextRun {
    cadence: Option<Value>,
    timezone: String,
    after: Micros,
}
