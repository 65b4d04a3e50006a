//! The exchanges of the protocol's first client and its runner (spec/WIRE.md, The first client), on both databases.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::cli::{Machine, hashes};
use crate::missions::mission;
use crate::stream::Stream;
use crate::support::{Account, Answer, Home, Server, assert_error, on_both_databases, send};
use crate::upstream::{Upstream, plans, step};

const AT: &str = "2026-11-28T17:00:00.000Z";
const START: &str = "1970-01-01T00:00:00.000Z";

/// A browser with the first client, which speaks with its header and its cursor.
struct Browser<'a> {
    account: &'a Account,
    id: &'static str,
}

/// Two browsers of one account.
fn two_browsers(account: &Account) -> (Browser<'_>, Browser<'_>) {
    let browser = |id| Browser { account, id };
    (browser("c-a"), browser("c-b"))
}

impl Browser<'_> {
    async fn post(&self, app: &str, since: &str, changes: Value) -> Answer {
        let body = json!({ "clientId": self.id, "since": since, "changes": changes });
        let request = self.account.request(Method::POST, &format!("/sync/{app}"));
        send(request.header("x-client-id", self.id).json(&body)).await
    }

    async fn push(&self, app: &str, changes: Value) -> Value {
        let (status, body) = self.post(app, START, changes).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_valid(&body["serverChanges"]);
        body
    }

    async fn pull(&self, app: &str, table: &str, since: &str) -> Value {
        let path = format!("/sync/{app}/pull?collection={table}&since={since}");
        let request = self.account.request(Method::GET, &path);
        let (status, body) = send(request.header("x-client-id", self.id)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_valid(&body["serverChanges"]);
        let cursor = body["syncedUntil"].as_str().unwrap();
        assert!(
            cursor.len() == 27 && cursor.ends_with('Z'),
            "six digits, in UTC: {cursor}"
        );
        assert!(cursor >= since, "compared as texts");
        body
    }

    async fn changes(&self, app: &str, table: &str) -> Vec<Value> {
        let body = self.pull(app, table, START).await;
        body["serverChanges"].as_array().unwrap().clone()
    }
}

/// Checks a change as the first client does before it takes it.
fn assert_valid(changes: &Value) {
    for change in changes.as_array().unwrap() {
        for name in ["table", "id", "op"] {
            assert!(change[name].is_string(), "{change}");
        }
        for (name, write) in change["fields"].as_object().into_iter().flatten() {
            assert!(write.get("value").is_some(), "{name} has a value: {change}");
            assert!(
                write["updatedAt"].is_string(),
                "{name} has a stamp: {change}"
            );
            assert_eq!(write["at"], write["updatedAt"], "{name}: {change}");
        }
    }
}

fn of<'c>(changes: &'c [Value], id: &str) -> Vec<&'c Value> {
    changes.iter().filter(|change| change["id"] == id).collect()
}

fn insert(id: &str) -> Value {
    json!({ "table": "tasks", "id": id, "op": "insert", "data": {
        "id": id, "title": "Milk", "priority": "medium", "isCompleted": false, "order": 0,
        "createdAt": AT, "updatedAt": AT } })
}

fn delete(id: &str) -> Value {
    json!({ "table": "tasks", "id": id, "op": "delete", "deletedAt": AT,
        "fields": { "deletedAt": { "value": AT, "updatedAt": AT } } })
}

#[tokio::test]
async fn first_client_inserts_updates_and_deletes() {
    for (_, _home, _server, owner) in on_both_databases().await {
        let (a, b) = two_browsers(&owner);
        a.push("todo", json!([insert("t1")])).await;
        let again = a.push("todo", json!([insert("t1")])).await;
        assert_eq!(
            again["serverChanges"],
            json!([]),
            "its own rows are left out"
        );
        let seen = b.changes("todo", "tasks").await;
        assert_eq!(seen.len(), 1, "a retry doubles nothing");
        assert_eq!(seen[0]["data"]["title"], "Milk");
        assert_eq!(seen[0]["fields"]["title"]["value"], "Milk");
        assert_eq!(seen[0]["data"]["priority"], "medium");

        let lena = json!({ "kind": "user", "principalId": "u1", "displayName": "Lena" });
        let update = json!({ "table": "tasks", "id": "t1", "op": "update", "actor": lena, "fields": {
            "title": { "value": "Oat milk", "updatedAt": AT }, "updatedAt": { "value": AT, "updatedAt": AT } } });
        b.push("todo", json!([update])).await;
        let undefined = json!({ "table": "tasks", "id": "t1", "op": "update",
            "fields": { "dueDate": { "updatedAt": AT } } });
        b.push("todo", json!([undefined])).await;
        let seen = a.changes("todo", "tasks").await;
        assert_eq!(seen[0]["actor"], lena);
        assert_eq!(seen[0]["fields"]["title"]["value"], "Oat milk");
        assert_eq!(
            seen[0]["fields"]["title"]["at"],
            "2026-11-28T17:00:00.000000Z"
        );
        assert_eq!(seen[1]["fields"]["dueDate"]["value"], Value::Null);

        a.push("todo", json!([insert("t2"), delete("t2"), insert("t3")]))
            .await;
        let seen = b.changes("todo", "tasks").await;
        assert_eq!(
            of(&seen, "t2")[1]["deletedAt"],
            "2026-11-28T17:00:00.000000Z"
        );
        assert_eq!(
            of(&seen, "t3").len(),
            1,
            "later changes of the batch are stored"
        );
    }
}

#[tokio::test]
async fn first_client_follows_by_a_stream_in_the_same_shape() {
    for (_, _home, _server, owner) in on_both_databases().await {
        let (a, b) = two_browsers(&owner);
        a.push("todo", json!([insert("t1")])).await;
        let path = format!(
            "/sync/todo/stream?collections=tasks,lists&since={START}&clientId={}",
            b.id
        );
        let mut stream = Stream::of(&owner, &path).await;
        let event = stream.changes().await;
        assert_eq!(event.data["table"], "tasks");
        assert_eq!(event.data["hasMore"], false);
        assert_valid(&event.data["changes"]);
        assert_eq!(event.data["changes"][0]["fields"]["title"]["value"], "Milk");
    }
}

#[tokio::test]
async fn first_clients_actors_are_kept_and_two_alone_are_refused() {
    for (_, _home, _server, owner) in on_both_databases().await {
        let (a, b) = two_browsers(&owner);
        let by = |id: &str, actor: &Value| {
            let data = json!({ "title": "x" });
            json!({ "table": "tasks", "id": id, "op": "insert", "data": data, "actor": actor })
        };
        let kept = [
            json!({ "kind": "system", "principalId": "system:projection", "displayName": "Streak tracker" }),
            json!({ "kind": "system", "principalId": "system:migration", "displayName": "M" }),
            json!({ "kind": "system", "source": "stream" }),
            json!({ "kind": "system", "source": "rule", "displayName": "R" }),
            json!({ "kind": "ai", "missionId": "m1", "iterationId": "i1", "rationale": "" }),
            json!({ "kind": "bot", "more": { "deep": [1, null] } }),
        ];
        for (n, actor) in kept.iter().enumerate() {
            a.push("todo", json!([by(&format!("t{n}"), actor)])).await;
        }
        let seen = b.changes("todo", "tasks").await;
        let actors: Vec<&Value> = seen.iter().map(|change| &change["actor"]).collect();
        assert_eq!(actors, kept.iter().collect::<Vec<_>>());
        for source in ["mission-runner", "projection"] {
            let forged = json!({ "kind": "system", "source": source, "displayName": "Mana" });
            let refused = a.post("todo", START, json!([by("x", &forged)])).await;
            assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_change");
        }
        let run = json!({ "table": "aiRuns", "id": "r", "op": "insert", "data": {} });
        let refused = a.post("ai", START, json!([run])).await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_change");

        // A device that cannot read these is told so, and its push is not taken.
        let old = json!({ "clientId": "old", "schemaVersion": 1, "changes": [by("y", &json!({"kind": "user"}))] });
        let refused = owner
            .post(
                "/sync",
                json!({ "clientId": "old", "schemaVersion": 1, "changes": [] }),
            )
            .await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "update_required");
        assert_error(
            &owner.post("/sync", old).await,
            StatusCode::BAD_REQUEST,
            "update_required",
        );
        let today = json!({ "clientId": "today", "schemaVersion": 2, "changes": [] });
        assert_eq!(owner.post("/sync", today).await.0, StatusCode::OK);
        assert!(of(&b.changes("todo", "tasks").await, "y").is_empty());
    }
}

/// The browser's own iteration, as the first client sends it.
fn browsers(more: Value) -> Value {
    let mut element = json!({ "id": "it-b", "startedAt": AT, "source": "browser", "overallStatus": "awaiting-review",
        "plan": [{ "id": "s1", "summary": "x", "status": "planned" }] });
    for (name, value) in more.as_object().unwrap() {
        element[name] = value.clone();
    }
    element
}

fn iterations(list: Value) -> Value {
    json!([{ "table": "aiMissions", "id": "m1", "op": "update",
        "fields": { "iterations": { "value": list, "updatedAt": AT } } }])
}

#[tokio::test]
async fn first_clients_own_iterations_keep_what_it_writes_later() {
    for (_, _home, _server, owner) in on_both_databases().await {
        let (a, b) = two_browsers(&owner);
        let mission = json!({ "table": "aiMissions", "id": "m1", "op": "insert",
            "data": { "title": "Plan", "state": "active", "cadence": { "kind": "manual" }, "iterations": [] } });
        a.push("ai", json!([mission])).await;
        a.push("ai", iterations(json!([browsers(json!({}))]))).await;
        let later = json!({ "finishedAt": AT, "summary": "Browser plan", "userFeedback": "Good", "model": "other" });
        let push = iterations(json!([browsers(later)]));
        let answer = a.push("ai", push.clone()).await;
        let own = answer["serverChanges"].as_array().unwrap();
        assert_eq!(own.len(), 1, "the server's own write comes back: {answer}");
        // The answer was lost; then others go on, and the same push arrives again.
        let newer = json!({ "finishedAt": AT, "summary": "Newer", "userFeedback": "Good" });
        b.push("ai", iterations(json!([browsers(newer)]))).await;
        a.push("ai", push).await;
        let seen = a.changes("ai", "aiMissions").await;
        let last = seen
            .iter()
            .rev()
            .find(|change| change["fields"].get("iterations").is_some())
            .unwrap();
        let list = last["fields"]["iterations"]["value"].as_array().unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0]["finishedAt"], AT);
        assert_eq!(list[0]["summary"], "Newer");
        assert_eq!(list[0]["userFeedback"], "Good");
        assert_eq!(list[0].get("model"), None, "everything else adds only");
        assert_eq!(list[0]["overallStatus"], "awaiting-review");
        assert_eq!(list[0]["plan"][0]["summary"], "x");
        let touching = seen
            .iter()
            .filter(|change| change["fields"].get("iterations").is_some());
        assert_eq!(touching.count(), 1, "earlier rows leave the list out");
        // An iteration that claims to be the server's, and is not in the log, is left out.
        let forged = json!({ "id": "it-x", "startedAt": AT, "source": "server", "plan": [] });
        b.push("ai", iterations(json!([forged, browsers(json!({}))])))
            .await;
        let (list, _) = crate::missions::mission(&owner, "m1").await;
        assert_eq!(list.len(), 1, "{list:?}");
    }
}

#[tokio::test]
async fn first_client_decides_on_the_servers_plan_and_makes_its_task_before_or_after() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for env in [vec![], vec![("DATABASE_URL", url.as_str())]] {
        let model = Upstream::new().await;
        let plan = json!([
            step("Buy milk", "The fridge is empty."),
            step("Buy hay", "Cows eat.")
        ]);
        model.answers("Weekly shopping", plans(plan)).await;
        let home = model.home(&env);
        let (server, owner) = Server::with_owner(&home).await;
        crate::missions::push_due_mission(&owner, "m1", "Weekly shopping").await;
        let report = server.tick(&home.service_key()).await;
        assert_eq!(report.1["plansWrittenBack"], 1, "{report:?}");
        let iteration = mission(&owner, "m1").await.0.pop().unwrap();
        assert_eq!(iteration["overallStatus"], "awaiting-review");
        let machine = Machine::signed_in(&server).await;
        assert_eq!(
            hashes(&machine.does(&["inbox"]).await.0).len(),
            2,
            "staged once each"
        );

        let a = Browser {
            account: &owner,
            id: "c-a",
        };
        // The first client keeps the list that came, adds what it decided, and sends all of it without stamps.
        let mut mine = iteration.clone();
        mine.as_object_mut().unwrap().remove("updatedAt");
        for step in mine["plan"].as_array_mut().unwrap() {
            step.as_object_mut().unwrap().remove("updatedAt");
            step["proposalId"] = json!("p1");
            step["status"] = json!("staged");
        }
        mine["plan"][0]["status"] = json!("approved");
        mine["summary"] = json!("Not the server's words");
        let ai = json!({ "kind": "ai", "missionId": "m1", "iterationId": iteration["id"], "rationale": "" });
        let task = json!({ "table": "tasks", "id": "t4", "op": "insert",
            "data": { "title": "Buy milk" }, "actor": ai });
        a.push("todo", json!([task])).await;
        a.push("ai", iterations(json!([mine, browsers(json!({}))])))
            .await;
        let (list, _) = mission(&owner, "m1").await;
        assert_eq!(list.len(), 2, "both are there: {list:?}");
        let servers = list
            .iter()
            .find(|one| one["id"] == iteration["id"])
            .unwrap();
        assert_eq!(servers["plan"][0]["status"], "approved");
        assert_eq!(
            servers["summary"], iteration["summary"],
            "the plan is the server's"
        );
        assert_eq!(servers["plan"][0]["rationale"], "The fridge is empty.");
        assert_eq!(
            hashes(&machine.does(&["inbox"]).await.0).len(),
            1,
            "one is decided"
        );
        server.stop().await;
    }
}

/// Writes the list of iterations as a runner does: with the columns and the author of its version.
async fn insert_as_runner(url: &str, user: &str, columns: &str, actor: &Value, list: &Value) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
        .bind(user)
        .execute(&mut *tx)
        .await
        .unwrap();
    let insert = format!(
        "INSERT INTO public.sync_changes (app_id, table_name, record_id, user_id, op, data, client_id, \
         schema_version, actor, {columns}) \
         VALUES ('ai', 'aiMissions', 'm1', $1, 'update', $2::jsonb, 'mana-ai', 1, $4::jsonb, $3::jsonb{})",
        ", 'mission-runner'".repeat(columns.matches(',').count())
    );
    sqlx::query(AssertSqlSafe(insert))
        .bind(user)
        .bind(list.to_string())
        .bind(json!({ "iterations": AT }).to_string())
        .bind(actor.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn first_runners_row_is_folded_served_staged_and_approved() {
    let runner = json!({ "kind": "system", "source": "mission-runner" });
    let agent = json!({ "kind": "ai", "principalId": "legacy:ai-default", "displayName": "Mana",
        "missionId": "m1", "iterationId": "i1", "rationale": "" });
    for (columns, actor) in [("field_timestamps", runner), ("field_meta, origin", agent)] {
        runners_row_is_staged_and_approved(columns, &actor).await;
    }
}

async fn runners_row_is_staged_and_approved(columns: &str, actor: &Value) {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let (server, owner) = Server::with_owner(&home).await;
    let a = Browser {
        account: &owner,
        id: "c-a",
    };
    let data = json!({ "title": "Weekly plan", "state": "active", "cadence": { "kind": "manual" }, "iterations": [] });
    let insert = json!({ "table": "aiMissions", "id": "m1", "op": "insert", "data": data });
    a.push("ai", json!([insert,])).await;
    a.push(
        "todo",
        json!([{ "table": "tasks", "id": "t1", "op": "insert", "data": { "title": "Old" } }]),
    )
    .await;
    let start = "2030-11-28T17:00:00.000Z";
    let calls = [
        (
            "create_task",
            json!({ "title": "Oats", "description": "Two bags", "priority": "medium" }),
        ),
        (
            "create_event",
            json!({ "title": "Market", "startIso": start, "endIso": start, "description": "Early" }),
        ),
        (
            "create_place",
            json!({ "name": "Mill", "category": "shop" }),
        ),
        ("complete_task", json!({ "taskId": "t1" })),
        (
            "create_note",
            json!({ "title": "Recipe", "content": "Soak the oats." }),
        ),
        (
            "create_goal",
            json!({ "title": "Breakfasts", "targetValue": 20 }),
        ),
    ];
    let steps: Vec<Value> = (calls.iter().enumerate())
        .map(|(n, (tool, params))| {
            json!({ "id": format!("i1-{}", n + 8), "summary": tool, "status": "planned",
            "intent": { "kind": "toolCall", "toolName": tool, "params": params } })
        })
        .collect();
    let list = json!({ "iterations": [{ "id": "i1", "startedAt": AT, "finishedAt": AT, "source": "server",
        "overallStatus": "awaiting-review", "plan": steps }] });
    insert_as_runner(&url, &owner.user_id, columns, actor, &list).await;

    let seen = a.changes("ai", "aiMissions").await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        seen[0]["fields"]["iterations"]["value"][0]["overallStatus"],
        "awaiting-review"
    );
    let machine = Machine::signed_in(&server).await;
    let (inbox, _) = machine.does(&["inbox"]).await;
    assert!(!inbox.contains("because"), "there is no rationale: {inbox}");
    assert!(!inbox.contains("can't be carried out"), "{inbox}");
    let places: Vec<usize> = ["Oats", "Market", "Mill", "Old", "Recipe", "Breakfasts"]
        .map(|word| inbox.find(word).expect(word))
        .into();
    assert!(places.is_sorted(), "-10 comes after -9: {inbox}");
    for _ in 0..6 {
        let (inbox, _) = machine.does(&["inbox"]).await;
        machine
            .does(&["approve", "1", "--yes", &hashes(&inbox)[0]])
            .await;
    }
    let tasks = a.changes("todo", "tasks").await;
    let made = tasks
        .iter()
        .find(|change| change["data"]["title"] == "Oats")
        .expect("the task");
    assert_eq!(made["data"]["notes"], "Two bags");
    assert_eq!(made["data"]["priority"], "normal");
    assert_eq!(made["actor"]["iterationId"], "i1");
    let events = a.changes("calendar", "events").await;
    assert_eq!(events[0]["data"]["startsAt"], "2030-11-28T17:00:00.000000Z");
    let notes = a.changes("notes", "notes").await;
    assert_eq!(notes[0]["data"]["body"], "Soak the oats.");
    let goals = a.changes("goals", "goals").await;
    assert_eq!(goals[0]["data"]["target"], 20);
    server.stop().await;
}

#[tokio::test]
async fn first_clients_script_and_its_web_app_at_another_origin_are_served() {
    let home = Home::new(&[(
        "MANA_CORS_ORIGINS",
        "https://app.example.org, http://localhost:5173",
    )]);
    let (server, owner) = Server::with_owner(&home).await;
    let health = server.request(Method::GET, "/health").send().await.unwrap();
    assert!(health.text().await.unwrap().contains(r#""status":"ok""#));
    for (origin, allowed) in [
        ("https://app.example.org", true),
        ("http://localhost:5173", true),
        ("https://evil.example.org", false),
    ] {
        let preflight = server
            .request(Method::OPTIONS, "/sync/todo")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-client-id",
            );
        let answer = preflight.send().await.unwrap();
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(
            header("access-control-allow-origin").is_some(),
            allowed,
            "{origin}"
        );
        if allowed {
            assert_eq!(answer.status(), StatusCode::OK);
            let headers = header("access-control-allow-headers").unwrap();
            assert!(
                headers.contains("authorization") && headers.contains("x-client-id"),
                "{headers}"
            );
        }
        let push = owner
            .request(Method::POST, "/sync/todo")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .json(&json!({ "clientId": "c", "changes": [] }));
        let answer = push.send().await.unwrap();
        assert_eq!(answer.status() == StatusCode::OK, allowed, "{origin}");
        let header = answer.headers().get("access-control-allow-origin");
        assert_eq!(header.is_some(), allowed, "{origin}");
    }
}
