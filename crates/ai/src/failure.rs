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
    pub refused: Vec<RefusedStep>,
    /// The model answered, but not with a plan.
    pub answered: bool,
    /// The model refused the request itself. Another plan format may succeed.
    pub unable: bool,
}

impl Failure {
    /// A failure without an answer.
    pub fn new(code: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
            details: None,
            refused: Vec::new(),
            answered: false,
            unable: false,
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
        self.code == "provider_error" && !self.unable
    }

    /// A plan of which every step was refused.
    pub fn refused(refused: Vec<RefusedStep>) -> Self {
        let reasons: Vec<_> = refused.iter().map(RefusedStep::sentence).collect();
        let code = refused.first().map_or("refused", |step| step.code);
        let mut failure = Self::new(code, messages::all_refused(&reasons));
        failure.refused = refused;
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
            ..Self::new(&error.code, error.message)
        }
    }
}
