//! The checks of a world in which everything is mended and synced.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Actor, Op, RecordKey, RecordState, apply, canonical, ids,
    mission::{APP, Agent, Intent, MISSIONS, Mission, RUNS, Step, StepStatus},
    policy::Overrides,
    staging::{ProposalStatus, Records, Staging},
    sync::{GIVEN_BACK, record_key},
};
use mana_device::Storage as _;
use mana_store::LoggedChange;
use serde_json::json;

use crate::{
    disk::ready,
    failure::{Failure, Kind},
    texts,
    world::{Device, World},
};

type Checked = Result<(), Failure>;

fn fail<T>(kind: Kind, message: String) -> Result<T, Failure> {
    Err(Failure::new(kind, message))
}

/// Everything that must be true.
pub(crate) fn check(world: &mut World) -> Result<(), Failure> {
    let log = world.backend.log();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &log {
        *count
            .entry(row.change.event_id.as_deref().unwrap_or_default())
            .or_default() += 1;
    }
    if let Some((id, n)) = count.iter().find(|(_, n)| **n > 1) {
        return fail(
            Kind::Duplicate,
            format!("event {id} is in the log {n} times"),
        );
    }
    for id in &world.acknowledged {
        if !count.contains_key(id.as_str()) && !world.once_logged.contains(id) {
            return fail(
                Kind::Lost,
                format!("event {id} was acknowledged and never came into the log"),
            );
        }
    }
    for (n, device) in world.devices.iter().enumerate() {
        let (waiting, aside) = ready(async {
            let mut tx = device.disk.0.begin().await?;
            Ok::<_, mana_device::StorageError>((tx.waiting().await?, tx.set_aside().await?.len()))
        })
        .expect("memory reads");
        if waiting + aside > 0 {
            return fail(
                Kind::Stuck,
                format!("device {n} still has {waiting} to send and {aside} set aside"),
            );
        }
    }
    if !world.old.waiting.is_empty() {
        let message = format!("the older device still has {:?} to send", world.old.waiting);
        return fail(Kind::Stuck, message);
    }
    let mut records = Records::new();
    let registry = world.backend.registry();
    for key in log
        .iter()
        .flat_map(|row| row.change.keys())
        .collect::<BTreeSet<_>>()
    {
        let state = world.backend.record(&key).unwrap_or_default();
        records.insert(key, state);
    }
    let forgotten = forgotten(&log);
    world.figures.forgotten = forgotten.len() as u64;
    let forth: Vec<_> = log.iter().collect();
    let back: Vec<_> = log.iter().rev().chain(&log).collect();
    for order in [forth, back] {
        let mut replayed = Records::new();
        for row in order {
            let key = record_key(&row.change);
            let schema = registry.schema(&key.app, &key.table);
            if row.change.op != Op::Forget && !forgotten.contains(&key) {
                apply(schema, replayed.entry(key).or_default(), &row.change);
            }
        }
        for key in &forgotten {
            replayed.insert(key.clone(), RecordState::default());
        }
        same("a replay of the log", &replayed, &records)?;
    }
    for (n, device) in world.devices.iter().enumerate() {
        let mut held = held(device, &records);
        if let Some(key) = forgotten.iter().find(|key| held.contains_key(key)) {
            let message = format!("device {n} still has {key:?}, which the server forgot");
            return fail(Kind::Diverged, message);
        }
        held.extend((forgotten.iter()).map(|key| (key.clone(), RecordState::default())));
        same(&format!("device {n}"), &held, &records)?;
    }
    // An older device hears of no log that was put back, and keeps what it holds.
    if !world.put_back {
        let mut held = world.old.records.clone();
        held.extend((forgotten.iter()).map(|key| (key.clone(), RecordState::default())));
        same("the older device", &held, &records)?;
    }
    // Of a log that was put back, what had been overwritten is gone, and nothing says what was planned.
    if !world.put_back {
        texts::check(world, &log)?;
    }
    if !world.rolled_back {
        let (iterations, decided) = missions(world, &records, &forgotten)?;
        world.figures.iterations = iterations;
        world.figures.decided = decided;
    }
    Ok(())
}

/// The records that the server forgot; nothing brings them back.
fn forgotten(log: &[LoggedChange]) -> BTreeSet<RecordKey> {
    let forgetting = log.iter().filter(|row| row.change.op == Op::Forget);
    forgetting.flat_map(|row| row.change.keys()).collect()
}

/// Byte for byte.
fn same(whose: &str, theirs: &Records, servers: &Records) -> Checked {
    for key in theirs.keys().chain(servers.keys()) {
        let bytes = |records: &Records| records.get(key).map(|state| canonical(&json!(state)));
        let (there, here) = (bytes(theirs), bytes(servers));
        if there != here {
            let message = format!("{key:?}\n  {whose}: {there:?}\n  the server: {here:?}");
            return fail(Kind::Diverged, message);
        }
    }
    Ok(())
}

/// All that a device holds in the tables that there are.
fn held(device: &Device, records: &Records) -> Records {
    let tables: BTreeSet<(&str, &str)> = records
        .keys()
        .map(|key| (key.app.as_str(), key.table.as_str()))
        .chain([("todo", "tasks"), (APP, MISSIONS), (APP, RUNS)])
        .collect();
    ready(async {
        let mut tx = device.disk.0.begin().await.expect("memory opens");
        let mut all = Records::new();
        for (app, table) in tables {
            for (id, state) in tx.table(app, table).await.expect("memory reads") {
                all.insert(RecordKey::new(app, table, id), state);
            }
        }
        all
    })
}

/// A slot planned once, a step's record there once if and only if it was approved, the same proposals everywhere.
fn missions(
    world: &World,
    records: &Records,
    forgotten: &BTreeSet<RecordKey>,
) -> Result<(u64, u64), Failure> {
    let registry = world.backend.registry();
    let overrides = Overrides::default();
    let mut waiting = BTreeSet::new();
    let mut made = BTreeSet::new();
    let mut slots = BTreeSet::new();
    let mut decided = 0;
    for (key, state) in records
        .iter()
        .filter(|(key, _)| key.app == APP && key.table == MISSIONS)
    {
        let mission = Mission::parse(&key.id, &state.data);
        for iteration in &mission.iterations {
            // An older device decides on an iteration that a restored log lacks, and gives none back: a part without a
            // slot is left of it.
            if world.put_back && iteration.slot.is_empty() {
                continue;
            }
            let slot = format!("{} {}", key.id, iteration.slot);
            if iteration.id != ids::iteration_id(&key.id, &iteration.slot)
                || !slots.insert(slot.clone())
            {
                return fail(
                    Kind::Mission,
                    format!("the slot {slot} has another or a second iteration"),
                );
            }
            let run = RecordKey::new(APP, RUNS, &iteration.id);
            // A device that had read the mission and not yet the run's record gives back what it has.
            let given_back = RecordKey::new(APP, GIVEN_BACK, &iteration.id);
            let came_alone = world.put_back && records.contains_key(&given_back);
            if !records.contains_key(&run) && !forgotten.contains(&run) && !came_alone {
                return fail(
                    Kind::Mission,
                    format!("the slot {slot} has no record of its run"),
                );
            }
            for step in &iteration.plan {
                decided += u64::from(!step.status.is_open());
                let Intent::ToolCall { tool_name, .. } = &step.intent else {
                    continue;
                };
                if tool_name != "create_task" {
                    continue;
                }
                let id = ids::created_record_id(&step.id, 0);
                let record = records.get(&RecordKey::new("todo", "tasks", &id));
                let carried_out = matches!(step.status, StepStatus::Approved | StepStatus::Undone);
                if record.is_some() != carried_out {
                    let message = format!(
                        "step {} is {:?} and its record is {record:?}",
                        step.id, step.status
                    );
                    return fail(Kind::Mission, message);
                }
                if let Some(record) = record {
                    attributed(record, &key.id, &iteration.id, step)?;
                    made.insert(id);
                }
            }
        }
        let staging = Staging {
            registry,
            overrides: &overrides,
            mission_id: &key.id,
            mission: state,
            have: &BTreeMap::new(),
        };
        waiting.extend(
            staging
                .stage(records)
                .into_iter()
                .map(|proposal| proposal.id),
        );
    }
    for (key, state) in records.iter().filter(|(key, _)| key.table == "tasks") {
        let by_ai = state
            .meta
            .get("title")
            .is_some_and(|stamp| matches!(stamp.actor, Actor::Ai { .. }));
        if by_ai && !made.contains(&key.id) {
            return fail(
                Kind::Duplicate,
                format!(
                    "{} was made by the AI and belongs to no approved step",
                    key.id
                ),
            );
        }
    }
    for (n, device) in world.devices.iter().enumerate() {
        let proposals = ready(async { device.disk.0.begin().await?.proposals(None).await })
            .expect("memory reads");
        let open: BTreeSet<String> = proposals
            .into_iter()
            // What is offered anew is this device's own affair.
            .filter(|one| !one.again)
            .filter(|one| matches!(one.status, ProposalStatus::Open | ProposalStatus::Failed))
            .map(|one| one.id)
            .collect();
        if open != waiting {
            let message = format!("device {n} shows {open:?}, the log says {waiting:?}");
            return fail(Kind::Mission, message);
        }
    }
    Ok((slots.len() as u64, decided))
}

fn attributed(record: &RecordState, mission: &str, iteration: &str, step: &Step) -> Checked {
    let actor = record.meta.get("title").map(|stamp| &stamp.actor);
    let Agent { id, name, .. } = Agent::builtin();
    let ai = Actor::agent(mission, iteration, &step.rationale, Some(&id), Some(&name));
    let ai = ai.of_step(&step.id);
    if actor == Some(&ai) {
        return Ok(());
    }
    fail(
        Kind::Mission,
        format!("a step's record says {actor:?} made it"),
    )
}
