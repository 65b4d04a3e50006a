//! Reading the text of a rule: lenient about its form, strict about its meaning.

use super::rule::{End, Frequency, Rule, RuleDay, WEEKDAYS};
use crate::calendar::{Day, LocalTime};
use crate::problem::Problem;
use crate::time::{DAY, Micros};

/// The longest text of a rule, in bytes.
pub const MAX_RULE: usize = 2_000;

/// The largest `INTERVAL`.
pub const MAX_INTERVAL: u32 = 10_000;

/// The largest `COUNT`.
pub const MAX_COUNT: u32 = 100_000;

/// The field that the problems of a rule name.
const FIELD: &str = "rule";

impl Rule {
    /// Reads a rule, `FREQ=WEEKLY;BYDAY=MO`. Lower case, spaces, a leading `RRULE:`, a trailing semicolon and the parts
    /// in any order are accepted; a part that is unknown, twice or against RFC 5545 is refused by its name.
    pub fn parse(text: &str) -> Result<Rule, Problem> {
        if text.len() > MAX_RULE {
            let message = format!("The rule is longer than {MAX_RULE} characters. Shorten it.");
            return Err(Problem::new(FIELD, "range", message));
        }
        let mut text: String = text.split_whitespace().collect();
        text.make_ascii_uppercase();
        let text = text.strip_prefix("RRULE:").unwrap_or(&text);
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=').filter(|(_, value)| !value.is_empty())
            else {
                return Err(invalid(format!(
                    "“{part}” has no value. Write a name and a value, such as COUNT=5."
                )));
            };
            if parts.iter().any(|(other, _)| *other == name) {
                return Err(invalid(format!("{name} stands twice. Write it once.")));
            }
            parts.push((name, value));
        }
        let value = |name: &str| {
            parts
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        };
        let frequency = frequency(value("FREQ"))?;
        let mut rule = Rule::every(frequency, 1);
        for (name, value) in &parts {
            match *name {
                "FREQ" => {}
                "INTERVAL" => rule.interval = number(name, value, MAX_INTERVAL)?,
                "COUNT" => rule.end = End::Count(number(name, value, MAX_COUNT)?),
                "UNTIL" => rule.end = until(value)?,
                "BYMONTH" => rule.months = numbers(name, value, 12, false)?,
                "BYWEEKNO" => rule.week_numbers = numbers(name, value, 53, true)?,
                "BYYEARDAY" => rule.year_days = numbers(name, value, 366, true)?,
                "BYMONTHDAY" => rule.month_days = numbers(name, value, 31, true)?,
                "BYSETPOS" => rule.positions = numbers(name, value, 366, true)?,
                "BYDAY" => rule.days = days(value)?,
                "WKST" => rule.week_start = weekday(value).ok_or_else(|| no_weekday(value))?,
                // The defaults of RFC 7529.
                "RSCALE" if *value == "GREGORIAN" => {}
                "SKIP" if *value == "OMIT" => {}
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                    let message = format!(
                        "{name} is not supported: the time of day is that of the start. Leave it out."
                    );
                    return Err(Problem::new(FIELD, "unsupported", message));
                }
                _ => {
                    let message = format!("{name}={value} is not supported. Leave it out.");
                    return Err(Problem::new(FIELD, "unsupported", message));
                }
            }
        }
        if value("COUNT").is_some() && value("UNTIL").is_some() {
            return Err(invalid(
                "COUNT and UNTIL exclude each other. Keep one of them.".into(),
            ));
        }
        fit_together(&rule)?;
        Ok(rule)
    }
}

/// Returns the problem of parts that RFC 5545 does not allow together.
fn fit_together(rule: &Rule) -> Result<(), Problem> {
    let yearly = rule.frequency == Frequency::Yearly;
    let ordinals = rule.days.iter().any(|day| day.ordinal != 0);
    let message = if !yearly && !rule.week_numbers.is_empty() {
        "BYWEEKNO needs FREQ=YEARLY."
    } else if !yearly && !rule.year_days.is_empty() {
        "BYYEARDAY needs FREQ=YEARLY."
    } else if rule.frequency == Frequency::Weekly && !rule.month_days.is_empty() {
        "BYMONTHDAY does not go with FREQ=WEEKLY. Use FREQ=MONTHLY."
    } else if ordinals && rule.frequency < Frequency::Monthly {
        "A numbered weekday needs FREQ=MONTHLY or FREQ=YEARLY."
    } else if ordinals && !rule.week_numbers.is_empty() {
        "A numbered weekday does not go with BYWEEKNO. Leave the number out."
    } else if !rule.positions.is_empty() && rule.is_plain() {
        "BYSETPOS needs another part whose days it counts, such as BYDAY."
    } else {
        return Ok(());
    };
    Err(invalid(message.to_owned()))
}

fn frequency(value: Option<&str>) -> Result<Frequency, Problem> {
    match value {
        Some("DAILY") => Ok(Frequency::Daily),
        Some("WEEKLY") => Ok(Frequency::Weekly),
        Some("MONTHLY") => Ok(Frequency::Monthly),
        Some("YEARLY") => Ok(Frequency::Yearly),
        None => {
            let message =
                "The rule has no FREQ. Begin it with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.";
            Err(Problem::new(FIELD, "required", message))
        }
        Some(other) => {
            let code = match other {
                "HOURLY" | "MINUTELY" | "SECONDLY" => "unsupported",
                _ => "invalid",
            };
            let message =
                format!("FREQ={other} is not supported. Use DAILY, WEEKLY, MONTHLY or YEARLY.");
            Err(Problem::new(FIELD, code, message))
        }
    }
}

fn until(value: &str) -> Result<End, Problem> {
    let (text, in_utc) = match value.strip_suffix('Z') {
        Some(text) => (text, true),
        None => (value, false),
    };
    match (LocalTime::parse(text), in_utc) {
        (Some(until), false) => Ok(End::UntilLocal(until)),
        (
            Some(LocalTime {
                day: Day(day),
                second: Some(second),
            }),
            true,
        ) => Ok(End::Until(Micros(
            day * DAY + i64::from(second) * 1_000_000,
        ))),
        _ => Err(invalid(format!(
            "UNTIL={value} is no day and no time. Write 20261231 or 20261231T225959Z."
        ))),
    }
}

fn number(name: &str, value: &str, max: u32) -> Result<u32, Problem> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| {
        let message = format!("{name}={value} must be a whole number from 1 to {max}.");
        Problem::new(FIELD, "range", message)
    })
}

/// A list of numbers from 1 to `max`, or from the end too where `negative`; sorted, each once.
fn numbers(name: &str, value: &str, max: i16, negative: bool) -> Result<Vec<i16>, Problem> {
    let least = if negative { -max } else { 1 };
    let fits = |number: &i16| (least..=max).contains(number) && *number != 0;
    let mut list = Vec::new();
    for item in value.split(',') {
        let number = item.parse().ok().filter(fits).ok_or_else(|| {
            let from = if negative { " or from -1 down" } else { "" };
            let message = format!("{name} has “{item}”; its numbers go from 1 to {max}{from}.");
            Problem::new(FIELD, "range", message)
        })?;
        list.push(number);
    }
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

fn days(value: &str) -> Result<Vec<RuleDay>, Problem> {
    let mut list = Vec::new();
    for item in value.split(',') {
        let (ordinal, name) =
            item.split_at(item.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0));
        let weekday = weekday(name).ok_or_else(|| no_weekday(item))?;
        let ordinal = match ordinal {
            "" => Some(0),
            text => text
                .parse()
                .ok()
                .filter(|n| (-53..=53).contains(n) && *n != 0),
        };
        let ordinal = ordinal.ok_or_else(|| {
            let message =
                format!("BYDAY has “{item}”; the number goes from 1 to 53 or from -1 down.");
            Problem::new(FIELD, "range", message)
        })?;
        list.push(RuleDay { ordinal, weekday });
    }
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

fn weekday(name: &str) -> Option<i8> {
    WEEKDAYS
        .iter()
        .position(|day| *day == name)
        .map(|day| day as i8)
}

fn no_weekday(text: &str) -> Problem {
    invalid(format!(
        "“{text}” is no weekday. Use MO, TU, WE, TH, FR, SA or SU."
    ))
}

fn invalid(message: String) -> Problem {
    Problem::new(FIELD, "invalid", message)
}
