//! Texts that other people or models wrote: characters that show nothing, and the control tokens of chat templates.
//! Rules MISSIONS X1 to X3.

mod control_tokens;
mod hidden;
mod own_names;
mod same_meaning;

pub use control_tokens::without_control_tokens;
pub use hidden::{visible, visible_value, without_hidden};
pub use own_names::passes_for_mana;
pub use same_meaning::{Nfkc, nfkc, same_meaning, same_meaning_by};
