//! The abilities of a chain's entries: which of them a request goes to, and what their refusals teach.

use crate::error::{ErrorKind, GatewayError, Result};
use crate::models::{Facts, is_plain};
use crate::providers::builtin::BUILTIN;
use crate::route::{Routes, Target};
use crate::wire::ChatRequest;

/// Refuses a request without a message.
pub(crate) fn refuse_empty(request: &ChatRequest) -> Result<()> {
    if request.messages.is_empty() {
        return Err(GatewayError::invalid(
            Some("messages"),
            "`messages` is empty; send at least one message",
        ));
    }
    Ok(())
}

/// The entries of the chain of a request that can do what it asks.
pub(super) async fn chain_for(routes: &Routes, request: &ChatRequest) -> Result<Vec<Target>> {
    refuse_empty(request)?;
    let chain = routes.chain(&request.model).await;
    let chain = chain.map_err(|error| error.scrubbed(&routes.scrub))?;
    if is_plain(request) {
        return Ok(chain);
    }
    let chain = capable(chain, |target| {
        let lacks = routes.stated(target).lacks(request)?;
        let way_out = match target.state.name() {
            BUILTIN => String::new(),
            _ => format!(
                ", or set `{} = true` under [llm.models.{:?}] if it can",
                lacks.setting,
                target.name()
            ),
        };
        Some((lacks.what, way_out))
    })?;
    // A model's name gives a hint alone: others come first, and where there is none the model is tried.
    let (likely, others): (Vec<_>, Vec<_>) = chain
        .into_iter()
        .partition(|target| routes.facts(target).lacks(request).is_none());
    Ok(match likely.is_empty() {
        true => others,
        false => likely,
    })
}

/// The entries that can do what is asked, given what one can't, and the way out.
pub(super) fn capable(
    chain: Vec<Target>,
    lacks: impl Fn(&Target) -> Option<(&'static str, String)>,
) -> Result<Vec<Target>> {
    let first = chain[0].clone();
    let chain: Vec<Target> = chain
        .into_iter()
        .filter(|target| lacks(target).is_none())
        .collect();
    if chain.is_empty() {
        let name = first.name();
        let (what, way_out) = lacks(&first).unwrap_or_default();
        return Err(GatewayError::invalid(
            Some("model"),
            format!("{name} can't {what}; name a model that can{way_out}"),
        ));
    }
    Ok(chain)
}

/// The failure of a request at a target.
pub(super) fn refusal(target: &Target, request: &ChatRequest, error: GatewayError) -> GatewayError {
    if is_plain(request) {
        return error;
    }
    learn_refusal(target, request, error).of_formed_request()
}

/// Learns from a provider's refusal what a model can't do, and says with it how the owner overrules that.
fn learn_refusal(target: &Target, request: &ChatRequest, mut error: GatewayError) -> GatewayError {
    if !matches!(
        error.kind,
        ErrorKind::Http(400 | 404 | 415 | 422 | 500 | 501)
    ) {
        return error;
    }
    if let Some(refused) = Facts::refused(request, &error.message) {
        target.state.note_refusal(&target.model, refused);
        if let Some(lacks) = refused.lacks(request) {
            error.message += &format!(
                "; {} is taken for a model that can't {} for a while, unless `{} = true` is set under \
                 [llm.models.{:?}]",
                target.name(),
                lacks.what,
                lacks.setting,
                target.name()
            );
        }
    }
    error
}
