//! Planning: the prompt, and the model's answer as a plan. The model is asked once and, where its answer can't be used,
//! once more; or it calls tools (`tool_loop.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use mana_core::mission::{Intent, StepStatus};
use mana_core::planner::calls::{Function, plan_schema};
use mana_core::planner::prompt::ITERATIONS_SHOWN;
use mana_core::planner::{
    CallOutcome, Message, OutlineInput, Plan, PlanChecks, PlanFormat, PlannedStep, PromptParts,
    PromptTool, RecentCall, RefusedStep, ShownRecord, UnusableAnswer, check_steps, parse, prompt,
    repair, resolve,
};
use mana_core::policy::Policy;
use mana_core::{RecordKey, RecordState, staging};
use serde_json::Value;
use tokio::time::timeout;

use crate::budget::RunBudget;
use crate::failure::Failure;
use crate::inputs::{self, PromptInputs};
use crate::llm::{ChatAnswer, ChatRequest, LlmError, ModelFacts};
use crate::load::Run;
use crate::messages;

/// The outcome of planning.
pub(crate) struct PlanOutcome {
    /// The model that answered last, or else the model that was asked.
    pub model: Option<String>,
    /// Tokens of all calls.
    pub tokens: Option<u64>,
    /// Their cost, in US dollars.
    pub cost: Option<f64>,
    /// The plan, or why there is none.
    pub result: Result<Plan, Failure>,
}

impl PlanOutcome {
    /// A failure before the first call.
    pub fn without_call(failure: Failure) -> Self {
        Self {
            model: None,
            tokens: None,
            cost: None,
            result: Err(failure),
        }
    }
}

/// The conversation of one run with its model.
pub(crate) struct PlannerSession<'a> {
    pub run: &'a Run<'a>,
    pub iteration_id: &'a str,
    /// The records that the model was shown. A tab's own records may not have been synced yet.
    pub shown: BTreeMap<RecordKey, RecordState>,
    /// Tokens that queries may still read.
    pub unread: usize,
    /// The model that is asked.
    asked: &'a str,
    /// The data for a planner that is no model.
    outline: Arc<OutlineInput>,
    /// The model that answered last.
    model: Option<String>,
    budget: RunBudget<'a>,
}

/// Plans a run, in the most reliable format that the model has. Where the model refuses that format, in fenced JSON.
pub(crate) async fn plan(run: &Run<'_>) -> mana_store::Result<PlanOutcome> {
    let parts = run.parts();
    let (registry, agent) = (parts.registry.as_ref(), run.agent());
    let permits = &run.context.agent_permits;
    let _permit = permits.acquire(&run.claim.user, &agent.agent).await;
    let asked = agent.model.as_ref().unwrap_or(&parts.config.model);
    let facts = parts.llm.facts(asked).await;
    let inputs = inputs::read(run).await?;
    let tools = PromptTool::all(registry, agent.overrides());
    let iteration_id = run.iteration_id();
    let prompt_parts = |format| PromptParts {
        mission: run.mission(),
        iteration_id: &iteration_id,
        now: run.began,
        zone: (&run.loaded.zone_name, run.loaded.zone.clone()),
        locale: &run.user.locale,
        agent: &agent.agent,
        format,
        max_steps: agent.settings.max_steps as usize,
        tools: &tools,
        context: inputs.context.as_deref(),
        inputs: &inputs.inputs,
        notes: &inputs.notes,
        pending: &inputs.pending,
        budget_tokens: parts.config.prompt_tokens,
        context_tokens: facts.context_tokens,
    };
    let mut session = PlannerSession {
        run,
        iteration_id: &iteration_id,
        shown: inputs.shown.clone(),
        unread: facts
            .context_tokens
            .map_or(usize::MAX, |all| all / 2)
            .min(parts.config.prompt_tokens),
        asked,
        outline: Arc::new(OutlineInput::of(&prompt_parts(PlanFormat::FencedJson))),
        model: None,
        budget: RunBudget::new(run, facts),
    };
    let format = facts.plan_format();
    let messages = prompt(&prompt_parts(format));
    let mut result = session.plan(messages, format, &tools).await?;
    if format != PlanFormat::FencedJson && result.as_ref().is_err_and(|failure| failure.unable) {
        let messages = prompt(&prompt_parts(PlanFormat::FencedJson));
        result = session
            .plan(messages, PlanFormat::FencedJson, &tools)
            .await?;
    }
    let waits = |tool: &str| {
        let tool = registry.tool(tool);
        tool.is_none_or(|tool| agent.overrides().effective(tool) != Policy::Auto)
    };
    let result = result.map(|plan| plan.normalized(&settled(run, &inputs), room(run), waits));
    Ok(PlanOutcome {
        tokens: session.budget.tokens(),
        cost: session.budget.cost(),
        model: session.model.or(Some(asked.clone())),
        result,
    })
}

/// How many more proposals of the mission may wait.
fn room(run: &Run<'_>) -> usize {
    let most = run.agent().settings.max_open_proposals as usize;
    let registry = &run.parts().registry;
    most.saturating_sub(staging::open_steps(registry, run.mission(), run.began).count())
}

/// Steps that are not proposed again: those that wait, and those that the person has just refused or undone in this
/// mission.
fn settled(run: &Run<'_>, inputs: &PromptInputs) -> Vec<RecentCall> {
    let mut settled: Vec<RecentCall> = inputs.pending.iter().map(RecentCall::from).collect();
    let iterations = run.mission().iterations.iter().rev();
    let steps = iterations
        .take(ITERATIONS_SHOWN)
        .flat_map(|iteration| &iteration.plan);
    for step in steps {
        let outcome = match step.status {
            StepStatus::Rejected => CallOutcome::Refused,
            StepStatus::Undone => CallOutcome::Undone,
            _ => continue,
        };
        if let Intent::ToolCall { tool_name, params } = &step.intent {
            settled.push(RecentCall {
                tool_name: tool_name.clone(),
                params: params.clone(),
                outcome,
            });
        }
    }
    settled
}

impl PlannerSession<'_> {
    async fn plan(
        &mut self,
        messages: Vec<Message>,
        format: PlanFormat,
        tools: &[PromptTool],
    ) -> mana_store::Result<Result<Plan, Failure>> {
        match format {
            PlanFormat::ToolCalls => self.plan_by_calls(messages, tools).await,
            PlanFormat::JsonSchema => {
                let most = self.run.agent().settings.max_steps as usize;
                let schema = plan_schema(tools, most);
                self.plan_by_answer(messages, Some(schema)).await
            }
            PlanFormat::FencedJson => self.plan_by_answer(messages, None).await,
        }
    }

    async fn plan_by_answer(
        &mut self,
        messages: Vec<Message>,
        schema: Option<Value>,
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let asked = self.ask(messages.clone(), Vec::new(), schema.clone());
        let answer = match asked.await? {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure)),
        };
        let first = self.read(&answer).await?;
        let reasons: Vec<String> = match &first {
            Ok(plan) if plan.refused.is_empty() => return Ok(first.map_err(Failure::unusable)),
            Ok(plan) => plan.refused.iter().map(RefusedStep::sentence).collect(),
            Err(error) => vec![error.message.clone()],
        };
        let again = repair(&messages, &answer.text, &reasons);
        let second = match self.ask(again, Vec::new(), schema).await? {
            Ok(answer) => Some(self.read(&answer).await?),
            Err(_) => None,
        };
        Ok(choose(first, second))
    }

    /// Makes a call within the budgets. [`Llm`](crate::Llm) keeps the time limit of a call; the limit here is for an
    /// implementation that doesn't, and leaves time for the runs that wait for the same model.
    pub async fn ask(
        &mut self,
        messages: Vec<Message>,
        functions: Vec<Function>,
        schema: Option<Value>,
    ) -> mana_store::Result<Result<ChatAnswer, Failure>> {
        let config = &self.run.parts().config;
        let request = ChatRequest {
            model: self.asked.to_owned(),
            messages,
            functions,
            schema,
            outline: self.outline.clone(),
            user: self.run.claim.user.clone(),
            mission_id: self.run.claim.mission_id.clone(),
            timeout: config.llm_timeout,
            max_bytes: config.max_answer_bytes,
        };
        let patience = config.llm_timeout * (config.parallel as u32 + 1);
        let now = self.run.parts().now();
        let held = match self.budget.reserve(&request, now, patience).await? {
            Ok(held) => held,
            Err(failure) => return Ok(Err(failure)),
        };
        let call = self
            .run
            .tracker
            .chat(self.run.parts().llm.as_ref(), request);
        let answer = match timeout(patience, call).await {
            Ok(answer) => answer,
            Err(_) => Err(LlmError {
                prompts_read: 1,
                ..LlmError::new("timeout", messages::no_answer(patience))
            }),
        };
        let answer = answer.and_then(|answer| match answer.text.len() > config.max_answer_bytes {
            true => Err(LlmError {
                prompts_read: 1,
                ..LlmError::new(
                    "too_large",
                    "The model’s answer is far too large for a plan.",
                )
            }),
            false => Ok(answer),
        });
        let facts = self.facts_of(&answer).await;
        self.budget.settle(held, &answer, facts).await?;
        if let Ok(answer) = &answer
            && !answer.model.is_empty()
        {
            self.model = Some(answer.model.clone());
        }
        Ok(answer.map_err(Failure::from))
    }

    /// The facts of the model that answered, which may not be the model that the alias named at first.
    async fn facts_of(&self, answer: &Result<ChatAnswer, LlmError>) -> ModelFacts {
        let name = match answer {
            Ok(answer) if !answer.model.is_empty() => &answer.model,
            _ => self.asked,
        };
        self.run.parts().llm.facts(name).await
    }

    /// Parses an answer, knowing which of the records that it names exist.
    async fn read(&self, answer: &ChatAnswer) -> mana_store::Result<Result<Plan, UnusableAnswer>> {
        self.knowing(|checks| parse(answer.model_answer(), checks))
            .await
    }

    /// Checks single steps, knowing which of the records that they name exist, and which steps passed before.
    pub async fn check(
        &self,
        steps: &[Value],
        earlier: &[PlannedStep],
    ) -> mana_store::Result<Plan> {
        self.knowing(|checks| check_steps(steps, earlier, checks))
            .await
    }

    /// Reads knowing the records that the model was shown, and no others.
    pub fn reading<T>(&self, read: impl FnOnce(&PlanChecks<'_>) -> T) -> T {
        let shown = self.shown_records();
        let exists = |key: &RecordKey| self.shown.contains_key(key);
        let state = |key: &RecordKey| self.shown.get(key);
        read(&self.checks(&shown, &exists, &state))
    }

    /// The records that the model was shown, by their titles.
    fn shown_records(&self) -> Vec<ShownRecord> {
        let registry = &self.run.parts().registry;
        let records = self.shown.iter().map(|(key, state)| ShownRecord {
            key: key.clone(),
            short: None,
            title: registry
                .table(&key.app, &key.table)
                .and_then(|table| resolve::title(table, &state.data)),
        });
        records.collect()
    }

    fn checks<'c>(
        &'c self,
        shown: &'c [ShownRecord],
        exists: &'c dyn Fn(&RecordKey) -> bool,
        state: &'c dyn Fn(&RecordKey) -> Option<&'c RecordState>,
    ) -> PlanChecks<'c> {
        let agent = self.run.agent();
        PlanChecks {
            registry: &self.run.parts().registry,
            overrides: agent.overrides(),
            exists,
            state,
            shown,
            now: self.run.began,
            zone: &self.run.loaded.zone,
            locale: &self.run.user.locale,
            max_steps: agent.settings.max_steps as usize,
        }
    }

    /// Reads twice: once to learn which records are named, and once knowing which of them exist.
    async fn knowing<T>(&self, read: impl Fn(&PlanChecks<'_>) -> T) -> mana_store::Result<T> {
        let shown = self.shown_records();
        let named = Mutex::new(BTreeSet::new());
        let note = |key: &RecordKey| {
            if let Ok(mut named) = named.lock() {
                named.insert(key.clone());
            }
            true
        };
        let first = read(&self.checks(&shown, &note, &|_| None));
        let named = named.into_inner().unwrap_or_default();
        if named.is_empty() {
            return Ok(first);
        }
        let unknown = named
            .into_iter()
            .filter(|key| !self.shown.contains_key(key));
        let unknown = Vec::from_iter(unknown);
        let store = &self.run.parts().store;
        let stored = store.records_by_key(&self.run.scope, &unknown).await?;
        let live = stored.into_iter().filter(|(_, state)| !state.is_deleted());
        let live: BTreeMap<RecordKey, RecordState> = live.collect();
        let state = |key: &RecordKey| self.shown.get(key).or_else(|| live.get(key));
        let exists = |key: &RecordKey| state(key).is_some();
        Ok(read(&self.checks(&shown, &exists, &state)))
    }
}

/// Chooses between an answer and its repair: a plan without a fault, else the repair's good steps, else the good steps
/// of the first answer. Refused steps stay in the plan with their reasons. Without a good step the run failed.
fn choose(
    first: Result<Plan, UnusableAnswer>,
    second: Option<Result<Plan, UnusableAnswer>>,
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
            notes: Vec::new(),
        }
    }

    fn prose() -> UnusableAnswer {
        UnusableAnswer {
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
