//! `/v1/*`: the gateway, for whoever has a bearer.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use mana_llm::http::{Auth, Caller};

use crate::app::App;

/// The routes, each behind a bearer: a person's token, or the service key.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    mana_llm::http::router(app.gateway.clone(), Arc::new(Bearers(app.clone()))).with_state(())
}

struct Bearers(Arc<App>);

#[async_trait]
impl Auth for Bearers {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        if self.0.service_key.is(bearer) {
            return Some(Caller::Service);
        }
        self.0
            .auth
            .check_token(bearer)
            .await
            .ok()
            .map(|claims| Caller::User(claims.sub))
    }
}
