//! The calls of a streamed answer: each gets its place, its id and its arguments, whatever of them a server leaves out.

use serde_json::Value;

use crate::wire::{CallPiece, Object, Told, json_text, new_id};

/// The most calls of an answer that are told apart. Pieces of further ones pass as they are.
const MOST_CALLS: usize = 1024;

/// The calls of which pieces have come.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    /// The place of its choice.
    choice: u64,
    /// Its place among the calls of the choice.
    place: u64,
    /// Its id; empty where the server has told it none.
    id: String,
    has_arguments: bool,
}

impl Calls {
    /// Whether a client would stumble over a piece as it is.
    pub fn is_odd(&self, choice: u64, piece: &CallPiece) -> bool {
        let Some(place) = piece.index.as_u64() else {
            return true;
        };
        let has_id = matches!(piece.id, Told::Text | Told::Error);
        let is_new = !has_id && self.0.iter().all(|call| !call.is_at(choice, place));
        let arguments = &piece.function["arguments"];
        is_new || !(arguments.is_string() || arguments.is_null())
    }

    /// Whether a call of a choice has come without arguments.
    pub fn lack_arguments(&self, choice: u64) -> bool {
        let mut of_choice = self.0.iter().filter(|call| call.choice == choice);
        of_choice.any(|call| !call.has_arguments)
    }

    /// Takes note of a piece that is as it should be.
    pub fn note(&mut self, choice: u64, piece: &CallPiece) {
        let place = piece.index.as_u64().unwrap_or(0);
        if let Some(call) = self.at(choice, place, String::new) {
            call.has_arguments |= has_words(&piece.function["arguments"]);
        }
    }

    /// Puts into a piece what it lacks.
    pub fn put_right(&mut self, choice: u64, piece: &mut Object<'_>) {
        let id: Option<String> = piece.value("id");
        let id = id.filter(|id| !id.is_empty());
        let function: Value = piece.value("function").unwrap_or_default();
        let said: Option<Value> = piece.value("index");
        let place = said.as_ref().and_then(number).unwrap_or_else(|| {
            let is_named = function["name"]
                .as_str()
                .is_some_and(|name| !name.is_empty());
            self.place(choice, id.as_deref(), is_named)
        });
        if said.is_none_or(|said| !said.is_u64()) {
            piece.set("index", place.to_string());
        }
        let arguments = &function["arguments"];
        let text = match arguments {
            Value::String(_) | Value::Null => None,
            other => Some(other.to_string()),
        };
        let has_id = id.is_some();
        let new_id = || id.unwrap_or_else(|| new_id("call_"));
        let known = self.0.iter().any(|call| call.is_at(choice, place));
        if let Some(call) = self.at(choice, place, new_id) {
            call.has_arguments |= text.is_some() || has_words(arguments);
            if !known && !has_id {
                piece.set("id", json_text(&call.id));
            }
        }
        if let Some(text) = text
            && let Some(function) = piece.get("function").map(str::to_owned)
            && let Some(mut function) = Object::read(&function)
        {
            function.set("arguments", json_text(&text));
            piece.set("function", function.text());
        }
    }

    /// Pieces for the calls of a choice that has ended which have come without arguments: clients read them as JSON,
    /// which an empty text is not.
    pub fn last_pieces(&mut self, choice: u64) -> Vec<String> {
        let of_choice = self.0.iter_mut().filter(|call| call.choice == choice);
        let bare = of_choice.filter(|call| !call.has_arguments);
        let pieces = bare.map(|call| {
            call.has_arguments = true;
            format!(
                r#"{{"index":{},"function":{{"arguments":"{{}}"}}}}"#,
                call.place
            )
        });
        pieces.collect()
    }

    /// The place of a call that comes without one: a new id or a name begins a new call, and what has neither goes on
    /// with the last.
    fn place(&self, choice: u64, id: Option<&str>, is_named: bool) -> u64 {
        let mut of_choice = self.0.iter().filter(|call| call.choice == choice);
        let last = of_choice.clone().map(|call| call.place).max();
        let next = last.map_or(0, |last| last.saturating_add(1));
        match id {
            Some(id) => of_choice
                .find(|call| call.id == id)
                .map_or(next, |call| call.place),
            None if is_named => next,
            None => last.unwrap_or(0),
        }
    }

    /// The call at a place, which is noted where it is new. None beyond the bound.
    fn at(&mut self, choice: u64, place: u64, id: impl FnOnce() -> String) -> Option<&mut Call> {
        let known = self.0.iter().position(|call| call.is_at(choice, place));
        let at = known.unwrap_or(self.0.len());
        if at == MOST_CALLS {
            return None;
        }
        if known.is_none() {
            self.0.push(Call {
                choice,
                place,
                id: id(),
                has_arguments: false,
            });
        }
        self.0.get_mut(at)
    }
}

impl Call {
    fn is_at(&self, choice: u64, place: u64) -> bool {
        self.choice == choice && self.place == place
    }
}

/// Whether a piece of arguments is more than white space.
pub(super) fn has_words(arguments: &Value) -> bool {
    match arguments {
        Value::String(text) => !text.trim().is_empty(),
        other => !other.is_null(),
    }
}

/// A place, which some servers write as a text.
pub(super) fn number(said: &Value) -> Option<u64> {
    said.as_u64().or_else(|| said.as_str()?.trim().parse().ok())
}
