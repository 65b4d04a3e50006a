//! A statement with its values, before it is known which database runs it.

use std::borrow::Cow;

use mana_core::Micros;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::UserId;

/// A value bound to a parameter.
pub(crate) enum Value<'v> {
    Text(Option<Cow<'v, str>>),
    Integer(Option<i64>),
    Boolean(bool),
    Bytes(Cow<'v, [u8]>),
}

/// A text of SQL and the values of `$1`, `$2` and so on.
pub(crate) struct Statement<'v> {
    pub text: SqlStr,
    pub values: Vec<Value<'v>>,
}

impl<'v> Statement<'v> {
    /// Binds the next parameter.
    pub fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// A statement of a fixed text.
pub(crate) fn sql<'v>(text: &'static str) -> Statement<'v> {
    Statement {
        text: text.into_sql_str(),
        values: Vec::new(),
    }
}

/// The state of a record that is forgotten, as SQL: the index `records_forgotten` (migration 0014) is of these words.
macro_rules! forgotten_state {
    () => {
        r#"'{"data":{},"meta":{}}'"#
    };
}
pub(crate) use forgotten_state;

/// A statement that is composed of fixed texts and words of the dialect. Never of a value: values are bound.
pub(crate) fn composed<'v>(text: String) -> Statement<'v> {
    Statement {
        text: AssertSqlSafe(text).into_sql_str(),
        values: Vec::new(),
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl<'v> From<&'v UserId> for Value<'v> {
    fn from(id: &'v UserId) -> Self {
        Self::Text(Some(id.as_str().into()))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Micros> for Value<'_> {
    fn from(at: Micros) -> Self {
        Self::Integer(Some(at.0))
    }
}

impl From<Option<Micros>> for Value<'_> {
    fn from(at: Option<Micros>) -> Self {
        Self::Integer(at.map(|at| at.0))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

/// A number of rows, such as a limit.
impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Self::Integer(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'v> From<&'v Vec<u8>> for Value<'v> {
    fn from(bytes: &'v Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}
