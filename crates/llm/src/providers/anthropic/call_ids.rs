//! The ids that tie results to calls.

use std::collections::HashSet;

/// The ids of the calls in a conversation. Anthropic takes letters, digits, `-` and `_`, and no id twice; others give
/// ids such as `f:0`, the same ones in every answer, or none.
#[derive(Default)]
pub(super) struct CallIds {
    /// The ids that are taken.
    taken: HashSet<String>,
    /// Calls without a result so far: the id as it was given, and as it goes up.
    open: Vec<(String, String)>,
}

impl CallIds {
    /// A turn of the assistant begins: what has no result by now gets none.
    pub fn next_turn(&mut self) {
        self.open.clear();
    }

    /// The id of the next call.
    pub fn of_call(&mut self, given: &str) -> String {
        let plain = plain_id(given);
        let mut id = plain.clone();
        for number in 2.. {
            if self.taken.insert(id.clone()) {
                break;
            }
            id = format!("{plain}_{number}");
        }
        self.open.push((given.to_owned(), id.clone()));
        id
    }

    /// The id of the first call that has no result yet among those of a given id.
    pub fn of_result(&mut self, given: &str) -> String {
        match self.open.iter().position(|(of, _)| of == given) {
            Some(place) => self.open.remove(place).1,
            None => plain_id(given),
        }
    }
}

fn plain_id(given: &str) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() || letter == '-' {
        true => letter,
        false => '_',
    };
    match given.is_empty() {
        true => "call".to_owned(),
        false => given.chars().map(plain).collect(),
    }
}
