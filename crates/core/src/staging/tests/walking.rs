//! Every tool of every module: proposed, approved, attributed, undone.

use super::*;
use crate::{
    manifest::{EffectOp, ToolRef, samples::sample},
    undo::{UndoConsent, UndoExtent, UndoRequest},
};

/// Returns the values of a table's records: those that are there, without empty fields.
fn said(device: &Device, app: &str, table: &str) -> Vec<Map> {
    let rows = device
        .records
        .iter()
        .filter(|(key, state)| key.app == app && key.table == table && !state.is_deleted());
    let filled = |state: &RecordState| {
        let mut data = state.data.clone();
        data.retain(|_, value| !value.is_null());
        data
    };
    rows.map(|(_, state)| filled(state)).collect()
}

/// A device with a record for the tool to work on, and the one step that calls it.
fn world(registry: &Registry, tool: ToolRef<'_>, params: &Map) -> Device {
    let call = step(0, &tool.tool.name, Value::Object(params.clone()));
    let mut device = Device::new(plan("server", vec![call]));
    device.registry = registry.clone();
    if tool.tool.effect.op != EffectOp::Insert {
        let id = if tool.table.singleton {
            &tool.module.id
        } else {
            "r1"
        };
        let fields = tool.table.fields.iter();
        let data: Map = fields
            .filter(|(_, field)| field.list.is_none())
            .map(|(name, field)| (name.clone(), sample(field, false)))
            .collect();
        let (app, table) = (&tool.module.id, &tool.tool.effect.table);
        let at = "2026-04-01T08:00:00Z";
        device.write(
            app,
            table,
            id,
            "insert",
            Value::Object(data),
            at,
            Actor::user(),
        );
    }
    device
}

#[test]
fn modules_u1_every_tool_is_proposed_approved_attributed_and_undone() {
    let books = include_str!("../../../../../spec/MODULES.md");
    let (_, books) = books.split_once("```json manifest\n").expect("the example");
    let (books, _) = books.split_once("```").expect("its end");
    let (registry, rejected) = Registry::builtin().with([("books.json", books.to_owned())]);
    assert_eq!(rejected, []);
    let mut modules = std::collections::BTreeSet::new();
    let mut walked = 0;
    for tool in registry.tools() {
        let effect = &tool.tool.effect;
        if effect.op == EffectOp::Query {
            continue;
        }
        let name = &tool.tool.name;
        let (app, table) = (&tool.module.id, &effect.table);
        let all: Map = (tool.tool.params.iter())
            .map(|(name, field)| (name.clone(), sample(field, effect.op != EffectOp::Insert)))
            .collect();
        let required: Map = (all.clone().into_iter())
            .filter(|(name, _)| tool.tool.params[name].required)
            .collect();
        for params in [&all, &required] {
            if !tool.check(params).is_empty() {
                continue;
            }
            let mut device = world(&registry, tool, params);
            let before = said(&device, app, table);

            let proposal = device.one();
            assert_eq!(
                proposal.status,
                ProposalStatus::Open,
                "{name}: {proposal:?}"
            );
            device
                .approve(&proposal, "2026-04-08T07:00:00Z")
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_ne!(said(&device, app, table), before, "{name}");

            let operation = &proposal.operations[0];
            let record = device.records[&operation.key()].clone();
            let mut written: Vec<&str> = (operation.set.keys().chain(&operation.now))
                .map(String::as_str)
                .collect();
            if effect.op == EffectOp::Delete {
                written = vec!["deletedAt"];
            }
            assert!(!written.is_empty(), "{name}");
            for field in written {
                let step = record.meta[field].actor.extra().get("stepId");
                assert_eq!(step, Some(&json!(proposal.step_id)), "{name}.{field}");
            }

            let extent = UndoExtent::Step {
                step_id: proposal.step_id.clone(),
            };
            let undo = UndoRequest {
                registry: &registry,
                mission_id: MISSION,
                mission: device.mission(),
                extent: &extent,
            };
            let preview = undo.preview(&device.records).expect("a preview");
            assert_eq!(preview.kept, [], "{name}");
            let by = UndoConsent {
                user: "user",
                device: "here",
                tick: time("2026-04-08T08:00:00Z"),
                seed: "undo",
                hash: &preview.hash,
            };
            let undone = undo.carry_out(&device.records, by).expect("an undo");
            device.receive(&undone.changes);
            assert_eq!(said(&device, app, table), before, "{name}: as it was");
            assert_eq!(device.step(0)["status"], "undone", "{name}");
            walked += 1;
            modules.insert(app.clone());
        }
    }
    let visible = registry.visible().len();
    assert_eq!(modules.len(), visible, "a module has no tool: {modules:?}");
    assert!(walked > 40, "{walked}");
}
