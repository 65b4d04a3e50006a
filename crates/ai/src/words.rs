//! What a person reads about a run: what happened, that nothing was changed, what comes next.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mana_core::Micros;

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The same occurrence is tried again then.
    Retry(Micros),
    /// The next occurrence comes then.
    Next(Micros),
    /// The mission was paused after so many failures.
    Paused(u32),
    /// Somebody asked for this run, and may ask again.
    Asked,
    /// Nothing is planned.
    Nothing,
}

/// A failure as the mission's page shows it.
pub(crate) fn failure(what: &str, after: After, zone: &TimeZone) -> String {
    let next = match after {
        After::Retry(at) => format!("Mana tries again at {}.", moment(at, zone)),
        After::Next(at) => format!("The next run is due at {}.", moment(at, zone)),
        After::Paused(failures) => {
            format!(
                "The mission is paused now, after {failures} failures in a row. Resume it when the cause is gone."
            )
        }
        After::Asked => "Run it again when you like.".to_owned(),
        After::Nothing => "It does not run again by itself.".to_owned(),
    };
    format!("{} Nothing was changed. {next}", sentence(what))
}

/// Why a mission stands still.
pub(crate) fn paused(failures: u32, what: &str) -> String {
    format!(
        "It failed {failures} times in a row, last because: {}",
        sentence(what)
    )
}

/// An occurrence that was skipped because proposals wait.
pub(crate) fn waiting(proposals: usize) -> String {
    match proposals {
        1 => "One proposal of this mission still waits for your decision, so nothing was planned on top of it.".to_owned(),
        n => format!("{n} proposals of this mission still wait for your decision, so nothing was planned on top of them."),
    }
}

/// An occurrence that passed while nothing ran.
pub(crate) fn missed(made_up: bool) -> String {
    let then = if made_up {
        " One run made up for all that were missed."
    } else {
        ""
    };
    format!("Mana was not running at this time.{then}")
}

/// The oldest record of many, which speaks for those before it.
pub(crate) fn and_earlier(reason: &str, since: Micros, zone: &TimeZone) -> String {
    format!(
        "{reason} The same goes for every one before it since {}.",
        moment(since, zone)
    )
}

/// An occurrence that passed while the run before was going on.
pub(crate) fn overlapped() -> String {
    "The run before was still going on at this time.".to_owned()
}

/// A run that its person didn't want any more.
pub(crate) fn cancelled() -> String {
    "You cancelled this run. Nothing was changed.".to_owned()
}

/// What a run for a time that is past is told in its prompt.
pub(crate) fn backfill(due: Micros, zone: &TimeZone) -> String {
    format!(
        "This run makes up for the one of {}: plan as it would have been planned then, as far as that still makes sense.",
        moment(due, zone)
    )
}

/// An occurrence whose attempts all ended in the middle.
pub(crate) fn interrupted(attempts: u32) -> String {
    format!("Mana was interrupted {attempts} times in the middle of this run.")
}

/// A plan that the log doesn't take.
pub(crate) fn unwritable(reason: &str) -> String {
    format!("The model’s plan can’t be kept: {reason}")
}

/// Every step of an answer was refused.
pub(crate) fn all_refused(reasons: &[String]) -> String {
    match reasons {
        [only] => format!("The model’s only step can’t be proposed. {only}"),
        reasons => format!(
            "None of the model’s {} steps can be proposed. {}",
            reasons.len(),
            reasons.join(" ")
        ),
    }
}

/// `08:00 on Monday, 23 November 2026`, by a wall clock.
pub(crate) fn moment(at: Micros, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone())
        .strftime("%H:%M on %A, %-d %B %Y")
        .to_string()
}

/// The text with a full stop at its end. What an upstream said may be quoted in it, so control characters go:
/// a NUL could not be written, and the run would end without a word.
fn sentence(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let text = text.trim();
    match text.chars().last() {
        Some('.' | '!' | '?' | '…') => text.to_owned(),
        _ => format!("{text}."),
    }
}
