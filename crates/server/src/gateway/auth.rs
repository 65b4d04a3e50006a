//! The authenticator of `/v1`: the service key, a virtual key, or a person's token.

use std::sync::Arc;

use async_trait::async_trait;
use mana_accounts::{AuditEvent, Origin};
use mana_llm::GatewayError;
use mana_llm::http::{Auth, CallEstimate, Caller, MeterGuard};

use crate::app::App;
use crate::clock;

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
            if app.key_uses.is_first_of_day(&key.id, clock::now()) {
                let (app, key) = (app.clone(), key.clone());
                // A call must not wait for the entry.
                tokio::spawn(async move {
                    let origin = Origin {
                        actor: Some(key.user.clone()),
                        address: None,
                    };
                    let (event, name) = (AuditEvent::KeyUsed, key.settings.name.as_str());
                    app.auth.note(event, &origin, Some(&key.user), name).await;
                });
            }
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
