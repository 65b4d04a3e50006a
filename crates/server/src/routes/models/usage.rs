//! The usage of models, by day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use mana_core::Micros;
use mana_store::{Accounts, Role, StoreError, UsageBy, UsageQuery, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiQuery, ApiResult, ErrorEnvelope};

/// The most days that one answer sums.
const DAYS: usize = 400;
/// The most people who are named in one answer; of others it has the ids.
const PEOPLE: usize = 500;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// Which sums to make.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
struct UsageParams {
    /// `user`, `mission`, `agent`, `key` or `model`.
    #[param(value_type = String)]
    by: UsageBy,
    /// The first day, `YYYY-MM-DD`, in the account's time zone; 30 days up to `to` where it is left out.
    from: Option<String>,
    /// The last day, `YYYY-MM-DD`; today where it is left out.
    to: Option<String>,
}

/// The cost of models.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// The days, first to last, `YYYY-MM-DD`.
    days: Vec<String>,
    /// By day and by what was asked for; what isn't there was not used.
    sums: Vec<Sum>,
    /// The names of the people in it, by their ids; other people's names are for the owner alone.
    people: BTreeMap<String, String>,
}

/// The usage of a day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sum {
    /// `YYYY-MM-DD`.
    day: String,
    /// Whose: a user's, key's or model's id; a mission or agent is `<user>/<id>`; empty for calls that have none.
    of: String,
    /// How many calls ended.
    calls: i64,
    /// How many of them without an answer.
    failed: i64,
    /// How many of them because the caller went away.
    cancelled: i64,
    /// Tokens of the requests.
    prompt_tokens: i64,
    /// Tokens of the answers.
    completion_tokens: i64,
    /// US dollars.
    money: f64,
}

/// Usage of models, day by day
///
/// The owner sees everybody's, others see their own. Days are of the caller's time zone.
#[utoipa::path(get, path = "/llm/usage", tag = "llm", security(("bearer" = [])), params(UsageParams), responses(
    (status = 200, description = "The sums", body = Usage),
    (status = 400, description = "No such days", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn usage(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiQuery(params): ApiQuery<UsageParams>,
) -> ApiResult<Json<Usage>> {
    let user = app.auth.accounts.user(&caller.user).await?;
    let user = user.ok_or_else(ApiError::unauthorized)?;
    let now = clock::now();
    let (days, bounds) = days(&user.timezone, &params, now)?;
    app.llm.metering.settle_what_can_be().await;
    let sums = app
        .ledger
        .usage(UsageQuery {
            now,
            bounds,
            by: params.by,
            user: (user.role != Role::Owner).then_some(user.id),
        })
        .await?;
    // A mission's or an agent's is its owner's id first.
    let ids = sums.iter().filter_map(|sum| match params.by {
        UsageBy::User => Some(sum.of.as_str()),
        UsageBy::Mission | UsageBy::Agent => Some(sum.of.split_once('/')?.0),
        UsageBy::Key | UsageBy::Model => None,
    });
    let people = people(&*app.auth.accounts, ids).await?;
    let sums = sums.into_iter().map(|sum| Sum {
        day: days[sum.period as usize].clone(),
        of: sum.of,
        calls: sum.calls,
        failed: sum.failed,
        cancelled: sum.cancelled,
        prompt_tokens: sum.prompt_tokens,
        completion_tokens: sum.completion_tokens,
        money: sum.micros_usd as f64 / 1e6,
    });
    Ok(Json(Usage {
        sums: sums.collect(),
        days,
        people,
    }))
}

/// How to call these people: by their names, else by their addresses.
async fn people(
    accounts: &dyn Accounts,
    ids: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let ids: BTreeSet<&str> = ids.collect();
    let mut people = BTreeMap::new();
    for id in ids.into_iter().take(PEOPLE) {
        if let Some(user) = accounts.user(&UserId(id.to_owned())).await? {
            let name = Some(user.name).filter(|name| !name.is_empty());
            people.insert(id.to_owned(), name.unwrap_or(user.email));
        }
    }
    Ok(people)
}

/// The days, and the midnights around them.
fn days(zone: &str, params: &UsageParams, now: Micros) -> ApiResult<(Vec<String>, Vec<Micros>)> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let wrong = |_| ApiError::invalid("A day is written as YYYY-MM-DD.");
    let today = Timestamp::from_microsecond(now.0).map_err(ApiError::internal)?;
    let today = today.to_zoned(zone.clone()).date();
    let to: jiff::civil::Date = match &params.to {
        Some(text) => text.parse().map_err(wrong)?,
        None => today,
    };
    let from: jiff::civil::Date = match &params.from {
        Some(text) => text.parse().map_err(wrong)?,
        None => to.saturating_sub(29.days()),
    };
    let (mut days, mut bounds) = (Vec::new(), Vec::new());
    let mut day = from;
    while day <= to.saturating_add(1.day()) {
        let midnight = day.to_zoned(zone.clone()).map_err(ApiError::internal)?;
        bounds.push(Micros(midnight.timestamp().as_microsecond()));
        if day > to {
            break;
        }
        days.push(day.to_string());
        if days.len() > DAYS {
            break;
        }
        day = day.saturating_add(1.day());
    }
    if days.is_empty() || days.len() > DAYS {
        return Err(ApiError::invalid(format!(
            "Ask for 1 to {DAYS} days, the first one before the last."
        )));
    }
    Ok((days, bounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_the_persons_time_zone() {
        let params = |from: Option<&str>, to: Option<&str>| UsageParams {
            by: UsageBy::User,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let now = Micros::parse("2026-03-29T22:30:00Z").unwrap();
        let berlin = |params| days("Europe/Berlin", &params, now);
        let (names, bounds) = berlin(params(Some("2026-03-29"), None)).unwrap();
        assert_eq!(names, ["2026-03-29", "2026-03-30"]);
        let hours: Vec<i64> = bounds
            .windows(2)
            .map(|day| (day[1].0 - day[0].0) / 3_600_000_000)
            .collect();
        assert_eq!(hours, [23, 24], "the clocks went forward");
        assert_eq!(berlin(params(None, None)).unwrap().0.len(), 30);
        assert!(berlin(params(Some("2026-04-02"), Some("2026-04-01"))).is_err());
        assert!(berlin(params(Some("2020-01-01"), None)).is_err());
        assert!(berlin(params(Some("yesterday"), None)).is_err());
    }
}
