//! Asking the model: one call and one more if the answer can't be used, or several rounds of calls.

use std::collections::BTreeSet;
use std::sync::Mutex;

use mana_core::manifest::Registry;
use mana_core::mission::{Intent, StepStatus};
use mana_core::planner::calls::{Function, plan_schema};
use mana_core::planner::prompt::ITERATIONS_SHOWN;
use mana_core::planner::{
    Checks, How, Manner, Message, Plan, PromptParts, PromptTool, RefusedStep, Settled, Unusable,
    check_steps, parse, prompt, repair,
};
use mana_core::policy::Policy;
use mana_core::{Map, Micros, RecordKey, staging};
use mana_store::{Claim, Scope};
use serde_json::Value;
use tokio::time::timeout;

use crate::budget::RunBudget;
use crate::llm::{ChatAnswer, ChatRequest, LlmError, ModelFacts};
use crate::load::{self, Loaded, Reading};
use crate::messages::{self, Reason};
use crate::runner::Inner;

/// What came of asking.
pub(crate) struct PlanOutcome {
    /// Who answered last, or was asked.
    pub model: Option<String>,
    /// Tokens of all calls.
    pub tokens: Option<u64>,
    /// What they cost, in US dollars.
    pub cost: Option<f64>,
    /// The plan, or why there is none.
    pub result: Result<Plan, Failure>,
}

/// Why there is no plan.
#[derive(Clone)]
pub(crate) struct Failure {
    pub code: String,
    /// What happened, for the person.
    pub message: String,
    /// The figures in the message.
    pub details: Option<Map>,
    pub refused: Vec<RefusedStep>,
    /// The model answered, but not with a plan.
    pub answered: bool,
    /// The model can't do what was asked of it; asked in another way it might.
    pub unable: bool,
}

impl Failure {
    /// A failure without an answer.
    pub fn new(code: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
            details: None,
            refused: Vec::new(),
            answered: false,
            unable: false,
        }
    }

    /// A failure for a reason.
    pub fn of(reason: Reason) -> Self {
        Self {
            details: reason.details,
            ..Self::new(&reason.code, reason.text)
        }
    }

    /// Why, for a record.
    pub fn reason(self) -> Reason {
        Reason {
            code: self.code,
            text: self.message,
            details: self.details,
        }
    }

    fn unusable(error: Unusable) -> Self {
        Self {
            answered: true,
            ..Self::new(error.code, error.message)
        }
    }

    /// The plan passed every check, and the log doesn't take it all the same.
    pub fn unwritable(reason: &str) -> Self {
        Self {
            answered: true,
            ..Self::new("unwritable", messages::unwritable(reason))
        }
    }

    /// A budget does not reach. The occurrence is skipped, it hasn't failed.
    pub fn over_budget(message: String, details: Map) -> Self {
        Self {
            details: Some(details),
            ..Self::new(OVER_BUDGET, message)
        }
    }

    pub fn is_over_budget(&self) -> bool {
        self.code == OVER_BUDGET
    }

    pub fn refused(refused: Vec<RefusedStep>) -> Self {
        let reasons: Vec<_> = refused.iter().map(RefusedStep::sentence).collect();
        let code = refused.first().map_or("refused", |step| step.code);
        let mut failure = Self::new(code, messages::all_refused(&reasons));
        failure.refused = refused;
        failure.answered = true;
        failure
    }
}

/// The code of an occurrence that a budget had skipped.
pub(crate) const OVER_BUDGET: &str = "over-budget";

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        Self {
            unable: error.refused,
            ..Self::new(&error.code, error.message)
        }
    }
}

/// The calls of one run.
pub(crate) struct PlannerSession<'a> {
    pub inner: &'a Inner,
    pub claim: &'a Claim,
    pub scope: &'a Scope,
    pub loaded: &'a Loaded,
    pub iteration_id: &'a str,
    pub now: Micros,
    /// The records in the prompt; a tab's own may not have been synced yet.
    pub shown: BTreeSet<RecordKey>,
    /// Tokens that may still be read by calls.
    pub unread: usize,
    asked: String,
    model: Option<String>,
    purse: RunBudget<'a>,
}

/// Asks for a plan in the surest way that the model has; in the plainest one if it turns out not to have it.
pub(crate) async fn think(
    inner: &Inner,
    claim: &Claim,
    scope: &Scope,
    loaded: &Loaded,
    iteration_id: &str,
    locale: &str,
    now: Micros,
) -> mana_store::Result<PlanOutcome> {
    let registry = inner.registry.as_ref();
    let terms = &loaded.terms;
    let _place = inner.agents.place(&claim.user, &terms.agent).await;
    let asked = terms.model.as_ref().unwrap_or(&inner.config.model);
    let facts = inner.llm.facts(asked).await;
    let reading = load::reading(inner.store.as_ref(), registry, scope, claim, loaded, now).await?;
    let tools = PromptTool::all(registry, terms.overrides());
    let parts = |manner| PromptParts {
        mission: &loaded.mission,
        iteration_id,
        now,
        zone: (&loaded.zone_name, loaded.zone.clone()),
        locale,
        agent: &terms.agent,
        manner,
        max_steps: terms.settings.max_steps as usize,
        tools: &tools,
        context: reading.context.as_deref(),
        inputs: &reading.inputs,
        notes: &reading.notes,
        pending: &reading.pending,
        budget_tokens: inner.config.prompt_tokens,
        context_tokens: facts.context_tokens,
    };
    let mut talk = PlannerSession {
        inner,
        claim,
        scope,
        loaded,
        iteration_id,
        now,
        shown: reading
            .inputs
            .iter()
            .map(|input| RecordKey::new(&input.module, &input.table, &input.id))
            .collect(),
        unread: facts
            .context_tokens
            .map_or(usize::MAX, |all| all / 2)
            .min(inner.config.prompt_tokens),
        asked: asked.clone(),
        model: None,
        purse: RunBudget::new(inner.ledger.as_ref(), claim, loaded, facts),
    };
    let manner = facts.manner();
    let mut result = talk.plan(prompt(&parts(manner)), manner, &tools).await?;
    if manner != Manner::Fenced && result.as_ref().is_err_and(|failure| failure.unable) {
        let plain = prompt(&parts(Manner::Fenced));
        result = talk.plan(plain, Manner::Fenced, &tools).await?;
    }
    let waits = |tool: &str| {
        let tool = registry.tool(tool);
        tool.is_none_or(|tool| terms.overrides().effective(tool) != Policy::Auto)
    };
    let result = result.map(|plan| {
        plan.tidied(
            &settled(loaded, &reading),
            room(registry, loaded, now),
            waits,
        )
    });
    Ok(PlanOutcome {
        tokens: talk.purse.tokens(),
        cost: talk.purse.cost(),
        model: talk.model.or(Some(talk.asked)),
        result,
    })
}

/// How many more proposals of the mission may wait.
fn room(registry: &Registry, loaded: &Loaded, now: Micros) -> usize {
    let most = loaded.terms.settings.max_open_proposals as usize;
    most.saturating_sub(staging::open_steps(registry, &loaded.mission, now).count())
}

/// What is not to be proposed again: what waits, and what the person has just refused or taken back in this mission.
fn settled(loaded: &Loaded, reading: &Reading) -> Vec<Settled> {
    let mut settled: Vec<Settled> = reading.pending.iter().map(Settled::from).collect();
    let iterations = loaded.mission.iterations.iter().rev();
    for step in iterations.take(ITERATIONS_SHOWN).flat_map(|one| &one.plan) {
        let how = match step.status {
            StepStatus::Rejected => How::Refused,
            StepStatus::Undone => How::Undone,
            _ => continue,
        };
        if let Intent::ToolCall { tool_name, params } = &step.intent {
            settled.push(Settled {
                tool_name: tool_name.clone(),
                params: params.clone(),
                how,
            });
        }
    }
    settled
}

impl PlannerSession<'_> {
    async fn plan(
        &mut self,
        messages: Vec<Message>,
        manner: Manner,
        tools: &[PromptTool],
    ) -> mana_store::Result<Result<Plan, Failure>> {
        match manner {
            Manner::Calls => self.plan_by_calls(messages, tools).await,
            Manner::Schema => {
                let most = self.loaded.terms.settings.max_steps as usize;
                let schema = plan_schema(tools, most);
                self.plan_by_answer(messages, Some(schema)).await
            }
            Manner::Fenced => self.plan_by_answer(messages, None).await,
        }
    }

    async fn plan_by_answer(
        &mut self,
        messages: Vec<Message>,
        schema: Option<Value>,
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let asked = self.ask(messages.clone(), Vec::new(), schema.clone());
        let text = match asked.await? {
            Ok(answer) => answer.text,
            Err(failure) => return Ok(Err(failure)),
        };
        let first = self.read(&text).await?;
        let reasons: Vec<String> = match &first {
            Ok(plan) if plan.refused.is_empty() => return Ok(first.map_err(Failure::unusable)),
            Ok(plan) => plan.refused.iter().map(RefusedStep::sentence).collect(),
            Err(error) => vec![error.message.clone()],
        };
        let again = repair(&messages, &text, &reasons);
        let second = match self.ask(again, Vec::new(), schema).await? {
            Ok(answer) => Some(self.read(&answer.text).await?),
            Err(_) => None,
        };
        Ok(choose(first, second))
    }

    /// One call, within the budgets. The model keeps the time by itself; the one here is for a model that doesn't,
    /// and leaves room for the runs that wait for the same place.
    pub async fn ask(
        &mut self,
        messages: Vec<Message>,
        functions: Vec<Function>,
        schema: Option<Value>,
    ) -> mana_store::Result<Result<ChatAnswer, Failure>> {
        let config = &self.inner.config;
        let request = ChatRequest {
            model: self.asked.clone(),
            messages,
            functions,
            schema,
            user: self.claim.user.clone(),
            mission_id: self.claim.mission_id.clone(),
            timeout: config.llm_timeout,
            max_bytes: config.max_answer_bytes,
        };
        let patience = config.llm_timeout * (config.parallel as u32 + 1);
        let now = (self.inner.clock)();
        let held = match self.purse.reserve(&request, now, patience).await? {
            Ok(held) => held,
            Err(failure) => return Ok(Err(failure)),
        };
        let answer = match timeout(patience, self.inner.llm.chat(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(LlmError::new("timeout", messages::no_answer(patience))),
        };
        let answer = answer.and_then(|answer| match answer.text.len() > config.max_answer_bytes {
            true => Err(LlmError::new(
                "too_large",
                "The model’s answer is far too large for a plan.",
            )),
            false => Ok(answer),
        });
        let facts = self.facts_of(&answer).await;
        self.purse.settle(held, &answer, facts).await?;
        if let Ok(answer) = &answer
            && !answer.model.is_empty()
        {
            self.model = Some(answer.model.clone());
        }
        Ok(answer.map_err(Failure::from))
    }

    /// What is known of the model that answered, which an alias doesn't say.
    async fn facts_of(&self, answer: &Result<ChatAnswer, LlmError>) -> ModelFacts {
        let name = match answer {
            Ok(answer) if !answer.model.is_empty() => &answer.model,
            _ => &self.asked,
        };
        self.inner.llm.facts(name).await
    }

    /// Reads an answer: once to see which records it names, and once more knowing which of them exist.
    async fn read(&self, text: &str) -> mana_store::Result<Result<Plan, Unusable>> {
        self.knowing(|checks| parse(text, checks)).await
    }

    /// The same for steps alone.
    pub async fn check(&self, steps: &[Value]) -> mana_store::Result<Plan> {
        self.knowing(|checks| check_steps(steps, checks)).await
    }

    async fn knowing<T>(&self, read: impl Fn(&Checks<'_>) -> T) -> mana_store::Result<T> {
        let terms = &self.loaded.terms;
        let checks = |exists: &dyn Fn(&RecordKey) -> bool| {
            read(&Checks {
                registry: &self.inner.registry,
                overrides: terms.overrides(),
                exists,
                max_steps: terms.settings.max_steps as usize,
            })
        };
        let named = Mutex::new(BTreeSet::new());
        let note = |key: &RecordKey| {
            if let Ok(mut named) = named.lock() {
                named.insert(key.clone());
            }
            true
        };
        let first = checks(&note);
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
        Ok(checks(&|key| known.contains(key)))
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
