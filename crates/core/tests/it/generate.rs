//! Random changes of one record: few fields, few stamps, many collisions, all kinds of nonsense.

use mana_core::{Change, ListSpec, TableSchema};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// A bounded list with nested decisions, like a mission's iterations, and a plain one.
pub fn schema() -> TableSchema {
    let plan = ListSpec {
        order_by: Some("index".into()),
        decision: true,
        ..ListSpec::default()
    };
    let runs = ListSpec {
        order_by: Some("startedAt".into()),
        keep: Some(3),
        overall: true,
        lists: [("plan".to_owned(), plan)].into(),
        ..ListSpec::default()
    };
    let items = ListSpec {
        order_by: Some("index".into()),
        ..ListSpec::default()
    };
    TableSchema {
        lists: [("runs".to_owned(), runs), ("items".to_owned(), items)].into(),
        ..TableSchema::default()
    }
}

/// Up to `max` changes of the same record.
pub fn changes(max: usize) -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..=max)
}

/// Stamps in several spellings: the first two are the same instant.
fn time() -> impl Strategy<Value = Value> {
    select(vec![
        json!("2026-01-01T00:00:10Z"),
        json!("2026-01-01T01:00:10.000+01:00"),
        json!("2026-01-01T00:00:10.000001Z"),
        json!("2026-01-02T00:00:00Z"),
    ])
}

fn maybe_time() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        3 => time().prop_map(Some),
        2 => Just(None),
        1 => select(vec![json!("yesterday"), json!(7), json!(null)]).prop_map(Some),
    ]
}

/// Values whose equality is easy to get wrong: one number in several forms, numbers beyond 2^53.
fn plain() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(1),
        json!(1.0),
        json!(-0.0),
        json!(0),
        json!(0.1),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(-9_007_199_254_740_993_i64),
        json!(u64::MAX),
        json!(1e300),
        json!(5e-324),
        json!("a"),
        json!("é"),
        json!("\u{ffff}"),
        json!("😀"),
        json!({"b": 1.0, "a": [1, 2.0]}),
        json!({"a": [1.0, 2], "b": 1}),
        json!([]),
        json!({}),
    ])
}

fn object(fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values
        .prop_map(move |values| {
            let fields = names.iter().zip(values);
            let present = fields.filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(present.collect())
        })
        .boxed()
}

fn maybe(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop::option::of(value).boxed()
}

fn id() -> BoxedStrategy<Option<Value>> {
    let ids = ["a", "b", "c", "d", "e"].map(|id| Some(json!(id)));
    prop_oneof![
        12 => select(ids.to_vec()),
        1 => select(vec![None, Some(json!(3)), Some(json!(null)), Some(json!(""))]),
    ]
    .boxed()
}

fn order() -> BoxedStrategy<Option<Value>> {
    prop_oneof![
        6 => select((0..4).map(|n| Some(json!(n))).collect::<Vec<_>>()),
        2 => time().prop_map(Some),
        1 => plain().prop_map(Some),
        1 => Just(None),
    ]
    .boxed()
}

fn elements(element: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let element = prop_oneof![
        15 => element,
        1 => select(vec![json!(null), json!("x"), json!(2), json!([]), json!({})]),
    ];
    prop_oneof![
        12 => prop::collection::vec(element, 0..5).prop_map(Value::Array),
        1 => select(vec![json!(null), json!("no list"), json!({"id": "a"}), json!(1)]),
    ]
    .boxed()
}

fn steps() -> BoxedStrategy<Value> {
    let status = select(vec![
        json!("planned"),
        json!("staged"),
        json!("failed"),
        json!("expired"),
        json!("skipped"),
        json!("rejected"),
        json!("approved"),
        json!("undone"),
        json!("unheard-of"),
        json!(4),
    ]);
    elements(object(vec![
        ("id", id()),
        ("index", order()),
        ("summary", maybe(plain())),
        ("status", maybe(status)),
        ("decidedAt", maybe_time().boxed()),
        (
            "decidedBy",
            maybe(select(vec![json!("user"), json!("policy")])),
        ),
        ("feedback", maybe(plain())),
        ("editedParams", maybe(plain())),
        ("updatedAt", maybe_time().boxed()),
    ]))
}

fn runs() -> BoxedStrategy<Value> {
    elements(object(vec![
        ("id", id()),
        ("startedAt", order()),
        ("updatedAt", maybe_time().boxed()),
        ("summary", maybe(plain())),
        (
            "error",
            maybe(select(vec![json!(null), json!({"code": "timeout"})])),
        ),
        (
            "overallStatus",
            maybe(select(vec![json!("approved"), json!(1)])),
        ),
        ("plan", maybe(steps())),
    ]))
}

fn items() -> BoxedStrategy<Value> {
    elements(object(vec![
        ("id", id()),
        ("index", order()),
        ("status", maybe(plain())),
        ("updatedAt", maybe_time().boxed()),
    ]))
}

fn values() -> BoxedStrategy<Map<String, Value>> {
    object(vec![
        ("title", maybe(plain())),
        ("done", maybe(plain())),
        ("deletedAt", maybe(prop_oneof![time(), Just(json!(null))])),
        ("runs", maybe(runs())),
        ("items", maybe(items())),
    ])
    .prop_map(|object| match object {
        Value::Object(object) => object,
        _ => Map::new(),
    })
    .boxed()
}

fn actor() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"kind": "user"}),
        json!({"kind": "user", "displayName": "Ada", "n": 1.0}),
        json!({"kind": "user", "displayName": "Ada", "n": 1}),
        json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "so"}),
        json!({"kind": "system", "source": "mission-runner"}),
    ])
}

fn change() -> impl Strategy<Value = Change> {
    let op = select(vec!["insert", "update", "delete"]);
    let stamps = prop::collection::vec(prop::option::of(time()), 5);
    (op, values(), stamps, actor(), prop::option::of(time())).prop_map(
        |(op, values, stamps, actor, at)| {
            let mut wire = json!({"table": "t", "id": "r", "op": op, "actor": actor, "at": at});
            let mut fields = Map::new();
            for ((field, value), stamp) in values.iter().zip(stamps) {
                let write = match op {
                    "insert" => json!({"updatedAt": stamp}),
                    _ => json!({"value": value, "updatedAt": stamp}),
                };
                fields.insert(field.clone(), write);
            }
            match op {
                "insert" => {
                    wire["data"] = Value::Object(values);
                    wire["fields"] = Value::Object(fields);
                }
                "update" => wire["fields"] = Value::Object(fields),
                _ => wire["deletedAt"] = wire["at"].clone(),
            }
            Change::parse(wire).expect("a change that the wire accepts")
        },
    )
}
