//! Requests of an attacker who knows the victim's ids, clients, cursors and address, and has a token of their own.

use fastrand::Rng;
use serde_json::{Value, json};

use super::victim::Victim;
use crate::client::{Person, escape, new_id};

/// A random element.
pub(super) fn choose<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}

/// A request to make: method, path with its query, headers, body.
pub(super) struct Guess {
    pub method: reqwest::Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
}

/// Forged credentials: a token of nobody, the victim's token with another signature, or the attacker's with the
/// victim's claims.
pub(super) fn forged(rng: &mut Rng, victim: &Victim, attacker: &Person) -> String {
    let part = |token: &str, n: usize| token.split('.').nth(n).unwrap_or_default().to_owned();
    let (theirs, own) = (&victim.person.token, &attacker.token);
    match rng.u8(0..5) {
        // The victim's claims under the attacker's signature.
        0 => format!("{}.{}.{}", part(own, 0), part(theirs, 1), part(own, 2)),
        // No signature, and "none" as its kind: {"alg":"none","typ":"JWT"}.
        1 => format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", part(theirs, 1)),
        // One character of the signature is another one. The last holds unused bits, so it is left alone.
        2 => {
            let mut token = theirs.clone().into_bytes();
            let last = part(theirs, 2).len();
            let at = token.len() - last + rng.usize(..last - 1);
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8_lossy(&token).into_owned()
        }
        3 => victim.person.user_id.clone(),
        _ => theirs[..rng.usize(..theirs.len())].to_owned(),
    }
}

pub(super) fn guess(rng: &mut Rng, victim: &Victim, attacker: &Person) -> Guess {
    let (app, table, id) = choose(rng, &victim.records).clone();
    let since = match rng.u8(0..4) {
        0 => String::new(),
        1 => "1970-01-01T00:00:00Z".to_owned(),
        2 => format!("' OR user_id = '{}' --", victim.person.user_id),
        _ => choose(rng, &victim.cursors).clone(),
    };
    let client = choose(
        rng,
        &["victims-phone", "attackers-phone", "witness", "*", ""],
    );
    let mut headers = vec![("x-client-id", (*client).to_owned())];
    if rng.bool() {
        let name = choose(
            rng,
            &[
                "x-user-id",
                "x-mana-user",
                "x-forwarded-user",
                "x-service-key",
            ],
        );
        headers.push((name, victim.person.user_id.clone()));
    }
    // Signed in as the attacker, or as a person that doesn't exist.
    headers.push(match rng.u8(0..4) {
        0 => (
            "authorization",
            format!("Bearer {}", forged(rng, victim, attacker)),
        ),
        1 if rng.bool() => ("cookie", format!("mana_session={}", victim.person.user_id)),
        _ => ("authorization", format!("Bearer {}", attacker.token)),
    });
    let user = &victim.person.user_id;
    let limit = rng.u16(..);
    let get = |path: String| (reqwest::Method::GET, path, None);
    let (method, path, body) = match rng.u8(0..10) {
        0 => get(format!(
            "/sync/{app}/pull?collection={table}&since={}&limit={limit}&userId={user}",
            escape(&since)
        )),
        1 => get(format!(
            "/sync/{app}/pull?collection={}&since=",
            escape(&format!("{table}' OR '1'='1"))
        )),
        2 => get(format!(
            "/sync/{app}/snapshot?after={}&limit={limit}&user_id={user}",
            escape(&format!("{table}/{id}"))
        )),
        3 => get(format!("/sync/{app}/snapshot?limit={limit}")),
        4 => get(format!(
            "/ai/missions/{}/runs?userId={user}",
            victim.mission
        )),
        5 => (
            reqwest::Method::POST,
            format!("/ai/missions/{}/run", victim.mission),
            Some(json!({ "slot": format!("run:{}", new_id()), "userId": user })),
        ),
        6 => get((*choose(
            rng,
            &["/auth/me", "/modules", "/sync", "/metrics", "/app/info"],
        ))
        .to_owned()
            + "?userId="
            + user),
        _ => (
            reqwest::Method::POST,
            if rng.bool() {
                "/sync".to_owned()
            } else {
                format!("/sync/{app}")
            },
            Some(push(rng, victim, (app, table, &id), &since, client)),
        ),
    };
    Guess {
        method,
        path,
        headers,
        body,
    }
}

/// A push of the victim's records, under the victim's event ids and in the victim's name.
fn push(
    rng: &mut Rng,
    victim: &Victim,
    (app, table, id): (&str, &str, &str),
    since: &str,
    client: &str,
) -> Value {
    let user = &victim.person.user_id;
    let event = if rng.bool() {
        choose(rng, &victim.events).clone()
    } else {
        new_id()
    };
    let id = match rng.u8(0..4) {
        0 => format!("{user}/{id}"),
        _ => id.to_owned(),
    };
    let later = "2026-01-01T00:00:00Z";
    let mut change = match rng.u8(0..4) {
        0 => json!({ "op": "insert", "data": { "title": "attacked", "user_id": user } }),
        1 => {
            json!({ "op": "update", "fields": { "title": { "value": "attacked", "updatedAt": later } } })
        }
        2 => json!({ "op": "update", "fields": {} }),
        _ => json!({ "op": "delete", "deletedAt": later }),
    };
    change["appId"] = app.into();
    change["table"] = table.into();
    change["id"] = id.into();
    change["eventId"] = event.into();
    change["userId"] = user.as_str().into();
    change["actor"] = json!({ "kind": "user", "principalId": user });
    json!({ "clientId": client, "since": since, "schemaVersion": 1, "userId": user, "changes": [change] })
}
