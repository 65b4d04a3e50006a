//! `mana backfill`: runs of past occurrences.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use mana_core::mission::{self, Mission, passed, slot};
use mana_device::Env;
use serde_json::{Value, json};

use crate::age::Age;
use crate::terminal::short;
use crate::workspace::Workspace;

/// Largest number of occurrences that one command requests.
const OCCURRENCES_MAX: usize = 100;

pub(crate) async fn backfill(
    mut workspace: Workspace,
    which: &str,
    (since, until): (Age, Age),
    as_json: bool,
) -> Result<()> {
    workspace.sync().await?;
    let mission = find(&workspace, which).await?;
    let now = (Env::system().now)();
    let ago = |age: Age| now.plus(-i64::try_from(age.0.as_micros()).unwrap_or(i64::MAX));
    let zone = match &mission.timezone {
        Some(_) => mission.zone(None),
        None => mission.zone(Some(&workspace.http.timezone().await?)),
    };
    let passed = passed(&mission, &zone, ago(since), ago(until), OCCURRENCES_MAX);
    if passed.earlier {
        bail!(
            "there are more than {OCCURRENCES_MAX} occurrences in that time; choose a shorter one"
        );
    }
    let ran = ran(&workspace, &mission.id).await?;
    let mut requested = Vec::new();
    for at in passed.newest {
        let slot = slot::backfill(at);
        if ran.contains(&slot) || ran.contains(&slot::due(at)) {
            continue;
        }
        workspace.http.run_mission(&mission.id, &slot).await?;
        requested.push((at, slot));
    }
    workspace.close().await;
    if as_json {
        let runs: Vec<Value> = requested
            .iter()
            .map(|(at, slot)| json!({ "at": at, "slot": slot }))
            .collect();
        println!("{}", json!({ "missionId": mission.id, "asked": runs }));
        return Ok(());
    }
    match requested.len() {
        0 => println!("Nothing to backfill: every occurrence in that time ran."),
        n => println!("{n} runs of {} are requested:", short(&mission.title)),
    }
    for (at, _) in requested {
        println!("  {at}");
    }
    Ok(())
}

/// Finds the mission with this id, else with this title.
async fn find(workspace: &Workspace, which: &str) -> Result<Mission> {
    let records = workspace
        .replica
        .records(mission::APP, mission::MISSIONS)
        .await?;
    let missions = records
        .iter()
        .filter(|(_, state)| !state.is_deleted())
        .map(|(id, state)| Mission::parse(id, &state.data));
    let mut found: Vec<Mission> = missions
        .filter(|mission| mission.id == which || mission.title.trim() == which.trim())
        .collect();
    if let Some(exact) = found.iter().position(|mission| mission.id == which) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!("there is no mission {which}; give its id or its whole title"),
        n => bail!("there are {n} missions called {which}; give the id"),
    }
}

/// Returns the slots of the mission that ran.
async fn ran(workspace: &Workspace, mission_id: &str) -> Result<BTreeSet<String>> {
    let records = workspace
        .replica
        .records(mission::APP, mission::RUNS)
        .await?;
    let text = |data: &mana_core::Map, field: &str| {
        data.get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let slots = records
        .iter()
        .map(|(_, state)| &state.data)
        .filter(|data| text(data, "missionId") == mission_id && text(data, "status") == "ran")
        .map(|data| text(data, "slot"));
    Ok(slots.collect())
}
