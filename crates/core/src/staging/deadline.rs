//! When it is too late for a proposal.

use crate::{
    Map,
    manifest::{Registry, ToolRef},
    mission::{Intent, Iteration, Mission, Step},
    time::{DAY, Micros},
};

/// How long a proposal waits at most, in days after its iteration was complete.
pub const LIFETIME_DAYS: i64 = 30;

/// When a call of an iteration has expired: [`LIFETIME_DAYS`] after the plan, once the time that it would put into its
/// table's `deadline` field has passed, or at its step's own `expiresAt`.
pub fn deadline(
    tool: Option<ToolRef<'_>>,
    params: &Map,
    iteration: &Iteration,
    expires_at: Option<Micros>,
) -> Micros {
    let latest = iteration.created_at().plus(LIFETIME_DAYS * DAY);
    let latest = expires_at.map_or(latest, |at| at.min(latest));
    let moment = tool.and_then(|tool| {
        let field = tool.table.deadline.as_ref()?;
        let source = tool.tool.effect.set.get(field)?.as_str()?;
        let value = match source.strip_prefix('$') {
            Some(param) => params.get(param)?.as_str()?,
            None => source,
        };
        Micros::parse(value).ok()
    });
    moment.map_or(latest, |moment| moment.min(latest))
}

/// The steps of a mission that wait for a decision at a time, in their order: those that are open and not too late.
pub fn open_steps<'m>(
    registry: &Registry,
    mission: &'m Mission,
    now: Micros,
) -> impl DoubleEndedIterator<Item = &'m Step> {
    let sound = mission
        .iterations
        .iter()
        .filter(|iteration| iteration.error.is_none());
    sound.flat_map(move |iteration| {
        let open = iteration.plan.iter().filter(|step| step.status.is_open());
        open.filter(move |step| match &step.intent {
            Intent::ToolCall { tool_name, params } => {
                let tool = registry.tool(tool_name);
                let params = ToolRef::understood_by(tool, params);
                now < deadline(tool, &params, iteration, step.expires_at)
            }
            _ => true,
        })
    })
}
