//! The tool loop: a model plans by calls. A query is answered at once, and a call that would change something becomes a
//! step. Rules MISSIONS V1–V5.

use mana_core::planner::calls::{
    self, CallMeaning, MAX_CALLS_PER_ANSWER, MAX_READ_ROUNDS, ToolCall,
};
use mana_core::planner::resolve::Resolver;
use mana_core::planner::{
    InputText, Message, MessageRole, Plan, PlanNote, PlannedStep, RefusedStep, fit, parser, prompt,
};
use mana_core::{Map, RecordKey};
use serde_json::Value;

use crate::failure::Failure;
use crate::inputs;
use crate::messages;
use crate::model_tokens::messages_tokens;
use crate::session::{FEWEST_UNREAD, PlannerSession};

/// Tokens that a single query may read. The longest records are cut first.
const RESULT_TOKENS: usize = 3_000;

/// The most remarks that a plan has.
const MAX_NOTES: usize = 20;

/// The plan as far as the calls so far have made it.
#[derive(Default)]
struct Rounds {
    plan: Plan,
    /// How many steps were called, refused steps included.
    called: usize,
    /// How many steps were called beyond those that a plan may have.
    over: usize,
    /// Whether a step of the last answer had a fault.
    faulty: bool,
    /// Whether the model was told of faulty steps once. A fault in a query is told too, and counts for the rounds of
    /// queries alone.
    repaired: bool,
    /// Whether the model was asked to call after words alone.
    reminded: bool,
}

impl PlannerSession<'_> {
    /// Asks until the model hands in its plan: up to [`MAX_READ_ROUNDS`] answers with queries, and a last answer
    /// without. The model may repair its steps once.
    pub async fn plan_by_calls(
        &mut self,
        mut messages: Vec<Message>,
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let most = self.run.agent().settings.max_steps as usize;
        let mut rounds = Rounds::default();
        let mut failed = false;
        for round in 0..=MAX_READ_ROUNDS {
            let last = round == MAX_READ_ROUNDS;
            let functions = calls::functions(&self.tools, !last && self.may_read());
            let mut answer = match self.ask(messages.clone(), functions, None).await? {
                Ok(answer) => answer,
                // Steps that were planned before the failed call count.
                Err(_) if !rounds.plan.steps.is_empty() => return Ok(rounds.conclude(most)),
                Err(failure) if failure.is_server_error() && !failed => {
                    failed = true;
                    continue;
                }
                Err(mut failure) => {
                    failure.unable |= failure.is_server_error();
                    return Ok(Err(failure));
                }
            };
            let made = std::mem::take(&mut answer.calls);
            answer.calls = self.reading(|checks| calls::opened(made, checks));
            let words = self.reading(|checks| parser::words(&answer.text, checks));
            if answer.calls.is_empty() {
                let read = self.reading(|checks| parser::read(answer.model_answer(), checks));
                match read {
                    Ok(read) => {
                        answer.calls = calls::written(&read);
                        rounds.plan.notes.extend(read.cut.then(PlanNote::cut));
                    }
                    Err(error) if error.code == "truncated" && rounds.reminded => {
                        return Ok(Err(Failure::unusable(error)));
                    }
                    Err(_) => {}
                }
            }
            if answer.calls.is_empty() {
                match rounds.without_calls(&words, last, most) {
                    Some(result) => return Ok(result),
                    None => {
                        messages.push(Message::new(
                            MessageRole::Assistant,
                            messages::nothing(&words),
                        ));
                        messages.push(prompt::call_now());
                        continue;
                    }
                }
            }
            // Thoughts of earlier rounds would be read again in each.
            let made = Message::calling(words, answer.calls.clone());
            self.unread = self
                .unread
                .saturating_sub(messages_tokens(std::slice::from_ref(&made)));
            messages.push(made);
            let told_before = rounds.repaired;
            let (results, handed_in) = self.carry_out(&answer.calls, &mut rounds, last).await?;
            messages.extend(results);
            // The model is told of its faults once. After that, faulty steps are left out.
            if (handed_in && !rounds.faulty) || (told_before && rounds.faulty) {
                return Ok(rounds.conclude(most));
            }
        }
        Ok(rounds.never_handed_in(most))
    }

    /// Carries out the calls of an answer. Returns a result for each, in the order of the calls, and whether the plan
    /// was handed in.
    async fn carry_out(
        &mut self,
        calls: &[ToolCall],
        rounds: &mut Rounds,
        last: bool,
    ) -> mana_store::Result<(Vec<Message>, bool)> {
        let mut results = Vec::new();
        let mut handed_in = false;
        let mut steps: Vec<(usize, CalledStep)> = Vec::new();
        rounds.faulty = false;
        for (place, call) in calls.iter().enumerate() {
            let meaning = self.reading(|checks| calls::interpret(call, checks));
            let said = match meaning {
                CallMeaning::HandIn {
                    summary,
                    steps: more,
                } => {
                    rounds.plan.summary = parser::summary(&summary);
                    handed_in = true;
                    steps.extend(more.into_iter().map(|step| (place, CalledStep::Read(step))));
                    "Handed in.".to_owned()
                }
                _ if place >= MAX_CALLS_PER_ANSWER => {
                    rounds.over += 1;
                    format!("Not looked at: at most {MAX_CALLS_PER_ANSWER} calls at a time.")
                }
                CallMeaning::Query { .. } if last => messages::read_enough().to_owned(),
                CallMeaning::Query { tool, params } => self.query(&tool, &params).await?,
                CallMeaning::FindTools(_) if last => messages::read_enough().to_owned(),
                CallMeaning::FindTools(words) => self.find_tools(&words),
                CallMeaning::UnclearQuery(reason) => format!("Not understood: {reason}"),
                CallMeaning::Step(step) => {
                    steps.push((place, CalledStep::Read(step)));
                    String::new()
                }
                CallMeaning::UnreadableStep(refused) => {
                    steps.push((place, CalledStep::Unreadable(refused)));
                    String::new()
                }
            };
            results.push(Message::result(call, said));
        }
        if !steps.is_empty() {
            let (places, steps): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
            let repeats = places.len() == calls.len();
            let before = rounds.plan.steps.len();
            let said = self.add(rounds, steps).await?;
            for (place, said) in places.into_iter().zip(said) {
                results[place] = Message::result(&calls[place], said);
            }
            // A model that says the same again has nothing to add.
            handed_in |= repeats && before > 0 && rounds.plan.steps.len() == before;
        }
        rounds.repaired |= rounds.faulty;
        Ok((results, handed_in))
    }

    /// Adds steps to the plan, and returns the result of each call.
    async fn add(
        &self,
        rounds: &mut Rounds,
        steps: Vec<CalledStep>,
    ) -> mana_store::Result<Vec<String>> {
        // Steps of this answer replace the refused steps of the answer before.
        rounds.plan.refused.clear();
        let first = rounds.called;
        let earlier_answers = rounds.plan.steps.len();
        let most = self.run.agent().settings.max_steps as usize;
        rounds.called += steps.len();
        let mut said = Vec::new();
        for (offset, step) in steps.into_iter().enumerate() {
            let index = first + offset;
            if rounds.plan.steps.len() >= most {
                said.push(format!("Left out: a plan has at most {most} steps."));
                rounds.over += 1;
                continue;
            }
            let checked = match step {
                CalledStep::Read(step) => {
                    let earlier = &rounds.plan.steps;
                    self.check(std::slice::from_ref(&step), earlier).await?
                }
                CalledStep::Unreadable(refused) => Plan {
                    refused: vec![refused],
                    ..Plan::default()
                },
            };
            let is_new = |good: &PlannedStep| {
                let mut before = rounds.plan.steps[..earlier_answers].iter();
                !before.any(|step| step.tool_name == good.tool_name && step.params == good.params)
            };
            if !checked.steps.iter().all(is_new) {
                said.push("That step is in your plan already.".to_owned());
                continue;
            }
            rounds.plan.notes.extend(checked.notes);
            for mut good in checked.steps {
                said.push(format!("Noted as a step: {}", good.summary));
                good.index = index;
                rounds.plan.steps.push(good);
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

    /// The further tools that words speak of, which the model can call from now on.
    fn find_tools(&mut self, words: &str) -> String {
        let found = self.tools.find(words);
        let said = prompt::found_tools(&found);
        let names: Vec<String> = found.iter().map(|tool| tool.name.clone()).collect();
        self.tools.take_up(&names);
        said
    }

    /// The result of a query over the person's own records, as fenced text.
    pub async fn query(&mut self, tool: &str, params: &Map) -> mana_store::Result<String> {
        let registry = self.run.parts().registry.clone();
        let Some(tool) = registry.tool(tool) else {
            return Ok("There is no such tool.".to_owned());
        };
        let (module, table) = (&tool.module.id, &tool.tool.effect.table);
        let store = self.run.parts().store.as_ref();
        let (rows, more) = inputs::table_rows(store, &self.run.scope, module, table).await?;
        let context = self.run.at();
        let tokens = RESULT_TOKENS.min(self.unread);
        if tokens < FEWEST_UNREAD {
            return Ok(messages::read_enough().to_owned());
        }
        let live = rows.iter().map(|(id, state)| (id.as_str(), state));
        let found = tool.query(params, live, &context);
        let owned = found
            .iter()
            .map(|(id, state)| ((*id).to_owned(), (*state).clone()));
        let tables = [((module.clone(), table.clone()), owned.collect())].into();
        let titles = inputs::titles(store, &registry, &self.run.scope, &tables).await?;
        for (id, state) in &found {
            self.short.add(&RecordKey::new(module, table, *id));
            self.short
                .add_references(&registry, module, table, &state.data);
        }
        let resolver = Resolver {
            registry: &registry,
            context,
            title: &|key| titles.get(key).cloned(),
            short: &self.short,
            told: &|key| self.shown.contains_key(key),
        };
        let texts: Vec<InputText> = found
            .iter()
            .map(|(id, state)| resolver.record(module, table, id, state))
            .collect();
        let read = found.iter().map(|(id, state)| {
            let key = RecordKey::new(module, table, *id);
            (key, (*state).clone())
        });
        self.shown.extend(read);
        self.titles.extend(titles);
        let mut said = prompt::read_result(self.iteration_id, &texts, tokens);
        if more {
            said += "\n";
            said += &messages::newest_rows(module, table, rows.len());
        }
        self.unread = self.unread.saturating_sub(fit::tokens(&said));
        Ok(said)
    }
}

/// A step as it was called.
enum CalledStep {
    /// A step in the form of a plan's.
    Read(Value),
    /// A step of which the arguments can't be read.
    Unreadable(RefusedStep),
}

impl Rounds {
    /// The plan after an answer without calls. None where the model is to be told to call.
    fn without_calls(
        &mut self,
        words: &str,
        last: bool,
        most: usize,
    ) -> Option<Result<Plan, Failure>> {
        if !self.plan.steps.is_empty() {
            if self.plan.summary.is_empty() {
                self.plan.summary = words.to_owned();
            }
            return Some(std::mem::take(self).conclude(most));
        }
        if self.reminded || last {
            return Some(std::mem::take(self).never_handed_in(most));
        }
        self.reminded = true;
        None
    }

    /// The plan as it stands. A plan with nothing but refused steps has failed.
    fn conclude(mut self, most: usize) -> Result<Plan, Failure> {
        if self.plan.steps.is_empty() && !self.plan.refused.is_empty() {
            return Err(Failure::refused(self.plan.refused));
        }
        if self.over > 0 {
            self.plan.notes.push(PlanNote::over_limit(self.over, most));
        }
        self.plan.notes.truncate(MAX_NOTES);
        self.plan.notes.dedup();
        Ok(self.plan)
    }

    /// The plan after the last answer, though it was not handed in.
    fn never_handed_in(self, most: usize) -> Result<Plan, Failure> {
        if self.plan.steps.is_empty() && self.plan.refused.is_empty() {
            let mut failure = Failure::new("no_plan", messages::never_handed_in());
            failure.answered = true;
            return Err(failure);
        }
        self.conclude(most)
    }
}
