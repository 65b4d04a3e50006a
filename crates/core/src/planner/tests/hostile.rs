//! Answers that are no answers: the reader ends in time, panics at nothing, and lets nothing pass.

use std::time::{Duration, Instant};

use super::readings::Known;

/// The reader's work grows with the length of the answer, never with its square, whatever is in it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the growth of the reader's work is a ratio of two times of the same run"
)]
fn missions_a4_the_work_on_a_hostile_answer_grows_with_its_length() {
    let known = Known::new();
    const SIZE: usize = 1 << 17;
    for part in [
        "{",
        "[",
        "<think>",
        "</think>",
        "{\"",
        "[{\"a\":",
        "<",
        "(",
        "```json\n{",
        "<tool_call>",
        "<function=create_task>",
        "<create_task>",
        "\n<a>",
        "create_task(",
        "\"",
        "{a:",
        "[[],",
        "{\"steps\":[",
        "\\",
        "<|channel|>",
        "{\"a\":\"b\"",
        "'",
        "{'a':'",
        "//",
        "/*",
        "{/*",
        "[TOOL_CALLS]",
        "{\"toolName\":\"create_task\"}",
        "é{",
        "<create_task><b>",
        "{\"steps\":\"[",
    ] {
        let took = |size: usize| {
            let answer = part.repeat(size / part.len());
            let begun = Instant::now();
            let _ = known.parse(answer.as_str());
            begun.elapsed()
        };
        // Four times as much takes four times as long, or sixteen times where the work grows with the square. A busy
        // machine may slow either down, so the best of some attempts counts.
        let in_proportion = (0..5).any(|_| {
            let least = took(SIZE / 4).max(Duration::from_millis(1));
            took(SIZE) < least * 10
        });
        assert!(in_proportion, "{part}");
    }
}

proptest::proptest! {
    /// Any answer, however mended, gives steps that pass the check as they are, and no panic.
    #[test]
    fn missions_a13_the_reader_lets_nothing_pass_that_the_check_refuses(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "[", "]", "\"", "'", ":", ",", "\n", " ", "summary", "steps", "toolName", "params", "title",
            "rationale", "create_task", "delete_task", "update_task", "taskId", "dueDate", "2026-12-05",
            "tomorrow", "null", "true", "30", "<think>", "</think>", "```json\n", "```", "<tool_call>",
            "</tool_call>", "<|im_end|>", "\\", "“", "é", "\u{202e}", "\u{0}", "t3",
            "\"steps\": [{\"toolName\": \"create_task\", \"params\": {\"title\": \"X y\"}, \"rationale\": \"r\"}",
            "create_task(title=\"X y\", rationale=\"r\")", "<create_task><title>X y</title>", "\"clear\": [\"notes\"]",
        ]), 0..40),
        noise in "\\PC{0,20}",
    ) {
        let known = Known::new();
        let answer = format!("{}{noise}", pieces.concat());
        if let Ok(plan) = known.parse(answer.as_str()) {
            for step in &plan.steps {
                let tool = known.registry.tool(&step.tool_name).expect("a tool");
                proptest::prop_assert_eq!(tool.check(&step.params), vec![]);
                proptest::prop_assert!(!step.rationale.is_empty());
            }
        }
    }
}
