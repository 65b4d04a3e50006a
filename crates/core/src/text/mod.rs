//! Texts that other people or models wrote: characters that show nothing, letters that pass for others, and the control
//! tokens of chat templates. Rules MISSIONS X1 to X4.

mod control_tokens;
mod hidden;
mod lookalikes;
mod normal_form;
mod own_names;
mod same_meaning;

pub use control_tokens::without_control_tokens;
pub use hidden::{visible, visible_value, without_hidden};
pub use lookalikes::legible;
pub use normal_form::{NormalForm, nfkc, nfkd};
pub use own_names::{passes_for_mana, passes_for_mana_by};
pub use same_meaning::{same_meaning, same_meaning_by};
