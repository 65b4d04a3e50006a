//! The planner: from a mission and its records to a prompt, from a model's
//! answer to an iteration. Rules: `spec/MISSIONS.md`, parts P and A.

pub mod build;
pub mod calls;
mod checks;
pub mod fit;
mod known;
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
mod short_ids;
mod time_fields;

pub use checks::{PlanChecks, ShownRecord};
pub use known::{Known, OpenRecord, open_records};
pub use meaning::expires_at;
pub use message::{Message, MessageRole, ToolCall};
pub use outline::OutlineInput;
pub use parser::{check_steps, parse, read};
pub use plan::{CallOutcome, Plan, PlanNote, PlannedStep, RecentCall, RefusedStep};
pub use prompt::{BusyTime, InputText, PendingProposal, PlanFormat, PromptParts, prompt, repair};
pub use prompt_tool::{FIND_TOOLS, HAND_IN_TOOL, PromptTool, PromptTools};
pub use reader::{ModelAnswer, ReadAnswer, UnusableAnswer};
pub use short_ids::ShortIds;

#[cfg(test)]
mod tests;
