//! Attempts by raw SQL as the application's role, with the user setting fixed to the attacker, and unset.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Executor, Row as _};
use tokio::task::{JoinSet, block_in_place};

use super::guesses::choose;
use super::victim::{SECRET, Victim};
use crate::client::Person;
use crate::server::Home;

const AT_ONCE: u64 = 4;
/// The tables that hold content.
const TABLES: [&str; 5] = [
    "sync_changes",
    "records",
    "sync_refused",
    "run_inputs",
    "run_debug",
];

pub async fn run(
    home: &Home,
    victim: &Victim,
    attacker: &Person,
    attempts: u64,
    seed: u64,
) -> Result<()> {
    let cluster = home.cluster().context("this needs Postgres")?;
    let name = home.database().context("this needs Postgres")?;
    // A login role that has the application's role alone, so that it can't return to a greater role.
    block_in_place(|| {
        cluster.sql(
            name,
            "CREATE ROLE attacker LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE IN ROLE mana_app",
        )
    });
    let user = &victim.person.user_id;
    // Rows of tables that the requests over HTTP fill only in some cases.
    let rest = format!(
        "INSERT INTO run_inputs VALUES ('{user}', '{}', 'run:1', '{SECRET}');
         INSERT INTO run_debug VALUES ('{user}', 'kept', 1, '{SECRET}');
         INSERT INTO sync_refused (user_id, reason, change) VALUES ('{user}', '{SECRET}', '{{}}')",
        victim.mission
    );
    block_in_place(|| cluster.sql(name, &rest));
    let sums: Vec<String> = TABLES
        .iter()
        .map(|table| {
            format!(
                "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) \
                 FROM {table} t WHERE user_id = '{user}'"
            )
        })
        .collect();
    // Read as the superuser, who sees all rows.
    let rows = || -> Vec<String> {
        block_in_place(|| sums.iter().map(|sql| cluster.sql(name, sql)).collect())
    };
    let there = rows();
    ensure!(
        there.iter().all(|sum| !sum.starts_with('0')),
        "the victim's rows are not there for anybody: {there:?}"
    );

    let pool = PgPoolOptions::new()
        .max_connections(u32::try_from(AT_ONCE)?)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET ROLE mana_app").await?;
                Ok(())
            })
        })
        .connect(&cluster.url_as("attacker", name))
        .await?;
    let theirs = Arc::new(victim.clone());
    let attacker = Arc::new(attacker.user_id.clone());
    let mut rng = Rng::with_seed(seed);
    let mut trying = JoinSet::new();
    for n in 0..AT_ONCE {
        let share = attempts / AT_ONCE + u64::from(n < attempts % AT_ONCE);
        let (pool, victim, attacker) = (pool.clone(), theirs.clone(), attacker.clone());
        let mut rng = rng.fork();
        trying.spawn(async move {
            for _ in 0..share {
                attempt(&pool, &victim, &attacker, &mut rng).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = trying.join_next().await {
        done?.with_context(|| format!("seed {seed}"))?;
    }
    pool.close().await;
    let after = rows();
    ensure!(
        there == after,
        "the victim's rows were {there:?} and are {after:?}"
    );
    Ok(())
}

async fn attempt(pool: &PgPool, victim: &Victim, attacker: &str, rng: &mut Rng) -> Result<()> {
    let mut tx = pool.begin().await?;
    // The user setting is the attacker's, unset, or empty.
    let setting = match rng.u8(0..3) {
        0 => None,
        1 => Some(""),
        _ => Some(attacker),
    };
    if let Some(setting) = setting {
        sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
            .bind(setting)
            .execute(&mut *tx)
            .await?;
    }
    let sql = statement(victim, attacker, rng);
    let context = || format!("with the setting {setting:?}: {sql}");
    // An error is a refusal. Its text must not hold content either.
    match tx.fetch_all(AssertSqlSafe(sql.clone())).await {
        Ok(rows) => {
            for row in rows {
                let text = text(&row);
                // A row of the victim, as text or as JSON, begins with the victim's id.
                let user = &victim.person.user_id;
                let told = text.contains(SECRET)
                    || text.starts_with(&format!("({user}"))
                    || text.starts_with(&format!("{{\"user_id\":\"{user}"));
                ensure!(!told, "{} answers {text}", context());
            }
        }
        Err(error) => {
            let database = error.as_database_error();
            let database = database.with_context(|| format!("{error} {}", context()))?;
            ensure!(
                !format!("{database:?}").contains(SECRET),
                "{} says {database:?}",
                context()
            );
            // 42501: refused by policy or privilege. 42P10, 23505, 23514 and the like: refused before a write.
            let code = database.code().unwrap_or_default().into_owned();
            ensure!(
                code.starts_with("42501") || code.starts_with("23"),
                "{database} {}",
                context()
            );
            return Ok(());
        }
    }
    // The superuser checks written rows. Most statements are rolled back, so that the tables stay small.
    if rng.u8(0..4) == 0 {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    Ok(())
}

/// Reads the columns of a row as text, which every statement casts to.
fn text(row: &PgRow) -> String {
    (0..row.len())
        .map(|at| {
            row.try_get::<Option<String>, _>(at)
                .ok()
                .flatten()
                .unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn statement(victim: &Victim, attacker: &str, rng: &mut Rng) -> String {
    let user = &victim.person.user_id;
    let (app, table, id) = choose(rng, &victim.records);
    let event = choose(rng, &victim.events);
    let content = *choose(rng, &TABLES);
    let filter = match rng.u8(0..6) {
        0 => "true".to_owned(),
        1 => format!("t.user_id = '{user}'"),
        2 => format!("t.user_id <> '{attacker}' OR true"),
        3 => format!(
            "t.user_id IN (SELECT id FROM users) AND t::text LIKE '%{}%'",
            &SECRET[..9]
        ),
        4 => format!("t::text LIKE '%{id}%' AND t.user_id > ''"),
        _ => format!(
            "EXISTS (SELECT FROM sync_changes c WHERE c.event_id = '{event}' AND c.user_id = '{user}')"
        ),
    };
    match rng.u8(0..12) {
        0..=2 => format!("SELECT t::text FROM {content} t WHERE {filter}"),
        3 => format!(
            "SELECT (SELECT string_agg(t::text, ',') FROM {content} t WHERE t.user_id = u.id) \
             FROM users u WHERE u.id = '{user}'"
        ),
        4 => format!(
            "SELECT row_to_json(t)::text FROM {content} t JOIN users u ON u.id = t.user_id WHERE u.id = '{user}'"
        ),
        5 => format!(
            "UPDATE {content} t SET user_id = '{attacker}' WHERE t.user_id = '{user}' RETURNING t::text"
        ),
        6 => format!(
            "UPDATE records t SET state = 'attacked' WHERE {filter} AND t.user_id = '{user}' RETURNING t::text"
        ),
        7 => format!(
            "DELETE FROM {content} t WHERE ({filter}) AND t.user_id = '{user}' RETURNING t::text"
        ),
        8 => format!(
            "INSERT INTO records (user_id, app_id, table_name, record_id, state, updated_at) \
             VALUES ('{user}', '{app}', '{table}', '{id}', 'attacked', 0) \
             ON CONFLICT (user_id, app_id, table_name, record_id) \
             DO UPDATE SET state = 'attacked' RETURNING state"
        ),
        9 => format!(
            "INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, folded) \
             VALUES ('{user}', now(), '{event}', '{app}', '{table}', '{id}', 'delete', {}) RETURNING event_id",
            rng.bool()
        ),
        10 => format!(
            "INSERT INTO run_inputs (user_id, mission_id, slot, inputs) \
             VALUES ('{user}', '{}', 'run:x', 'attacked') RETURNING slot",
            victim.mission
        ),
        _ => format!(
            "SELECT count(*)::text || CASE WHEN count(*) > 0 THEN '{SECRET}' ELSE '' END \
             FROM {content} t WHERE t.user_id = '{user}' AND ({filter})"
        ),
    }
}
