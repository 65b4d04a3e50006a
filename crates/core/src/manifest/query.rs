//! Reading: which records a query brings, in which order. The same language serves tools and what a mission
//! reads of a table.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{
    order::{Order, contains_text},
    query_context::QueryContext,
    tool_ref::ToolRef,
    types::{
        Comparison, Condition, Direction, Filter, PromptQuery, Sort, Table, ValueSource,
        value_source,
    },
};
use crate::{
    Map,
    record::{RecordState, Stamp},
    time::Micros,
};

/// The most records that a query brings where nothing is said.
const DEFAULT_LIMIT: usize = 50;

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
    /// The order of two records in the table's list.
    pub fn compare(&self, a: Row<'_>, b: Row<'_>) -> Ordering {
        compare(self, &self.list.sort, a, b)
    }

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
    rows.sort_by(|a, b| compare(table, sort, *a, *b));
    rows.truncate(limit);
    rows
}

/// A condition with its value put in.
struct Test<'a> {
    subject: Subject<'a>,
    comparison: Comparison,
    value: Cow<'a, Value>,
}

/// The part of a record that a condition looks at.
#[derive(Clone, Copy)]
enum Subject<'a> {
    /// All texts and tags together: `$text`.
    Texts,
    /// A field, whose values compare by an order.
    Field(&'a str, Order),
}

/// The conditions that count: one whose parameter is left out doesn't.
fn tests<'a>(
    table: &'a Table,
    filter: &'a Filter,
    params: &'a Map,
    context: &QueryContext,
) -> Vec<Test<'a>> {
    let mut tests = Vec::new();
    for (name, condition) in filter {
        let subject = match (name.as_str(), table.fields.get(name)) {
            ("$text", _) => Subject::Texts,
            (_, Some(field)) => Subject::Field(name, field.kind.kind().order),
            (_, None) => continue,
        };
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
            tests.push(Test {
                subject,
                comparison,
                value,
            });
        }
    }
    tests
}

impl Test<'_> {
    fn holds(&self, table: &Table, state: &RecordState, context: &QueryContext) -> bool {
        let (field, order) = match self.subject {
            Subject::Field(field, order) => (field, order),
            Subject::Texts => {
                let fields = table.fields.iter();
                let mut texts = fields.filter(|(_, field)| field.kind.kind().is_searched);
                return texts.any(|(name, _)| {
                    let value = state.data.get(name).unwrap_or(&Value::Null);
                    contains_text(value, &self.value)
                });
            }
        };
        let unset = order.unset();
        let value = state
            .data
            .get(field)
            .filter(|value| !value.is_null())
            .unwrap_or(&unset);
        let compared = || order.compare(value, &self.value, context);
        let one_of = || {
            let list = self.value.as_array().map_or(&[][..], Vec::as_slice);
            list.iter().any(|one| order.same(value, one, context))
        };
        match self.comparison {
            Comparison::Eq => order.same(value, &self.value, context),
            Comparison::Ne => !order.same(value, &self.value, context),
            Comparison::Lt => compared() == Some(Ordering::Less),
            Comparison::Lte => compared().is_some_and(Ordering::is_le),
            Comparison::Gt => compared() == Some(Ordering::Greater),
            Comparison::Gte => compared().is_some_and(Ordering::is_ge),
            Comparison::Contains => order.contains(value, &self.value),
            Comparison::In => one_of(),
            Comparison::NotIn => !one_of(),
        }
    }
}

/// The order of two records; the id decides where all levels are equal.
fn compare(table: &Table, sort: &[Sort], a: Row<'_>, b: Row<'_>) -> Ordering {
    let levels = sort
        .iter()
        .map(|level| compare_rows(table, level, a.1, b.1));
    levels
        .fold(Ordering::Equal, Ordering::then)
        .then_with(|| a.0.cmp(b.0))
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
    let Some(field) = table.fields.get(&level.field) else {
        return Ordering::Equal;
    };
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
        (Some(a), Some(b)) => directed(field.kind.kind().order.sort(&a, &b)),
    }
}

/// When a record was last changed.
fn updated(state: &RecordState) -> Option<Micros> {
    state.meta.values().map(Stamp::made_at).max()
}
