//! The messages that ask for a plan, and those that follow in the same conversation.

use super::{
    parts::{Detail, InputText, PlanFormat, PromptParts},
    shorten::{Shortened, line, shorten},
    system::system,
    text::{fence, one_line, table},
    user::user,
};
use crate::planner::{
    calls::{self, Function},
    fit::{self, TextFit},
    message::{Message, MessageRole},
    parser,
    prompt_tool::{HAND_IN_TOOL, PromptTool},
};

/// Tokens that texts get at least, however small the model's window is.
const FEWEST_TOKENS: usize = 300;

/// Tokens that the reasons against an answer get at least.
const FEWEST_REASONS: usize = 60;

/// Tokens of a message beside its text, in the templates of models.
const MESSAGE_TOKENS: usize = 8;

/// How often texts are cut again where their frame was larger than thought.
const TRIES: usize = 4;

/// The messages that ask for a plan. With the functions they have no more tokens than the room, however much less has
/// to be told for it.
pub fn prompt(parts: &PromptParts<'_>) -> Vec<Message> {
    let fence = fence(parts.iteration_id);
    let assembled = |shortened: &Shortened<'_>, detail: Detail| {
        [
            Message::new(
                MessageRole::System,
                system(parts, &fence, &shortened.instructions, detail),
            ),
            Message::new(MessageRole::User, user(parts, &fence, shortened, detail)),
        ]
    };
    let Some(room) = parts.room_tokens else {
        let shortened = shorten(parts, parts.budget_tokens);
        return assembled(&shortened, Detail::Whole).to_vec();
    };
    let functions = match parts.format {
        PlanFormat::ToolCalls => functions_tokens(&calls::functions(parts.tools, true)),
        PlanFormat::FencedJson | PlanFormat::JsonSchema => 0,
    };
    let size = |messages: &[Message]| -> usize {
        let said = messages.iter();
        let said = said.map(|message| fit::tokens(&message.content) + MESSAGE_TOKENS);
        said.sum::<usize>() + functions
    };
    let mut detail = Detail::Whole;
    loop {
        let around = size(&assembled(&Shortened::default(), detail));
        let less = match detail {
            Detail::Whole => Some(Detail::Short),
            Detail::Short => Some(Detail::Least),
            Detail::Least => None,
        };
        // Half of the room is the person's own.
        if let Some(less) = less
            && around > room / 2
            && around + FULL_TOKENS > room
        {
            detail = less;
            continue;
        }
        let mut texts = room.saturating_sub(around).min(parts.budget_tokens);
        for _ in 0..TRIES {
            let messages = assembled(&shorten(parts, texts.max(FEWEST_TOKENS)), detail);
            let size = size(&messages);
            if size <= room || texts <= FEWEST_TOKENS {
                return messages.to_vec();
            }
            texts = texts.saturating_sub(size - room);
        }
        return assembled(&shorten(parts, FEWEST_TOKENS), detail).to_vec();
    }
}

/// With this many tokens for the person's texts nothing else is left out of a prompt.
const FULL_TOKENS: usize = 2_500;

/// The tokens that functions take, which go with a request beside its messages.
pub fn functions_tokens(functions: &[Function]) -> usize {
    let texts = functions
        .iter()
        .map(|function| serde_json::to_string(function).unwrap_or_default());
    texts.map(|text| fit::tokens(&text) + MESSAGE_TOKENS).sum()
}

/// The messages of the repair round: the conversation so far, and what is wrong with the answer.
pub fn repair(messages: &[Message], answer: &str, reasons: &[String], left: usize) -> Vec<Message> {
    const SHOWN: usize = 2_000;
    const AGAIN: &str = "\nAnswer again with the whole corrected plan and nothing else: JSON with `summary` and \
                         `steps`, each step with `summary`, `toolName`, `params` and `rationale`. Leave out a step \
                         that can’t be repaired.";
    let left = left.saturating_sub(fit::tokens(AGAIN));
    let reasons: Vec<_> = reasons
        .iter()
        .map(|reason| format!("- {}", one_line(reason, 400)))
        .collect();
    // The reasons count before the answer: the model knows what it has just said better than what is wrong with it.
    let reasons = fit::beginning(&reasons.join("\n"), (left / 2).max(FEWEST_REASONS));
    let left = left.saturating_sub(fit::tokens(&reasons));
    let answer = match answer.trim().is_empty() {
        true => "(nothing)".to_owned(),
        false => fit::beginning(&parser::without_thoughts(answer), left.min(SHOWN)),
    };
    let mut all = messages.to_vec();
    all.push(Message::new(MessageRole::Assistant, answer));
    let text = format!("It can’t be used as it is:\n{reasons}\n{AGAIN}");
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
    let lines: Vec<String> = texts.iter().map(line).collect();
    let fit = TextFit::new([], lines.iter().map(String::as_str), tokens);
    let Some(first) = texts.first() else {
        return "Nothing was found.\n".to_owned();
    };
    let kept = &lines[..fit.kept];
    let records: Vec<String> = kept.iter().map(|line| fit.cut(line)).collect();
    let mut said = String::new();
    table(&mut said, &fence, (&first.module, &first.table), &records);
    if fit.kept < texts.len() {
        let left = texts.len() - fit.kept;
        said.push_str(&format!("{left} more did not fit and were left out.\n"));
    }
    said
}

/// The further tools that a model looked for.
pub fn found_tools(found: &[&PromptTool]) -> String {
    if found.is_empty() {
        return "There is no such tool.".to_owned();
    }
    let lines: Vec<_> = found.iter().map(|tool| tool.line(true)).collect();
    format!("You can call these now:\n{}", lines.join("\n"))
}
