//! Values of kinds that several variables have: counts, times, sums, switches.

use std::num::NonZeroU32;
use std::time::Duration;

use super::source::{ConfigError, Source};

/// Returns a whole number that is `least` or more.
pub(super) fn whole(source: &Source, name: &'static str, least: u32) -> Result<u32, ConfigError> {
    let text = source.effective(name);
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(ConfigError::new(
            name,
            format!("'{text}' won't do; use a whole number from {least} up"),
        )),
    }
}

/// Returns a whole number that is 1 or more.
pub(super) fn count(source: &Source, name: &'static str) -> Result<NonZeroU32, ConfigError> {
    let text = source.effective(name);
    text.parse().map_err(|_| {
        ConfigError::new(
            name,
            format!("'{text}' is no number above 0; use a whole number, such as 100"),
        )
    })
}

/// Returns a count, or none where it is not set.
pub(super) fn optional_count(
    source: &Source,
    name: &'static str,
) -> Result<Option<u64>, ConfigError> {
    match source.get(name) {
        Some(_) => count(source, name).map(|count| Some(u64::from(count.get()))),
        None => Ok(None),
    }
}

/// An amount of US dollars, in millionths.
pub(super) fn dollars(source: &Source, name: &'static str) -> Result<Option<u64>, ConfigError> {
    let Some(text) = source.get(name) else {
        return Ok(None);
    };
    match text.trim().parse::<f64>() {
        Ok(amount) if amount > 0.0 && amount <= 1e6 => Ok(Some((amount * 1e6) as u64)),
        _ => Err(ConfigError::new(
            name,
            format!("'{text}' is no amount; use US dollars above 0, such as 2.50"),
        )),
    }
}

/// Returns a time given in milliseconds.
pub(super) fn millis(source: &Source, name: &'static str) -> Result<Duration, ConfigError> {
    let text = source.effective(name);
    match text.parse::<u64>() {
        Ok(number) if number > 0 => Ok(Duration::from_millis(number)),
        _ => Err(ConfigError::new(
            name,
            format!(
                "'{text}' is no time; use a whole number of milliseconds above 0, such as 60000"
            ),
        )),
    }
}

/// Returns by how many milliseconds the clock is wrong on purpose.
pub(super) fn skew(source: &Source) -> Result<i64, ConfigError> {
    let text = source.effective("MANA_CLOCK_SKEW_MS");
    let number = text
        .parse()
        .ok()
        .filter(|skew: &i64| skew.abs() <= 86_400_000);
    number.ok_or_else(|| {
        ConfigError::new(
            "MANA_CLOCK_SKEW_MS",
            format!(
                "'{text}' is no offset; unset it, it is for tests of servers whose clocks differ"
            ),
        )
    })
}

/// Returns a switch.
pub(super) fn boolean(source: &Source, name: &'static str) -> Result<bool, ConfigError> {
    match source.effective(name).as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        text => Err(ConfigError::new(
            name,
            format!("'{text}' is neither true nor false; use one of them"),
        )),
    }
}
