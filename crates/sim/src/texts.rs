//! The check that no text of a person is overwritten without being kept.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Micros, RecordKey, canonical,
    conflict::{KeptConflict, WrittenValue, is_text},
    sync::record_key,
};
use mana_device::Storage as _;
use mana_store::LoggedChange;
use serde_json::Value;

use crate::{
    disk::ready,
    failure::{Failure, Kind},
    world::World,
};

/// A text as it stands in the log.
struct Text {
    value: Value,
    base: Option<Micros>,
    by_person: bool,
    event_id: String,
}

/// The place of a text in the order by which the merge decides (M4): its stamp, then its canonical value. The event
/// tells equal ones apart.
type Place = (Micros, String, String);

/// The texts of a field.
type Texts = BTreeMap<Place, Text>;

/// Every text that a person wrote stands, was seen by what replaced it, or was told of at a device; and every text that
/// a device acknowledged is still in the log.
pub(crate) fn check(world: &World, log: &[LoggedChange]) -> Result<(), Failure> {
    let registry = world.backend.registry();
    let mut texts: BTreeMap<(RecordKey, String), Texts> = BTreeMap::new();
    for row in log {
        let (change, key) = (&row.change, record_key(&row.change));
        let schema = registry.schema(&key.app, &key.table);
        let actor = change.actor.clone().unwrap_or_else(mana_core::Actor::user);
        for write in change.writes() {
            let markdown = schema.markdown.contains(write.field);
            if !markdown && !is_text(schema, write.field, &write.value) {
                continue;
            }
            let written = WrittenValue {
                value: write.value.clone().into_owned(),
                updated_at: write.at,
                actor: actor.clone(),
            };
            let text = Text {
                base: change.fields.get(write.field).and_then(|write| write.base),
                by_person: written.is_persons()
                    && written.text().is_some_and(|text| !text.trim().is_empty()),
                value: written.value,
                event_id: change.event_id.clone().unwrap_or_default(),
            };
            let of_field: &mut Texts =
                (texts.entry((key.clone(), write.field.to_owned()))).or_default();
            let place = (write.at, canonical(&text.value), text.event_id.clone());
            of_field.insert(place, text);
        }
    }
    let told = told(world);
    for ((key, field), texts) in &texts {
        // Newest first: a text is kept where one that saw it is.
        let mut kept: BTreeSet<&Place> = BTreeSet::new();
        let mut values: Vec<&Value> = Vec::new();
        for (place, text) in texts.iter().rev() {
            let at = place.0;
            let stands = kept.is_empty();
            let seen =
                (texts.iter()).any(|(later, by)| by.base == Some(at) && kept.contains(later));
            let is_told = told.contains(&(key.clone(), field.clone(), at));
            // Two people may have written the same.
            let same = values.contains(&&text.value);
            // An older device stamps what it approves by the old rule, which overwrites. Its own texts name no base,
            // and it passes over the conflicts that the answer tells: what they replace is kept in the log alone.
            let by_old_rule = texts.iter().any(|(later, by)| {
                let of_old = |ids: &BTreeSet<String>| ids.contains(&by.event_id);
                later > place && (of_old(&world.old.approved) || of_old(&world.old.wrote))
            });
            let is_kept = stands || seen || is_told || same || by_old_rule;
            if is_kept || !text.by_person || world.joined {
                values.push(&text.value);
                kept.insert(place);
                continue;
            }
            let message = format!(
                "the text of event {} in {key:?}, {field}, was overwritten, and no device says so\n{}",
                text.event_id,
                line(texts)
            );
            return Err(Failure::new(Kind::Text, message));
        }
    }
    let logged: BTreeSet<&str> = (log.iter())
        .filter_map(|row| row.change.event_id.as_deref())
        .collect();
    let dropped = world.texts.iter().find(|id| !logged.contains(id.as_str()));
    match dropped {
        None => Ok(()),
        Some(id) => {
            let message = format!("the text of event {id} was compacted away");
            Err(Failure::new(Kind::Text, message))
        }
    }
}

/// The texts of a field by their stamps, each with what it replaced.
fn line(texts: &Texts) -> String {
    let lines = texts.iter().map(|((at, _, event), text)| {
        let base = text.base.map(|base| base.to_string()).unwrap_or_default();
        format!("  {at} replaces {base}: {event}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The texts of which a device keeps a conflict, ended or not.
fn told(world: &World) -> BTreeSet<(RecordKey, String, Micros)> {
    let kept = world.devices.iter().flat_map(|device| {
        ready(async { device.disk.0.begin().await?.conflicts(None).await }).expect("memory reads")
    });
    kept.map(
        |KeptConflict {
             key, field, loser, ..
         }| (key, field, loser.updated_at),
    )
    .collect()
}
