//! The parts of a manifest, as types. `spec/MODULES.md` explains each part to the person who writes one.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Gather,
    change::Op,
    merge::{ListSpec, TableSchema},
    policy::Policy,
};

/// A module: its tables, its words and its tools.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The module's id, which is the app of its records.
    pub id: String,
    /// The manifest's own version, from 1.
    pub version: u32,
    /// The path of its page; `/<id>` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The name of its sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Its place in the navigation, smaller first.
    #[serde(default = "default_order")]
    pub order: i64,
    /// Whether the module has no page of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// The module's name.
    pub name: Label,
    /// The module's purpose, in a sentence.
    pub description: Label,
    /// The text of the module's page while there is nothing on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<EmptyState>,
    /// Its tables, by name, in their order.
    pub tables: IndexMap<String, Table>,
    /// The tools that missions can call.
    #[serde(default)]
    pub tools: Vec<Tool>,
}

/// A text in several languages; English is always there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub BTreeMap<String, String>);

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Label {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        // The derive has no way to name one key of a map.
        utoipa::openapi::ObjectBuilder::new()
            .description(Some("A text by language; English is always there."))
            .property("en", String::schema())
            .required("en")
            .additional_properties(Some(String::schema()))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Label {}

impl Label {
    /// The text in a language (`de`, `de-AT`), else in English.
    pub fn get(&self, locale: &str) -> &str {
        let language = locale.split(['-', '_']).next().unwrap_or(locale);
        let text = self
            .0
            .get(locale)
            .or_else(|| self.0.get(language))
            .or_else(|| self.0.get("en"));
        text.map_or("", String::as_str)
    }

    /// A text that is the same in every language.
    pub fn english(text: impl Into<String>) -> Label {
        Label(std::iter::once(("en".to_owned(), text.into())).gather())
    }

    /// The text in English.
    pub fn en(&self) -> &str {
        self.get("en")
    }
}

/// The text of a page while there is nothing on it: it teaches, and offers one way to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EmptyState {
    /// The state of the page.
    pub title: Label,
    /// The content that belongs on the page.
    pub body: Label,
    /// The words on the button.
    pub action: Label,
}

/// A table of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// The noun for a single record.
    pub name: Label,
    /// Several are called this.
    pub plural: Label,
    /// Whether the table holds a single record, whose id is the module's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub singleton: bool,
    /// The fields, by name, in the order of the form.
    pub fields: IndexMap<String, Field>,
    /// How a list shows it.
    pub list: ListView,
    /// The datetime field that a proposal is about: once the time that it would put there has passed, it is too
    /// late for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The fields that say when something is due and how it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The records that a mission gets when it links the table and no record of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptQuery>,
}

impl Table {
    /// How the table merges.
    pub fn schema(&self) -> TableSchema {
        let lists = self
            .fields
            .iter()
            .filter_map(|(name, field)| Some((name.clone(), field.list.clone()?)));
        let markdown = (self.fields.iter())
            .filter(|(_, field)| field.kind.kind().is_document)
            .map(|(name, _)| name.clone());
        TableSchema {
            lists: lists.gather(),
            markdown: markdown.gather(),
        }
    }
}

/// The fields of a table that say when something is due and how it repeats: time in words goes into them, and a record
/// with a recurrence goes on in a record of its own when it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The date field with the day.
    pub day: String,
    /// The time field with the time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The integer field with the length in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<String>,
    /// The recurrence field. The table's list has a tick box then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<String>,
}

/// A field of a table or a parameter of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// The kind of its values.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// The name of the field in the form; tables' fields have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The description for the model; parameters have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the value can't be left out or empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// A form doesn't offer it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// The smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest number, the most characters of a text, the most tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The values of an enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<EnumValue>,
    /// The table that a ref points into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The module of that table, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// How a keyed list merges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListSpec>,
    /// Other names of it, for models, older clients and imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

impl Field {
    /// The module and the table of the records that a reference names; `module` is the field's own. None for a field
    /// that is no reference.
    pub fn reference<'a>(&'a self, module: &'a str) -> Option<(&'a str, &'a str)> {
        let table = self.table.as_deref()?;
        Some((self.module.as_deref().unwrap_or(module), table))
    }
}

/// The types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum FieldType {
    /// A line of text.
    Text,
    /// Text as Markdown, of any number of lines.
    Markdown,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A day, `2026-04-08`.
    Date,
    /// An instant, RFC 3339 with its offset.
    Datetime,
    /// A time of day, `08:30`.
    Time,
    /// A rule of RFC 5545, `FREQ=WEEKLY;BYDAY=MO`, with its start and its exceptions.
    Recurrence,
    /// A value out of `values`.
    Enum,
    /// The id of a record.
    Ref,
    /// A list of texts.
    Tags,
    /// A web address.
    Url,
    /// A list that merges element by element.
    KeyedList,
    /// Any JSON, as one value.
    Json,
}

/// A value of an enum: `{"value": …, "label": …}`, or in a tool's parameter the bare text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum EnumValue {
    /// The value alone.
    Bare(String),
    /// The value with what the form calls it.
    Labelled {
        /// The value that is kept.
        value: String,
        /// The value's name in the form.
        label: Label,
        /// Other names of it, for models, older clients and imports.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
}

impl EnumValue {
    /// The value that is kept.
    pub fn value(&self) -> &str {
        match self {
            EnumValue::Bare(value) | EnumValue::Labelled { value, .. } => value,
        }
    }

    /// The other names of the value.
    pub fn aliases(&self) -> &[String] {
        match self {
            EnumValue::Bare(_) => &[],
            EnumValue::Labelled { aliases, .. } => aliases,
        }
    }

    /// The value's name in the form; the value itself where it has none.
    pub fn label(&self) -> Label {
        match self {
            EnumValue::Bare(value) => Label::english(value),
            EnumValue::Labelled { label, .. } => label.clone(),
        }
    }
}

/// How a list shows the records of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ListView {
    /// The field that names a record.
    pub title: String,
    /// Fields in the second line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meta: Vec<String>,
    /// The order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<Sort>,
    /// The boolean that a tick box shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
}

/// A level of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// The field, or `$updated` for the time of the last change.
    pub field: String,
    /// The direction. Records without the value come last in both.
    #[serde(default)]
    pub dir: Direction,
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest first.
    #[default]
    Asc,
    /// Greatest first.
    Desc,
}

/// The records of a table that a mission reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PromptQuery {
    /// Which records.
    #[serde(rename = "where", default, skip_serializing_if = "Filter::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Condition>))]
    pub filter: Filter,
    /// In which order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<Sort>,
    /// How many at most.
    pub limit: usize,
}

/// Conditions by field; all of them hold. `$text` stands for every text field together.
pub type Filter = BTreeMap<String, Condition>;

/// A condition on a field: comparisons, or the one value that it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Condition {
    /// Comparisons that all hold, like `{"gte": "$from", "lte": "$until"}`.
    Compare(BTreeMap<Comparison, Value>),
    /// The value that the field has.
    Is(Value),
}

/// A comparison of a field with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Comparison {
    /// Is equal.
    Eq,
    /// Is not equal; a field without a value isn't.
    Ne,
    /// Is less, earlier.
    Lt,
    /// Is less or equal; a time on that day or earlier.
    Lte,
    /// Is greater; a time after that day.
    Gt,
    /// Is greater or equal; a time on that day or later.
    Gte,
    /// Contains the text, whatever its case; has the tag.
    Contains,
    /// Is one of the list.
    In,
    /// Is none of the list.
    NotIn,
}

/// Something that a mission can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name, unique among all modules: `create_task`.
    pub name: String,
    /// The name of a proposal of the tool.
    pub label: Label,
    /// The tool's effect and when to use it, in English, for the model.
    pub description: String,
    /// The tool's level of permission where the person hasn't said otherwise.
    pub policy: Policy,
    /// Its parameters, by name, in their order.
    #[serde(default)]
    pub params: IndexMap<String, Field>,
    /// The effect on the table.
    pub effect: Effect,
}

/// The effect of a tool on its table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Insert, update, delete or query.
    pub op: EffectOp,
    /// The table, one of its own module.
    pub table: String,
    /// The record, as `$param`; a singleton needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The values: a literal, `"$param"`, `"$now"` or `{"$append": "$param"}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Value>,
    /// Which records a query brings.
    #[serde(rename = "where", default, skip_serializing_if = "Filter::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Condition>))]
    pub filter: Filter,
    /// In which order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<Sort>,
    /// How many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The kinds of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum EffectOp {
    /// Makes a record.
    Insert,
    /// Changes a record.
    Update,
    /// Removes a record.
    Delete,
    /// Reads.
    Query,
}

impl EffectOp {
    /// The operation on a record; a query has none.
    pub fn op(self) -> Option<Op> {
        match self {
            EffectOp::Insert => Some(Op::Insert),
            EffectOp::Update => Some(Op::Update),
            EffectOp::Delete => Some(Op::Delete),
            EffectOp::Query => None,
        }
    }
}

/// Where a value in an effect's `set` or `where` comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueSource<'a> {
    /// As it stands.
    Literal(&'a Value),
    /// A parameter; where it is left out, so is the key.
    Param(&'a str),
    /// The time at which the write happens.
    Now,
    /// The day on which the query runs.
    Today,
    /// The field's text with a parameter added as a new paragraph.
    Append(&'a str),
}

/// Reads where a value comes from.
pub(crate) fn value_source(value: &Value) -> ValueSource<'_> {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some("now") => ValueSource::Now,
            Some("today") => ValueSource::Today,
            Some(param) => ValueSource::Param(param),
            None => ValueSource::Literal(value),
        },
        Value::Object(fields) if fields.len() == 1 => {
            match fields
                .get("$append")
                .and_then(Value::as_str)
                .and_then(|p| p.strip_prefix('$'))
            {
                Some(param) => ValueSource::Append(param),
                None => ValueSource::Literal(value),
            }
        }
        _ => ValueSource::Literal(value),
    }
}

fn default_order() -> i64 {
    100
}

fn is_false(value: &bool) -> bool {
    !value
}
