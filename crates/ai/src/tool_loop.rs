//! The tool loop: a model plans by calls. A query is answered at once, and a call that would change something becomes a
//! step. Rules MISSIONS V1–V5.

use mana_core::manifest::QueryContext;
use mana_core::planner::calls::{
    self, CallMeaning, MAX_CALLS_PER_ANSWER, MAX_READ_ROUNDS, ToolCall,
};
use mana_core::planner::resolve::Resolver;
use mana_core::planner::{
    InputText, Message, MessageRole, Plan, PromptTool, RefusedStep, fit, parser, prompt,
};
use mana_core::{Map, RecordKey};
use serde_json::Value;

use crate::failure::Failure;
use crate::inputs;
use crate::messages;
use crate::planning::PlannerSession;

/// Tokens that a single query may read. The longest records are cut first.
const RESULT_TOKENS: usize = 3_000;

/// The fewest unread tokens with which a query is still answered.
const FEWEST_TOKENS: usize = 100;

/// The plan as far as the calls so far have made it.
#[derive(Default)]
struct Rounds {
    plan: Plan,
    /// How many steps were called, refused steps included.
    called: usize,
    /// Whether the last answer had a fault.
    faulty: bool,
    /// Whether the model was told of a fault once.
    repaired: bool,
}

impl PlannerSession<'_> {
    /// Asks until the model hands in its plan: up to [`MAX_READ_ROUNDS`] answers with queries, and a last answer
    /// without. The model may repair its calls once.
    pub async fn plan_by_calls(
        &mut self,
        mut messages: Vec<Message>,
        tools: &[PromptTool],
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let overrides = self.run.agent().overrides();
        let reads = PromptTool::reads(&self.run.parts().registry, overrides);
        let mut rounds = Rounds::default();
        for round in 0..=MAX_READ_ROUNDS {
            let last = round == MAX_READ_ROUNDS;
            let functions = calls::functions(tools, if last { &[] } else { &reads });
            let answer = match self.ask(messages.clone(), functions, None).await? {
                Ok(answer) => answer,
                // Steps that were planned before the failed call count.
                Err(failure) if rounds.plan.steps.is_empty() => return Ok(Err(failure)),
                Err(_) => return Ok(Ok(rounds.plan)),
            };
            if answer.calls.is_empty() {
                match rounds.without_calls(&answer.text, last) {
                    Some(result) => return Ok(result),
                    None => {
                        messages.push(Message::new(
                            MessageRole::Assistant,
                            messages::nothing(&answer.text),
                        ));
                        messages.push(prompt::call_now());
                        continue;
                    }
                }
            }
            messages.push(Message::calling(answer.text, answer.calls.clone()));
            let told_before = rounds.repaired;
            let (results, handed_in) = self.carry_out(&answer.calls, &mut rounds, last).await?;
            messages.extend(results);
            // The model is told of its faults once. After that, faulty steps are left out.
            if (handed_in && !rounds.faulty) || (told_before && rounds.faulty) {
                return Ok(rounds.conclude());
            }
        }
        Ok(rounds.never_handed_in())
    }

    /// Carries out the calls of an answer. Returns a result for each, in the order of the calls, and whether the plan
    /// was handed in.
    async fn carry_out(
        &mut self,
        calls: &[ToolCall],
        rounds: &mut Rounds,
        last: bool,
    ) -> mana_store::Result<(Vec<Message>, bool)> {
        let overrides = self.run.agent().overrides().clone();
        let registry = self.run.parts().registry.clone();
        let mut results = Vec::new();
        let mut handed_in = false;
        let mut steps: Vec<(usize, Value)> = Vec::new();
        rounds.faulty = false;
        for (place, call) in calls.iter().enumerate() {
            let said = match calls::interpret(call, &registry, &overrides) {
                _ if place >= MAX_CALLS_PER_ANSWER => {
                    format!("Not looked at: at most {MAX_CALLS_PER_ANSWER} calls at a time.")
                }
                CallMeaning::HandIn { summary } => {
                    rounds.plan.summary = parser::summary(&summary);
                    handed_in = true;
                    "Handed in.".to_owned()
                }
                CallMeaning::Query { .. } if last => messages::read_enough().to_owned(),
                CallMeaning::Query { tool, params } => self.query(&tool, &params).await?,
                CallMeaning::Step(step) => {
                    steps.push((place, step));
                    String::new()
                }
                CallMeaning::Unclear(reason) => {
                    rounds.faulty = true;
                    format!("Not understood: {reason}")
                }
            };
            results.push(Message::result(call, said));
        }
        if !steps.is_empty() {
            let said = self.add(rounds, steps.iter().map(|(_, step)| step)).await?;
            for ((place, _), said) in steps.iter().zip(said) {
                results[*place] = Message::result(&calls[*place], said);
            }
        }
        rounds.repaired |= rounds.faulty;
        Ok((results, handed_in))
    }

    /// Adds steps to the plan, and returns the result of each call.
    async fn add(
        &self,
        rounds: &mut Rounds,
        steps: impl Iterator<Item = &Value>,
    ) -> mana_store::Result<Vec<String>> {
        // Steps of this answer replace the refused steps of the answer before.
        rounds.plan.refused.clear();
        let first = rounds.called;
        let most = self.run.agent().settings.max_steps as usize;
        let steps: Vec<Value> = steps.cloned().collect();
        rounds.called += steps.len();
        let mut said = Vec::new();
        for (offset, step) in steps.iter().enumerate() {
            let index = first + offset;
            let checked = self.check(std::slice::from_ref(step)).await?;
            let room = most > rounds.plan.steps.len();
            for mut good in checked.steps {
                if room {
                    said.push(format!("Noted as a step: {}", good.summary));
                    good.index = index;
                    rounds.plan.steps.push(good);
                } else {
                    let reason = format!("a plan has at most {most} steps.");
                    said.push(format!("Refused: {reason}"));
                    rounds.plan.refused.push(RefusedStep {
                        index,
                        code: "limit",
                        summary: good.summary.chars().take(80).collect(),
                        reason,
                    });
                }
            }
            for mut bad in checked.refused {
                said.push(format!("Refused: {}", bad.reason));
                bad.index = index;
                rounds.plan.refused.push(bad);
            }
        }
        rounds.faulty |= !rounds.plan.refused.is_empty();
        Ok(said)
    }

    /// The result of a query over the person's own records, as fenced text.
    #[expect(
        clippy::disallowed_methods,
        reason = "the core decides what a query finds, and databases don't know its rules"
    )]
    async fn query(&mut self, tool: &str, params: &Map) -> mana_store::Result<String> {
        let registry = self.run.parts().registry.clone();
        let Some(tool) = registry.tool(tool) else {
            return Ok("There is no such tool.".to_owned());
        };
        let (module, table) = (&tool.module.id, &tool.tool.effect.table);
        let store = self.run.parts().store.as_ref();
        let rows = store.records(&self.run.scope, module, table).await?;
        let context = QueryContext {
            now: self.run.began,
            zone: self.run.loaded.zone.clone(),
        };
        let tokens = RESULT_TOKENS.min(self.unread);
        if tokens < FEWEST_TOKENS {
            return Ok(messages::read_enough().to_owned());
        }
        let live = rows.iter().map(|(id, state)| (id.as_str(), state));
        let found = tool.query(params, live, &context);
        let owned = found
            .iter()
            .map(|(id, state)| ((*id).to_owned(), (*state).clone()));
        let tables = [((module.clone(), table.clone()), owned.collect())].into();
        let titles = inputs::titles(store, &registry, &self.run.scope, &tables).await?;
        let resolver = Resolver {
            registry: &registry,
            context,
            title: &|key| titles.get(key).cloned(),
        };
        let texts: Vec<InputText> = found
            .iter()
            .map(|(id, state)| InputText {
                module: module.clone(),
                table: table.clone(),
                id: (*id).to_owned(),
                text: resolver.text(module, tool.table, &state.data),
            })
            .collect();
        self.shown.extend(
            texts
                .iter()
                .map(|text| RecordKey::new(module, table, &text.id)),
        );
        let said = prompt::read_result(self.iteration_id, &texts, tokens);
        self.unread = self.unread.saturating_sub(fit::tokens(&said));
        Ok(said)
    }
}

impl Rounds {
    /// The plan after an answer without calls. None where the model is to be told to call.
    fn without_calls(&mut self, text: &str, last: bool) -> Option<Result<Plan, Failure>> {
        if !self.plan.steps.is_empty() {
            if self.plan.summary.is_empty() {
                self.plan.summary = parser::summary(text);
            }
            return Some(std::mem::take(self).conclude());
        }
        if self.repaired || last {
            return Some(std::mem::take(self).never_handed_in());
        }
        self.repaired = true;
        None
    }

    /// The plan as it stands. A plan with nothing but refused steps has failed.
    fn conclude(self) -> Result<Plan, Failure> {
        match self.plan.steps.is_empty() && !self.plan.refused.is_empty() {
            true => Err(Failure::refused(self.plan.refused)),
            false => Ok(self.plan),
        }
    }

    /// The plan after the last answer, though it was not handed in.
    fn never_handed_in(self) -> Result<Plan, Failure> {
        if self.plan.steps.is_empty() && self.plan.refused.is_empty() {
            let mut failure = Failure::new("no_plan", messages::never_handed_in());
            failure.answered = true;
            return Err(failure);
        }
        self.conclude()
    }
}
