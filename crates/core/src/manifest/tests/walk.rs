//! Every module that Mana brings along, and the example in the specification.

use super::{super::samples::sample, *};
use crate::{
    Map, Micros,
    change::Op,
    mission::Input,
    planner::{ShortIds, resolve::Resolver},
    policy::Policy,
    prepare::{Prepare, prepare},
    record::{RecordKey, RecordState},
};

fn registry() -> Registry {
    let (registry, rejected) = Registry::builtin().with([("books.json", example())]);
    assert_eq!(rejected, []);
    registry
}

#[test]
fn modules_f1_the_builtin_modules_are_all_there_and_sound() {
    let registry = Registry::builtin();
    let visible: Vec<_> = registry
        .visible()
        .into_iter()
        .map(|m| m.id.as_str())
        .collect();
    assert_eq!(
        visible,
        ["todo", "calendar", "notes", "goals", "places", "context"]
    );
    assert_eq!(registry.manifests().len(), 7);
    assert!(registry.manifest("ai").expect("the missions").hidden);
}

#[test]
fn modules_f3_every_text_of_the_builtin_modules_is_in_english_and_german() {
    let both = |label: &Label, place: &str| {
        for language in ["en", "de"] {
            let text = label.0.get(language).map_or("", String::as_str);
            assert!(!text.trim().is_empty(), "{place} lacks {language}");
        }
    };
    for module in registry().manifests() {
        let id = &module.id;
        both(&module.name, id);
        both(&module.description, id);
        assert_eq!(
            module.empty.is_none(),
            module.hidden,
            "{id}: a page says what it is for"
        );
        if let Some(empty) = &module.empty {
            for label in [&empty.title, &empty.body, &empty.action] {
                both(label, id);
            }
        }
        for (name, table) in &module.tables {
            both(&table.name, name);
            both(&table.plural, name);
            for (name, field) in &table.fields {
                both(field.label.as_ref().expect("a label"), name);
                for value in &field.values {
                    match value {
                        EnumValue::Labelled { label, .. } => both(label, name),
                        EnumValue::Bare(value) => panic!("{id}: {name}: {value} has no label"),
                    }
                }
            }
        }
        for tool in &module.tools {
            both(&tool.label, &tool.name);
        }
    }
}

#[test]
fn modules_t2_every_tool_and_parameter_tells_the_model_what_it_is_for() {
    for tool in registry().tools() {
        let name = &tool.tool.name;
        assert!(
            tool.tool.description.len() > 20 && tool.tool.description.ends_with('.'),
            "{name}"
        );
        for (param, field) in &tool.tool.params {
            let said = field.description.as_deref().unwrap_or_default();
            assert!(said.len() > 8 && said.ends_with('.'), "{name}.{param}");
        }
    }
}

#[test]
fn modules_t6_every_write_tool_makes_operations_that_apply() {
    let registry = registry();
    let mut written = 0;
    for tool in registry
        .tools()
        .into_iter()
        .filter(|tool| tool.tool.effect.op != EffectOp::Query)
    {
        let name = &tool.tool.name;
        assert_eq!(
            tool.tool.policy,
            Policy::Propose,
            "{name} changes what a person sees"
        );
        let params: Map = tool
            .tool
            .params
            .iter()
            .map(|(name, field)| (name.clone(), sample(field, false)))
            .collect();
        assert_eq!(tool.check(&params), [], "{name}");
        let required: Map = (params.clone().into_iter())
            .filter(|(param, _)| tool.tool.params[param].required)
            .collect();
        for params in [&params, &required]
            .into_iter()
            .filter(|params| tool.check(params).is_empty())
        {
            let before = record(json!({ "body": "Before", "title": "Before" }));
            let operations = tool
                .operations(params, "step", Some(&before))
                .expect("operations");
            assert_eq!(operations.len(), 1, "{name}");
            for operation in operations {
                assert!(tool.covers(&operation), "{name}");
                let at = Micros::parse("2026-04-08T08:00:00Z").unwrap();
                let prepared = prepare(
                    registry.schema(&operation.app, &operation.table),
                    Prepare {
                        key: &operation.key(),
                        op: operation.op,
                        set: operation.values(at),
                        state: (operation.op != Op::Insert).then_some(&before),
                        tick: at,
                        at: None,
                        stamps: Default::default(),
                        seen: Default::default(),
                        actor: Actor::ai("m", "i", "because"),
                        event_id: "e".into(),
                    },
                );
                let after = prepared.expect("a change that applies").state;
                let problems =
                    registry.check_record(&operation.app, &operation.table, &after.data, true);
                assert_eq!(problems, [], "{name}");
                for (field, value) in operation.values(at) {
                    assert_eq!(after.data.get(&field), Some(&value), "{name}.{field}");
                    assert!(
                        matches!(after.meta[&field].actor, Actor::Ai { .. }),
                        "{name}.{field}"
                    );
                }
                assert_eq!(after.is_deleted(), operation.op == Op::Delete, "{name}");
                written += 1;
            }
        }
    }
    assert!(written > 30, "{written}");
}

#[test]
fn modules_q1_every_query_tool_runs_with_and_without_its_filters() {
    let registry = registry();
    let context = QueryContext {
        now: Micros::EPOCH,
        zone: jiff::tz::TimeZone::UTC,
    };
    let queries: Vec<_> = registry
        .tools()
        .into_iter()
        .filter(|tool| tool.tool.effect.op == EffectOp::Query)
        .collect();
    assert!(queries.len() >= 9);
    for tool in queries {
        assert_eq!(tool.tool.policy, Policy::Auto, "{}", tool.tool.name);
        let params: Map = tool
            .tool
            .params
            .iter()
            .map(|(name, field)| (name.clone(), sample(field, false)))
            .collect();
        assert_eq!(tool.check(&params), []);
        assert!(tool.operations(&params, "step", None).unwrap().is_empty());
        // A record that fits every field fits every filter by equality, and none without a value does.
        let full: Map = (tool.table.fields.iter())
            .map(|(name, field)| (name.clone(), sample(field, false)))
            .filter(|(name, _)| !matches!(name.as_str(), "done" | "list"))
            .collect();
        let state = record(Value::Object(full));
        let rows = tool.query(&Map::new(), [("a", &state)], &context);
        assert_eq!(rows.len(), 1, "{}", tool.tool.name);
    }
}

#[test]
fn modules_d1_the_missions_merge_element_by_element_and_keep_a_hundred() {
    let registry = Registry::builtin();
    let iterations = &registry.schema("ai", "aiMissions").lists["iterations"];
    assert_eq!(iterations.order_by.as_deref(), Some("startedAt"));
    assert_eq!((iterations.keep, iterations.overall), (Some(100), true));
    let plan = &iterations.lists["plan"];
    assert_eq!(
        (plan.order_by.as_deref(), plan.decision),
        (Some("index"), true)
    );
    assert_eq!(
        registry.schema("nowhere", "nothing"),
        merge::TableSchema::EMPTY
    );
}

#[test]
fn modules_d4_the_singleton_needs_no_id_and_no_record_before_it() {
    let registry = Registry::builtin();
    let tool = registry.tool("append_to_context").expect("the tool");
    let params = object(json!({ "text": "I like short answers." }));
    assert_eq!(
        tool.target(&params),
        Some(RecordKey::new("context", "documents", "context"))
    );
    let first = tool.operations(&params, "step", None).unwrap();
    assert_eq!(
        first[0].set,
        object(json!({ "body": "I like short answers." }))
    );
    let page = record(json!({ "body": "I live in Graz.\n" }));
    let second = tool.operations(&params, "step", Some(&page)).unwrap();
    assert_eq!(
        second[0].set,
        object(json!({ "body": "I live in Graz.\n\nI like short answers." }))
    );
}

#[test]
fn modules_f2_the_registry_survives_its_way_to_the_browser() {
    let registry = registry();
    let json = registry.to_json();
    let back = Registry::from_json(&json).expect("what was written");
    assert_eq!(back.manifests(), registry.manifests());
    assert_eq!(back.to_json(), json);
    let fields = back
        .table("todo", "tasks")
        .unwrap()
        .fields
        .keys()
        .take(3)
        .collect::<Vec<_>>();
    assert_eq!(
        fields,
        ["title", "notes", "dueDate"],
        "in the order of the file"
    );
    assert_eq!(
        back.schema("ai", "aiMissions"),
        registry.schema("ai", "aiMissions")
    );
}

#[test]
fn missions_r2_every_table_of_every_module_can_be_read_by_a_mission() {
    let registry = registry();
    let context = QueryContext {
        now: Micros::parse("2026-04-08T07:00:00Z").expect("a time"),
        zone: jiff::tz::TimeZone::UTC,
    };
    let mut short = ShortIds::new(&registry);
    for module in registry.visible() {
        let fields = module
            .tables
            .values()
            .flat_map(|table| table.fields.values());
        for (module, table) in fields.filter_map(|field| field.reference(&module.id)) {
            short.add(&RecordKey::new(module, table, "r1"));
        }
    }
    let resolver = Resolver {
        registry: &registry,
        short: &short,
        told: &|_| false,
        context,
        title: &|key| (key.id == "r1").then(|| "The other one".to_owned()),
    };
    for module in registry.visible() {
        for (name, table) in &module.tables {
            let place = format!("{}/{name}", module.id);
            let fields = table.fields.iter();
            let data: Map = fields
                .map(|(name, field)| (name.clone(), sample(field, false)))
                .collect();
            let state = RecordState {
                data: data.clone(),
                ..RecordState::default()
            };
            let input = Input {
                module: module.id.clone(),
                table: name.clone(),
                id: Some("x1".to_owned()),
            };
            let resolved = resolver.resolve(&input, [("x1", &state)]);
            assert_eq!(
                (resolved.texts.len(), &resolved.notes[..]),
                (1, &[][..]),
                "{place}"
            );
            let text = &resolved.texts[0].text;
            for (field, definition) in &table.fields {
                let heading = *field == table.list.title;
                let label = definition.label.as_ref().expect("a label").en();
                let empty = definition.list.is_some() || data.get(field) == Some(&false.into());
                assert!(
                    heading || empty || text.contains(&format!("{label}:")),
                    "{place}: {field} is in {text}"
                );
                if definition.table.is_some() {
                    assert!(text.contains("The other one ("), "{place}: {text}");
                }
            }
            // All of a table: what its query doesn't pick is said.
            let all = Input { id: None, ..input };
            let all = resolver.resolve(&all, [("x1", &state)]);
            assert_eq!(all.texts.len() + all.notes.len(), 1, "{place}: {all:?}");
        }
    }
}
