//! Texts that other people or models wrote: characters that show nothing, and the control tokens of chat templates.
//! Rules MISSIONS X1 to X3.

mod control_tokens;
mod hidden;

pub use control_tokens::without_control_tokens;
pub use hidden::{visible, visible_value, without_hidden};
