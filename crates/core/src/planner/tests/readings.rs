//! Answers through the tolerant reader, and steps that the check refuses all the same.

use super::*;
use crate::record::RecordState;

/// A step that fits, with these members in place of its own.
fn step_with(more: Value) -> Value {
    let mut step = object(
        json!({"summary": "Buy milk", "toolName": "create_task", "params": {"title": "Buy milk"},
        "rationale": "It is out."}),
    );
    step.extend(object(more));
    step.into()
}

fn plan_with(params: Value, tool: &str) -> String {
    json!({"summary": "S", "steps": [step_with(json!({"toolName": tool, "params": params}))]})
        .to_string()
}

/// The records of a person, and what is known of them.
pub(super) struct Known {
    pub(super) registry: Registry,
    overrides: Overrides,
    records: Vec<(RecordKey, RecordState)>,
    shown: Vec<ShownRecord>,
}

impl Known {
    pub(super) fn new() -> Known {
        let record = |app: &str, table: &str, id: &str, data: Value| {
            let state = RecordState {
                data: object(data),
                ..RecordState::default()
            };
            (RecordKey::new(app, table, id), state)
        };
        let records = vec![
            record(
                "todo",
                "tasks",
                "5a1c9e30-0000-4000-8000-000000000001",
                json!({"title": "Pay rent", "dueDate": "2026-12-01",
                "notes": "By bank", "list": "Home", "done": false}),
            ),
            record(
                "todo",
                "tasks",
                "5a1c9e31-0000-4000-8000-000000000002",
                json!({"title": "Call Anna", "done": true}),
            ),
            record("todo", "tasks", "t3", json!({"title": "Twice"})),
            record("todo", "tasks", "t4", json!({"title": "Twice"})),
            record(
                "calendar",
                "events",
                "e1",
                json!({"title": "Dentist", "startsAt": "2026-12-05T09:00:00.000000Z",
                "endsAt": "2026-12-05T09:30:00.000000Z"}),
            ),
            record("goals", "goals", "g1", json!({"title": "Run a marathon"})),
        ];
        let shown = records
            .iter()
            .enumerate()
            .map(|(place, (key, state))| ShownRecord {
                key: key.clone(),
                short: Some(format!("r{}", place + 1)),
                title: state.data["title"].as_str().map(str::to_owned),
            });
        Known {
            registry: Registry::builtin(),
            overrides: Overrides::default(),
            shown: shown.collect(),
            records,
        }
    }

    pub(super) fn parse<'t>(
        &self,
        answer: impl Into<ModelAnswer<'t>>,
    ) -> Result<Plan, UnusableAnswer> {
        let find = |key: &RecordKey| {
            self.records
                .iter()
                .find(|(own, _)| own == key)
                .map(|(_, state)| state)
        };
        let exists = |key: &RecordKey| find(key).is_some();
        let checks = PlanChecks {
            exists: &exists,
            state: &find,
            shown: &self.shown,
            ..check(&self.registry, &self.overrides, &|_| false)
        };
        parse(answer, &checks)
    }

    /// The parameters of the only step, or the code of its refusal.
    fn only(&self, answer: &str) -> Result<Value, &'static str> {
        let plan = self.parse(answer).map_err(|error| error.code)?;
        match (plan.steps.as_slice(), plan.refused.as_slice()) {
            ([step], []) => Ok(Value::Object(step.params.clone())),
            (_, [refused, ..]) => Err(refused.code),
            (steps, _) => panic!("{} steps in {answer}", steps.len()),
        }
    }

    fn reason(&self, answer: &str) -> String {
        let plan = self.parse(answer).expect("a plan");
        plan.refused
            .first()
            .map(|step| step.reason.clone())
            .unwrap_or_default()
    }
}

#[test]
fn missions_a1_the_last_plan_counts_wherever_it_stands() {
    let known = Known::new();
    let milk = json!({"summary": "S", "steps": [step_with(json!({}))]});
    let draft =
        json!({"summary": "D", "steps": [step_with(json!({"params": {"title": "Draft"}}))]});
    let step = step_with(json!({}));
    for answer in [
        format!("<think>{draft}</think>\n{milk}"),
        format!("{draft}\nBetter:\n{milk}"),
        format!("```python\nprint({{1: 2}})\n```\n```js\nconst plan = {milk};\n```"),
        format!("Here you are: {milk} Let me know {{if}} it fits [1]."),
        format!("```{milk}```"),
        format!("[{step}]"),
        format!("{{\"plan\": {milk}}}"),
        format!("{{\"response\": {{\"plan\": [{step}]}}}}"),
        json!({"choices": [{"message": {"role": "assistant", "content": milk.to_string()}}]}).to_string(),
        json!(milk.to_string()).to_string().replace("\"{", "\"```json\\n{"),
        step.to_string(),
        format!("<tool_call>{{\"name\": \"create_task\", \"arguments\": {step}}}</tool_call>"),
        format!("[TOOL_CALLS]create_task[ARGS]{step}"),
        "[TOOL_CALLS]create_task[CALL_ID]a1[ARGS]{\"params\": {\"title\": \"Buy milk\"}, \"rationale\": \"It is out.\"}"
            .to_owned(),
        format!("<|channel|>commentary to=functions.create_task <|constrain|>json<|message|>{step}<|call|>"),
        format!("<|tool_calls_section_begin|><|tool_call_begin|>functions.create_task:0\
            <|tool_call_argument_begin|>{step}\
            <|tool_call_end|><|tool_calls_section_end|>"),
        format!("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>create_task\n\
            ```json\n{step}\n```<｜tool▁call▁end｜>"),
        format!("Action: create_task\nAction Input: {step}"),
        "<function=create_task>\n<parameter=title>\nBuy milk\n</parameter>\n<parameter=rationale>\nIt is out.\n\
            </parameter>\n</function>".to_owned(),
        "<invoke name=\"create_task\"><parameter name=\"title\">Buy milk</parameter><parameter name=\"why\">It is out.\
            </parameter></invoke>".to_owned(),
        "<tool_call>create_task\n<arg_key>title</arg_key>\n<arg_value>Buy milk</arg_value>\n\
            <arg_key>rationale</arg_key>\n\
            <arg_value>It is out.</arg_value>\n</tool_call>".to_owned(),
        "```tool_code\nprint(default_api.create_task(title=\"Buy milk\", rationale='It is out.'))\n```".to_owned(),
        "[create_task(title=\"Buy milk\", rationale=\"It is out.\")]".to_owned(),
        "<create_task><title>Buy milk</title><rationale>It is out.</rationale></create_task>".to_owned(),
        "{\"create_task\": {\"title\": \"Buy milk\", \"rationale\": \"It is out.\"}}".to_owned(),
        "{\"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"create_task\", \"arguments\": \
            \"{\\\"title\\\": \\\"Buy milk\\\", \\\"rationale\\\": \\\"It is out.\\\"}\"}}]}".to_owned(),
    ] {
        assert_eq!(known.only(&answer), Ok(json!({"title": "Buy milk"})), "{answer}");
    }
}

#[test]
fn missions_a4_what_can_not_be_read_is_no_success() {
    let known = Known::new();
    for (answer, code) in [
        ("I have nothing for you: []", "prose"),
        ("{\"steps\": [}", "bad_json"),
        ("{\"steps\": {\"first\": \"buy milk\"}}", "not_a_plan"),
        ("{\"title\": \"Buy milk\"}", "not_a_plan"),
        ("{\"summary\": \"I have added milk\"", "truncated"),
        (
            "{\"summary\": \"I have added milk\", \"task\": {\"title\": \"Milk\"}}",
            "not_a_plan",
        ),
        ("steps:\n- create_task: milk", "prose"),
        (
            "<think>{\"summary\": \"S\", \"steps\": []} but wait",
            "truncated",
        ),
    ] {
        let read = known.parse(answer).map(|plan| plan.steps.len());
        assert_eq!(read.map_err(|error| error.code), Err(code), "{answer}");
    }
    let cut = ModelAnswer {
        content: "Thinking about",
        cut: true,
        ..ModelAnswer::default()
    };
    let error = known.parse(cut).expect_err("no plan");
    assert!(
        error.code == "truncated" && error.message.contains("num_ctx"),
        "{error}"
    );
}

#[test]
fn missions_a4_what_is_cut_off_keeps_its_whole_steps_and_says_so() {
    let known = Known::new();
    let whole = step_with(json!({})).to_string();
    for end in [
        "{\"summary\": \"Half",
        "{\"toolName\": \"create_task\", \"params\": {\"title\": \"Ha",
        "{",
        "",
    ] {
        let plan =
            known.parse(format!("{{\"summary\": \"S\", \"steps\": [{whole}, {end}").as_str());
        let plan = plan.expect("a plan");
        assert_eq!((plan.steps.len(), plan.refused.len()), (1, 0), "{end}");
        assert_eq!(plan.notes[0].code, "cut", "{end}");
    }
}

#[test]
fn missions_a6_values_are_read_where_they_mean_one_thing() {
    let known = Known::new();
    for (tool, given, expected) in [
        (
            "create_task",
            json!({"Title": "M", "due_date": "5 Dec 2026", "estimate_minutes": "1 h 30"}),
            json!({"title": "M", "dueDate": "2026-12-05", "estimateMinutes": 90}),
        ),
        (
            "create_task",
            json!({"title": "M", "priority": "Hoch", "goal": "Run a Marathon"}),
            json!({"title": "M", "priority": "high", "goalId": "g1"}),
        ),
        (
            "create_task",
            json!({"title": "M", "notes": ["a", "b"], "list": "n/a"}),
            json!({"title": "M", "notes": "a\nb"}),
        ),
        (
            "create_task",
            json!({"title": "M", "notes": "string", "tags": []}),
            json!({"title": "M"}),
        ),
        (
            "update_task",
            json!({"id": "r1", "title": "Pay the rent"}),
            json!({"taskId": "5a1c9e30-0000-4000-8000-000000000001", "title": "Pay the rent"}),
        ),
        (
            "update_task",
            json!({"taskId": "5a1c9e30", "title": "X y"}),
            json!({"taskId": "5a1c9e30-0000-4000-8000-000000000001", "title": "X y"}),
        ),
        (
            "update_task",
            json!({"taskId": "Pay rent (id: r1)", "title": "X y"}),
            json!({"taskId": "5a1c9e30-0000-4000-8000-000000000001", "title": "X y"}),
        ),
        (
            "update_task",
            json!({"task": "PAY RENT", "title": "X y", "notes": null}),
            json!({"taskId": "5a1c9e30-0000-4000-8000-000000000001", "title": "X y"}),
        ),
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2026-12-05 09:00", "endsAt": "2026-12-05 10:00", "allDay": "no"}),
            json!({"title": "X y", "startsAt": "2026-12-05T09:00:00+01:00", "endsAt": "2026-12-05T10:00:00+01:00",
                "allDay": false}),
        ),
    ] {
        assert_eq!(
            known.only(&plan_with(given.clone(), tool)),
            Ok(expected),
            "{given}"
        );
    }
    for (tool, given, code) in [
        (
            "update_task",
            json!({"taskId": "Twice", "title": "X y"}),
            "unknown_record",
        ),
        (
            "update_task",
            json!({"taskId": "5a1c9", "title": "X y"}),
            "unknown_record",
        ),
        (
            "create_task",
            json!({"title": "M", "colour": "red"}),
            "bad_params",
        ),
        (
            "create_task",
            json!({"title": "M", "priority": "purple"}),
            "bad_params",
        ),
        (
            "create_task",
            json!({"title": "M", "estimateMinutes": "soon"}),
            "bad_params",
        ),
        (
            "create_task",
            json!({"title": "M", "dueDate": "05/12/2026"}),
            "bad_params",
        ),
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2027-03-28 02:30"}),
            "bad_params",
        ),
    ] {
        assert_eq!(
            known.only(&plan_with(given.clone(), tool)),
            Err(code),
            "{given}"
        );
    }
    let reason = known.reason(&plan_with(
        json!({"title": "M", "dueDate": "2026-12-05 (Sunday)"}),
        "create_task",
    ));
    assert!(reason.contains("2026-12-05 is a Saturday"), "{reason}");
}

#[test]
fn missions_a11_a_field_is_emptied_by_name_and_never_by_a_null() {
    let known = Known::new();
    let id = "5a1c9e30-0000-4000-8000-000000000001";
    let plan = |params: Value, summary: &str| {
        let step =
            step_with(json!({"toolName": "update_task", "params": params, "summary": summary}));
        json!({"summary": "S", "steps": [step]}).to_string()
    };
    let cleared = plan(
        json!({"taskId": id, "clear": ["due_date"]}),
        "Pay rent is not due any more",
    );
    assert_eq!(
        known.only(&cleared),
        Ok(json!({"taskId": id, "dueDate": null}))
    );
    let nulls = plan(
        json!({"taskId": id, "title": "Rent", "notes": null, "list": "", "dueDate": "null"}),
        "S",
    );
    assert_eq!(
        known.only(&nulls),
        Ok(json!({"taskId": id, "title": "Rent"}))
    );
    let unsaid = plan(
        json!({"taskId": id, "title": "Rent", "clear": "notes"}),
        "New title",
    );
    assert_eq!(known.only(&unsaid), Err("empties"));
    let required = plan(json!({"taskId": id, "clear": ["title"]}), "Without title");
    assert_eq!(known.only(&required), Err("bad_params"));
}

#[test]
fn missions_a12_a_step_that_makes_no_sense_is_refused_by_name() {
    let known = Known::new();
    let rent = "5a1c9e30-0000-4000-8000-000000000001";
    for (tool, params, code) in [
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2026-12-05 10:00", "endsAt": "2026-12-05 09:00"}),
            "ends_before_start",
        ),
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2026-12-05 10:00", "endsAt": "2026-12-05 10:00"}),
            "ends_before_start",
        ),
        (
            "update_event",
            json!({"eventId": "e1", "endsAt": "2026-12-05T08:00:00Z"}),
            "ends_before_start",
        ),
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2024-05-05T10:00:00+01:00"}),
            "passed",
        ),
        (
            "create_task",
            json!({"title": "M", "dueDate": "2023-10-05"}),
            "passed",
        ),
        (
            "reschedule_task",
            json!({"taskId": rent, "dueDate": "2026-11-21"}),
            "passed",
        ),
        (
            "reschedule_task",
            json!({"taskId": rent, "dueDate": "2026-12-01"}),
            "unchanged",
        ),
        (
            "update_task",
            json!({"taskId": rent, "title": "Pay rent", "list": "Home"}),
            "unchanged",
        ),
        (
            "complete_task",
            json!({"taskId": "5a1c9e31-0000-4000-8000-000000000002"}),
            "unchanged",
        ),
        ("create_task", json!({"title": "TODO"}), "placeholder"),
        (
            "create_task",
            json!({"title": "<task title>"}),
            "placeholder",
        ),
        ("create_task", json!({"title": "…"}), "placeholder"),
    ] {
        assert_eq!(
            known.only(&plan_with(params.clone(), tool)),
            Err(code),
            "{tool} {params}"
        );
    }
    for (tool, params) in [
        (
            "create_task",
            json!({"title": "M", "dueDate": "2026-11-22"}),
        ),
        (
            "create_event",
            json!({"title": "X y", "startsAt": "2026-12-05", "endsAt": "2026-12-05", "allDay": true}),
        ),
        (
            "create_place",
            json!({"name": "Café", "visitedAt": "2023-10-05"}),
        ),
        (
            "reopen_task",
            json!({"taskId": "5a1c9e31-0000-4000-8000-000000000002"}),
        ),
    ] {
        known
            .only(&plan_with(params.clone(), tool))
            .unwrap_or_else(|code| panic!("{code}: {tool} {params}"));
    }
    let dots = json!({"summary": "…", "steps": [{"summary": "…", "toolName": "create_task", "params": {"title": "Milk"},
        "rationale": "…"}]});
    assert_eq!(known.only(&dots.to_string()), Err("no_rationale"));
}

#[test]
fn missions_a12_an_event_that_is_moved_keeps_its_length() {
    let known = Known::new();
    let moved = |tool: &str, params: Value| {
        known.only(&plan_with(params, tool)).expect("a step")["endsAt"].clone()
    };
    assert_eq!(
        moved(
            "reschedule_event",
            json!({"eventId": "e1", "startsAt": "2026-12-05T14:00:00+01:00"})
        ),
        "2026-12-05T14:30:00+01:00"
    );
    assert_eq!(
        moved(
            "reschedule_event",
            json!({"eventId": "e1", "startsAt": "2026-12-05T08:00:00+01:00"})
        ),
        "2026-12-05T08:30:00+01:00"
    );
    let begins_earlier = json!({"eventId": "e1", "startsAt": "2026-12-05T09:30:00+01:00"});
    assert_eq!(moved("update_event", begins_earlier), Value::Null);
}

#[test]
fn missions_a12_two_steps_that_contradict_each_other_are_not_both_proposed() {
    let known = Known::new();
    let id = "5a1c9e30-0000-4000-8000-000000000001";
    let step = |tool: &str, params: Value| {
        let mut params = object(params);
        params.insert("taskId".into(), id.into());
        step_with(json!({"toolName": tool, "params": params}))
    };
    for (first, second, fits) in [
        (
            step("delete_task", json!({})),
            step("complete_task", json!({})),
            false,
        ),
        (
            step("reschedule_task", json!({"dueDate": "2026-12-02"})),
            step("update_task", json!({"dueDate": "2026-12-03"})),
            false,
        ),
        (
            step("update_task", json!({"list": "A"})),
            step("reschedule_task", json!({"dueDate": "2026-12-03"})),
            true,
        ),
        (
            step("update_task", json!({"list": "A"})),
            step("complete_task", json!({})),
            true,
        ),
    ] {
        let plan = known
            .parse(
                json!({"summary": "S", "steps": [first, second]})
                    .to_string()
                    .as_str(),
            )
            .expect("a plan");
        let codes: Vec<_> = plan.refused.iter().map(|step| step.code).collect();
        let expected: &[&str] = if fits { &[] } else { &["contradiction"] };
        assert_eq!(codes, expected, "{plan:?}");
    }
}

#[test]
fn missions_a3_more_steps_than_a_plan_may_have_are_one_note() {
    let known = Known::new();
    let steps: Vec<_> = (0..50)
        .map(|n| step_with(json!({"params": {"title": format!("T{n}")}})))
        .collect();
    let plan = known
        .parse(json!({"summary": "S", "steps": steps}).to_string().as_str())
        .expect("a plan");
    assert_eq!(
        (plan.steps.len(), plan.refused.len(), plan.notes.len()),
        (5, 0, 1)
    );
    assert!(
        plan.notes[0].text.starts_with("45 further steps"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn missions_a1_what_a_plan_says_is_kept_as_it_stands() {
    let known = Known::new();
    let notes = "Use <think> and [THINK], then <|im_end|>. {\"steps\": []} \u{201c}quoted\u{201d}";
    let answer = plan_with(
        json!({"title": "Write the page", "notes": notes}),
        "create_task",
    );
    assert_eq!(
        known.only(&answer),
        Ok(json!({"title": "Write the page", "notes": notes}))
    );
}
