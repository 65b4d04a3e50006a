//! Texts about a run for its person: what happened, that nothing was changed, and what comes next.
//!
//! The code and the details of a [`Reason`] are the contract: the web app writes its own sentences from them, in the
//! person's language. The English sentences here are for the log, the command line and clients that don't know a code.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mana_core::mission::AiRun;
use mana_core::{Map, Micros};
use mana_store::{Measure, Over};
use serde_json::{Value, json};

use crate::failure::FailureSide;
use crate::retry::LONGEST_WAIT;

/// The level that a budget is set at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetOwner {
    Mission,
    Agent,
    Person,
    /// The server's owner, who limits members.
    Server,
}

impl BudgetOwner {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mission => "mission",
            Self::Agent => "agent",
            Self::Person => "person",
            Self::Server => "server",
        }
    }
}

/// Millionths of a US dollar as dollars.
pub(crate) fn dollars(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// The run that follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRun {
    /// The same occurrence is tried again at this time.
    Retry {
        at: Micros,
        /// And again at growing intervals until the next occurrence. None where this is the only further attempt.
        until: Option<Micros>,
    },
    /// The next occurrence is due at this time.
    Due(Micros),
    /// The mission was paused after so many days of failures.
    Paused(u32),
    /// The run was requested, and can be requested again.
    OnRequest,
    /// No further run is planned.
    Never,
}

/// A failure as the mission's page shows it, after so many attempts.
pub(crate) fn failure(what: &str, attempts: u32, after: NextRun, zone: &TimeZone) -> String {
    let next = match after {
        NextRun::Retry { at, until: None } => {
            format!("Mana tries again at {}.", moment(at, zone))
        }
        NextRun::Retry {
            at,
            until: Some(until),
        } => format!(
            "Mana tries again at {}, and then at least every {LONGEST_WAIT} minutes until the next run is due at {}.",
            moment(at, zone),
            moment(until, zone)
        ),
        NextRun::Due(at) => format!("The next run is due at {}.", moment(at, zone)),
        NextRun::Paused(failures) => {
            format!(
                "The mission is paused now, after failures on {failures} days in a row. Resume it when the cause is \
                 gone."
            )
        }
        NextRun::OnRequest => "Run it again when you like.".to_owned(),
        NextRun::Never => "It does not run again by itself.".to_owned(),
    };
    let often = match (attempts, after) {
        (2.., NextRun::Due(_)) => format!(" Mana tried {attempts} times."),
        _ => String::new(),
    };
    format!("{} Nothing was changed.{often} {next}", sentence(what))
}

/// Why a mission is paused.
pub(crate) fn paused(failures: u32, what: &str) -> String {
    format!(
        "It failed on {failures} days in a row, last because: {}",
        sentence(what)
    )
}

/// Why an occurrence did not run, or failed: a code for programs, a sentence, and the figures in the sentence.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub code: String,
    pub text: String,
    pub details: Option<Map>,
}

impl Reason {
    fn new(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
            details: None,
        }
    }

    fn with(mut self, name: &str, figure: impl Into<Value>) -> Self {
        self.details
            .get_or_insert_default()
            .insert(name.to_owned(), figure.into());
        self
    }

    /// The record with this reason on it.
    pub fn on(self, run: AiRun) -> AiRun {
        AiRun {
            code: Some(self.code),
            reason: Some(self.text),
            details: self.details,
            ..run
        }
    }
}

/// The figures of a failure, with its side and what comes after it.
pub(crate) fn with_next(details: Option<Map>, side: FailureSide, after: NextRun) -> Map {
    let mut details = details.unwrap_or_default();
    details.insert("side".to_owned(), json!(side.word()));
    let (next, more) = match after {
        NextRun::Retry { at, until } => {
            if let Some(until) = until {
                details.insert("until".to_owned(), json!(until));
                details.insert("everyMinutes".to_owned(), json!(LONGEST_WAIT));
            }
            ("retry", Some(("at", json!(at))))
        }
        NextRun::Due(at) => ("next", Some(("at", json!(at)))),
        NextRun::Paused(failures) => ("paused", Some(("failures", json!(failures)))),
        NextRun::OnRequest => ("asked", None),
        NextRun::Never => ("nothing", None),
    };
    details.insert("next".to_owned(), json!(next));
    details.extend(more.map(|(name, figure)| (name.to_owned(), figure)));
    details
}

/// An occurrence that was skipped because proposals wait.
pub(crate) fn waiting(proposals: usize) -> Reason {
    let text = match proposals {
        1 => "One proposal of this mission still waits for your decision, so nothing was planned on top of it."
            .to_owned(),
        n => format!(
            "{n} proposals of this mission still wait for your decision, so nothing was planned on top of them."
        ),
    };
    Reason::new("waiting-for-review", text).with("proposals", proposals)
}

/// An occurrence that can't be made up for any more.
pub(crate) fn too_late() -> Reason {
    let text = "Mana was not running at this time, and it is too late to make up for it.";
    Reason::new("too-late", text)
}

/// An occurrence from before a restore, which may have run or not.
pub(crate) fn restored() -> Reason {
    let text = "The server was restored from an older copy, so it is not known whether this occurrence ran. \
                A device that knows gives the run back.";
    Reason::new("restored", text)
}

/// An occurrence that passed while nothing ran.
pub(crate) fn missed(made_up: bool) -> Reason {
    let then = if made_up {
        " One run made up for all that were missed."
    } else {
        ""
    };
    let text = format!("Mana was not running at this time.{then}");
    Reason::new("missed", text).with("madeUp", made_up)
}

/// The reason of a row of occurrences, with its first, last and number. `more`: there are others that nobody counted.
pub(crate) fn row(
    reason: &Reason,
    (first, last): (Micros, Micros),
    count: u64,
    more: bool,
    zone: &TimeZone,
) -> Reason {
    let than = if more { "More than " } else { "" };
    let text = format!(
        "{} {than}{count} runs in a row, from {} to {}.",
        reason.text,
        moment(first, zone),
        moment(last, zone)
    );
    let row = Reason {
        text,
        ..reason.clone()
    };
    let row = row
        .with("first", json!(first))
        .with("last", json!(last))
        .with("count", count);
    match more {
        true => row.with("more", true),
        false => row,
    }
}

/// An occurrence that passed while the run before was going on.
pub(crate) fn overlapped() -> Reason {
    Reason::new("overlap", "The run before was still going on at this time.")
}

/// A run that its person cancelled.
pub(crate) fn cancelled() -> Reason {
    Reason::new("cancelled", "You cancelled this run. Nothing was changed.")
}

/// The prompt's note of a run that makes up for a past occurrence.
pub(crate) fn backfill(due: Micros, zone: &TimeZone) -> String {
    format!(
        "This run makes up for the one of {}: plan as it would have been planned then, \
         as far as that still makes sense.",
        moment(due, zone)
    )
}

/// An occurrence whose attempts all ended in the middle.
pub(crate) fn interrupted(attempts: u32) -> Reason {
    let text = format!("Mana was interrupted {attempts} times in the middle of this run.");
    Reason::new("interrupted", text).with("attempts", attempts)
}

/// A plan whose changes the log refuses.
pub(crate) fn unwritable(reason: &str) -> String {
    format!("The model’s plan can’t be kept: {reason}")
}

/// A table of which not all records were looked at.
pub(crate) fn newest_rows(module: &str, table: &str, looked_at: usize) -> String {
    format!(
        "Of {module}/{table}, the {looked_at} records that changed last were looked at, and no others."
    )
}

/// A mission whose record is too large for another plan.
pub(crate) fn mission_too_large(bytes: usize) -> String {
    format!(
        "This mission has grown to {} MB, which leaves no room for another plan, and older plans have been shortened \
         already. Shorten its description, or make a new mission.",
        bytes >> 20
    )
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

/// A model that gave no answer within the longest time that a call may take.
pub(crate) fn no_answer(patience: Duration) -> String {
    let minutes = patience.as_secs().div_ceil(60);
    format!("The model gave no answer within {minutes} minutes.")
}

/// An answer as it goes back to the model. Providers refuse an empty message.
pub(crate) fn nothing(text: &str) -> &str {
    if text.trim().is_empty() {
        "(nothing)"
    } else {
        text
    }
}

/// The result of a query to a model that has read as much as it may.
pub(crate) fn read_enough() -> &'static str {
    "You have read enough. Propose what you have, then hand in your plan."
}

/// The words after records that were read for a model that answers with a plan.
pub(crate) fn read_on() -> &'static str {
    "Hand in your whole plan now, or read on."
}

/// The same for a model that has read as much as it may.
pub(crate) fn read_enough_for_plan() -> &'static str {
    "You have read enough. Hand in your whole plan now."
}

/// A prompt that a model's server cut without a word, with what to set.
pub(crate) fn prompt_cut(read: usize, sent: usize, window: Option<usize>) -> String {
    // The next power of two holds the prompt and an answer.
    let wanted = (sent + 2_000).next_power_of_two();
    let known = match window {
        Some(window) => format!(", although its window is said to be {window}"),
        None => String::new(),
    };
    format!(
        "The model’s server cut the prompt: it read {read} of about {sent} tokens{known}. Raise its context to \
         {wanted} (num_ctx or OLLAMA_CONTEXT_LENGTH with Ollama, --ctx-size with llama.cpp, --max-model-len with \
         vLLM), or enter the model’s window under “Models and providers”."
    )
}

/// A model that never hands in a plan.
pub(crate) fn never_handed_in() -> String {
    "The model neither proposed a step nor handed in a plan.".to_owned()
}

/// An occurrence that was skipped because a mission has more proposals waiting than it may.
pub(crate) fn too_many_open(waiting: usize, most: u32) -> Reason {
    let text = format!(
        "{waiting} proposals of this mission wait for your decision, and {most} may. Decide on some, or allow more \
         in the settings for missions."
    );
    Reason::new("too-many-open", text)
        .with("proposals", waiting)
        .with("most", most)
}

/// A budget that one more call would go over, in one run.
pub(crate) fn over_run(whose: BudgetOwner, limit: u64, used: u64, wanted: u64) -> String {
    format!(
        "The {} allows {limit} tokens a run. {used} are used, and the next call may take {wanted}.",
        budget_of(whose)
    )
}

/// A budget that one more call would go over, on this day.
pub(crate) fn over_day(whose: BudgetOwner, over: &Over, until: &str) -> String {
    let amount = |amount: u64| match over.measure {
        Measure::Calls if amount == 1 => "1 call".to_owned(),
        Measure::Calls => format!("{amount} calls"),
        Measure::Tokens => format!("{amount} tokens"),
        Measure::Money => format!("{:.2} US dollars", dollars(amount)),
    };
    format!(
        "The {} allows {} a day. {} are used or set aside, and the next call doesn’t fit. \
         The new day begins at {until}.",
        budget_of(whose),
        amount(over.limit),
        amount(over.used),
    )
}

/// A budget in money, and a model that has no price.
pub(crate) fn no_price(whose: BudgetOwner) -> String {
    format!(
        "The {} is in money, and nobody knows what the model costs. The server’s owner can enter its price \
         under “Models and providers”, or the budget can be in tokens.",
        budget_of(whose)
    )
}

fn budget_of(whose: BudgetOwner) -> &'static str {
    match whose {
        BudgetOwner::Mission => "mission’s budget",
        BudgetOwner::Agent => "agent’s budget",
        BudgetOwner::Person => "budget of all your missions",
        BudgetOwner::Server => "limit that this server’s owner sets for each member",
    }
}

/// `08:00 on Monday, 23 November 2026`, by a wall clock.
pub(crate) fn moment(at: Micros, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone())
        .strftime("%H:%M on %A, %-d %B %Y")
        .to_string()
}

/// The text with a full stop at its end. Control characters are removed, because the text may quote a provider, and
/// Postgres refuses a NUL.
fn sentence(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let text = text.trim();
    match text.chars().last() {
        Some('.' | '!' | '?' | '…') => text.to_owned(),
        _ => format!("{text}."),
    }
}
