//! The messages that ask for a plan, and those that follow in the same conversation.

use super::{
    parts::{InputText, PromptParts},
    shorten::{Shortened, shorten},
    system::system,
    text::{fence, one_line, record},
    user::user,
};
use crate::planner::{
    fit::{self, TextFit},
    message::{Message, MessageRole},
    prompt_tool::HAND_IN_TOOL,
};

/// Tokens that a prompt leaves for the answer, where the model's context is known.
const ANSWER_TOKENS: usize = 2_000;

/// Tokens that texts get at least, however small the model's context is.
const FEWEST_TOKENS: usize = 500;

/// The messages that ask for a plan.
pub fn prompt(parts: &PromptParts<'_>) -> Vec<Message> {
    let fence = fence(parts.iteration_id);
    let bare = Shortened::default();
    let around = fit::tokens(&system(parts, &fence, "")) + fit::tokens(&user(parts, &fence, &bare));
    let room = parts.context_tokens.map_or(usize::MAX, |all| {
        all.saturating_sub(around + ANSWER_TOKENS)
            .max(FEWEST_TOKENS)
    });
    let shortened = shorten(parts, room.min(parts.budget_tokens));
    vec![
        Message::new(
            MessageRole::System,
            system(parts, &fence, &shortened.instructions),
        ),
        Message::new(MessageRole::User, user(parts, &fence, &shortened)),
    ]
}

/// The messages of the repair round: the conversation so far, and what is wrong with the answer.
pub fn repair(messages: &[Message], answer: &str, reasons: &[String]) -> Vec<Message> {
    const ANSWER_TOKENS_SHOWN: usize = 2_000;
    let mut all = messages.to_vec();
    let answer = if answer.trim().is_empty() {
        "(nothing)".to_owned()
    } else {
        fit::beginning(answer, ANSWER_TOKENS_SHOWN)
    };
    all.push(Message::new(MessageRole::Assistant, answer));
    let mut text = String::from("Your answer can’t be used as it is:\n");
    for reason in reasons {
        text.push_str("- ");
        text.push_str(&one_line(reason, 400));
        text.push('\n');
    }
    text.push_str(
        "\nAnswer again with the whole corrected plan and nothing else, in the form that you were asked for. \
         Leave out a step that can’t be repaired.",
    );
    all.push(Message::new(MessageRole::User, text));
    all
}

/// Returns the message to a model that answered with words where it should have called a tool.
pub fn call_now() -> Message {
    let text = format!(
        "You have handed in no plan. Call a tool for each step that you propose, then {HAND_IN_TOOL}. If nothing is to \
         be done, call {HAND_IN_TOOL} alone and say why."
    );
    Message::new(MessageRole::User, text)
}

/// Something that was read for the model, fenced as data like everything that it is given, and cut to `tokens`.
pub fn read_result(iteration_id: &str, texts: &[InputText], tokens: usize) -> String {
    let fence = fence(iteration_id);
    let fit = TextFit::new([], texts.iter().map(|text| text.text.as_str()), tokens);
    let mut said = String::new();
    if texts.is_empty() {
        said.push_str("Nothing was found.\n");
    }
    for input in &texts[..fit.kept] {
        record(&mut said, &fence, input, &fit.cut(&input.text));
    }
    if fit.kept < texts.len() {
        let left = texts.len() - fit.kept;
        said.push_str(&format!("{left} more did not fit and were left out.\n"));
    }
    said
}
