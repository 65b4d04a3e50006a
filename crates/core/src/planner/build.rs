//! From a plan, or a failure, to the records that tell of it. Rules MISSIONS
//! I1–I6.

use super::plan::{Plan, RefusedStep};
use crate::Map;
use crate::ids;
use crate::mission::{AiRun, Intent, Iteration, RunError, RunStatus, Step, StepStatus};
use crate::time::Micros;

/// An attempt at an occurrence.
#[derive(Clone, Debug)]
pub struct RunAttempt {
    /// The mission.
    pub mission_id: String,
    /// The occurrence.
    pub slot: String,
    /// When the first attempt at it began.
    pub started_at: Micros,
    /// When this attempt ended.
    pub finished_at: Micros,
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// The model that answered, or was asked.
    pub model: Option<String>,
    /// Tokens used.
    pub tokens: Option<u64>,
    /// The cost of the tokens, in US dollars.
    pub cost: Option<f64>,
    /// The agent that planned, and what it is called now.
    pub agent: Option<(String, String)>,
}

impl RunAttempt {
    /// The iteration's id, and the run record's.
    pub fn iteration_id(&self) -> String {
        ids::iteration_id(&self.mission_id, &self.slot)
    }

    /// The iteration of a plan. Steps that were refused stay in it as notes, and so do remarks on what was left out.
    pub fn planned(&self, plan: Plan) -> Iteration {
        let mut iteration = self.iteration();
        let id = iteration.id.clone();
        let step = |index: usize| Step {
            id: ids::step_id(&id, index),
            index: index as u32,
            updated_at: Some(self.finished_at),
            ..Step::default()
        };
        iteration.summary = Some(plan.summary);
        for planned in plan.steps {
            iteration.plan.push(Step {
                summary: planned.summary,
                rationale: planned.rationale,
                intent: Intent::ToolCall {
                    tool_name: planned.tool_name,
                    params: planned.params,
                },
                status: StepStatus::Planned,
                ..step(planned.index)
            });
        }
        for refused in plan.refused {
            iteration.plan.push(Step {
                summary: match refused.summary.as_str() {
                    "" => format!("Step {}", refused.index + 1),
                    summary => summary.to_owned(),
                },
                rationale: refused.reason.clone(),
                intent: Intent::Note {
                    body: refused.sentence(),
                },
                status: StepStatus::Skipped,
                ..step(refused.index)
            });
        }
        iteration.plan.sort_by_key(|step| step.index);
        let behind = iteration.plan.last();
        let behind = behind.map_or(0, |step| step.index as usize + 1);
        for (place, note) in plan.notes.into_iter().enumerate() {
            iteration.plan.push(Step {
                summary: note.summary.to_owned(),
                intent: Intent::Note { body: note.text },
                status: StepStatus::Skipped,
                ..step(behind + place)
            });
        }
        iteration
    }

    /// The iteration of a run that failed, without steps, so that a retry of the
    /// same slot starts clean.
    pub fn failed(&self, code: &str, message: String, refused: &[RefusedStep]) -> Iteration {
        let error = RunError {
            code: code.to_owned(),
            message,
            steps: refused.iter().map(RefusedStep::sentence).collect(),
            details: None,
            extra: Map::new(),
        };
        Iteration {
            error: Some(error),
            ..self.iteration()
        }
    }

    /// The record of this occurrence.
    pub fn run(&self, status: RunStatus, reason: Option<String>) -> AiRun {
        AiRun {
            mission_id: self.mission_id.clone(),
            slot: self.slot.clone(),
            status,
            code: None,
            reason,
            details: None,
            started_at: self.started_at,
            finished_at: self.finished_at,
            attempts: self.attempts,
            tokens: self.tokens,
            cost: self.cost,
            model: self.model.clone(),
            extra: Map::new(),
        }
    }

    fn iteration(&self) -> Iteration {
        Iteration {
            id: self.iteration_id(),
            slot: self.slot.clone(),
            started_at: Some(self.started_at),
            finished_at: Some(self.finished_at),
            updated_at: Some(self.finished_at),
            source: "server".to_owned(),
            model: self.model.clone(),
            principal_id: self.agent.as_ref().map(|(id, _)| id.clone()),
            display_name: self.agent.as_ref().map(|(_, name)| name.clone()),
            ..Iteration::default()
        }
    }
}
