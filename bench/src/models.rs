//! Missions against a real small model: llama.cpp's server and SmolLM2-135M-Instruct.
//!
//! The realistic mission (95 records) runs in windows of 2,048, 4,096 and 8,192 tokens: with a schema that the server
//! keeps the answer to, with functions, and without either. A model of this size plans nothing sensible. The check is
//! about everything around it: the prompt fits and leaves room for an answer by the server's own count, an answer that
//! is kept to a schema is read, an answer that cannot be read fails with its reason, a plan says what the model said,
//! and no record is written.

use std::fmt;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::client::{Person, new_id, now, patient_http};
use crate::missions::text;
use crate::server::{Home, On, Server};

/// The most that one run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// The records and the mission, which the tests of the prompt's size read too.
const REALISTIC: &str = include_str!("../../crates/core/src/planner/tests/realistic.json");

/// The tokens that a prompt leaves for the answer; a quarter of a window that is smaller than four times as much.
const ANSWER_ROOM: usize = 2_000;

/// Letters by which a step's reason is found in the model's words.
const COMPARED: usize = 24;

/// The name under which the model is served.
const MODEL: &str = "smollm2-135m";

/// How the model is asked for a plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Schema,
    Functions,
    Unconstrained,
}

impl Manner {
    const ALL: [Manner; 3] = [Manner::Schema, Manner::Functions, Manner::Unconstrained];

    fn name(self) -> &'static str {
        match self {
            Manner::Schema => "schema",
            Manner::Functions => "functions",
            Manner::Unconstrained => "unconstrained",
        }
    }

    /// The owner's settings of the model by which the runner chooses this manner.
    fn settings(self) -> String {
        format!(
            "[llm.models.\"default/{MODEL}\"]\ntools = {}\njson_schema = {}\n",
            self == Manner::Functions,
            self == Manner::Schema
        )
    }
}

/// The programs of the check, and the windows that it tries.
#[derive(Debug)]
pub struct Plan {
    /// The program `llama-server`.
    pub llama_server: PathBuf,
    /// The model's file, GGUF.
    pub model: PathBuf,
    /// Windows in tokens.
    pub windows: Vec<usize>,
}

/// The runs and their outcomes.
pub struct Report(Vec<Row>);

struct Row {
    window: usize,
    manner: Manner,
    /// The calls to the model, as llama.cpp's log tells them.
    calls: Vec<Call>,
    /// Whether a plan with proposals came of it.
    proposes: bool,
    outcome: String,
}

/// A call as llama.cpp measured it: tokens and milliseconds.
#[derive(Default, Clone, Copy)]
struct Call {
    prompt: usize,
    read_ms: f64,
    answer: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| window | asked with | prompt tokens, by call | read in | answer tokens | outcome |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for row in &self.0 {
            let list = |part: fn(&Call) -> String| {
                row.calls.iter().map(part).collect::<Vec<_>>().join(", ")
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} |",
                row.window,
                row.manner.name(),
                list(|call| call.prompt.to_string()),
                list(|call| format!("{:.1} s", call.read_ms / 1e3)),
                list(|call| call.answer.to_string()),
                row.outcome
            )?;
        }
        Ok(())
    }
}

/// Runs the mission once in each window and manner. Fails where a prompt does not fit, or a run is told as what it was
/// not.
pub async fn run(binary: &Path, plan: &Plan) -> Result<Report> {
    // A prompt of 6,000 tokens takes minutes to read where other work disturbs the machine.
    let http = patient_http(PATIENCE)?;
    let mut rows = Vec::new();
    for &window in &plan.windows {
        for manner in Manner::ALL {
            let name = format!("{} in {window}", manner.name());
            eprintln!("── {name}");
            let row = once(binary, plan, &http, window, manner)
                .await
                .with_context(|| name)?;
            eprintln!("{}", row.outcome);
            rows.push(row);
        }
    }
    ensure!(
        rows.iter()
            .any(|row| row.manner == Manner::Schema && row.proposes),
        "no plan by schema came through the reader with a step:\n{}",
        Report(rows)
    );
    Ok(Report(rows))
}

async fn once(
    binary: &Path,
    plan: &Plan,
    http: &Client,
    window: usize,
    manner: Manner,
) -> Result<Row> {
    let llama = Llama::start(plan, http, window).await?;
    let mut home = Home::new(binary, On::Sqlite)?;
    home.add_settings(&manner.settings())?;
    home.set("MANA_LLM_URL", format!("{}/v1", llama.base));
    home.set("MANA_LLM_MODEL", MODEL);
    home.set("MANA_LLM_TIMEOUT_MS", PATIENCE.as_millis());
    let server = home.start().await?;
    let owner = Person::sign_up(&server, http, "owner").await?;
    write_mission(http, &server, &owner).await?;
    let before = records(http, &server, &owner).await?;
    let asked = post(http, &server, &owner, "/ai/missions/m1/run", &json!({})).await?;
    let iteration = asked["iterationId"]
        .as_str()
        .context("an iteration's id")?
        .to_owned();
    let run = ended(http, &server, &owner, &iteration)
        .await
        .with_context(|| format!("the server said:\n{}", home.log()))?;
    let plan = planned(http, &server, &owner).await?;
    let rounds = rounds(http, &server, &owner, &iteration).await?;
    let calls = llama.calls()?;
    let outcome = judge(manner, &run, &plan, &rounds).with_context(|| {
        let said: Vec<String> = rounds.iter().map(said).collect();
        format!("{run}\n{plan}\nThe model said:\n{}", said.join("\n---\n"))
    })?;
    ensure!(!calls.is_empty(), "the model was not called: {run}");
    let room = ANSWER_ROOM.min(window / 4);
    for call in &calls {
        ensure!(
            call.prompt + room <= window,
            "a prompt of {} tokens in a window of {window} leaves less than {room} for the answer",
            call.prompt
        );
    }
    ensure!(
        records(http, &server, &owner).await? == before,
        "a run changed records that nobody had approved a change of"
    );
    server.kill().await?;
    Ok(Row {
        window,
        manner,
        calls,
        proposes: !proposals(&plan).is_empty(),
        outcome,
    })
}

/// Says what a run came to, and fails where it is told as what it was not.
fn judge(manner: Manner, run: &Value, plan: &Value, rounds: &[Value]) -> Result<String> {
    let proposals = proposals(plan);
    match run["status"].as_str() {
        Some("failed") => {
            let (code, reason) = (text(run, "code"), text(run, "reason"));
            ensure!(
                !code.is_empty() && reason.ends_with('.'),
                "a failure has a code, and a sentence for its person"
            );
            ensure!(
                plan["error"].is_object(),
                "the plan of a failed run says that it failed"
            );
            ensure!(proposals.is_empty(), "a failed run proposes nothing");
            // A schema binds the form of an answer and not its length.
            ensure!(
                manner != Manner::Schema || code == "truncated",
                "an answer by schema is read: {code}: {reason}"
            );
            Ok(format!("failed, {code}"))
        }
        Some("ran") => {
            ensure!(plan["error"].is_null(), "a run that ran has no error");
            let all: Vec<String> = rounds.iter().map(|round| letters(&said(round))).collect();
            for step in &proposals {
                let reason = letters(&text(step, "rationale"));
                let start: String = reason.chars().take(COMPARED).collect();
                ensure!(
                    !start.is_empty() && all.iter().any(|said| said.contains(&start)),
                    "a step for which the model gave no such reason: {step}"
                );
            }
            ensure!(
                !proposals.is_empty() || rounds.iter().any(hands_in),
                "a plan without steps that the model did not hand in"
            );
            let steps = plan["plan"].as_array().map_or(0, Vec::len);
            Ok(format!(
                "ran: {} proposals, {} notes",
                proposals.len(),
                steps - proposals.len()
            ))
        }
        _ => bail!("a run that neither ran nor failed"),
    }
}

/// The steps of a plan that a person could approve.
fn proposals(plan: &Value) -> Vec<&Value> {
    let steps = plan["plan"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = steps
        .iter()
        .filter(|step| step["intent"]["kind"] == "toolCall");
    calls.collect()
}

/// The model's words and calls of a round.
fn said(round: &Value) -> String {
    let calls = round["calls"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = calls
        .iter()
        .map(|call| format!("\n{}: {}", text(call, "name"), text(call, "arguments")));
    calls.fold(text(round, "answer"), |said, call| said + &call)
}

/// Whether the model ended a plan in a round by a call, or by the key that every plan has.
fn hands_in(round: &Value) -> bool {
    let said = said(round);
    said.contains("hand_in_plan") || said.contains("\"summary\"")
}

/// The letters of a text, by which it is found whatever quotes and escapes stand in it.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphabetic())
        .collect()
}

/// Pushes the records, the mission, and the setting that keeps the exchange with the model.
async fn write_mission(http: &Client, server: &Server, owner: &Person) -> Result<()> {
    let all: Value = serde_json::from_str(REALISTIC)?;
    let change = |app: &str, table: &str, id: &str, data: &Value| {
        json!({"eventId": new_id(), "appId": app, "table": table, "id": id, "op": "insert", "at": now(),
            "actor": {"kind": "user"}, "data": data})
    };
    let records = all["records"]
        .as_array()
        .context("records")?
        .iter()
        .map(|record| {
            change(
                &text(record, "module"),
                &text(record, "table"),
                &text(record, "id"),
                &record["data"],
            )
        });
    let mut changes: Vec<Value> = records.collect();
    let mut mission = all["mission"].clone();
    mission["state"] = json!("active");
    mission["timezone"] = all["zone"].clone();
    changes.push(change("ai", "aiMissions", "m1", &mission));
    changes.push(change(
        "ai",
        "aiSettings",
        "settings",
        &json!({ "debug": true }),
    ));
    let body = json!({"clientId": "bench", "since": "", "schemaVersion": 1, "changes": changes});
    post(http, server, owner, "/sync", &body).await?;
    Ok(())
}

async fn post(
    http: &Client,
    server: &Server,
    owner: &Person,
    path: &str,
    body: &Value,
) -> Result<Value> {
    let request = http
        .post(format!("{}{path}", server.base))
        .bearer_auth(&owner.token);
    let answer = request.json(body).send().await?;
    if !answer.status().is_success() {
        bail!("{path}: {}: {}", answer.status(), answer.text().await?);
    }
    Ok(answer.json().await?)
}

/// Returns the answer to a GET, or nothing where the server has none yet.
async fn get(http: &Client, server: &Server, owner: &Person, path: &str) -> Result<Option<Value>> {
    let request = http
        .get(format!("{}{path}", server.base))
        .bearer_auth(&owner.token);
    let answer = request.send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    Ok(Some(answer.error_for_status()?.json().await?))
}

/// Returns the record of the run, once it is there.
async fn ended(http: &Client, server: &Server, owner: &Person, iteration: &str) -> Result<Value> {
    let began = Instant::now();
    loop {
        let runs = get(http, server, owner, "/ai/missions/m1/runs").await?;
        let runs = runs.context("the mission is there")?;
        let mut records = runs["runs"].as_array().context("runs")?.iter();
        if let Some(run) = records.find(|run| run["id"] == iteration) {
            return Ok(run.clone());
        }
        ensure!(began.elapsed() < PATIENCE, "the run has not ended: {runs}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Returns the mission's newest iteration.
async fn planned(http: &Client, server: &Server, owner: &Person) -> Result<Value> {
    let page = get(http, server, owner, "/sync/ai/snapshot?limit=1000").await?;
    let page = page.context("a snapshot")?;
    let mut records = page["records"].as_array().context("records")?.iter();
    let mission = records
        .find(|record| record["id"] == "m1")
        .context("the mission")?;
    Ok(mission["data"]["iterations"][0].clone())
}

/// Returns the calls to the model, as the debug record keeps them.
async fn rounds(
    http: &Client,
    server: &Server,
    owner: &Person,
    iteration: &str,
) -> Result<Vec<Value>> {
    let path = format!("/ai/missions/m1/runs/{iteration}/debug");
    let began = Instant::now();
    // The exchange is kept once the run is written.
    let kept = loop {
        if let Some(kept) = get(http, server, owner, &path).await? {
            break kept;
        }
        ensure!(
            began.elapsed() < Duration::from_secs(30),
            "the exchange was not kept"
        );
        sleep(Duration::from_millis(100)).await;
    };
    let rounds = kept["record"]["rounds"].as_array().context("rounds")?;
    Ok(rounds.clone())
}

/// Returns the merged records that a mission reads and could change, without the missions' own.
async fn records(http: &Client, server: &Server, owner: &Person) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for app in ["todo", "calendar", "notes", "goals", "context"] {
        let path = format!("/sync/{app}/snapshot?limit=1000");
        let page = get(http, server, owner, &path).await?;
        let page = page.context("a snapshot")?;
        all.extend(page["records"].as_array().context("records")?.clone());
    }
    ensure!(!all.is_empty(), "the records are there");
    Ok(all)
}

/// A running llama-server.
struct Llama {
    base: String,
    log: PathBuf,
    _folder: TempDir,
    _process: Child,
}

impl Llama {
    async fn start(plan: &Plan, http: &Client, window: usize) -> Result<Llama> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = TempDir::new()?;
        let log = folder.path().join("log");
        let mut process = Command::new(&plan.llama_server)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--alias", MODEL, "--jinja", "--parallel", "1"])
            // Each prompt is read whole, so that the log's count is the prompt's.
            .args(["--no-cache-prompt", "--seed", "1"])
            .args(["--ctx-size", &window.to_string(), "--model"])
            .arg(&plan.model)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| plan.llama_server.display().to_string())?;
        let base = format!("http://127.0.0.1:{port}");
        let began = Instant::now();
        loop {
            let answer = http.get(format!("{base}/health")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            let ended = process.try_wait()?.is_some();
            if ended || began.elapsed() > Duration::from_secs(120) {
                bail!("llama-server did not start:\n{}", fs::read_to_string(&log)?);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Llama {
            base,
            log,
            _folder: folder,
            _process: process,
        })
    }

    /// The calls so far. Fails where a prompt was longer than the window.
    fn calls(&self) -> Result<Vec<Call>> {
        let log = fs::read_to_string(&self.log)?;
        for sign in ["exceeds the available context", "context shift"] {
            let cut = log.lines().find(|line| line.contains(sign));
            ensure!(
                cut.is_none(),
                "a prompt did not fit: {}",
                cut.unwrap_or_default()
            );
        }
        let mut calls: Vec<Call> = Vec::new();
        for line in log.lines() {
            // "prompt eval time = 512.3 ms / 1204 tokens", then "eval time = 812.0 ms / 96 tokens".
            let Some((name, rest)) = line.split_once("eval time =") else {
                continue;
            };
            let Some((ms, rest)) = rest.split_once("ms /") else {
                continue;
            };
            let tokens = rest.split_whitespace().next().unwrap_or_default().parse()?;
            match calls.last_mut() {
                _ if name.ends_with("prompt ") => calls.push(Call {
                    prompt: tokens,
                    read_ms: ms.trim().parse()?,
                    answer: 0,
                }),
                Some(call) => call.answer = tokens,
                None => {}
            }
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rationale: &str) -> Value {
        json!({ "error": null, "plan": [
            { "summary": "Buy", "rationale": rationale, "intent": { "kind": "toolCall" } } ] })
    }

    fn judged(manner: Manner, run: Value, plan: Value, rounds: Value) -> Option<String> {
        let rounds = rounds.as_array().expect("rounds");
        judge(manner, &run, &plan, rounds).ok()
    }

    #[test]
    fn a_run_is_judged_by_what_the_model_said() {
        let ran = || json!({ "status": "ran" });
        let words = json!([{ "answer": "{\"summary\": \"s\", \"steps\": [{\"why\": \"The \\\"milk\\\" is out.\"}]}" }]);
        let call = json!([{ "answer": "", "calls": [
            { "name": "create_task", "arguments": "{\"why\":\"The milk is out.\"}" } ] }]);
        let reason = || plan("The \"milk\" is out.");
        let one = Some("ran: 1 proposals, 0 notes".to_owned());
        assert_eq!(judged(Manner::Schema, ran(), reason(), words), one);
        assert_eq!(judged(Manner::Functions, ran(), reason(), call), one);
        let prose = || json!([{ "answer": "I have bought it, that's why." }]);
        let empty = json!({ "plan": [], "summary": "Done" });
        assert_eq!(
            judged(Manner::Unconstrained, ran(), reason(), prose()),
            None
        );
        assert_eq!(judged(Manner::Unconstrained, ran(), empty, prose()), None);
    }

    #[test]
    fn a_failure_says_why_and_proposes_nothing() {
        let failed = |code: &str, reason: &str| json!({ "status": "failed", "code": code, "reason": reason });
        let error = || json!({ "plan": [], "error": { "code": "prose" } });
        let prose = || json!([{ "answer": "Hello!" }]);
        let judged = |manner, run, plan| judged(manner, run, plan, prose());
        let plain = || failed("prose", "It answered in prose.");
        assert!(judged(Manner::Unconstrained, plain(), error()).is_some());
        assert_eq!(judged(Manner::Schema, plain(), error()), None);
        assert_eq!(
            judged(Manner::Unconstrained, failed("prose", ""), error()),
            None
        );
        assert_eq!(
            judged(Manner::Unconstrained, plain(), plan("Because")),
            None
        );
        assert_eq!(
            judged(
                Manner::Unconstrained,
                json!({ "status": "planned" }),
                error()
            ),
            None
        );
    }
}
