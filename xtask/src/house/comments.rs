//! Doc comments by the words that begin their sentences.

use super::tree::Tree;

/// Words that hide a sentence's subject.
const PRONOUNS: [&str; 10] = [
    "One", "What", "Who", "It", "That", "These", "Those", "They", "Whoever", "Whatever",
];

/// The doc comments of a tree.
#[derive(Default)]
pub struct Comments {
    /// How many there are.
    pub all: usize,
    /// Comments whose first word is one of [`PRONOUNS`].
    pub pronouns: Vec<String>,
    /// Later sentences that begin with one.
    pub later: Vec<String>,
}

impl Comments {
    /// The share of comments that begin with a pronoun.
    pub fn percent(&self) -> f64 {
        100.0 * self.pronouns.len() as f64 / self.all.max(1) as f64
    }

    fn add(&mut self, path: &str, line: usize, text: &str) {
        self.all += 1;
        let place = |sentence: &str| {
            let short: String = sentence.chars().take(70).collect();
            format!("{path}:{line}: {short}")
        };
        for (index, sentence) in text
            .split_inclusive([' ', '\n'])
            .fold_sentences()
            .enumerate()
        {
            if !PRONOUNS.contains(&first_word(&sentence)) {
                continue;
            }
            match index {
                0 => self.pronouns.push(place(&sentence)),
                _ => self.later.push(place(&sentence)),
            }
        }
    }
}

/// Joins words to sentences, which end with `.`, `?`, `!` or `:`.
trait Sentences {
    fn fold_sentences(self) -> impl Iterator<Item = String>;
}

impl<'a, I: Iterator<Item = &'a str>> Sentences for I {
    fn fold_sentences(self) -> impl Iterator<Item = String> {
        let mut sentences = vec![String::new()];
        for word in self {
            let ends = word.trim_end().ends_with(['.', '?', '!']);
            if let Some(sentence) = sentences.last_mut() {
                sentence.push_str(&word.replace('\n', " "));
            }
            if ends {
                sentences.push(String::new());
            }
        }
        sentences
            .into_iter()
            .filter(|sentence| !sentence.trim().is_empty())
    }
}

/// Reads the doc comments of Rust (`///`, `//!`) and of the web (`/**`).
pub fn read(tree: &Tree) -> Comments {
    let mut comments = Comments::default();
    for (path, text) in tree.ending(&[".rs"]) {
        for mark in ["///", "//!"] {
            read_lines(&mut comments, path, text, mark);
        }
        read_blocks(&mut comments, path, text);
    }
    for (path, text) in tree.ending(&[".ts", ".js", ".mjs", ".svelte"]) {
        read_blocks(&mut comments, path, text);
    }
    comments
}

fn read_lines(comments: &mut Comments, path: &str, text: &str, mark: &str) {
    let mut comment: Option<(usize, String)> = None;
    for (number, line) in text.lines().chain([""]).enumerate() {
        let body = line
            .trim_start()
            .strip_prefix(mark)
            .filter(|body| !body.starts_with('/'));
        match body {
            Some(body) => {
                let (_, text) = comment.get_or_insert((number + 1, String::new()));
                text.push_str(body.trim());
                text.push('\n');
            }
            None => {
                if let Some((line, text)) = comment.take() {
                    comments.add(path, line, &text);
                }
            }
        }
    }
}

fn read_blocks(comments: &mut Comments, path: &str, text: &str) {
    let mut rest = 0;
    while let Some(start) = text[rest..].find("/**").map(|at| rest + at) {
        let Some(end) = text[start..].find("*/").map(|at| start + at) else {
            return;
        };
        rest = end + 2;
        // `/**` inside a line is a pattern such as `src/**`, not a comment.
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        if end < start + 3 || !text[line_start..start].trim().is_empty() {
            rest = rest.max(start + 3);
            continue;
        }
        let body: String = text[start + 3..end]
            .lines()
            .map(|line| line.trim().trim_start_matches('*').trim().to_owned() + "\n")
            .collect();
        comments.add(path, text[..start].lines().count(), body.trim());
    }
}

fn first_word(sentence: &str) -> &str {
    let sentence = sentence.trim_start_matches(|c: char| !c.is_alphanumeric());
    let end = sentence
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(sentence.len());
    &sentence[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_counts_once_by_its_first_word() {
        let mut comments = Comments::default();
        let text = "/// What it does.\n/// It goes on.\nfn a() {}\n/// Returns two. They differ.\nfn b() {}\n";
        read_lines(&mut comments, "a.rs", text, "///");
        assert_eq!(
            (comments.all, comments.pronouns.len(), comments.later.len()),
            (2, 1, 2)
        );
        read_blocks(
            &mut comments,
            "a.ts",
            "/** Who asks. */\nconst a = 'src/**/x';\n\t/**\n\t * Whether.\n\t */\n",
        );
        assert_eq!((comments.all, comments.pronouns.len()), (4, 2));
    }
}
