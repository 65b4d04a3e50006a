//! `/auth/people` and `/auth/audit`: owners' care of people.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use mana_core::Micros;
use mana_store::{Person, PersonLimits, Role, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{ActingOwner, Owner};
use crate::error::{ApiError, ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};
use crate::{links, people_changes};

/// People of an answer.
const PAGE: usize = 200;
/// Entries of the audit log in an answer, at most.
const ENTRIES: usize = 200;

/// Limits of one person, in the place of the server's for members. A measure that is left out has no limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitsView {
    /// The content of the log, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The log's records.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    /// Calls to models in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    /// Tokens of calls in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    /// US dollars of calls in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<f64>,
}

/// An account as an owner sees it. Nothing that its person wrote is in it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PersonView {
    /// The account's id.
    id: String,
    /// The address; empty for an account of a foreign issuer.
    email: String,
    /// The person's name; may be empty.
    name: String,
    /// `owner` or `member`.
    role: String,
    /// When the account was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Since when nobody signs in to it.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_at: Option<String>,
    /// Sessions that have not ended.
    sessions: u64,
    /// When a session was last used.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<String>,
    /// Since when the account has a second factor.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    second_factor_since: Option<String>,
    /// When an owner last asked for a second factor; left out where there is one.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    second_factor_asked_at: Option<String>,
    /// Whether the account is asked for a second factor: it has a password.
    has_password: bool,
    /// The owner's limits of this person; the server's hold where they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsView>,
}

/// The people of the server.
#[derive(Serialize, ToSchema)]
struct PeoplePage {
    /// Oldest accounts first.
    people: Vec<PersonView>,
    /// Where the next page begins; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// From when on everyone needs a second factor; left out where nobody does.
    #[serde(rename = "secondFactorFrom", skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    second_factor_from: Option<String>,
}

/// The rule that everyone needs a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecondFactorRule {
    /// From when on; null: a password alone is enough.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Option<String>>,
}

/// Which people.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PeopleQuery {
    /// `next` of the page before.
    after: Option<String>,
}

/// A change of an account by an owner; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PersonChange {
    /// `owner` or `member`.
    role: Option<String>,
    /// Whether nobody may sign in to it.
    locked: Option<bool>,
    /// Limits of this person; null: the server's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<LimitsView>)]
    limits: Option<Option<LimitsView>>,
}

/// Tells a field that is null from one that is left out.
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// `next` of the page before.
    before: Option<i64>,
    /// The account that they are about.
    person: Option<String>,
    /// How many, 50 by default and 200 at most.
    limit: Option<usize>,
}

/// Somebody whom an entry names.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NamedPerson {
    /// The account's id.
    id: String,
    /// The name, else the address.
    name: String,
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditView {
    /// Its place.
    id: i64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// `act`, or `failure` where somebody was refused.
    class: String,
    /// Such as `sign-in`, `sign-in-failed`, `role-changed`.
    event: String,
    /// The account that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<NamedPerson>,
    /// The account that acted; left out at the command line, and where nobody was signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<NamedPerson>,
    /// The network address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// A word or two: a role, a device.
    detail: String,
}

/// Entries of the audit log.
#[derive(Serialize, ToSchema)]
struct AuditPage {
    /// The newest first.
    entries: Vec<AuditView>,
    /// Where the next page begins; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_people))
        .routes(routes!(change_person, delete_person))
        .routes(routes!(set_second_factor_rule))
        .routes(routes!(ask_for_second_factor))
        .routes(routes!(audit_log))
}

/// The people of the server; for owners
#[utoipa::path(get, path = "/auth/people", tag = "auth", security(("bearer" = [])), params(PeopleQuery), responses(
    (status = 200, description = "Accounts, without anything that their people wrote", body = PeoplePage),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
))]
async fn list_people(
    State(app): State<Arc<App>>,
    _: Owner,
    ApiQuery(query): ApiQuery<PeopleQuery>,
) -> ApiResult<Json<PeoplePage>> {
    let after = query.after.map(UserId);
    let people = app.auth.people(after.as_ref(), PAGE).await?;
    let next = match people.last() {
        Some(last) if people.len() == PAGE => Some(last.user.id.0.clone()),
        _ => None,
    };
    let people = people.into_iter().map(PersonView::of).collect();
    let from = app.auth.factor_required_from();
    Ok(Json(PeoplePage {
        people,
        next,
        second_factor_from: from.map(|from| from.to_string()),
    }))
}

/// Change an account's role, lock or limits; for owners
#[utoipa::path(patch, path = "/auth/people/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = PersonChange, responses(
    (status = 204, description = "Done. A lock ends sessions, tokens, keys and runs"),
    (status = 400, description = "The role is unknown, or a limit can't be right", body = ErrorEnvelope),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
    (status = 404, description = "No such account", body = ErrorEnvelope),
    (status = 409, description = "last_owner: somebody else has to be made an owner first", body = ErrorEnvelope),
))]
async fn change_person(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiPath(id): ApiPath<String>,
    ApiJson(change): ApiJson<PersonChange>,
) -> ApiResult<StatusCode> {
    let id = existing(&app, id).await?;
    let role = match change.role.as_deref() {
        None => None,
        Some(word) => Some(
            Role::parse(word)
                .ok_or_else(|| ApiError::invalid("The role is unknown; use owner or member."))?,
        ),
    };
    let limits = change
        .limits
        .map(|limits| limits.map(LimitsView::stored).transpose())
        .transpose()?;
    let auth = &app.auth;
    if let Some(limits) = limits {
        auth.set_limits(&origin, &id, limits).await?;
    }
    if let Some(role) = role {
        auth.set_role(&origin, &id, role).await?;
    }
    match change.locked {
        Some(true) => {
            auth.lock_person(&origin, &id).await?;
        }
        Some(false) => auth.unlock_person(&origin, &id).await?,
        None => {}
    }
    people_changes::changed(&app, &id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete an account with everything that is kept of it; for owners
#[utoipa::path(delete, path = "/auth/people/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204, description = "Nothing of the account is left"),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
    (status = 404, description = "No such account", body = ErrorEnvelope),
    (status = 409, description = "last_owner: somebody else has to be made an owner first", body = ErrorEnvelope),
))]
async fn delete_person(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<StatusCode> {
    let id = existing(&app, id).await?;
    if origin.actor.as_ref() == Some(&id) {
        return Err(ApiError::invalid(
            "This is your own account; delete it in your settings, where the password is asked.",
        ));
    }
    app.auth.delete_person(&origin, &id).await?;
    people_changes::gone(&app, &id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask everyone for a second factor from a time on; for owners
///
/// From then on an account with a password and without a second factor may do nothing but care for itself, in sessions
/// that began before as well. Keys of programs and missions go on.
#[utoipa::path(put, path = "/auth/second-factor-rule", tag = "auth", security(("bearer" = [])),
    request_body = SecondFactorRule, responses(
    (status = 204, description = "Done"),
    (status = 400, description = "The time can't be read, or the owner has no second factor", body = ErrorEnvelope),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
))]
async fn set_second_factor_rule(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiJson(rule): ApiJson<SecondFactorRule>,
) -> ApiResult<StatusCode> {
    let unread = || ApiError::invalid("Send from: a time such as 2026-12-01T00:00:00Z, or null.");
    let from = rule.from.ok_or_else(unread)?.map(|text| {
        let time = text.parse::<jiff::Timestamp>();
        time.map(|time| Micros(time.as_microsecond()))
            .map_err(|_| unread())
    });
    app.auth.set_factor_rule(&origin, from.transpose()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask a person to add a second factor; for owners
///
/// The person sees it in the app, and gets a mail where the server sends mail, once in an hour at most.
#[utoipa::path(post, path = "/auth/people/{id}/second-factor-request", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204, description = "Asked"),
    (status = 400, description = "The person has one, or signs in by a provider alone", body = ErrorEnvelope),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
    (status = 404, description = "No such account", body = ErrorEnvelope),
))]
async fn ask_for_second_factor(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<StatusCode> {
    let id = existing(&app, id).await?;
    let write_to = app.auth.ask_for_factor(&origin, &id).await?;
    if let (Some(user), Some(mailer)) = (write_to, app.mailer.clone()) {
        let link = format!("{}/settings/people", links::base(&app, peer, &headers));
        // Apart from the answer: the mail server may be slow.
        tokio::spawn(async move { mailer.ask_for_factor(&user, &link).await });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Sign-ins, failures and owners' acts, the newest first; for owners
#[utoipa::path(get, path = "/auth/audit", tag = "auth", security(("bearer" = [])), params(AuditQuery), responses(
    (status = 200, description = "Entries without secrets and without content", body = AuditPage),
    (status = 403, description = "Not an owner", body = ErrorEnvelope),
))]
async fn audit_log(
    State(app): State<Arc<App>>,
    _: Owner,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> ApiResult<Json<AuditPage>> {
    let limit = query.limit.unwrap_or(50).clamp(1, ENTRIES);
    let person = query.person.map(UserId);
    let rows = app.auth.audit(query.before, person.as_ref(), limit).await?;
    let next = match rows.last() {
        Some(last) if rows.len() == limit => Some(last.id),
        _ => None,
    };
    let mut names: HashMap<UserId, NamedPerson> = HashMap::new();
    let mut ids = BTreeSet::new();
    for row in &rows {
        ids.extend(row.subject.clone());
        ids.extend(row.actor.clone());
    }
    for id in ids {
        let user = app.auth.accounts.user(&id).await?;
        let name = user.map(|user| match user.name.is_empty() {
            true => user.email,
            false => user.name,
        });
        let named = NamedPerson {
            id: id.0.clone(),
            name: name.unwrap_or_default(),
        };
        names.insert(id, named);
    }
    let named = |id: Option<UserId>| id.and_then(|id| names.get(&id).cloned());
    let entries = rows.into_iter().map(|row| AuditView {
        id: row.id,
        at: row.at.to_string(),
        class: row.class,
        event: row.event,
        subject: named(row.subject),
        actor: named(row.actor),
        address: row.address,
        detail: row.detail,
    });
    Ok(Json(AuditPage {
        entries: entries.collect(),
        next,
    }))
}

async fn existing(app: &App, id: String) -> ApiResult<UserId> {
    let id = UserId(id);
    match app.auth.accounts.user(&id).await? {
        Some(user) => Ok(user.id),
        None => Err(ApiError::not_found("There is no such account.")),
    }
}

impl PersonView {
    fn of(person: Person) -> PersonView {
        let user = person.user;
        PersonView {
            email: match user.email.contains(' ') {
                true => String::new(),
                false => user.email,
            },
            id: user.id.0,
            name: user.name,
            role: user.role.as_str().to_owned(),
            created_at: user.created_at.to_string(),
            locked_at: user.locked_at.map(|at| at.to_string()),
            sessions: person.sessions,
            seen_at: person.seen_at.map(|at| at.to_string()),
            second_factor_since: person.factor_since.map(|at| at.to_string()),
            second_factor_asked_at: (person.asked_at)
                .filter(|_| person.factor_since.is_none())
                .map(|at| at.to_string()),
            has_password: !user.password_hash.is_empty(),
            limits: user.limits.map(LimitsView::of),
        }
    }
}

impl LimitsView {
    fn of(limits: PersonLimits) -> LimitsView {
        LimitsView {
            bytes: limits.bytes,
            records: limits.records,
            calls: limits.calls,
            tokens: limits.tokens,
            money: limits.micros_usd.map(|micros| micros as f64 / 1e6),
        }
    }

    fn stored(self) -> ApiResult<PersonLimits> {
        if self
            .money
            .is_some_and(|money| !money.is_finite() || money < 0.0)
        {
            return Err(ApiError::invalid(
                "A limit in money is a number of US dollars, 0 or more.",
            ));
        }
        Ok(PersonLimits {
            bytes: self.bytes,
            records: self.records,
            calls: self.calls,
            tokens: self.tokens,
            micros_usd: self.money.map(|money| (money * 1e6).round() as u64),
        })
    }
}
