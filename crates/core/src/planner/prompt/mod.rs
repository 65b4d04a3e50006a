//! The prompt of a mission: who the model is, what it may do, what day it is, and everything that it may know.
//! Rules MISSIONS P1–P12.

pub(super) mod days;
mod example;
mod lessons;
mod mark;
mod messages;
mod parts;
mod shorten;
mod system;
mod text;
mod user;

pub use days::BusyTime;
pub use messages::{call_now, found_tools, functions_tokens, prompt, read_result, repair};
pub use parts::{InputText, PendingProposal, PlanFormat, PromptParts};
pub(super) use text::one_line;
pub use user::ITERATIONS_SHOWN;
