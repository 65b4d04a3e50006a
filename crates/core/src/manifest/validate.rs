//! The rules that a manifest has to fulfil beyond its shape. Each fault names its place and says what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    aliases::taken_aliases,
    field_kind::Definition,
    order::Order,
    types::{
        Condition, EffectOp, EnumValue, Field, FieldType, Filter, Label, Manifest, Sort, Table,
        Tool, ValueSource, value_source,
    },
    validate_schedule::schedule_faults,
};
use crate::policy::Policy;

/// A fault at a JSON pointer.
#[derive(Debug)]
pub(super) struct Unlocated {
    pub(super) path: String,
    pub(super) message: String,
}

/// The faults of a manifest, each with the JSON pointer of its place.
struct Faults(Vec<Unlocated>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Unlocated {
            path: path.into(),
            message: message.into(),
        });
    }

    fn check(&mut self, holds: bool, path: impl Into<String>, message: impl Into<String>) {
        if !holds {
            self.add(path, message);
        }
    }

    fn label(&mut self, path: &str, label: &Label) {
        self.check(
            label
                .0
                .get("en")
                .is_some_and(|text| !text.trim().is_empty()),
            path,
            "the text in English is missing. Write {\"en\": \"…\", \"de\": \"…\"}; \
             English stands in for other languages.",
        );
        for (language, text) in &label.0 {
            self.check(
                !text.trim().is_empty(),
                format!("{path}/{language}"),
                "the text is empty. Write it, or leave the language out.",
            );
        }
    }
}

/// Everything that is wrong with a manifest.
pub(super) fn validate(manifest: &Manifest) -> Vec<Unlocated> {
    let mut faults = Faults(Vec::new());
    faults.check(
        is_name(&manifest.id, '-') && manifest.id.starts_with(|c: char| c.is_ascii_lowercase()),
        "/id",
        format!(
            "\"{}\" can't be a module's id. Use small letters, digits and hyphens, like \"books\".",
            manifest.id
        ),
    );
    faults.check(
        manifest.version >= 1,
        "/version",
        "the version counts from 1.",
    );
    if let Some(route) = &manifest.route {
        let name = route.strip_prefix('/').unwrap_or_default();
        faults.check(
            is_name(name, '-'),
            "/route",
            format!("\"{route}\" can't be a route. Write one part, like \"/books\"."),
        );
    }
    faults.label("/name", &manifest.name);
    faults.label("/description", &manifest.description);
    if let Some(empty) = &manifest.empty {
        faults.label("/empty/title", &empty.title);
        faults.label("/empty/body", &empty.body);
        faults.label("/empty/action", &empty.action);
    }
    faults.check(
        !manifest.tables.is_empty(),
        "/tables",
        "a module needs a table. Add one.",
    );
    for (name, table) in &manifest.tables {
        validate_table(&mut faults, &format!("/tables/{name}"), name, table);
    }
    let mut names = BTreeSet::new();
    for (index, tool) in manifest.tools.iter().enumerate() {
        let path = format!("/tools/{index}");
        let unique = names.insert(&tool.name);
        faults.check(
            unique,
            format!("{path}/name"),
            format!("there are two tools {}. Rename one.", tool.name),
        );
        validate_tool(&mut faults, &path, manifest, tool);
    }
    faults.0
}

fn validate_table(faults: &mut Faults, path: &str, name: &str, table: &Table) {
    faults.check(
        is_name(name, '_'),
        path,
        format!("\"{name}\" can't be a table's name. Use letters and digits, like \"books\"."),
    );
    faults.label(&format!("{path}/name"), &table.name);
    faults.label(&format!("{path}/plural"), &table.plural);
    faults.check(
        !table.fields.is_empty(),
        format!("{path}/fields"),
        "a table needs a field. Add one.",
    );
    for (name, field) in &table.fields {
        let path = format!("{path}/fields/{name}");
        faults.check(
            is_name(name, '_') && !matches!(name.as_str(), "id" | "deletedAt"),
            &path,
            format!("\"{name}\" can't be a field's name. Use letters and digits; id and deletedAt are Mana's own."),
        );
        match &field.label {
            Some(label) => faults.label(&format!("{path}/label"), label),
            None => faults.add(
                &path,
                "the field has no label. Add {\"label\": {\"en\": \"…\", \"de\": \"…\"}}.",
            ),
        }
        for (index, value) in field.values.iter().enumerate() {
            match value {
                EnumValue::Labelled { label, .. } => {
                    faults.label(&format!("{path}/values/{index}/label"), label)
                }
                EnumValue::Bare(value) => faults.add(
                    format!("{path}/values/{index}"),
                    format!(
                        "the value has no label. \
                     Write {{\"value\": \"{value}\", \"label\": {{\"en\": \"…\", \"de\": \"…\"}}}}."
                    ),
                ),
            }
        }
        validate_field(faults, &path, field);
    }
    for (name, alias) in taken_aliases(table) {
        let message = format!("\"{alias}\" names another field already, or nothing. Remove it.");
        faults.add(format!("{path}/fields/{name}/aliases"), message);
    }
    if let Some(deadline) = &table.deadline {
        let field = table.fields.get(deadline);
        faults.check(
            field.is_some_and(|field| field.kind.kind().order == Order::Instant),
            format!("{path}/deadline"),
            "a deadline is one of the table's datetime fields. Name one.",
        );
    }
    let list = format!("{path}/list");
    let shown = std::iter::once(("title".to_owned(), &table.list.title))
        .chain(
            table
                .list
                .meta
                .iter()
                .enumerate()
                .map(|(index, field)| (format!("meta/{index}"), field)),
        )
        .chain(
            table
                .list
                .done
                .iter()
                .map(|field| ("done".to_owned(), field)),
        );
    for (place, field) in shown {
        faults.check(
            table.fields.contains_key(field),
            format!("{list}/{place}"),
            unknown_field(field, table),
        );
    }
    if let Some(done) = table
        .list
        .done
        .as_ref()
        .and_then(|done| table.fields.get(done))
    {
        faults.check(
            done.kind.kind().order == Order::Boolean,
            format!("{list}/done"),
            "a tick box needs a field of type boolean.",
        );
    }
    for (part, message) in schedule_faults(table) {
        faults.add(format!("{path}/schedule/{part}"), message);
    }
    validate_sort(faults, &list, table, &table.list.sort);
    if let Some(prompt) = &table.prompt {
        validate_filter(
            faults,
            &format!("{path}/prompt"),
            table,
            &prompt.filter,
            None,
        );
        validate_sort(faults, &format!("{path}/prompt"), table, &prompt.sort);
    }
}

/// Checks the properties that fields and parameters share.
fn validate_field(faults: &mut Faults, path: &str, field: &Field) {
    let row = field.kind.kind();
    let is = |definition: Definition| row.definition == definition;
    faults.check(
        is(Definition::Values) != field.values.is_empty(),
        path,
        "an enum, and nothing else, has \"values\". Add or remove them.",
    );
    faults.check(
        is(Definition::Table) == field.table.is_some(),
        path,
        "a ref, and nothing else, has the \"table\" that it points into. Add or remove it.",
    );
    faults.check(
        field.module.is_none() || is(Definition::Table),
        path,
        "only a ref has a \"module\". Remove it.",
    );
    faults.check(
        is(Definition::List) == field.list.is_some(),
        path,
        "a keyedList, and nothing else, has a \"list\" that says how it merges. Add or remove it.",
    );
    let bounds = row.bounds;
    faults.check(
        field.min.is_none() || bounds.has_min(),
        path,
        "only a number has a \"min\". Remove it.",
    );
    faults.check(
        field.max.is_none() || bounds.has_max(),
        path,
        "only numbers, texts, tags and urls have a \"max\". Remove it.",
    );
}

fn validate_tool(faults: &mut Faults, path: &str, manifest: &Manifest, tool: &Tool) {
    faults.check(
        is_name(&tool.name, '_') && tool.name.len() <= 64,
        format!("{path}/name"),
        format!(
            "\"{}\" can't be a tool's name. \
             Use small letters, digits and underscores, like \"create_book\".",
            tool.name
        ),
    );
    faults.label(&format!("{path}/label"), &tool.label);
    faults.check(
        !tool.description.trim().is_empty(),
        format!("{path}/description"),
        "the description is empty. Tell the model what the tool does and when to use it.",
    );
    for (name, param) in &tool.params {
        let path = format!("{path}/params/{name}");
        let free = is_name(name, '_') && !matches!(name.as_str(), "now" | "today");
        faults.check(
            free,
            &path,
            format!(
                "\"{name}\" can't be a parameter's name. \
             Use letters and digits; now and today are taken."
            ),
        );
        let described = param
            .description
            .as_ref()
            .is_some_and(|text| !text.trim().is_empty());
        faults.check(
            described,
            &path,
            format!("the parameter {name} has no description. Tell the model what it means."),
        );
        faults.check(
            param.kind.kind().definition != Definition::List,
            &path,
            "a parameter can't be a keyedList. Use json.",
        );
        validate_field(faults, &path, param);
    }
    let effect = &tool.effect;
    let here = format!("{path}/effect");
    let Some(table) = manifest.tables.get(&effect.table) else {
        let tables: Vec<_> = manifest.tables.keys().map(String::as_str).collect();
        let message = format!(
            "there is no table {}. This module has {}.",
            effect.table,
            tables.join(", ")
        );
        faults.add(format!("{here}/table"), message);
        return;
    };
    validate_target(faults, &here, tool, table);
    let written: fn(&mut Faults, &str, &Tool, &Table) = match effect.op {
        EffectOp::Insert | EffectOp::Update => validate_set,
        EffectOp::Delete | EffectOp::Query => |faults, here, tool, _| {
            faults.check(
                tool.effect.set.is_empty(),
                format!("{here}/set"),
                "only insert and update have a \"set\". Remove it.",
            );
        },
    };
    written(faults, &here, tool, table);
    if effect.op == EffectOp::Query {
        faults.check(
            tool.policy != Policy::Propose,
            format!("{path}/policy"),
            "a query changes nothing, so there is nothing to propose. Use auto or deny.",
        );
        validate_filter(faults, &here, table, &effect.filter, Some(tool));
        validate_sort(faults, &here, table, &effect.sort);
    } else {
        let reads = !effect.filter.is_empty() || !effect.sort.is_empty() || effect.limit.is_some();
        faults.check(
            !reads,
            &here,
            "only a query has \"where\", \"sort\" and \"limit\". Remove them.",
        );
    }
    let used = used_params(tool);
    for name in tool
        .params
        .keys()
        .filter(|name| !used.contains(name.as_str()))
    {
        faults.add(
            format!("{path}/params/{name}"),
            format!("the effect doesn't use ${name}. Use it there, or remove the parameter."),
        );
    }
}

/// The record that a tool works on.
fn validate_target(faults: &mut Faults, here: &str, tool: &Tool, table: &Table) {
    let effect = &tool.effect;
    let needs = matches!(effect.op, EffectOp::Update | EffectOp::Delete) && !table.singleton;
    match &effect.id {
        None => faults.check(
            !needs,
            here,
            "the effect doesn't say which record. \
             Add \"id\": \"$…\" with a required ref parameter.",
        ),
        Some(_) if !needs => faults.add(
            format!("{here}/id"),
            "only an update or a delete in an ordinary table has an \"id\". \
             Remove it.",
        ),
        Some(id) => {
            let param = id.strip_prefix('$').and_then(|name| tool.params.get(name));
            let fits = param.is_some_and(|param| {
                param.kind.kind().definition == Definition::Table
                    && param.required
                    && param.table.as_ref() == Some(&effect.table)
                    && param.module.is_none()
            });
            faults.check(
                fits,
                format!("{here}/id"),
                format!(
                    "\"{id}\" must be a required parameter \
             of type ref to {}.",
                    effect.table
                ),
            );
        }
    }
}

/// The values that a tool writes.
fn validate_set(faults: &mut Faults, here: &str, tool: &Tool, table: &Table) {
    let effect = &tool.effect;
    faults.check(
        !effect.set.is_empty(),
        here,
        "the effect writes nothing. Add \"set\".",
    );
    for (name, value) in &effect.set {
        let place = format!("{here}/set/{name}");
        let Some(field) = table.fields.get(name) else {
            faults.add(place, unknown_field(name, table));
            continue;
        };
        if field.kind.kind().definition == Definition::List {
            faults.add(place, "a tool can't write a keyedList. Leave it out.");
            continue;
        }
        match value_source(value) {
            ValueSource::Literal(value) => faults.check(
                !has_marker(value),
                place,
                "only \"$param\", \"$now\" and {\"$append\": \"$param\"} are known here.",
            ),
            ValueSource::Today => faults.add(
                place,
                "$today is for queries. Use $now, or a parameter of type date.",
            ),
            ValueSource::Now => faults.check(
                field.kind.kind().order == Order::Instant,
                place,
                "$now needs a field of type datetime.",
            ),
            ValueSource::Append(param) => {
                let text = field.kind.is_text() && effect.op == EffectOp::Update;
                faults.check(
                    text,
                    &place,
                    "$append adds to a text or markdown field in an update.",
                );
                check_param(faults, &place, tool, param, |kind| kind.is_text(), name);
            }
            ValueSource::Param(param) => check_param(
                faults,
                &place,
                tool,
                param,
                |kind| field.kind.accepts(kind),
                name,
            ),
        }
    }
    if effect.op == EffectOp::Insert {
        for (name, _) in table.fields.iter().filter(|(_, field)| field.required) {
            let given = effect
                .set
                .get(name)
                .is_some_and(|value| match value_source(value) {
                    ValueSource::Param(param) => {
                        tool.params.get(param).is_some_and(|param| param.required)
                    }
                    ValueSource::Literal(value) => !value.is_null(),
                    _ => true,
                });
            faults.check(
                given,
                here,
                format!("the field {name} is required. Set it from a required parameter."),
            );
        }
    }
}

fn check_param(
    faults: &mut Faults,
    place: &str,
    tool: &Tool,
    name: &str,
    fits: impl Fn(FieldType) -> bool,
    field: &str,
) {
    match tool.params.get(name) {
        None => faults.add(
            place,
            format!(
                "${name} is no parameter of {}. Declare it in \"params\".",
                tool.name
            ),
        ),
        Some(param) => {
            faults.check(
                fits(param.kind),
                place,
                format!(
                    "the parameter {name} has not the type of the field {field}. \
             Give them the same."
                ),
            );
        }
    }
}

fn validate_filter(
    faults: &mut Faults,
    here: &str,
    table: &Table,
    filter: &Filter,
    tool: Option<&Tool>,
) {
    for (name, condition) in filter {
        let place = format!("{here}/where/{name}");
        faults.check(
            name == "$text" || table.fields.contains_key(name),
            &place,
            unknown_field(name, table),
        );
        let values: Vec<&Value> = match condition {
            Condition::Compare(comparisons) => comparisons.values().collect(),
            Condition::Is(Value::Object(_)) => {
                faults.add(
                    &place,
                    "a condition is a value or has some of \
                 eq, ne, lt, lte, gt, gte, contains, in, notIn.",
                );
                continue;
            }
            Condition::Is(value) => vec![value],
        };
        for value in values {
            match (value_source(value), tool) {
                (ValueSource::Param(param), Some(tool)) => {
                    let message = format!(
                        "${param} is no parameter of {}. Declare it in \"params\".",
                        tool.name
                    );
                    faults.check(tool.params.contains_key(param), &place, message);
                }
                (ValueSource::Param(param), None) => faults.add(
                    &place,
                    format!("${param} has no meaning here; only $now and $today do."),
                ),
                (ValueSource::Append(_), _) => {
                    faults.add(&place, "$append is for writing. Use a value.")
                }
                _ => {}
            }
        }
    }
}

fn validate_sort(faults: &mut Faults, here: &str, table: &Table, sort: &[Sort]) {
    for (index, level) in sort.iter().enumerate() {
        let known = level.field == "$updated" || table.fields.contains_key(&level.field);
        faults.check(
            known,
            format!("{here}/sort/{index}/field"),
            unknown_field(&level.field, table),
        );
    }
}

/// The parameters that the effect takes up.
fn used_params(tool: &Tool) -> BTreeSet<&str> {
    let effect = &tool.effect;
    let compared = effect
        .filter
        .values()
        .flat_map(|condition| match condition {
            Condition::Compare(comparisons) => comparisons.values().collect::<Vec<_>>(),
            Condition::Is(value) => vec![value],
        });
    let params =
        effect
            .set
            .values()
            .chain(compared)
            .filter_map(|value| match value_source(value) {
                ValueSource::Param(param) | ValueSource::Append(param) => Some(param),
                _ => None,
            });
    params
        .chain(effect.id.as_deref().and_then(|id| id.strip_prefix('$')))
        .collect()
}

/// A literal that looks like a misspelt `$…`.
fn has_marker(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|fields| fields.keys().any(|key| key.starts_with('$')))
}

fn unknown_field(name: &str, table: &Table) -> String {
    let fields: Vec<_> = table.fields.keys().map(String::as_str).collect();
    format!(
        "there is no field {name}. The table has {}.",
        fields.join(", ")
    )
}

/// Letters and digits with a further character between them.
fn is_name(name: &str, between: char) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 100
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == between)
}
