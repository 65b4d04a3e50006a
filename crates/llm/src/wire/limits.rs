//! The bounds of a chat request: how long an answer may be and how many are asked for. Each is read in every spelling
//! that a server may know, so that what is reserved for a call is what the call sends.

use serde_json::Value;

use super::{ChatRequest, Extra};
use crate::error::{GatewayError, Result};

/// OpenAI's two names for the longest answer.
const LONGEST: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// The names for the number of answers; the larger one counts.
const ANSWERS: [&str; 2] = ["n", "best_of"];
/// Fields of the request that are read by their exact name. Servers that ignore case would take another spelling for
/// them.
const READ: [&str; 6] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "response_format",
];
/// Fields whose objects hold schemas or data of the caller, in which a name means nothing to the server.
const CALLERS_OWN: [&str; 15] = [
    "documents",
    "function_call",
    "functions",
    "guided_json",
    "input",
    "json_schema",
    "logit_bias",
    "metadata",
    "prediction",
    "prompt",
    "stop",
    "structured_outputs",
    "system",
    "tool_choice",
    "web_search_options",
];
/// Other names for the number of answers.
const OTHER_ANSWERS: [&str; 11] = [
    "n",
    "bestof",
    "candidatecount",
    "nchoices",
    "ncmpl",
    "numanswers",
    "numchoices",
    "numcompletions",
    "numgenerations",
    "numresponses",
    "numreturnsequences",
];

impl ChatRequest {
    /// Brings the bounds into one form: of the two names for the longest answer one is left, with the larger number,
    /// and of other names for a bound none. A request without either name takes the bound from another.
    pub(crate) fn settle_limits(&mut self) -> Result<()> {
        let mut longest = None;
        let mut names = Vec::new();
        for name in LONGEST {
            if let Some(value) = self.extra.get(name) {
                longest = longest.max(limit(name, value)?);
                names.push(name);
            }
        }
        for name in ANSWERS {
            let Some(value) = self.extra.get(name) else {
                continue;
            };
            match limit(name, value)? {
                Some(answers) if value.as_u64() == Some(answers) => {}
                Some(answers) => drop(self.extra.insert(name.to_owned(), answers.into())),
                None => drop(self.extra.remove(name)),
            }
        }
        let mut other = None;
        strip(&mut self.extra, true, &mut other);
        let name = match names[..] {
            [name] => name,
            _ => "max_tokens",
        };
        let longest = longest.or(other);
        if names.len() == 1 && longest.is_some() && longest == self.extra[name].as_u64() {
            return Ok(());
        }
        for name in LONGEST {
            self.extra.remove(name);
        }
        if let Some(longest) = longest {
            self.extra.insert(name.to_owned(), longest.into());
        }
        Ok(())
    }

    /// The longest answer in tokens that the caller allows.
    pub fn max_tokens(&self) -> Option<u64> {
        let said = LONGEST.iter().filter_map(|name| self.extra.get(*name));
        said.filter_map(|value| number(value)?.positive()).max()
    }

    /// How many answers are asked for.
    pub fn choices(&self) -> u64 {
        let said = ANSWERS.iter().filter_map(|name| self.extra.get(*name));
        let said = said.filter_map(|value| number(value)?.positive());
        said.max().unwrap_or(1)
    }

    /// Says the longest answer under the one name that the server reads, and keeps thoughts within it.
    pub(crate) fn bound_answer(&mut self, name: &str) {
        let Some(longest) = self.max_tokens().or(self.bound) else {
            return;
        };
        for other in LONGEST.iter().filter(|other| **other != name) {
            self.extra.remove(*other);
        }
        let said = self.extra.get(name).and_then(Value::as_u64);
        if said != Some(longest) {
            self.extra.insert(name.to_owned(), longest.into());
        }
        cut(&mut self.extra, longest, false);
    }
}

/// A number of tokens or of answers; a text or a float may say it.
struct Number(f64, Option<u64>);

impl Number {
    /// The number, rounded up. None for zero and below: servers take those for "no bound".
    fn positive(&self) -> Option<u64> {
        self.1
            .or((self.0 > 0.0).then_some(self.0.ceil() as u64))
            .filter(|number| *number > 0)
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(Number(number.as_f64()?, number.as_u64())),
        Value::String(text) => {
            let text = text.trim();
            let number: f64 = text.parse().ok()?;
            number
                .is_finite()
                .then(|| Number(number, text.parse().ok()))
        }
        _ => None,
    }
}

/// The bound that a field states; none for a null, an empty text, zero and below.
fn limit(name: &'static str, value: &Value) -> Result<Option<u64>> {
    let is_empty = value.as_str().is_some_and(|text| text.trim().is_empty());
    if value.is_null() || is_empty {
        return Ok(None);
    }
    let number = number(value).ok_or_else(|| {
        GatewayError::invalid(Some(name), format!("`{name}` has to be a whole number"))
    })?;
    Ok(number.positive())
}

/// Takes other names for a bound out of fields and of the objects in them. `other` is the largest length among them.
fn strip(fields: &mut Extra, is_top: bool, other: &mut Option<u64>) {
    fields.retain(|name, value| {
        let is_own = is_top && (LONGEST.contains(&&**name) || ANSWERS.contains(&&**name));
        if is_own {
            return true;
        }
        if is_top {
            let plain = without_case(name);
            if READ.contains(&&*plain) {
                return plain == *name;
            }
            if CALLERS_OWN.contains(&&*plain) {
                return true;
            }
        }
        let folded = folded(name);
        match value {
            // The thoughts have bounds of their own, within that of the answer.
            _ if is_thought(&folded) => {}
            Value::Object(fields) => strip(fields, false, other),
            Value::Array(items) => {
                let objects = items.iter_mut().filter_map(Value::as_object_mut);
                objects.for_each(|fields| strip(fields, false, other));
            }
            value if is_length(&folded) => {
                *other = (*other).max(number(value).and_then(|number| number.positive()));
                return false;
            }
            _ => return !OTHER_ANSWERS.contains(&&*folded),
        }
        true
    });
}

/// Cuts what a model has to think or to write at least to the longest answer.
fn cut(fields: &mut Extra, longest: u64, in_thought: bool) {
    for (name, value) in fields.iter_mut() {
        if !in_thought && CALLERS_OWN.contains(&&**name) {
            continue;
        }
        let folded = folded(name);
        let is_thought = in_thought || is_thought(&folded);
        let counts = is_thought && (folded.contains("token") || folded.contains("budget"));
        let at_least = folded.starts_with("min") && folded.contains("token");
        match value {
            Value::Object(fields) => cut(fields, longest, is_thought),
            value if counts || at_least => {
                let said = number(value).and_then(|number| number.positive());
                if said.is_some_and(|said| said > longest) {
                    *value = longest.into();
                }
            }
            _ => {}
        }
    }
}

/// Whether a name is about how much a model thinks.
fn is_thought(folded: &str) -> bool {
    folded.contains("thinking") || folded.contains("reasoning")
}

/// Whether a name is one for the longest answer.
fn is_length(folded: &str) -> bool {
    let of_prompt = ["prompt", "input", "context", "image", "cache"];
    let is_length = match folded.strip_prefix("max") {
        Some(rest) => rest.contains("token") || rest.contains("length") || rest.ends_with("len"),
        None => [
            "npredict",
            "numpredict",
            "ntokens",
            "numtokens",
            "tokenlimit",
        ]
        .contains(&folded),
    };
    is_length && !of_prompt.iter().any(|word| folded.contains(word))
}

/// A name as servers compare it that ignore case: two letters outside ASCII have a small one inside it.
fn without_case(name: &str) -> String {
    let plain = |letter: char| match letter {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    name.chars().map(plain).collect()
}

/// The same without dashes and other signs between the words.
fn folded(name: &str) -> String {
    let mut name = without_case(name);
    name.retain(|letter| letter.is_ascii_alphanumeric());
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::Message;

    fn settled(fields: Value) -> Result<ChatRequest> {
        let mut request = ChatRequest::new("m", vec![Message::user("x")]);
        request.extra = fields.as_object().unwrap().clone();
        request.settle_limits().map(|()| request)
    }

    #[test]
    fn a_bound_is_read_in_every_spelling_and_goes_up_once() {
        for (asked, sent) in [
            (json!({"max_tokens": 100}), json!({"max_tokens": 100})),
            (
                json!({"max_completion_tokens": 10, "max_tokens": 50000}),
                json!({"max_tokens": 50000}),
            ),
            (
                json!({"max_completion_tokens": 50000.0}),
                json!({"max_completion_tokens": 50000}),
            ),
            (json!({"max_tokens": "50000"}), json!({"max_tokens": 50000})),
            (json!({"max_tokens": " 5e4 "}), json!({"max_tokens": 50000})),
            (json!({"max_tokens": 0.5}), json!({"max_tokens": 1})),
            (
                json!({"max_tokens": null, "max_completion_tokens": 7}),
                json!({"max_tokens": 7}),
            ),
            (json!({"max_tokens": null}), json!({})),
            (json!({"max_tokens": -1}), json!({})),
            (json!({"max_tokens": 0}), json!({})),
            (json!({"max_tokens": ""}), json!({})),
            (json!({"max_tokens": 1e30}), json!({"max_tokens": u64::MAX})),
            (
                json!({"max_tokens": 5, "n_predict": 50000}),
                json!({"max_tokens": 5}),
            ),
            (
                json!({"max_output_tokens": 50000}),
                json!({"max_tokens": 50000}),
            ),
            (
                json!({"MAX_TOKENS": 50000, "max_tokens": 5}),
                json!({"max_tokens": 5}),
            ),
            (
                json!({"max_to\u{212A}ens": 50000, "max_tokens": 5}),
                json!({"max_tokens": 5}),
            ),
            (json!({"maxTokens": "50000"}), json!({"max_tokens": 50000})),
            (
                json!({"max_tokens": 5, "options": {"num_predict": 50000, "num_ctx": 9}}),
                json!({"max_tokens": 5, "options": {"num_ctx": 9}}),
            ),
            (
                json!({"extra_body": {"google": {"generationConfig": {"maxOutputTokens": 50000}}}}),
                json!({"extra_body": {"google": {"generationConfig": {}}}, "max_tokens": 50000}),
            ),
            (
                json!({"n": 50.0, "best_of": "60"}),
                json!({"n": 50, "best_of": 60}),
            ),
            (
                json!({"n": null, "num_return_sequences": 9, "N": 9}),
                json!({}),
            ),
            (
                json!({"extra_body": {"n": 9, "candidateCount": 9}}),
                json!({"extra_body": {}}),
            ),
            (
                json!({"Model": "other", "Messages": [], "STREAM": true}),
                json!({}),
            ),
            (
                json!({"max_prompt_tokens": 7, "reasoning": {"max_tokens": 9}, "metadata": {"max_tokens": 9}}),
                json!({"max_prompt_tokens": 7, "reasoning": {"max_tokens": 9}, "metadata": {"max_tokens": 9}}),
            ),
            (
                json!({"functions": [{"parameters": {"default": {"max_tokens": 9}}}]}),
                json!({"functions": [{"parameters": {"default": {"max_tokens": 9}}}]}),
            ),
        ] {
            let request = settled(asked.clone()).unwrap();
            assert_eq!(Value::Object(request.extra), sent, "{asked}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_by_its_name() {
        for (field, value) in [
            ("max_tokens", json!("many")),
            ("max_tokens", json!({"most": 1})),
            ("max_completion_tokens", json!(true)),
            ("n", json!([50])),
            ("best_of", json!("NaN")),
        ] {
            let error = settled(json!({ field: value })).unwrap_err();
            assert!(error.message.contains(field), "{error}");
        }
    }

    #[test]
    fn the_larger_number_of_answers_counts() {
        for (fields, answers) in [
            (json!({}), 1),
            (json!({"n": 50}), 50),
            (json!({"n": 1000}), 1000),
            (json!({"n": 2, "best_of": 20}), 20),
            (json!({"n": "3"}), 3),
            (json!({"n": 0}), 1),
        ] {
            assert_eq!(
                settled(fields.clone()).unwrap().choices(),
                answers,
                "{fields}"
            );
        }
    }

    #[test]
    fn an_answer_is_bounded_by_one_name_and_its_thoughts_with_it() {
        let mut request = settled(json!({"max_completion_tokens": 100, "min_tokens": 9000,
            "reasoning": {"max_tokens": 9000, "effort": "high"}, "thinking_budget": 50,
            "extra_body": {"google": {"thinking_config": {"thinking_budget": 9000}}}}))
        .unwrap();
        request.bound_answer("max_tokens");
        assert_eq!(
            Value::Object(request.extra),
            json!({"max_tokens": 100, "min_tokens": 100,
                "reasoning": {"max_tokens": 100, "effort": "high"}, "thinking_budget": 50,
                "extra_body": {"google": {"thinking_config": {"thinking_budget": 100}}}})
        );
        let mut open = settled(json!({})).unwrap();
        open.bound_answer("max_tokens");
        assert!(open.extra.is_empty());
        open.bound = Some(9);
        open.bound_answer("max_completion_tokens");
        assert_eq!(
            Value::Object(open.extra),
            json!({"max_completion_tokens": 9})
        );
    }
}
