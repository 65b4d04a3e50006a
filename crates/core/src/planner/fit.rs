//! The token budget of a prompt: texts are cut, the longest first, until they take no more tokens than they may. Rule
//! MISSIONS P7.
//!
//! Tokens are counted by a rule that errs upwards, because every model has a tokenizer of its own: against those of
//! Qwen 3, Llama 3 and GPT-4o it counts up to 1.5 times the tokens of English, German, JSON and tables, and hardly ever
//! fewer (`cargo xtask tokens` measures it). The runner corrects it for each model by the tokens that the model counts.

/// A text is never cut shorter than this, in tokens; whole records are left out instead.
const SHORTEST: usize = 50;

/// How many tokens a text takes at most, near enough.
pub fn tokens(text: &str) -> usize {
    let mut counter = Counter::default();
    text.chars().map(|c| counter.add(c)).sum()
}

/// Characters that tokenizers put together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Latin letters.
    Word,
    /// Letters of other alphabets.
    Script,
    /// ASCII punctuation.
    Marks,
    Blank,
    Lines,
    /// Digits, characters of Chinese and Japanese, symbols: each stands alone.
    Single,
}

/// Counts the tokens of a text, character by character.
#[derive(Default)]
struct Counter {
    run: Option<Run>,
    length: usize,
    after_small: bool,
}

impl Counter {
    /// How many tokens a further character adds.
    fn add(&mut self, c: char) -> usize {
        let run = match c {
            'a'..='z' | 'A'..='Z' => Run::Word,
            '\n' | '\r' => Run::Lines,
            ' ' | '\t' => Run::Blank,
            '0'..='9' => Run::Single,
            _ if c.is_ascii() => Run::Marks,
            '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => Run::Word,
            _ if c < '\u{2E80}' && c.is_alphabetic() => Run::Script,
            _ => Run::Single,
        };
        // `dueDate` is two words.
        let begins = self.run != Some(run) || c.is_ascii_uppercase() && self.after_small;
        let digit_after_blank =
            c.is_ascii_digit() && self.run == Some(Run::Blank) && self.length == 1;
        if begins {
            (self.run, self.length) = (Some(run), 0);
        }
        self.after_small = c.is_ascii_lowercase();
        let before = self.length;
        // A letter with a mark is as rare in a vocabulary as three without.
        self.length += if run == Run::Word && !c.is_ascii() {
            3
        } else {
            1
        };
        let of = |length: usize| match run {
            Run::Word => usize::from(length > 0) + length.saturating_sub(5).div_ceil(3),
            Run::Script => length.div_ceil(2),
            // Brackets, colons and quotes of JSON stand in vocabularies together.
            Run::Marks => length.div_ceil(3),
            // A single blank belongs to the word behind it.
            Run::Blank => usize::from(length > 1),
            Run::Lines => usize::from(length > 0),
            Run::Single => length,
        };
        let symbols = if c >= '\u{10000}' { 2 } else { 0 };
        of(self.length) - of(before) + symbols + usize::from(digit_after_blank)
    }
}

/// Which texts stay, and how long.
pub(super) struct TextFit {
    /// How many of the optional texts stay, from the first.
    pub kept: usize,
    /// The most tokens that a text may have.
    cap: usize,
    /// How many of those that stay are longer.
    pub cut: usize,
}

impl TextFit {
    /// Fits texts into a number of tokens. Of `optional` ones the last are left out where all of them would become
    /// too short to be of use.
    pub fn new<'f, 'o>(
        fixed: impl IntoIterator<Item = &'f str>,
        optional: impl IntoIterator<Item = &'o str>,
        budget: usize,
    ) -> TextFit {
        let fixed: Vec<usize> = fixed.into_iter().map(tokens).collect();
        let mut optional: Vec<usize> = optional.into_iter().map(tokens).collect();
        // Short texts stay whole, so that many of them fit.
        let least = |tokens: &usize| (*tokens).min(SHORTEST);
        let mut left = budget.saturating_sub(fixed.iter().map(least).sum());
        let fitting = optional.iter().map(least).take_while(|tokens| {
            let fits = *tokens <= left;
            left = left.saturating_sub(*tokens);
            fits
        });
        let fitting = fitting.count().max(1);
        optional.truncate(fitting);
        let kept = optional.len();
        let mut weights = fixed;
        weights.append(&mut optional);
        let cap = cap(&mut weights, budget);
        let cut = weights.iter().filter(|weight| **weight > cap).count();
        TextFit { kept, cap, cut }
    }

    /// A text as it stays.
    pub fn cut(&self, text: &str) -> String {
        beginning(text, self.cap)
    }
}

/// The length to which texts have to be cut so that they fit a budget together, the shorter ones staying whole.
fn cap(weights: &mut [usize], budget: usize) -> usize {
    weights.sort_unstable();
    let mut left = budget;
    for (index, weight) in weights.iter().enumerate() {
        let share = left / (weights.len() - index);
        if *weight > share {
            return share.max(SHORTEST);
        }
        left -= weight;
    }
    usize::MAX
}

/// The beginning of a text, as many tokens of it as are given, saying at its end that it was cut.
pub fn beginning(text: &str, tokens: usize) -> String {
    let mut counter = Counter::default();
    let mut sum = 0_usize;
    for (number, (at, c)) in text.char_indices().enumerate() {
        sum += counter.add(c);
        if sum > tokens {
            let all = text.chars().count();
            return format!("{}\n[cut here: {number} of {all} characters]", &text[..at]);
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_p7_tokens_are_counted_from_the_characters() {
        for (text, expected) in [
            ("", 0),
            ("Milk", 1),
            ("Oat milk", 2),
            ("dueDate", 2),
            ("appointment", 3),
            ("Übermut", 3),
            ("日本語", 3),
            ("2026-11-22", 10),
            (" 42", 3),
            ("\": {\"", 2),
            ("a\n\nb", 3),
            ("Привет", 3),
            ("🎂", 3),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn missions_p7_a_cut_text_takes_what_it_may_and_says_so() {
        assert_eq!(beginning("short", 10), "short");
        let words = "word ".repeat(20);
        assert_eq!(
            beginning(&words, 10),
            format!("{}\n[cut here: 50 of 100 characters]", "word ".repeat(10))
        );
        assert_eq!(
            beginning("日本語", 2),
            "日本\n[cut here: 2 of 3 characters]"
        );
    }

    #[test]
    fn missions_p7_short_texts_stay_whole_where_long_ones_are_cut() {
        let short = vec!["Buy some oat milk"; 40];
        let long = "word ".repeat(2_000);
        let fit = TextFit::new([long.as_str()], short.iter().copied(), 400);
        assert_eq!((fit.kept, fit.cut), (40, 1));
        assert!(tokens(&fit.cut(&long)) < 270);
        let fit = TextFit::new([], short.iter().copied(), 40);
        assert_eq!(fit.kept, 10);
    }
}
