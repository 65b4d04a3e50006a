//! Asking the model: one call, and one more if the answer can't be used.

use std::collections::BTreeSet;
use std::sync::Mutex;

use mana_core::planner::{
    Checks, Message, Plan, PromptParts, PromptTool, RefusedStep, Unusable, parse, prompt, repair,
};
use mana_core::policy::Overrides;
use mana_core::{Micros, RecordKey};
use mana_store::{Claim, Scope};
use tokio::time::timeout;

use crate::llm::{ChatAnswer, ChatRequest, LlmError};
use crate::load::{self, Loaded};
use crate::runner::Inner;
use crate::words;

/// What came of asking.
pub(crate) struct Thought {
    /// Who answered last, or was asked.
    pub model: Option<String>,
    /// Tokens of all calls.
    pub tokens: Option<u64>,
    /// The plan, or why there is none.
    pub result: Result<Plan, Failure>,
}

/// Why there is no plan.
#[derive(Clone)]
pub(crate) struct Failure {
    pub code: String,
    /// What happened, for the person.
    pub message: String,
    pub refused: Vec<RefusedStep>,
    /// The model answered, but not with a plan.
    pub answered: bool,
}

impl Failure {
    fn unusable(error: Unusable) -> Self {
        Self {
            code: error.code.to_owned(),
            message: error.message,
            refused: Vec::new(),
            answered: true,
        }
    }

    /// The plan passed every check, and the log doesn't take it all the same.
    pub fn unwritable(reason: &str) -> Self {
        Self {
            code: "unwritable".to_owned(),
            message: words::unwritable(reason),
            refused: Vec::new(),
            answered: true,
        }
    }

    fn refused(refused: Vec<RefusedStep>) -> Self {
        let reasons: Vec<_> = refused.iter().map(RefusedStep::sentence).collect();
        let code = refused
            .first()
            .map_or("refused", |step| step.code)
            .to_owned();
        Self {
            code,
            message: words::all_refused(&reasons),
            refused,
            answered: true,
        }
    }
}

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            refused: Vec::new(),
            answered: false,
        }
    }
}

/// The calls of one run.
struct Conversation<'a> {
    inner: &'a Inner,
    claim: &'a Claim,
    scope: &'a Scope,
    overrides: &'a Overrides,
    /// The records in the prompt; a tab's own may not have been synced yet.
    shown: BTreeSet<RecordKey>,
    asked: String,
    model: Option<String>,
    tokens: Option<u64>,
}

/// Asks for a plan, and once more with the reasons if the answer can't be used as it is.
pub(crate) async fn think(
    inner: &Inner,
    claim: &Claim,
    scope: &Scope,
    loaded: &Loaded,
    iteration_id: &str,
    locale: &str,
    now: Micros,
) -> mana_store::Result<Thought> {
    let registry = inner.registry.as_ref();
    let overrides = Overrides::default();
    let reading = load::reading(inner.store.as_ref(), registry, scope, claim, loaded, now).await?;
    let messages = prompt(&PromptParts {
        mission: &loaded.mission,
        iteration_id,
        now,
        zone: (&loaded.zone_name, loaded.zone.clone()),
        locale,
        tools: &PromptTool::all(registry, &overrides),
        context: reading.context.as_deref(),
        inputs: &reading.inputs,
        notes: &reading.notes,
        pending: &reading.pending,
        budget_chars: inner.config.prompt_chars,
    });
    let asked = loaded
        .mission
        .model
        .clone()
        .unwrap_or_else(|| inner.config.model.clone());
    let mut talk = Conversation {
        inner,
        claim,
        scope,
        overrides: &overrides,
        shown: reading
            .inputs
            .iter()
            .map(|input| RecordKey::new(&input.module, &input.table, &input.id))
            .collect(),
        asked,
        model: None,
        tokens: None,
    };
    let result = talk.plan(messages).await?;
    Ok(Thought {
        model: talk.model.or(Some(talk.asked)),
        tokens: talk.tokens,
        result,
    })
}

impl Conversation<'_> {
    async fn plan(&mut self, messages: Vec<Message>) -> mana_store::Result<Result<Plan, Failure>> {
        let text = match self.ask(messages.clone()).await {
            Ok(text) => text,
            Err(error) => return Ok(Err(error.into())),
        };
        let first = self.read(&text).await?;
        let reasons: Vec<String> = match &first {
            Ok(plan) if plan.refused.is_empty() => return Ok(first.map_err(Failure::unusable)),
            Ok(plan) => plan.refused.iter().map(RefusedStep::sentence).collect(),
            Err(error) => vec![error.message.clone()],
        };
        let second = match self.ask(repair(&messages, &text, &reasons)).await {
            Ok(text) => Some(self.read(&text).await?),
            Err(_) => None,
        };
        Ok(choose(first, second))
    }

    /// One call. The model keeps the time by itself; this one is for a model that doesn't, and leaves
    /// room for the runs that wait for the same place.
    async fn ask(&mut self, messages: Vec<Message>) -> Result<String, LlmError> {
        let config = &self.inner.config;
        let request = ChatRequest {
            model: self.asked.clone(),
            messages,
            user: self.claim.user.clone(),
            mission_id: self.claim.mission_id.clone(),
            timeout: config.llm_timeout,
            max_bytes: config.max_answer_bytes,
        };
        let patience = config.llm_timeout * (config.parallel as u32 + 1);
        let answer: ChatAnswer = match timeout(patience, self.inner.llm.chat(request)).await {
            Ok(answer) => answer?,
            Err(_) => {
                let message = format!(
                    "The model gave no answer within {} minutes.",
                    patience.as_secs().div_ceil(60)
                );
                return Err(LlmError::new("timeout", message));
            }
        };
        if !answer.model.is_empty() {
            self.model = Some(answer.model);
        }
        if let Some(tokens) = answer.tokens {
            self.tokens = Some(self.tokens.unwrap_or(0) + tokens);
        }
        if answer.text.len() > config.max_answer_bytes {
            return Err(LlmError::new(
                "too_large",
                "The model’s answer is far too large for a plan.",
            ));
        }
        Ok(answer.text)
    }

    /// Reads an answer: once to see which records it names, and once more knowing which of them exist.
    async fn read(&self, text: &str) -> mana_store::Result<Result<Plan, Unusable>> {
        let named = Mutex::new(BTreeSet::new());
        let note = |key: &RecordKey| {
            if let Ok(mut named) = named.lock() {
                named.insert(key.clone());
            }
            true
        };
        let first = self.parse(text, &note);
        let named = named.into_inner().unwrap_or_default();
        if named.is_empty() {
            return Ok(first);
        }
        let mut known = BTreeSet::new();
        for key in named {
            let stored = self.inner.store.record(self.scope, &key).await?;
            if self.shown.contains(&key) || stored.is_some_and(|state| !state.is_deleted()) {
                known.insert(key);
            }
        }
        Ok(self.parse(text, &|key| known.contains(key)))
    }

    fn parse(&self, text: &str, exists: &dyn Fn(&RecordKey) -> bool) -> Result<Plan, Unusable> {
        parse(
            text,
            &Checks {
                registry: &self.inner.registry,
                overrides: self.overrides,
                exists,
            },
        )
    }
}

/// What a person would want of two answers: a plan without a fault, else the second one's good steps,
/// else the first one's. Refused steps stay in the plan with their reasons. Without a good step the
/// run failed.
fn choose(
    first: Result<Plan, Unusable>,
    second: Option<Result<Plan, Unusable>>,
) -> Result<Plan, Failure> {
    let usable = |plan: &Plan| plan.refused.is_empty() || !plan.steps.is_empty();
    match (first, second) {
        (_, Some(Ok(plan))) if usable(&plan) => Ok(plan),
        (Ok(plan), _) if usable(&plan) => Ok(plan),
        (_, Some(Ok(plan))) | (Ok(plan), None) => Err(Failure::refused(plan.refused)),
        (_, Some(Err(error))) | (Err(error), None) => Err(Failure::unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use mana_core::Map;
    use mana_core::planner::PlannedStep;

    use super::*;

    fn plan(good: usize, bad: usize) -> Plan {
        let step = |index| PlannedStep {
            index,
            summary: String::new(),
            tool_name: "create_task".into(),
            params: Map::new(),
            rationale: "r".into(),
        };
        let refused = |index| RefusedStep {
            index,
            code: "unknown_tool",
            summary: String::new(),
            reason: "there is no such tool.".into(),
        };
        Plan {
            summary: format!("{good} good, {bad} bad"),
            steps: (0..good).map(step).collect(),
            refused: (good..good + bad).map(refused).collect(),
        }
    }

    fn prose() -> Unusable {
        Unusable {
            code: "prose",
            message: "The model answered in prose instead of a plan.".into(),
        }
    }

    #[test]
    fn missions_a10_after_the_repair_round_good_steps_are_kept_and_none_is_a_failure() {
        let kept = |first, second| {
            choose(first, second)
                .map(|plan| plan.summary)
                .map_err(|failure| failure.code)
        };
        assert_eq!(
            kept(Err(prose()), Some(Ok(plan(2, 0)))),
            Ok("2 good, 0 bad".into())
        );
        assert_eq!(
            kept(Ok(plan(1, 1)), Some(Ok(plan(2, 0)))),
            Ok("2 good, 0 bad".into())
        );
        assert_eq!(
            kept(Ok(plan(1, 1)), Some(Ok(plan(1, 2)))),
            Ok("1 good, 2 bad".into())
        );
        assert_eq!(
            kept(Ok(plan(1, 1)), Some(Err(prose()))),
            Ok("1 good, 1 bad".into())
        );
        assert_eq!(
            kept(Ok(plan(1, 1)), Some(Ok(plan(0, 1)))),
            Ok("1 good, 1 bad".into())
        );
        assert_eq!(kept(Ok(plan(1, 1)), None), Ok("1 good, 1 bad".into()));
        assert_eq!(
            kept(Ok(plan(0, 1)), Some(Ok(plan(0, 0)))),
            Ok("0 good, 0 bad".into()),
            "nothing to do after all"
        );
        assert_eq!(
            kept(Ok(plan(0, 2)), Some(Ok(plan(0, 1)))),
            Err("unknown_tool".into())
        );
        assert_eq!(
            kept(Ok(plan(0, 2)), Some(Err(prose()))),
            Err("prose".into())
        );
        assert_eq!(kept(Ok(plan(0, 2)), None), Err("unknown_tool".into()));
        assert_eq!(kept(Err(prose()), Some(Err(prose()))), Err("prose".into()));
        assert_eq!(kept(Err(prose()), None), Err("prose".into()));
    }
}
