//! Budgets, and when a day begins. Rules: `spec/MISSIONS.md`, part B.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::Value;

use crate::{problem::Problem, time::Micros};

/// Millionths of a US dollar in one.
const MICROS_USD: f64 = 1_000_000.0;

/// The limits of spending of a mission, an agent or a person; a limit that isn't set does not apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Tokens of prompts and answers in a day of the account's time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// US dollars in a day of the account's time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_per_day: Option<f64>,
    /// Tokens of prompts and answers in one run, all its rounds together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_run: Option<u64>,
}

impl Budget {
    /// Reads a budget. A limit that can't be read counts as 0, so that a slip of the pen costs nothing, and is
    /// named by its field.
    pub fn parse(value: Option<&Value>, problems: &mut Vec<Problem>) -> Budget {
        let mut limit = |name: &str, whole: bool| {
            let number = match value? {
                Value::Null => return None,
                Value::Object(fields) => {
                    fields.get(name).filter(|value| !value.is_null())?.as_f64()
                }
                _ => None,
            };
            let number =
                number.filter(|number| *number >= 0.0 && (!whole || number.fract() == 0.0));
            if number.is_none() {
                problems.push(Problem::new(
                    format!("budget.{name}"),
                    "range",
                    if whole {
                        format!("{name} must be a whole number from 0. Until then it counts as 0.")
                    } else {
                        format!("{name} must be a number from 0. Until then it counts as 0.")
                    },
                ));
            }
            number.or(Some(0.0))
        };
        Budget {
            tokens_per_day: limit("tokensPerDay", true).map(|number| number as u64),
            money_per_day: limit("moneyPerDay", false),
            tokens_per_run: limit("tokensPerRun", true).map(|number| number as u64),
        }
    }

    /// `money_per_day` in millionths of a US dollar.
    pub fn micros_usd_per_day(&self) -> Option<u64> {
        self.money_per_day
            .map(|money| (money * MICROS_USD).round() as u64)
    }

    /// Nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Budget::default()
    }
}

/// The beginning of the day at a place, and of the next one. A day is as long as the clocks make it.
pub fn day(now: Micros, zone: &TimeZone) -> (Micros, Micros) {
    let at = Timestamp::from_microsecond(now.0).unwrap_or_default();
    let date = zone.to_datetime(at).date();
    let start = |date: jiff::civil::Date| {
        let start = date.to_zoned(zone.clone()).ok()?;
        Some(Micros(start.timestamp().as_microsecond()))
    };
    (
        start(date).unwrap_or(now),
        date.tomorrow().ok().and_then(start).unwrap_or(now),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missions_b1_a_limit_that_cant_be_read_counts_as_0_and_is_named() {
        let read = |value: Value| {
            let mut problems = Vec::new();
            let budget = Budget::parse(Some(&value), &mut problems);
            let fields: Vec<_> = problems.into_iter().map(|problem| problem.field).collect();
            (budget, fields)
        };
        let full = json!({"tokensPerDay": 50_000, "moneyPerDay": 0.25, "tokensPerRun": 9_000.0});
        let (budget, problems) = read(full);
        assert_eq!(problems, [""; 0]);
        assert_eq!(budget.tokens_per_day, Some(50_000));
        assert_eq!(budget.micros_usd_per_day(), Some(250_000));
        assert_eq!(budget.tokens_per_run, Some(9_000));

        let (budget, problems) =
            read(json!({"tokensPerDay": -1, "tokensPerRun": null, "later": 1}));
        assert_eq!(problems, ["budget.tokensPerDay"]);
        assert_eq!(
            (budget.tokens_per_day, budget.tokens_per_run),
            (Some(0), None)
        );

        let (budget, problems) = read(json!(9_000));
        assert_eq!(problems.len(), 3);
        assert_eq!(
            (
                budget.tokens_per_day,
                budget.money_per_day,
                budget.tokens_per_run
            ),
            (Some(0), Some(0.0), Some(0))
        );
        for none in [json!(null), json!({})] {
            let (budget, problems) = read(none);
            assert!(budget.is_unlimited() && problems.is_empty());
        }
    }

    #[test]
    fn missions_b2_a_day_begins_and_ends_with_the_clocks_of_the_place() {
        let at = |text: &str| Micros::parse(text).expect("a time");
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let (start, end) = day(at("2026-10-25T12:00:00Z"), &berlin);
        assert_eq!(
            (start, end),
            (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")),
            "a day of 25 hours"
        );
        let (start, end) = day(start, &berlin);
        assert_eq!(
            (start, end),
            (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"))
        );
        let (_, end) = day(start.plus(-1), &berlin);
        assert_eq!(end, start);
    }
}
