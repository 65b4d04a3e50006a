//! The budgets of a run: each call is reserved before it and settled after it. Rules MISSIONS B3–B7.

use std::time::Duration;

use mana_core::mission::budget;
use mana_core::planner::fit;
use mana_core::{Map, Micros, ids};
use mana_store::{
    Amount, CallStatus, Limits, Line, Measure, Over, Reservation, Reserved, Role, Settlement, Tags,
};
use serde_json::json;

use crate::failure::Failure;
use crate::llm::{ChatAnswer, ChatRequest, LlmError, ModelFacts};
use crate::load::Run;
use crate::messages::{self, BudgetOwner, dollars};

/// Tokens that are reserved for an answer.
pub(crate) const ANSWER_TOKENS: u64 = 2_000;

/// A budget that holds for a run's calls.
struct HeldBudget {
    owner: BudgetOwner,
    /// Its account in the ledger.
    account: String,
    /// The most that a day's calls may take.
    day: Limits,
    /// Tokens that the run may take.
    run_tokens: Option<u64>,
}

/// The calls of a run against the budgets of its mission, its agent and its person, and the server's limit of members.
pub(crate) struct RunBudget<'a> {
    run: &'a Run<'a>,
    /// The facts of the model that is asked.
    facts: ModelFacts,
    /// Calls so far.
    calls: usize,
    /// Tokens so far, counted by the models or estimated.
    used: u64,
    /// Their cost in millionths of a US dollar, as far as there is a price.
    micros_usd: Option<u64>,
}

/// A reservation for a call, by its id in the ledger.
pub(crate) struct CallReservation {
    id: String,
    prompt: u64,
}

impl<'a> RunBudget<'a> {
    pub fn new(run: &'a Run<'a>, facts: ModelFacts) -> Self {
        Self {
            run,
            facts,
            calls: 0,
            used: 0,
            micros_usd: None,
        }
    }

    /// Tokens so far, none before the first call.
    pub fn tokens(&self) -> Option<u64> {
        (self.calls > 0).then_some(self.used)
    }

    /// The cost of all calls, in US dollars.
    pub fn cost(&self) -> Option<f64> {
        self.micros_usd.map(|micros| micros as f64 / 1_000_000.0)
    }

    /// The budgets that hold. Those of mission, agent and person are counted although they limit nothing yet.
    fn budgets(&self) -> Vec<HeldBudget> {
        let agent = self.run.agent();
        let (user, mission) = (&self.run.claim.user, &self.run.claim.mission_id);
        let own = [
            (
                BudgetOwner::Mission,
                format!("mission:{user}/{mission}"),
                &agent.budget,
            ),
            (
                BudgetOwner::Agent,
                format!("agent:{user}/{}", agent.agent.id),
                &agent.agent.budget,
            ),
            (
                BudgetOwner::Person,
                format!("user:{user}"),
                &agent.settings.budget,
            ),
        ];
        let mut budgets = Vec::from(own.map(|(owner, account, budget)| HeldBudget {
            owner,
            account,
            day: Limits {
                calls: None,
                tokens: budget.tokens_per_day,
                micros_usd: budget.micros_usd_per_day(),
            },
            run_tokens: budget.tokens_per_run,
        }));
        let own = self.run.user.limits.map(|limits| limits.models());
        let members = own.unwrap_or(self.run.parts().config.members);
        if self.run.user.role != Role::Owner && !members.is_unlimited() {
            budgets.push(HeldBudget {
                owner: BudgetOwner::Server,
                account: format!("member:{user}"),
                day: members,
                run_tokens: None,
            });
        }
        budgets
    }

    /// Reserves what a call with a prompt of so many tokens may take at most. The failure names the budget that the
    /// call would exceed.
    pub async fn reserve(
        &mut self,
        request: &ChatRequest,
        prompt: usize,
        now: Micros,
        longest: Duration,
    ) -> mana_store::Result<Result<CallReservation, Failure>> {
        let prompt = prompt as u64;
        let tokens = prompt + ANSWER_TOKENS;
        let budgets = self.budgets();
        for budget in &budgets {
            if let Some(limit) = budget.run_tokens
                && self.used.saturating_add(tokens) > limit
            {
                return Ok(Err(self.over_run(budget.owner, limit, tokens)));
            }
            if let Some(limit) = budget.day.micros_usd
                && self.facts.unpriced
            {
                return Ok(Err(no_price(budget.owner, dollars(limit))));
            }
        }
        let (start, next) = budget::day(now, &self.run.loaded.account_zone);
        let lines = budgets.into_iter().map(|budget| Line {
            account: budget.account,
            since: start,
            limits: budget.day,
        });
        // Each attempt's calls have ids of their own. The reservations of an interrupted attempt count in full.
        let call = format!("{}:{}", self.run.claim.token, self.calls);
        let slot = ids::iteration_id(&self.run.claim.mission_id, &self.run.claim.slot);
        let id = ids::derive(&format!("{}/{slot}", self.run.claim.user), &call);
        self.calls += 1;
        let reservation = Reservation {
            id: id.clone(),
            lines: lines.collect(),
            amount: Amount {
                calls: 1,
                tokens,
                micros_usd: self.facts.micros_usd(prompt, ANSWER_TOKENS).unwrap_or(0),
            },
            expires_at: now.plus(i64::try_from(longest.as_micros()).unwrap_or(i64::MAX / 2)),
            tags: Tags {
                user: self.run.claim.user.clone(),
                mission: Some(self.run.claim.mission_id.clone()),
                agent: Some(self.run.agent().agent.id.clone()),
                key: None,
                model: request.model.clone(),
            },
        };
        Ok(
            match self.run.parts().ledger.reserve(now, reservation).await? {
                Reserved::Ok => Ok(CallReservation { id, prompt }),
                Reserved::Over(over) => {
                    self.calls -= 1;
                    Err(self.over_day(&over, next))
                }
            },
        )
    }

    /// Settles a reservation with what the call used. `facts` are those of the model that answered.
    pub async fn settle(
        &mut self,
        held: CallReservation,
        answer: &Result<ChatAnswer, LlmError>,
        facts: ModelFacts,
    ) -> mana_store::Result<()> {
        let (prompt, completion, model, status) = match answer {
            Ok(answer) => {
                let all = answer.tokens.unwrap_or(u64::MAX);
                let prompt = answer.prompt_tokens.unwrap_or(held.prompt).min(all);
                let completion = match answer.tokens {
                    Some(all) => all - prompt,
                    None => answer_tokens(answer),
                };
                (prompt, completion, answer.model.clone(), CallStatus::Ok)
            }
            Err(error) => {
                let prompt = held.prompt.saturating_mul(error.prompts_read);
                (prompt, 0, String::new(), CallStatus::Failed)
            }
        };
        let lost = answer.as_ref().map_or(0, |answer| answer.prompts_lost);
        let prompt = prompt.saturating_add(held.prompt.saturating_mul(lost));
        self.used = self.used.saturating_add(prompt).saturating_add(completion);
        let told = answer.as_ref().ok().and_then(|answer| answer.micros_usd);
        let micros = match told {
            Some(told) => {
                let lost = facts.micros_usd(held.prompt.saturating_mul(lost), 0);
                Some(told.saturating_add(lost.unwrap_or(0)))
            }
            None => facts.micros_usd(prompt, completion),
        };
        if let Some(micros) = micros {
            self.micros_usd = Some(self.micros_usd.unwrap_or(0).saturating_add(micros));
        }
        let actual = Settlement {
            calls: 1,
            prompt_tokens: prompt,
            completion_tokens: completion,
            micros_usd: micros.unwrap_or(0),
            model,
            status,
        };
        self.run.parts().ledger.settle(&held.id, actual).await?;
        Ok(())
    }

    fn over_run(&self, whose: BudgetOwner, limit: u64, wanted: u64) -> Failure {
        let details = json!({"of": whose.word(), "measure": "tokens", "per": "run",
            "limit": limit, "used": self.used, "wanted": wanted});
        let message = messages::over_run(whose, limit, self.used, wanted);
        Failure::over_budget(message, object(details))
    }

    fn over_day(&self, over: &Over, next: Micros) -> Failure {
        let whose = self
            .budgets()
            .into_iter()
            .find(|budget| budget.account == over.account)
            .map_or(BudgetOwner::Person, |budget| budget.owner);
        let (measure, limit, used) = match over.measure {
            Measure::Calls => ("calls", json!(over.limit), json!(over.used)),
            Measure::Tokens => ("tokens", json!(over.limit), json!(over.used)),
            Measure::Money => (
                "money",
                json!(dollars(over.limit)),
                json!(dollars(over.used)),
            ),
        };
        let details = json!({"of": whose.word(), "measure": measure, "per": "day",
            "limit": limit, "used": used, "until": next});
        let until = messages::moment(next, &self.run.loaded.account_zone);
        let message = messages::over_day(whose, over, &until);
        Failure::over_budget(message, object(details))
    }
}

/// The failure of a budget in money at a model without a price.
fn no_price(whose: BudgetOwner, limit: f64) -> Failure {
    let details = json!({"of": whose.word(), "measure": "money", "per": "day",
        "limit": limit, "price": "unknown"});
    Failure::over_budget(messages::no_price(whose), object(details))
}

fn answer_tokens(answer: &ChatAnswer) -> u64 {
    let calls = answer.calls.iter();
    let calls: usize = calls
        .map(|call| fit::tokens(&call.name) + fit::tokens(&call.arguments))
        .sum();
    (fit::tokens(&answer.text) + calls) as u64
}

fn object(value: serde_json::Value) -> Map {
    match value {
        serde_json::Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
