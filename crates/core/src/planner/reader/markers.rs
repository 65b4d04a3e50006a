//! Thoughts and channel tokens in a model's answer, of every family that is known.

/// The names of elements that hold thoughts, in small letters: `<think>`, `<|thinking|>`, `[THINK]`, `◁think▷`.
const THOUGHTS: &[&str] = &[
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reflection",
    "reflect",
    "analysis",
    "scratchpad",
    "scratch_pad",
    "inner_monologue",
    "monologue",
    "deliberation",
    "chain_of_thought",
    "cot",
    "thought_process",
    "thinking_process",
    "reasoning_process",
    "internal_thoughts",
    "brainstorm",
    "draft",
    "seed:think",
    "antthinking",
    "ant_thinking",
    "antml:thinking",
];

/// Pairs of tokens around thoughts that are no pair of tags.
const PAIRS: &[(&str, &str)] = &[
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<unused94>", "<unused95>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel>analysis", "<channel|>"),
    ("<|channel>reasoning", "<channel|>"),
    ("<details type=\"reasoning\"", "</details>"),
];

/// The longest marker that is looked for.
const LONGEST: usize = 64;

/// An answer, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parted {
    /// The answer itself.
    pub said: String,
    /// The thoughts.
    pub thoughts: String,
    /// Whether the answer ends within a thought.
    pub open: bool,
}

/// Takes thoughts out of an answer, wherever they stand, closed or not. Text before an end of thoughts that nothing
/// began is a thought too: the template of the model has written the beginning.
pub(super) fn part(text: &str) -> Parted {
    let text = harmony(text);
    let mut parted = Parted::default();
    let mut rest = text.said.as_str();
    parted.thoughts = text.thoughts;
    parted.open = text.open;
    while let Some(marker) = next_marker(rest) {
        let before = &rest[..marker.start];
        let after = &rest[marker.end..];
        if marker.closes {
            parted.thoughts.push_str(&parted.said);
            parted.thoughts.push_str(before);
            parted.said.clear();
            rest = after;
            continue;
        }
        parted.said.push_str(before);
        parted.said.push('\n');
        match find_end(after, &marker) {
            Some((end, behind)) => {
                parted.thoughts.push_str(&after[..end]);
                rest = &after[behind..];
            }
            None => {
                parted.thoughts.push_str(after);
                parted.open = true;
                rest = "";
            }
        }
    }
    parted.said.push_str(rest);
    // Gemma writes tokens in the place of quotes.
    for quote in ["<escape>", "<|\"|>"] {
        if parted.said.contains(quote) {
            parted.said = parted.said.replace(quote, "\"");
        }
    }
    parted
}

/// A marker in a text.
struct Marker {
    start: usize,
    end: usize,
    closes: bool,
    /// The end that belongs to it.
    ending: Ending,
}

enum Ending {
    /// A tag of this name.
    Tag(String),
    /// The token itself.
    Token(&'static str),
}

fn next_marker(text: &str) -> Option<Marker> {
    let mut from = 0;
    while let Some(at) = text[from..].find(['<', '[', '◁']) {
        let start = from + at;
        if let Some(marker) = marker_at(text, start) {
            return Some(marker);
        }
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

fn marker_at(text: &str, start: usize) -> Option<Marker> {
    let rest = &text[start..];
    for (open, close) in PAIRS {
        for (token, closes) in [(open, false), (close, true)] {
            // The end of a channel, or of details, means something only after its beginning.
            let told_alone = !closes || !matches!(*close, "<channel|>" | "</details>");
            if told_alone && starts_with_ignoring_case(rest, token) {
                return Some(Marker {
                    start,
                    end: start + token.len(),
                    closes,
                    ending: Ending::Token(close),
                });
            }
        }
    }
    let (name, closes, len) = tag(rest)?;
    let name = name.to_lowercase();
    THOUGHTS.contains(&name.as_str()).then(|| Marker {
        start,
        end: start + len,
        closes,
        ending: Ending::Tag(name),
    })
}

/// The name of the tag that a text begins with, whether it closes, and its length: `<think>`, `</think>`,
/// `<think time="3">`, `<|think|>`, `<|/think|>`, `[THINK]`, `[/THINK]`, `◁/think▷`.
fn tag(text: &str) -> Option<(&str, bool, usize)> {
    let mut chars = text.chars();
    let (inner, closing): (&str, &[char]) = match chars.next()? {
        '<' => (chars.as_str(), &['>']),
        '[' => (chars.as_str(), &[']']),
        '◁' => (chars.as_str(), &['▷']),
        _ => return None,
    };
    let inner = inner.strip_prefix(['|', '｜']).unwrap_or(inner);
    let (inner, closes) = match inner.strip_prefix('/') {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let end = inner
        .char_indices()
        .take(LONGEST)
        .find(|(_, c)| closing.contains(c) || *c == '<' || *c == '\n')
        .filter(|(_, c)| closing.contains(c))?;
    let content = &inner[..end.0];
    let name = content
        .split([' ', '|', '｜', '\t'])
        .next()
        .unwrap_or_default();
    // Square brackets hold tokens in capitals only; a word in them is text.
    let is_name =
        !name.is_empty() && (closing != [']'] || name.chars().all(|c| c.is_ascii_uppercase()));
    let used = text.len() - inner.len() + end.0 + end.1.len_utf8();
    is_name.then_some((name, closes, used))
}

/// Where thoughts end, and the place behind the end.
fn find_end(text: &str, marker: &Marker) -> Option<(usize, usize)> {
    match &marker.ending {
        Ending::Token(token) => {
            let at = find_ignoring_case(text, token)?;
            Some((at, at + token.len()))
        }
        Ending::Tag(name) => {
            let mut from = 0;
            while let Some(at) = text[from..].find(['<', '[', '◁']) {
                let start = from + at;
                if let Some((found, true, len)) = tag(&text[start..])
                    && found.eq_ignore_ascii_case(name)
                {
                    return Some((start, start + len));
                }
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
            None
        }
    }
}

/// The channels of harmony, the format of gpt-oss: `analysis` holds thoughts; a message `to=functions.…` is a call,
/// which keeps its header; the others are the answer.
fn harmony(text: &str) -> Parted {
    const CHANNEL: &str = "<|channel|>";
    let mut parted = Parted::default();
    let mut pieces = text.split(CHANNEL);
    let first = pieces.next().unwrap_or_default();
    let mut channels = pieces.peekable();
    if channels.peek().is_none() {
        return stripped_harmony(text);
    }
    parted.said.push_str(first);
    while let Some(channel) = channels.next() {
        let (header, body) = match channel.split_once("<|message|>") {
            Some((header, body)) => (header, body),
            None => channel.split_at(
                channel
                    .find(|c: char| !c.is_ascii_alphabetic())
                    .unwrap_or(channel.len()),
            ),
        };
        let name = header.trim_start();
        let is_thought = !header.contains("to=")
            && ["analysis", "thought", "thinking", "reasoning"]
                .iter()
                .any(|thought| name.starts_with(thought));
        if is_thought {
            // Behind the end of the message is no thought any more.
            let end = ["<|end|>", "<|return|>", "<|start|>", "<|call|>"]
                .iter()
                .filter_map(|token| body.find(token))
                .min();
            parted.open = end.is_none() && channels.peek().is_none();
            let end = end.unwrap_or(body.len());
            parted.thoughts.push_str(&body[..end]);
            parted.said.push_str(&body[end..]);
        } else {
            if header.contains("to=") {
                parted.said.push_str(header);
            }
            parted.said.push('\n');
            parted.said.push_str(body);
        }
    }
    parted
}

/// Harmony of which a server has removed the tokens: `analysisWe need …assistantfinal{…}`.
fn stripped_harmony(text: &str) -> Parted {
    const FINAL: &str = "assistantfinal";
    const CALL: &str = "assistantcommentary to=";
    let begun = text.trim_start().starts_with("analysis");
    let at = match text.rfind(FINAL) {
        Some(at) if begun => Some((at, at + FINAL.len())),
        _ => text
            .find(CALL)
            .filter(|_| begun)
            .map(|at| (at, at + CALL.len())),
    };
    match at {
        Some((end, behind)) => Parted {
            said: text[behind..].to_owned(),
            thoughts: text[..end].to_owned(),
            open: false,
        },
        None => Parted {
            said: text.to_owned(),
            ..Parted::default()
        },
    }
}

/// The text without the tokens of chat templates, and without tags that only frame an answer.
pub(super) fn without_tokens(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[']) {
        kept.push_str(&rest[..at]);
        let here = &rest[at..];
        let len = token(here);
        if len == 0 {
            kept.push_str(&here[..1]);
            rest = &here[1..];
        } else {
            kept.push(' ');
            rest = &here[len..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Tags that frame an answer, and tokens without a bar.
const FRAMES: &[&str] = &[
    "s",
    "bos",
    "eos",
    "pad",
    "answer",
    "final",
    "final_answer",
    "output",
    "response",
    "result",
    "solution",
    "json",
    "plan",
    "start_of_turn",
    "end_of_turn",
    "start_of_image",
    "sop",
    "eop",
    "INST",
    "TOOL_CALLS",
    "ARGS",
    "CALL_ID",
    "gMASK",
    "channel|",
];

/// The length of the token that a text begins with; 0 where it begins with none.
pub(super) fn token(text: &str) -> usize {
    if text.starts_with("<<SYS>>") || text.starts_with("<</SYS>>") {
        return text.find(">>").map_or(0, |end| end + 2);
    }
    let barred = text.starts_with("<|") || text.starts_with("<｜") || text.starts_with("[|");
    let closing = if text.starts_with('[') { ']' } else { '>' };
    let Some((end, _)) = text
        .char_indices()
        .take(LONGEST)
        .find(|(_, c)| *c == closing)
    else {
        return 0;
    };
    let inner = &text[1..end];
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| {
                c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '▁' | '|' | '｜')
            })
    };
    let bare = inner.trim_start_matches('/');
    let known = FRAMES.contains(&bare)
        || closing == '>' && FRAMES.iter().any(|frame| frame.eq_ignore_ascii_case(bare))
        || closing == '>' && inner.starts_with("unused");
    match barred && is_name(inner) || known {
        true => end + 1,
        false => 0,
    }
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let first = needle.chars().next()?;
    let mut from = 0;
    while let Some(at) = text[from..].find(first) {
        if starts_with_ignoring_case(&text[from + at..], needle) {
            return Some(from + at);
        }
        from += at + first.len_utf8();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_a2_thoughts_are_taken_out_wherever_they_stand() {
        for (text, said, thoughts) in [
            ("<think>hm</think>{}", "{}", "hm"),
            ("Sure.<thinking>hm</thinking>{}", "Sure.\n{}", "hm"),
            ("hm</think>{}", "{}", "hm"),
            ("[THINK]hm[/THINK]{}", "{}", "hm"),
            ("◁think▷hm◁/think▷{}", "{}", "hm"),
            ("<think time=\"3\">hm</think>{}", "{}", "hm"),
            ("<|begin_of_thought|>hm<|end_of_thought|>{}", "{}", "hm"),
            ("<|channel>thought\nhm<channel|>{}", "{}", "\nhm"),
            ("<seed:think>hm</seed:think>{}", "{}", "hm"),
            (
                "<details type=\"reasoning\" done=\"true\">hm</details>{}",
                "{}",
                " done=\"true\">hm",
            ),
            ("{}<think>hm</think>", "{}", "hm"),
            (
                "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{}",
                "<|end|><|start|>assistant\n{}",
                "hm",
            ),
            ("analysishm.assistantfinal{}", "{}", "analysishm."),
        ] {
            let parted = part(text);
            assert_eq!(
                (parted.said.trim(), parted.thoughts.as_str()),
                (said, thoughts),
                "{text}"
            );
            assert!(!parted.open, "{text}");
        }
        let open = part("<think>hm {}");
        assert!(open.open && open.said.trim().is_empty());
    }

    #[test]
    fn missions_a2_tokens_go_and_text_stays() {
        for (text, kept) in [
            ("{}<|im_end|>", "{}"),
            ("<｜end▁of▁sentence｜>{}</s>", "{}"),
            ("[INST]{}[/INST]<end_of_turn>", "{}"),
            ("<answer>{}</answer>", "{}"),
            ("[1] <b> a < b [x](y)", "[1] <b> a < b [x](y)"),
            ("<unused95>{}<|eot_id|>", "{}"),
        ] {
            assert_eq!(without_tokens(text).trim(), kept, "{text}");
        }
    }
}
