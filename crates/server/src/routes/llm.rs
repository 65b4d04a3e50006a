//! `/v1/*`: the gateway.

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::gateway::GatewayAuth;

/// The routes, each behind a bearer: a person's token, a virtual key, or the service key.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    mana_llm::http::router(app.gateway.clone(), Arc::new(GatewayAuth(app.clone()))).with_state(())
}
