//! The planner: from a mission and its records to a prompt, from a model's
//! answer to an iteration. Rules: `spec/MISSIONS.md`, parts P and A.

mod answer;
pub mod build;
pub mod calls;
pub mod fit;
pub mod outline;
pub mod parser;
pub mod prompt;
pub mod resolve;

pub use parser::{
    CallOutcome, Plan, PlanChecks, PlannedStep, RecentCall, RefusedStep, UnusableAnswer,
    check_steps, parse,
};
pub use prompt::{
    InputText, Message, MessageRole, PendingProposal, PlanFormat, PromptParts, PromptTool, prompt,
    repair,
};

#[cfg(test)]
mod tests;
