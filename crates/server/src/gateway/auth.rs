//! The authenticator of `/v1`: the service key, a virtual key, or a person's token.

use std::sync::Arc;

use async_trait::async_trait;
use mana_llm::GatewayError;
use mana_llm::http::{Auth, CallEstimate, Caller, MeterGuard};

use crate::app::App;

/// Decides who may call `/v1`. [`Metering`](mana_llm::metering::Metering) decides what a call is charged.
pub struct GatewayAuth(pub Arc<App>);

#[async_trait]
impl Auth for GatewayAuth {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        let app = &self.0;
        if app.service_key.is(bearer) {
            return Some(Caller::Service);
        }
        if let Some(key) = app.llm.metering.key_shown(bearer) {
            return Some(Caller::Key {
                id: key.id.clone(),
                user: key.user.0.clone(),
            });
        }
        let claims = app.auth.check_token(bearer).await.ok()?;
        Some(Caller::User(claims.sub))
    }

    fn may_see(&self, caller: &Caller, model: &str) -> bool {
        self.0.llm.metering.may_see(caller, model)
    }

    async fn reserve(
        &self,
        caller: &Caller,
        estimate: CallEstimate,
    ) -> Result<Option<MeterGuard>, GatewayError> {
        let app = &self.0;
        app.llm
            .metering
            .reserve(&app.gateway, caller, estimate)
            .await
    }
}
