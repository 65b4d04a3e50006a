use std::{collections::BTreeMap, str::FromStr as _};

use mana_test_postgres::Cluster;

use super::*;
use crate::tables::TABLES;

#[tokio::test]
async fn the_catalogue_of_postgres_is_the_list_of_tables() {
    let cluster = Cluster::shared();
    let options = PgConnectOptions::from_str(&cluster.url(&cluster.create())).unwrap();
    prepare(&options).await.unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let catalogue: Vec<(String, bool, bool)> = sqlx::query_as(
        "SELECT relname::text, relrowsecurity AND relforcerowsecurity,
                has_table_privilege('mana_app', oid, 'SELECT, INSERT, UPDATE, DELETE')
         FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let stored: BTreeMap<&str, bool> = catalogue
        .iter()
        .map(|(name, guarded, _)| (&**name, *guarded))
        .collect();
    let listed: BTreeMap<&str, bool> = TABLES
        .iter()
        .map(|table| (table.name, table.content))
        .collect();
    assert_eq!(
        stored, listed,
        "the tables, and whether row-level security guards them"
    );
    for (name, _, granted) in &catalogue {
        assert!(granted, "mana_app may not write {name}");
    }
}

#[tokio::test]
async fn grants_that_a_restored_dump_lacks_are_given_again() {
    let cluster = Cluster::shared();
    let options = PgConnectOptions::from_str(&cluster.url(&cluster.create())).unwrap();
    prepare(&options).await.unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection
        .execute("REVOKE ALL ON kv, users FROM mana_app")
        .await
        .unwrap();
    assert_eq!(prepare(&options).await.unwrap(), SESSION_AS_APP);
    let granted: bool =
        sqlx::query_scalar("SELECT has_table_privilege('mana_app', 'kv', 'UPDATE')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert!(granted);
}
