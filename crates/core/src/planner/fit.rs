//! The token budget of a prompt: texts are cut, the longest first, until they take no more tokens than they may. Rule
//! MISSIONS P7.
//!
//! Tokens are estimated. Every model counts them in its own way; none gives fewer than one to a character that isn't
//! ASCII, and four ASCII characters make about one.

/// The weight of a token, in quarters of one.
const TOKEN: usize = 4;

/// A text is never cut shorter than this, in quarters of a token; whole records are left out instead.
const SHORTEST: usize = 200;

/// About how many tokens a text takes.
pub fn tokens(text: &str) -> usize {
    weight(text).div_ceil(TOKEN)
}

fn weight(text: &str) -> usize {
    text.chars().map(weight_of).sum()
}

fn weight_of(c: char) -> usize {
    if c.is_ascii() { 1 } else { TOKEN }
}

/// Which texts stay, and how long.
pub(super) struct TextFit {
    /// How many of the optional texts stay, from the first.
    pub kept: usize,
    /// The greatest weight that a text may have.
    cap: usize,
    /// How many of those that stay are longer.
    pub cut: usize,
}

impl TextFit {
    /// Fits texts into a number of tokens. Of `optional` ones the last are left out where all of them would become
    /// too short to be of use.
    pub fn new<'a>(
        fixed: impl IntoIterator<Item = &'a str>,
        optional: impl IntoIterator<Item = &'a str>,
        budget: usize,
    ) -> TextFit {
        let budget = budget.saturating_mul(TOKEN);
        let fixed: Vec<usize> = fixed.into_iter().map(weight).collect();
        let mut optional: Vec<usize> = optional.into_iter().map(weight).collect();
        if fixed.iter().chain(&optional).sum::<usize>() > budget {
            let most = (budget / SHORTEST).saturating_sub(fixed.len()).max(1);
            optional.truncate(most);
        }
        let kept = optional.len();
        let mut weights = fixed;
        weights.append(&mut optional);
        let cap = cap(&mut weights, budget);
        let cut = weights.iter().filter(|weight| **weight > cap).count();
        TextFit { kept, cap, cut }
    }

    /// A text as it stays.
    pub fn cut(&self, text: &str) -> String {
        cut(text, self.cap)
    }
}

/// The weight to which texts have to be cut so that they fit a budget together, the lighter ones staying whole.
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
    cut(text, tokens.saturating_mul(TOKEN))
}

fn cut(text: &str, max: usize) -> String {
    let mut sum = 0;
    for (number, (at, c)) in text.char_indices().enumerate() {
        sum += weight_of(c);
        if sum > max {
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
    fn missions_p7_tokens_are_estimated_from_the_characters() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("Milk"), 1);
        assert_eq!(tokens("Oat milk"), 2);
        assert_eq!(tokens("Übermut"), 3);
        assert_eq!(tokens("日本語"), 3);
    }

    #[test]
    fn missions_p7_a_cut_text_takes_what_it_may_and_says_so() {
        assert_eq!(beginning("short", 10), "short");
        assert_eq!(
            beginning(&"a".repeat(50), 10),
            format!("{}\n[cut here: 40 of 50 characters]", "a".repeat(40))
        );
        assert_eq!(
            beginning("日本語", 2),
            "日本\n[cut here: 2 of 3 characters]"
        );
    }
}
