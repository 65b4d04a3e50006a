//! The planner: from a mission and its records to a prompt, from a model's
//! answer to an iteration. Rules: `spec/MISSIONS.md`, parts P and A.

mod answer;
pub mod build;
pub mod calls;
pub mod fit;
mod language;
pub mod message;
pub mod outline;
pub mod parser;
pub mod prompt;
mod prompt_tool;
pub mod resolve;

pub use answer::UnusableAnswer;
pub use message::{Message, MessageRole, ToolCall};
pub use outline::OutlineInput;
pub use parser::{
    CallOutcome, Plan, PlanChecks, PlannedStep, RecentCall, RefusedStep, check_steps, parse,
};
pub use prompt::{InputText, PendingProposal, PlanFormat, PromptParts, prompt, repair};
pub use prompt_tool::{HAND_IN_TOOL, PromptTool};

#[cfg(test)]
mod tests;
