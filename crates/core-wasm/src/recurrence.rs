//! Recurrence: the rule in words, the next occurrence, and the record that goes on after a completed one.

use mana_core::{
    Change, Clock, Micros, RecordKey, RecordState,
    calendar::Day,
    language::Language,
    recurrence::{Series, words},
    succession::{Succession, successor_key},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, Named, call},
};

/// `{recurrence, today, language}` → `{words}`: the recurrence as a person says it. Throws what is wrong with it.
#[wasm_bindgen(js_name = "recurrenceWords")]
pub fn recurrence_words(input: &str) -> Result<String, JsError> {
    call(input, |input: Words| {
        let today = day(&input.today)?;
        let series = Series::parse(&input.recurrence, today)?;
        let language = Language::of(&input.language);
        Ok(Named("words", words(&series, language, today)))
    })
}

/// `{recurrence, day|null, today}` → `{next: {day, recurrence}|null}`: the series without the occurrence of a record's
/// day, which is left out. Throws what is wrong with the recurrence.
#[wasm_bindgen(js_name = "skipOccurrence")]
pub fn skip_occurrence(input: &str) -> Result<String, JsError> {
    call(input, |input: Skip| {
        let own = input.day.as_deref().and_then(Day::parse);
        let series = Series::parse(&input.recurrence, own.unwrap_or(day(&input.today)?))?;
        let next = series.rest_without_first().map(|rest| Next {
            day: rest.start.day.to_string(),
            recurrence: rest.value_after(&input.recurrence),
        });
        Ok(Named("next", next))
    })
}

#[wasm_bindgen]
impl Core {
    /// `{app, table, id, before|null, after}` → `{key: {app, table, id}|null}`: the record that goes on, where a write
    /// completed a record or opened it again.
    #[wasm_bindgen(js_name = "successorKey")]
    pub fn successor_key(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Written| {
            let key = RecordKey::new(input.app, input.table, input.id);
            let next = successor_key(&self.registry, &key, input.before.as_ref(), &input.after);
            Ok(Named("key", next))
        })
    }

    /// `{app, table, id, after, successor|null, today, now, last|null, eventId}` → `{written: {change, state}|null,
    /// last}`: the write of the record that `successorKey` names.
    pub fn succeed(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Succeed| {
            let mut clock = Clock {
                last: input.last.unwrap_or_default(),
                offset: 0,
            };
            let succession = Succession {
                registry: &self.registry,
                key: &RecordKey::new(input.app, input.table, input.id),
                state: &input.after,
                successor: input.successor.as_ref(),
                today: day(&input.today)?,
                tick: clock.tick(input.now),
                event_id: input.event_id,
            };
            let written = succession
                .carry_out()
                .map_err(|error| Fault::new("invalid_change", error.reason))?;
            Ok(Succeeded {
                written: written.map(|prepared| WrittenSuccessor {
                    change: prepared.change,
                    state: prepared.state,
                }),
                last: clock.last,
            })
        })
    }
}

fn day(text: &str) -> Result<Day, Fault> {
    let found = Day::parse(text);
    found.ok_or_else(|| Fault::new("invalid", format!("“{text}” is no day. Write 2026-12-05.")))
}

#[derive(Debug, Deserialize)]
struct Words {
    recurrence: Value,
    today: String,
    language: String,
}

#[derive(Debug, Deserialize)]
struct Skip {
    recurrence: Value,
    day: Option<String>,
    today: String,
}

#[derive(Debug, Serialize)]
struct Next {
    day: String,
    recurrence: Value,
}

#[derive(Debug, Deserialize)]
struct Written {
    app: String,
    table: String,
    id: String,
    before: Option<RecordState>,
    after: RecordState,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Succeed {
    app: String,
    table: String,
    id: String,
    after: RecordState,
    successor: Option<RecordState>,
    today: String,
    now: Micros,
    last: Option<Micros>,
    event_id: String,
}

#[derive(Debug, Serialize)]
struct WrittenSuccessor {
    change: Change,
    state: RecordState,
}

#[derive(Debug, Serialize)]
struct Succeeded {
    written: Option<WrittenSuccessor>,
    last: Micros,
}
