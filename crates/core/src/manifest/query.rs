//! Reading: which records a query brings, in which order. The same language serves tools and what a mission
//! reads of a table.

use std::{borrow::Cow, cmp::Ordering};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

use super::{
    check::is_date,
    field_kind::Order,
    tool_ref::ToolRef,
    types::{
        Comparison, Condition, Direction, Filter, PromptQuery, Sort, Table, ValueSource,
        value_source,
    },
};
use crate::{Map, record::RecordState, time::Micros};

/// The most records that a query brings where nothing is said.
const DEFAULT_LIMIT: usize = 50;

/// When and where a query runs: what `$now` and `$today` mean, and when a day begins.
#[derive(Debug, Clone)]
pub struct QueryContext {
    /// The time.
    pub now: Micros,
    /// The time zone of the person.
    pub zone: TimeZone,
}

impl QueryContext {
    /// The day, as a date's text.
    pub fn today(&self) -> String {
        let now = Timestamp::from_microsecond(self.now.0).unwrap_or_default();
        self.zone.to_datetime(now).date().to_string()
    }

    /// The instant at which a day begins, and that at which the next one does.
    fn day(&self, date: &str) -> Option<(Micros, Micros)> {
        let date: civil::Date = date.parse().ok()?;
        let start = |date: civil::Date| {
            let start = date.to_zoned(self.zone.clone()).ok()?;
            Some(Micros(start.timestamp().as_microsecond()))
        };
        Some((start(date)?, start(date.tomorrow().ok()?)?))
    }
}

/// A record as a query meets it: its id and its state.
pub type Row<'r> = (&'r str, &'r RecordState);

impl ToolRef<'_> {
    /// The records that a `query` tool brings.
    pub fn query<'r>(
        self,
        params: &Map,
        records: impl IntoIterator<Item = Row<'r>>,
        context: &QueryContext,
    ) -> Vec<Row<'r>> {
        let effect = &self.tool.effect;
        let limit = effect.limit.unwrap_or(DEFAULT_LIMIT);
        select(
            self.table,
            &effect.filter,
            &effect.sort,
            limit,
            params,
            records,
            context,
        )
    }
}

impl Table {
    /// The records that a mission gets which links the table as a whole.
    pub fn prompt_rows<'r>(
        &self,
        records: impl IntoIterator<Item = Row<'r>>,
        context: &QueryContext,
    ) -> Vec<Row<'r>> {
        let whole = PromptQuery {
            filter: Filter::new(),
            sort: self.list.sort.clone(),
            limit: DEFAULT_LIMIT,
        };
        let prompt = self.prompt.as_ref().unwrap_or(&whole);
        select(
            self,
            &prompt.filter,
            &prompt.sort,
            prompt.limit,
            &Map::new(),
            records,
            context,
        )
    }
}

fn select<'r>(
    table: &Table,
    filter: &Filter,
    sort: &[Sort],
    limit: usize,
    params: &Map,
    records: impl IntoIterator<Item = Row<'r>>,
    context: &QueryContext,
) -> Vec<Row<'r>> {
    let tests = tests(table, filter, params, context);
    let mut rows: Vec<Row<'r>> = records
        .into_iter()
        .filter(|(_, state)| {
            !state.is_deleted() && tests.iter().all(|test| test.holds(table, state, context))
        })
        .collect();
    rows.sort_by(|a, b| {
        let levels = sort
            .iter()
            .map(|level| compare_rows(table, level, a.1, b.1));
        levels
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| a.0.cmp(b.0))
    });
    rows.truncate(limit);
    rows
}

/// A condition with its value put in.
struct Test<'a> {
    field: &'a str,
    comparison: Comparison,
    value: Cow<'a, Value>,
}

/// The conditions that count: one whose parameter is left out doesn't.
fn tests<'a>(
    table: &'a Table,
    filter: &'a Filter,
    params: &'a Map,
    context: &QueryContext,
) -> Vec<Test<'a>> {
    let mut tests = Vec::new();
    for (field, condition) in filter {
        let comparisons: Vec<(Comparison, &Value)> = match condition {
            Condition::Compare(comparisons) => {
                comparisons.iter().map(|(c, value)| (*c, value)).collect()
            }
            Condition::Is(value) => vec![(Comparison::Eq, value)],
        };
        for (comparison, value) in comparisons {
            let value = match value_source(value) {
                ValueSource::Literal(value) => Cow::Borrowed(value),
                ValueSource::Now => Cow::Owned(Value::from(context.now.to_string())),
                ValueSource::Today => Cow::Owned(Value::from(context.today())),
                ValueSource::Param(param) | ValueSource::Append(param) => match params.get(param) {
                    None | Some(Value::Null) => continue,
                    Some(value) => Cow::Borrowed(value),
                },
            };
            if field == "$text" || table.fields.contains_key(field) {
                tests.push(Test {
                    field,
                    comparison,
                    value,
                });
            }
        }
    }
    tests
}

impl Test<'_> {
    fn holds(&self, table: &Table, state: &RecordState, context: &QueryContext) -> bool {
        if self.field == "$text" {
            let mut texts = table.fields.iter().filter(|(_, field)| {
                field.kind.is_text() || field.kind.kind().order == Order::Words
            });
            return texts.any(|(name, _)| {
                let value = state.data.get(name).unwrap_or(&Value::Null);
                includes(value, &self.value, false)
            });
        }
        let kind = table
            .fields
            .get(self.field)
            .map_or(Order::Plain, |field| field.kind.kind().order);
        // A box that was never ticked is not ticked.
        let unset = if kind == Order::Boolean {
            Value::Bool(false)
        } else {
            Value::Null
        };
        let value = state
            .data
            .get(self.field)
            .filter(|value| !value.is_null())
            .unwrap_or(&unset);
        let order = || compare(kind, value, &self.value, context);
        let one_of = || {
            let list = self.value.as_array().map_or(&[][..], Vec::as_slice);
            list.iter().any(|one| same(kind, value, one, context))
        };
        match self.comparison {
            Comparison::Eq => same(kind, value, &self.value, context),
            Comparison::Ne => !same(kind, value, &self.value, context),
            Comparison::Lt => order() == Some(Ordering::Less),
            Comparison::Lte => order().is_some_and(Ordering::is_le),
            Comparison::Gt => order() == Some(Ordering::Greater),
            Comparison::Gte => order().is_some_and(Ordering::is_ge),
            Comparison::Contains => includes(value, &self.value, kind == Order::Words),
            Comparison::In => one_of(),
            Comparison::NotIn => !one_of(),
        }
    }
}

fn folded(value: &Value) -> Option<String> {
    value.as_str().map(str::to_lowercase)
}

/// A text contains another, whatever their case; a list of tags has one that is (or contains) it.
fn includes(value: &Value, part: &Value, whole: bool) -> bool {
    let Some(part) = folded(part) else {
        return false;
    };
    let matches = |text: String| {
        if whole {
            text == part
        } else {
            text.contains(&part)
        }
    };
    match value {
        Value::String(_) => folded(value).is_some_and(matches),
        Value::Array(tags) => tags.iter().filter_map(folded).any(matches),
        _ => false,
    }
}

fn same(kind: Order, value: &Value, wanted: &Value, context: &QueryContext) -> bool {
    let equal = || compare(kind, value, wanted, context).map_or(value == wanted, Ordering::is_eq);
    match kind {
        Order::Line if value.is_string() => folded(value) == folded(wanted),
        Order::Words if value.is_array() && wanted.is_string() => includes(value, wanted, true),
        Order::Plain | Order::Line | Order::Instant | Order::Boolean | Order::Words => equal(),
    }
}

/// How a field's value stands to a value of a condition; none where they can't be compared. A time lies
/// before, in or after a day.
fn compare(kind: Order, value: &Value, wanted: &Value, context: &QueryContext) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) if kind == Order::Instant => {
            let at = Micros::parse(a).ok()?;
            if is_date(b) {
                let (start, end) = context.day(b)?;
                return Some(match at {
                    at if at < start => Ordering::Less,
                    at if at >= end => Ordering::Greater,
                    _ => Ordering::Equal,
                });
            }
            Some(at.cmp(&Micros::parse(b).ok()?))
        }
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The order of two records on one level; a record without the value comes last in both directions.
fn compare_rows(table: &Table, level: &Sort, a: &RecordState, b: &RecordState) -> Ordering {
    let directed = |order: Ordering| match level.dir {
        Direction::Asc => order,
        Direction::Desc => order.reverse(),
    };
    if level.field == "$updated" {
        return directed(updated(a).cmp(&updated(b)));
    }
    let kind = table
        .fields
        .get(&level.field)
        .map_or(Order::Plain, |field| field.kind.kind().order);
    let value = |state: &RecordState| {
        state
            .data
            .get(&level.field)
            .filter(|value| !value.is_null())
            .cloned()
    };
    match (value(a), value(b)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => directed(order_of(kind, &a, &b)),
    }
}

fn order_of(kind: Order, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a
            .as_f64()
            .partial_cmp(&b.as_f64())
            .unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(x), Value::String(y)) if kind == Order::Instant => {
            match (Micros::parse(x), Micros::parse(y)) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                _ => x.cmp(y),
            }
        }
        _ => folded(a).cmp(&folded(b)),
    }
}

/// When a record was last changed.
fn updated(state: &RecordState) -> Option<Micros> {
    state.meta.values().map(|stamp| stamp.at).max()
}
