//! The words of SQL in which SQLite and Postgres differ.

use sqlx::{Postgres, Sqlite};

/// The words of one database. A statement takes one of them where no text is understood by both.
pub(crate) trait Dialect {
    /// Whether rows of the log may come by SQL.
    const TAKES_SQL_WRITERS: bool;
    /// The function that returns the lesser of two numbers.
    const LEAST: &'static str;
    /// The function that returns the greater of two numbers.
    const GREATEST: &'static str;
    /// The aggregate that sums integers and never fails, whatever they are.
    const TOTAL: &'static str;
    /// The rows of a JSON array of texts in `$1`, as a table `each` with a column `value`, in the array's order.
    const EACH_TEXT: &'static str;
    /// The rows of a JSON array in `$1`, as a table `each` with a column `value` that `->>` reads.
    const EACH_JSON: &'static str;
    /// The column `state` of `records`, as what `->` and `->>` read.
    const STATE: &'static str;
    /// Whether the mission in `state` has a step that nobody has decided: one whose status is none of core's decided
    /// words. An unknown or missing status counts as open.
    const HAS_OPEN_STEP: &'static str;
    /// The rows of a JSON array of pairs of integers in `$1`, as a table with the columns `period` (from 0), `first`
    /// and `last`.
    const PERIODS: &'static str;
    /// Ends a `SELECT` whose row the transaction will change. SQLite's one writer needs no lock.
    const FOR_UPDATE: &'static str;
    /// The same, leaving out the rows that another transaction has locked.
    const SKIP_LOCKED: &'static str;
    /// Locks the ledger accounts of a JSON array in `$1` until the transaction ends, in one order everywhere. None
    /// where a transaction is alone anyway.
    const LOCK_ACCOUNTS: Option<&'static str>;
}

impl Dialect for Sqlite {
    const TAKES_SQL_WRITERS: bool = false;
    const LEAST: &'static str = "min";
    const GREATEST: &'static str = "max";
    const TOTAL: &'static str = "total";
    const EACH_TEXT: &'static str = "json_each($1) AS each";
    const EACH_JSON: &'static str = "json_each($1) AS each";
    const STATE: &'static str = "state";
    const HAS_OPEN_STEP: &'static str = "EXISTS (
        SELECT 1 FROM json_each(state, '$.data.iterations') AS iteration,
            json_each(CASE iteration.type WHEN 'object' THEN iteration.value ELSE '{}' END, '$.plan') AS step
        WHERE coalesce(CASE step.type WHEN 'object' THEN step.value ->> 'status' END, '')
            NOT IN ('failed', 'expired', 'skipped', 'rejected', 'approved', 'undone'))";
    const PERIODS: &'static str = "(SELECT key AS period, value ->> 0 AS first, value ->> 1 AS last \
         FROM json_each($1)) AS periods";
    const FOR_UPDATE: &'static str = "";
    const SKIP_LOCKED: &'static str = "";
    const LOCK_ACCOUNTS: Option<&'static str> = None;
}

impl Dialect for Postgres {
    const TAKES_SQL_WRITERS: bool = true;
    const LEAST: &'static str = "least";
    const GREATEST: &'static str = "greatest";
    const TOTAL: &'static str = "sum";
    const EACH_TEXT: &'static str = "jsonb_array_elements_text(CAST($1 AS jsonb)) AS each (value)";
    const EACH_JSON: &'static str = "jsonb_array_elements(CAST($1 AS jsonb)) AS each (value)";
    const STATE: &'static str = "CAST(state AS jsonb)";
    const HAS_OPEN_STEP: &'static str = r#"jsonb_path_exists(CAST(state AS jsonb), '$.data.iterations[*].plan[*] ? (!(
        @.status == "failed" || @.status == "expired" || @.status == "skipped" || @.status == "rejected"
        || @.status == "approved" || @.status == "undone"))')"#;
    const PERIODS: &'static str =
        "(SELECT place - 1 AS period, CAST(pair ->> 0 AS bigint) AS first, CAST(pair ->> 1 AS bigint) AS last
          FROM jsonb_array_elements(CAST($1 AS jsonb)) WITH ORDINALITY AS o (pair, place)) AS periods";
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    const LOCK_ACCOUNTS: Option<&'static str> = Some(
        "SELECT pg_advisory_xact_lock(lock) FROM (
             SELECT DISTINCT hashtextextended('ledger ' || value, 0) AS lock
             FROM jsonb_array_elements_text(CAST($1 AS jsonb)) AS each (value) ORDER BY lock) AS locks",
    );
}
