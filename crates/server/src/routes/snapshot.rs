//! `/sync/snapshot`: merged records, for a device that is new or behind what the log keeps.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use mana_sync::{SnapshotAnswer, SnapshotParams};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiPath, ApiQuery, ApiResult, ErrorEnvelope};

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(all_apps))
        .routes(routes!(one_app))
}

/// Merged records of all apps, a page at a time
#[utoipa::path(get, path = "/sync/snapshot", tag = "sync", security(("bearer" = [])),
    params(
        ("after" = Option<String>, Query,
            description = "The `after` of the page before; missing: from the first record"),
        ("limit" = Option<usize>, Query, description = "Records at most; 1,000 by default, and at most"),
        ("logEpoch" = Option<String>, Query, description = "The epoch of the log that earlier pages were of"),
        ("logEnd" = Option<String>, Query, description = "The furthest `logEnd` that earlier answers named"),
        ("lostEnd" = Option<String>, Query,
            description = "The furthest `logEnd` from before the device began to read anew; refuses nothing"),
    ),
    responses(
        (status = 200, body = schema::SnapshotAnswer,
            description = "A page; go on with `after` while `hasMore`, then pull from `syncedUntil`"),
        (status = 400, description = "`after` can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, or was rolled back: begin the snapshot anew"),
    ))]
async fn all_apps(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiQuery(query): ApiQuery<SnapshotParams>,
) -> ApiResult<Json<SnapshotAnswer>> {
    page(&app, &caller, None, query).await
}

/// Merged records of one app, a page at a time
#[utoipa::path(get, path = "/sync/{appId}/snapshot", tag = "sync", security(("bearer" = [])),
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("after" = Option<String>, Query,
            description = "The `after` of the page before; missing: from the first record"),
        ("limit" = Option<usize>, Query, description = "Records at most; 1,000 by default, and at most"),
        ("logEpoch" = Option<String>, Query, description = "The epoch of the log that earlier pages were of"),
        ("logEnd" = Option<String>, Query, description = "The furthest `logEnd` that earlier answers named"),
        ("lostEnd" = Option<String>, Query,
            description = "The furthest `logEnd` from before the device began to read anew; refuses nothing"),
    ),
    responses(
        (status = 200, body = schema::SnapshotAnswer,
            description = "A page; go on with `after` while `hasMore`, then pull from `syncedUntil`"),
        (status = 400, description = "`after` can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, or was rolled back: begin the snapshot anew"),
    ))]
async fn one_app(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SnapshotParams>,
) -> ApiResult<Json<SnapshotAnswer>> {
    page(&app, &caller, Some(app_id), query).await
}

async fn page(
    app: &App,
    caller: &Caller,
    app_id: Option<String>,
    query: SnapshotParams,
) -> ApiResult<Json<SnapshotAnswer>> {
    let scope = caller.scope();
    Ok(Json(
        app.sync
            .snapshot(&scope, app_id, query, clock::now())
            .await?,
    ))
}

/// The shapes on the wire, for OpenAPI; the test keeps them equal to the types of `mana-sync`.
pub(super) mod schema {
    use std::collections::BTreeMap;

    use mana_core::{Actor, Micros};
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, Value};
    use utoipa::ToSchema;

    /// A page of a snapshot.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub struct SnapshotAnswer {
        /// Merged records by app, table and id, tombstones too.
        pub records: Vec<SnapshotRecord>,
        /// Where the next page begins; null after the last page.
        #[schema(required = true)]
        pub after: Option<String>,
        /// Whether there are more records; ask again with `after`.
        pub has_more: bool,
        /// The cursor that the first page was taken at: pull from it once the last page is in.
        pub synced_until: String,
        /// The server's time.
        pub server_time: Micros,
        /// The log's epoch.
        pub log_epoch: String,
        /// The end of the log: the records hold nothing of any row after it.
        pub log_end: String,
        /// Whether the log takes back what devices hold: `POST /sync/join`.
        pub give_back: bool,
        /// Whether a device that knows another epoch is to drop what the log lacks.
        pub discard_newer: bool,
    }

    /// A merged record.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub struct SnapshotRecord {
        /// The module of the record.
        pub app_id: String,
        /// Its table.
        pub table: String,
        /// Its id.
        pub id: String,
        /// The values by field; `deletedAt` is one.
        pub data: Map<String, Value>,
        /// The time and author of each field.
        pub meta: BTreeMap<String, SnapshotStamp>,
    }

    /// Time and author of a field's value.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct SnapshotStamp {
        /// Time of the write.
        pub at: Micros,
        /// Author of the write.
        pub actor: Actor,
    }

    #[cfg(test)]
    mod tests {
        use mana_core::{RecordState, TableSchema, apply};
        use mana_store::Cursor;
        use serde_json::json;

        use super::*;

        #[test]
        fn schema_of_a_snapshot_is_that_of_the_wire() {
            let at = "2026-01-01T00:00:00Z";
            let change = json!({ "table": "tasks", "id": "t", "op": "insert", "at": at, "data": {"title": "x"} });
            let change = mana_core::Change::parse(change).unwrap();
            let mut state = RecordState::default();
            apply(TableSchema::EMPTY, &mut state, &change);
            let answer = mana_sync::SnapshotAnswer {
                records: vec![mana_sync::SnapshotRecord {
                    app_id: "todo".to_owned(),
                    table: "tasks".to_owned(),
                    id: "t".to_owned(),
                    state: serde_json::from_value(json!(state)).unwrap(),
                }],
                after: None,
                has_more: false,
                synced_until: Cursor(Micros(1)),
                server_time: Micros(1),
                log_epoch: "e".to_owned(),
                log_end: Cursor(Micros(1)),
                give_back: false,
                discard_newer: false,
            };
            let wire = serde_json::to_value(&answer).unwrap();
            let read: SnapshotAnswer =
                serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
            assert_eq!(serde_json::to_value(&read).unwrap(), wire);
        }
    }
}
