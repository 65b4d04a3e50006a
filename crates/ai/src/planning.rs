//! Planning: the prompt, and the model's answer as a plan. The model is asked once and, where its answer can't be used,
//! once more; or it calls tools (`tool_loop.rs`). `session.rs` is the conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use mana_core::manifest::EffectOp;
use mana_core::mission::{Overlap, lessons};
use mana_core::planner::calls::{self, MAX_READ_ROUNDS, WantedRead, plan_schema};
use mana_core::planner::{
    Known, Message, MessageRole, OpenRecord, OutlineInput, Plan, PlanChecks, PlanFormat, PlanNote,
    PromptParts, PromptTools, RecentCall, RefusedStep, UnusableAnswer, fit, open_records, parser,
    prompt, repair,
};
use mana_core::policy::Policy;
use mana_core::staging;

use crate::budget::RunBudget;
use crate::failure::{Failure, TokenLimit};
use crate::inputs::{self, PromptInputs};
use crate::load::Run;
use crate::messages;
use crate::model_tokens::messages_tokens;
use crate::session::PlannerSession;

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

/// How often a prompt is made shorter because the model's server takes less than was known.
const SHRINKS: usize = 2;

/// Of the room for a prompt, the part that is left for what the model reads.
const READING_SHARE: usize = 8;

/// Of an answer that asks for records, the tokens that are told again.
const TOLD_AGAIN: usize = 200;

/// Plans a run, in the most reliable format that the model has. Where the model refuses that format, in fenced JSON.
pub(crate) async fn plan(run: &Run<'_>) -> mana_store::Result<PlanOutcome> {
    let parts = run.parts();
    let (registry, agent) = (parts.registry.as_ref(), run.agent());
    let permits = &run.context.agent_permits;
    let _permit = permits.acquire(&run.claim.user, &agent.agent).await;
    let asked = agent.model.as_ref().unwrap_or(&parts.config.model);
    let facts = parts.llm.facts(asked).await;
    let inputs = inputs::read(run).await?;
    let tools = PromptTools::of(run.mission(), registry, agent.overrides(), &run.at());
    let iteration_id = run.iteration_id();
    let mut lessons = lessons::lessons(run.mission());
    lessons.retain(|lesson| lesson.is_kept(run.began));
    let prompt_parts = |format, room_tokens| PromptParts {
        mission: run.mission(),
        iteration_id: &iteration_id,
        now: run.began,
        zone: (&run.loaded.zone_name, run.loaded.zone.clone()),
        locale: &run.user.locale,
        agent: &agent.agent,
        format,
        max_steps: agent.settings.max_steps as usize,
        registry,
        tools: &tools,
        short: &inputs.short,
        context: inputs.context.as_deref(),
        inputs: &inputs.inputs,
        busy: inputs.busy.as_deref(),
        notes: &inputs.notes,
        lessons: &lessons,
        pending: &inputs.pending,
        budget_tokens: parts.config.prompt_tokens,
        room_tokens,
    };
    let seen = run.context.model_tokens.window(asked, run.began);
    let mut session = PlannerSession {
        run,
        iteration_id: &iteration_id,
        tools: tools.clone(),
        shown: inputs.shown.clone(),
        short: inputs.short.clone(),
        titles: inputs.titles.clone(),
        unread: 0,
        asked,
        window: [facts.context_tokens, seen].into_iter().flatten().min(),
        may_shrink: true,
        outline: Arc::new(OutlineInput::of(&prompt_parts(
            PlanFormat::FencedJson,
            None,
        ))),
        model: None,
        budget: RunBudget::new(run, facts),
    };
    let mut format = session.fitting(facts);
    let mut cut = None;
    let mut shrinks = 0;
    let result = loop {
        session.may_shrink = shrinks < SHRINKS;
        let room = session.room();
        // What the model reads has to fit beside the prompt.
        let prompted = room.map(|room| room - room / READING_SHARE);
        let messages = prompt(&prompt_parts(format, prompted));
        let sent = messages_tokens(&messages) + session.function_tokens(format);
        let left = room.map(|room| room.saturating_sub(sent));
        session.unread = left.unwrap_or(usize::MAX).min(parts.config.prompt_tokens);
        let result = session.plan(messages, format).await?;
        match result {
            Err(Failure {
                too_long: Some(limit),
                message,
                ..
            }) if session.may_shrink => {
                shrinks += 1;
                session.shrink(limit);
                let was_cut = matches!(limit, TokenLimit::Cut(_));
                cut = cut.or(was_cut.then_some(message));
                if format == PlanFormat::ToolCalls {
                    format = session.fitting(facts);
                }
            }
            Err(failure)
                if format != PlanFormat::FencedJson
                    && (failure.unable || failure.is_about_form) =>
            {
                format = PlanFormat::FencedJson;
            }
            result => break result,
        }
    };
    let waits = |tool: &str| {
        let tool = registry.tool(tool);
        tool.is_none_or(|tool| agent.overrides().effective(tool) != Policy::Auto)
    };
    let result = match result {
        Ok(mut plan) => {
            plan.notes.extend(cut.map(PlanNote::prompt_cut));
            let records = existing(run, &plan).await?;
            let known = Known {
                registry,
                lessons: &lessons,
                records: &records,
            };
            Ok(known
                .sift(plan)
                .normalized(&settled(&inputs), room(run), waits))
        }
        Err(failure) => Err(failure),
    };
    Ok(PlanOutcome {
        tokens: session.budget.tokens(),
        cost: session.budget.cost(),
        model: session.model.or(Some(asked.clone())),
        result,
    })
}

/// How many more proposals of the mission may wait. A plan that replaces those that wait has room for all.
fn room(run: &Run<'_>) -> usize {
    let most = run.agent().settings.max_open_proposals as usize;
    if run.mission().overlap == Overlap::Replace {
        return most;
    }
    let registry = &run.parts().registry;
    most.saturating_sub(staging::open_steps(registry, run.mission(), run.began).count())
}

/// The proposals that wait, which are not proposed again.
fn settled(inputs: &PromptInputs) -> Vec<RecentCall> {
    inputs.pending.iter().map(RecentCall::from).collect()
}

/// The open records of the tables that the plan's steps add to, of those that changed last.
async fn existing(
    run: &Run<'_>,
    plan: &Plan,
) -> mana_store::Result<BTreeMap<(String, String), Vec<OpenRecord>>> {
    let registry = &run.parts().registry;
    let tools = plan
        .steps
        .iter()
        .filter_map(|step| registry.tool(&step.tool_name));
    let adding = tools.filter(|tool| tool.tool.effect.op == EffectOp::Insert);
    let tables: BTreeMap<_, _> = adding
        .map(|tool| {
            let place = (tool.module.id.clone(), tool.tool.effect.table.clone());
            (place, tool.table)
        })
        .collect();
    let mut found = BTreeMap::new();
    for (place, table) in tables {
        let store = run.parts().store.as_ref();
        let (rows, _) = inputs::table_rows(store, &run.scope, &place.0, &place.1).await?;
        let open = open_records(table, &rows, run.mission(), run.began);
        found.insert(place, open);
    }
    Ok(found)
}

impl PlannerSession<'_> {
    async fn plan(
        &mut self,
        messages: Vec<Message>,
        format: PlanFormat,
    ) -> mana_store::Result<Result<Plan, Failure>> {
        match format {
            PlanFormat::ToolCalls => self.plan_by_calls(messages).await,
            PlanFormat::JsonSchema | PlanFormat::FencedJson => {
                self.plan_by_answer(messages, format == PlanFormat::JsonSchema)
                    .await
            }
        }
    }

    /// Asks for a plan in an answer. An answer of queries is carried out, and the model asked again with what was
    /// found; a faulty plan is asked for once more.
    async fn plan_by_answer(
        &mut self,
        mut messages: Vec<Message>,
        by_schema: bool,
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let most = self.run.agent().settings.max_steps as usize;
        let mut rounds = 0;
        let (answer, schema) = loop {
            let may_read = rounds < MAX_READ_ROUNDS && self.may_read();
            let schema = by_schema.then(|| plan_schema(&self.tools, may_read, most));
            let asked = self.ask(messages.clone(), Vec::new(), schema.clone());
            let answer = match asked.await? {
                Ok(answer) => answer,
                Err(failure) => return Ok(Err(failure)),
            };
            let read = |checks: &PlanChecks<'_>| {
                let read = parser::read(answer.model_answer(), checks).unwrap_or_default();
                calls::wanted_reads(&read, checks)
            };
            let wanted = match rounds < MAX_READ_ROUNDS {
                true => self.reading(read),
                false => Vec::new(),
            };
            if wanted.is_empty() {
                break (answer, schema);
            }
            let found = self.read_all(wanted).await?;
            rounds += 1;
            let said = fit::beginning(&parser::without_thoughts(&answer.text), TOLD_AGAIN);
            self.unread = self.unread.saturating_sub(fit::tokens(&said));
            messages.push(Message::new(
                MessageRole::Assistant,
                messages::nothing(&said),
            ));
            let more = match rounds < MAX_READ_ROUNDS && self.may_read() {
                true => messages::read_on(),
                false => messages::read_enough_for_plan(),
            };
            messages.push(Message::new(MessageRole::User, format!("{found}\n{more}")));
        };
        let first = self.read(&answer).await?;
        let reasons: Vec<String> = match &first {
            Ok(plan) if plan.refused.is_empty() => return Ok(first.map_err(Failure::unusable)),
            Ok(plan) => plan.refused.iter().map(RefusedStep::sentence).collect(),
            Err(error) => vec![error.message.clone()],
        };
        let room = self.room().unwrap_or(usize::MAX);
        let left = room.saturating_sub(messages_tokens(&messages));
        let again = repair(&messages, &answer.text, &reasons, left);
        let second = match self.ask(again, Vec::new(), schema).await? {
            Ok(answer) => Some(self.read(&answer).await?),
            Err(_) => None,
        };
        Ok(choose(first, second))
    }

    /// The records that were asked for, each query above its own.
    async fn read_all(&mut self, wanted: Vec<WantedRead>) -> mana_store::Result<String> {
        let mut found = String::new();
        for read in wanted {
            match read {
                WantedRead::Query(tool, params) => {
                    let records = self.query(&tool, &params).await?;
                    found.push_str(&format!("{tool}:\n{records}\n"));
                }
                WantedRead::Unclear(reason) => {
                    found.push_str(&format!("Not understood: {reason}\n"));
                }
            }
        }
        Ok(found)
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
            ..Plan::default()
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
