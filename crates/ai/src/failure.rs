//! Why a run has no plan.

use mana_core::Map;
use mana_core::planner::{RefusedStep, UnusableAnswer};

use crate::llm::LlmError;
use crate::messages::{self, Reason};

/// The code of an occurrence that a budget had skipped.
const OVER_BUDGET: &str = "over-budget";

/// Why there is no plan.
#[derive(Clone)]
pub(crate) struct Failure {
    /// The reason for programs.
    pub code: String,
    /// The reason for the person.
    pub message: String,
    /// The figures in the message.
    pub details: Option<Map>,
    pub refused: Box<[RefusedStep]>,
    /// The model answered, but not with a plan.
    pub answered: bool,
    /// The model refused the request itself. Another plan format may succeed.
    pub unable: bool,
    /// The prompt was too long; a shorter one may succeed.
    pub too_long: Option<TokenLimit>,
    /// The model's server failed at the form of the answer. Another plan format may succeed.
    pub is_about_form: bool,
    /// How many seconds the provider asks to wait.
    pub wait_seconds: Option<u32>,
}

/// The tokens that a model's server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenLimit {
    /// Prompt and answer together, as the server says.
    Window(u32),
    /// Less than were sent.
    LessThan(u32),
    /// The server cut the prompt to so many without a word.
    Cut(u32),
}

/// The side at which a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureSide {
    /// Nobody answered: the model can't be reached, is busy, or is left alone for a while.
    Model,
    /// The mission's own run: the model answered, and nothing of it can be used.
    Mission,
}

impl FailureSide {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Mission => "mission",
        }
    }
}

impl Failure {
    /// A failure without an answer.
    pub fn new(code: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
            details: None,
            refused: Box::default(),
            answered: false,
            unable: false,
            too_long: None,
            is_about_form: false,
            wait_seconds: None,
        }
    }

    /// A prompt of `sent` tokens of which the model's server read no more than `read`.
    pub fn prompt_cut(read: u64, sent: usize, window: Option<usize>) -> Self {
        let read = usize::try_from(read).unwrap_or(usize::MAX);
        Self {
            answered: true,
            too_long: Some(TokenLimit::Cut(u32::try_from(read).unwrap_or(u32::MAX))),
            ..Self::new("prompt_cut", messages::prompt_cut(read, sent, window))
        }
    }

    /// A failure whose answer was no plan.
    pub fn unusable(error: UnusableAnswer) -> Self {
        Self {
            answered: true,
            ..Self::new(error.code, error.message)
        }
    }

    /// A failure at a plan that passed every check, and whose changes the log refuses all the same.
    pub fn unwritable(reason: &str) -> Self {
        Self {
            answered: true,
            ..Self::new("unwritable", messages::unwritable(reason))
        }
    }

    /// A budget that the next call would exceed. The occurrence is skipped, not failed.
    pub fn over_budget(message: String, details: Map) -> Self {
        Self {
            details: Some(details),
            ..Self::new(OVER_BUDGET, message)
        }
    }

    /// Whether a budget is the reason.
    pub fn is_over_budget(&self) -> bool {
        self.code == OVER_BUDGET
    }

    /// Whether the model's server failed at the answer itself. Servers that read calls fail so where the model wrote
    /// one badly; another answer may be read.
    pub fn is_server_error(&self) -> bool {
        self.is_about_form && !self.unable
    }

    /// The side at which the run failed.
    pub fn side(&self) -> FailureSide {
        let too_large = matches!(self.code.as_str(), "too_large" | "answer_too_large");
        match self.answered || self.unable || too_large {
            true => FailureSide::Mission,
            false => FailureSide::Model,
        }
    }

    /// A plan of which every step was refused.
    pub fn refused(refused: Vec<RefusedStep>) -> Self {
        let reasons: Vec<_> = refused.iter().map(RefusedStep::sentence).collect();
        let code = refused.first().map_or("refused", |step| step.code);
        let mut failure = Self::new(code, messages::all_refused(&reasons));
        failure.refused = refused.into();
        failure.answered = true;
        failure
    }

    /// The reason for a record.
    pub fn into_reason(self) -> Reason {
        Reason {
            code: self.code,
            text: self.message,
            details: self.details,
        }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self {
            details: reason.details,
            ..Self::new(&reason.code, reason.text)
        }
    }
}

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        Self {
            unable: error.refused,
            is_about_form: error.is_about_form,
            wait_seconds: error
                .retry_after
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            ..Self::new(&error.code, error.message)
        }
    }
}
