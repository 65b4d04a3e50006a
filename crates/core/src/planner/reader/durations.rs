//! Numbers and durations, with and without their units.

use serde_json::Value;

use crate::manifest::fold;

/// A number, also as a text; where a parameter's name ends with a unit of time, also with units.
pub(super) fn number(name: &str, value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.trim().to_lowercase(),
        _ => return None,
    };
    let plain = text.strip_prefix('+').unwrap_or(&text);
    let is_number = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.' || c == '-')
    };
    if is_number(plain) {
        return plain.parse().ok();
    }
    Some(duration(&text)? / unit_of(name)?)
}

/// A duration in seconds: a text with its units, or a number of the unit that its name ends with.
pub(super) fn seconds(name: &str, value: &Value) -> Option<f64> {
    match unit_of(name) {
        Some(unit) => Some(number(name, value)? * unit),
        None => duration(&value.as_str()?.trim().to_lowercase()),
    }
}

/// The unit of time that a name ends with, in seconds.
fn unit_of(name: &str) -> Option<f64> {
    let name = fold(name);
    let mut units = ["minutes", "hours", "seconds", "days"].into_iter();
    seconds_of(units.find(|unit| name.ends_with(unit))?)
}

/// A duration in seconds: `30 min`, `1 h 30 min`, `1h30`, `1.5 hours`, `PT1H30M`, `an hour`.
fn duration(text: &str) -> Option<f64> {
    let text = text.strip_prefix("pt").unwrap_or(text);
    let text = text.trim_start_matches(['~', '≈', '∼', ' ']);
    let text = ["about ", "approx. ", "ca. ", "circa "]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(text);
    match text {
        "an hour" | "one hour" | "eine stunde" => return Some(3600.0),
        "half an hour" | "half hour" | "eine halbe stunde" => return Some(1800.0),
        _ => {}
    }
    let mut total = 0.0;
    let mut last = f64::INFINITY;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
            .unwrap_or(rest.len());
        let amount: f64 = rest[..end].replace(',', ".").parse().ok()?;
        let behind = rest[end..].trim_start();
        let word_end = behind
            .find(|c: char| !c.is_alphabetic() && c != '.' && c != '\'')
            .unwrap_or(behind.len());
        let word = behind[..word_end].trim_end_matches('.');
        let unit = match word {
            // `1h30`: what follows hours alone is minutes.
            "" if last == 3600.0 => 60.0,
            word => seconds_of(word)?,
        };
        if unit >= last {
            return None;
        }
        total += amount * unit;
        last = unit;
        rest = behind[word_end..].trim_start();
        rest = rest
            .strip_prefix("and ")
            .or_else(|| rest.strip_prefix("und "))
            .unwrap_or(rest)
            .trim_start();
    }
    (last < f64::INFINITY).then_some(total)
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "s" | "sec" | "secs" | "second" | "seconds" | "sekunden" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" | "minuten" | "'" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" | "std" | "stunde" | "stunden" => 3_600.0,
        "d" | "day" | "days" | "tag" | "tage" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missions_a6_a_duration_is_told_in_the_unit_of_its_parameter() {
        for (text, minutes) in [
            ("30", Some(30.0)),
            ("30 min", Some(30.0)),
            ("30 minutes", Some(30.0)),
            ("1 h 30 min", Some(90.0)),
            ("1h30", Some(90.0)),
            ("1.5 hours", Some(90.0)),
            ("1,5 Std.", Some(90.0)),
            ("PT1H30M", Some(90.0)),
            ("about 45 min", Some(45.0)),
            ("half an hour", Some(30.0)),
            ("soon", None),
            ("30 apples", None),
            ("1-2 h", None),
        ] {
            assert_eq!(number("estimateMinutes", &json!(text)), minutes, "{text}");
        }
        assert_eq!(number("target", &json!("10 km")), None);
        assert_eq!(number("target", &json!(" 2.5 ")), Some(2.5));
    }
}
