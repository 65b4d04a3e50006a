//! The control tokens of chat templates. Servers such as Ollama and llama.cpp read them within a message as the tokens
//! themselves, so a note that holds `<|im_end|>` could end the message that it is quoted in.

/// Names of tokens in angle brackets, with or without a slash: `<s>`, `</s>`, `<think>`. Names with an underscore or a
/// colon (`<start_of_turn>`, `<seed:bos>`) are all taken for tokens.
const ANGLE: &[&str] = &[
    "s",
    "bos",
    "eos",
    "pad",
    "unk",
    "mask",
    "sep",
    "cls",
    "sop",
    "eop",
    "eod",
    "think",
    "thinking",
    "tools",
    "system",
    "user",
    "assistant",
    "human",
    "bot",
    "function",
    "functions",
    "image",
    "audio",
    "video",
    "pre",
    "suf",
    "mid",
    "eot",
    "filename",
    "reponame",
    "img",
    "box",
    "quad",
    "ref",
];

/// Names of tokens in square brackets: `[INST]`, `[/INST]`. Names in capitals with an underscore are all taken for
/// tokens.
const SQUARE: &[&str] = &[
    "INST", "ARGS", "IMG", "THINK", "PREFIX", "MIDDLE", "SUFFIX", "gMASK", "sMASK", "MASK", "CLS",
    "SEP", "PAD", "UNK", "BOS", "EOS",
];

/// The longest name of a token.
const LONGEST: usize = 64;

/// Returns the text with a space behind the first character of each control token, so that no server takes the text
/// for the token. The families that are known: ChatML, Llama, Mistral, Gemma, DeepSeek, Phi, gpt-oss, Command R, GLM,
/// Granite, Qwen, EXAONE, MiniMax, Falcon, CodeLlama, StarCoder.
pub fn without_control_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(c);
        if matches!(c, '<' | '[' | ']' | '>') && begins_token(c, &text[at + 1..]) {
            out.push(' ');
        }
    }
    out
}

/// Whether a bracket and the text behind it begin a control token.
fn begins_token(bracket: char, rest: &str) -> bool {
    match bracket {
        '<' => bar(rest) || double(rest, "<", "SYS>>") || angle(rest),
        '[' => bar(rest) || rest.starts_with("e~[") || square(rest),
        ']' => rest.starts_with('~'),
        // Falcon writes `>>QUESTION<<`.
        _ => rest
            .strip_prefix('>')
            .and_then(|rest| name(rest, '<'))
            .is_some_and(is_capital),
    }
}

/// `<|im_start|>`, `<｜▁pad▁｜>`, `[|user|]`: a bar and the beginning of a name; `<|"|>`: whatever stands up to the bar
/// that closes.
fn bar(rest: &str) -> bool {
    rest.strip_prefix(['|', '｜']).is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '▁'))
            || name(rest, '>').is_some_and(|name| {
                name.ends_with(['|', '｜']) && !name.contains(char::is_whitespace)
            })
    })
}

/// `<<SYS>>` and `<</SYS>>`.
fn double(rest: &str, second: &str, name: &str) -> bool {
    rest.strip_prefix(second)
        .map(|rest| rest.strip_prefix('/').unwrap_or(rest))
        .is_some_and(|rest| rest.starts_with(name))
}

fn angle(rest: &str) -> bool {
    name(rest, '>').is_some_and(|name| {
        ANGLE.iter().any(|known| known.eq_ignore_ascii_case(name))
            || name.contains(['_', ':']) && name.chars().all(is_of_name)
            // Gemma 4 writes `<turn|>`.
            || name
                .strip_suffix(['|', '｜'])
                .is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
            || name
                .strip_prefix("unused")
                .is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

fn square(rest: &str) -> bool {
    name(rest, ']').is_some_and(|name| {
        SQUARE.iter().any(|known| known.eq_ignore_ascii_case(name))
            || name.contains('_') && is_capital(name)
            || name
                .strip_prefix("control_")
                .is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

/// The name up to a bracket that closes, without the slash before it.
fn name(rest: &str, closes: char) -> Option<&str> {
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let end = rest
        .char_indices()
        .take(LONGEST)
        .find(|(_, c)| *c == closes)?
        .0;
    (end > 0).then(|| &rest[..end])
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.')
}

fn is_capital(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of the families, as their templates write them.
    const TOKENS: &[&str] = &[
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|python_tag|>",
        "<|header_start|>",
        "<|eot|>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "<s>",
        "</s>",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[SYSTEM_PROMPT]",
        "[THINK]",
        "<start_of_turn>",
        "<end_of_turn>",
        "<bos>",
        "<eos>",
        "<start_of_image>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<｜begin▁of▁sentence｜>",
        "<｜tool▁calls▁begin｜>",
        "<|user|>",
        "<|assistant|>",
        "<|end|>",
        "<|START_OF_TURN_TOKEN|>",
        "<BOS_TOKEN>",
        "<|channel|>",
        "<|message|>",
        "<|return|>",
        "<|call|>",
        "[gMASK]",
        "<sop>",
        "<|observation|>",
        "<|start_of_role|>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "<think>",
        "</think>",
        "<seed:bos>",
        "<extra_id_0>",
        "<unused94>",
        "<reserved_106>",
        "[|user|]",
        "[|endofturn|]",
        "]~b]",
        "[e~[",
        ">>QUESTION<<",
        "<SPECIAL_12>",
        "<|turn>",
        "<turn|>",
        "<image|>",
        "<channel|>",
        "<tool_call|>",
        "<|\"|>",
        "<｜▁pad▁｜>",
        "[control_8]",
        "<PRE>",
        "<SUF>",
        "<MID>",
        "<EOT>",
        "<filename>",
        "<img>",
        "<box>",
        "<ref>",
    ];

    #[test]
    fn missions_x3_no_control_token_stays_whole() {
        for token in TOKENS {
            for text in [
                token.to_string(),
                format!("note{token}\n{token}system"),
                format!("<{token}>"),
            ] {
                let broken = without_control_tokens(&text);
                assert!(!broken.contains(token), "{token}: {broken}");
                assert_eq!(broken.replace(' ', ""), text.replace(' ', ""), "{token}");
                assert!(
                    !without_control_tokens(&broken).contains(token),
                    "{token}: {broken}"
                );
            }
        }
    }

    #[test]
    fn missions_x3_ordinary_text_stays_as_it_is() {
        for text in [
            "a < b and b > c",
            "x |> f <| y",
            "Vec<String>",
            "<b>bold</b>",
            "[x] done [ ] open",
            "[link](https://a.b/c)",
            "TODO: [WIP] a[0]",
            "1 << 4 >> 2",
            "<https://example.org/a_b>",
            "<me@example.org>",
            "if a <| b",
            "->>",
        ] {
            assert_eq!(without_control_tokens(text), text);
        }
    }
}
