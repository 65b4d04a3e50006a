//! The planner: from a mission and its records to a prompt, from a model's
//! answer to an iteration. Rules: `spec/MISSIONS.md`, parts P and A.

pub mod build;
pub mod calls;
mod checks;
pub mod fit;
mod language;
mod meaning;
pub mod message;
pub mod outline;
pub mod parser;
mod plan;
pub mod prompt;
mod prompt_tool;
mod reader;
pub mod resolve;

pub use checks::{PlanChecks, ShownRecord};
pub use message::{Message, MessageRole, ToolCall};
pub use outline::OutlineInput;
pub use parser::{check_steps, parse, read};
pub use plan::{CallOutcome, Plan, PlanNote, PlannedStep, RecentCall, RefusedStep};
pub use prompt::{InputText, PendingProposal, PlanFormat, PromptParts, prompt, repair};
pub use prompt_tool::{HAND_IN_TOOL, PromptTool};
pub use reader::{ModelAnswer, ReadAnswer, UnusableAnswer};

#[cfg(test)]
mod tests;
