//! Owners of the tables as managed databases give them: with CREATEROLE, without it, never a superuser.

use mana_store::{Accounts as _, SharedDatabase as _, StoreError};

use super::*;
use crate::contract::support::*;

/// A new database whose owner is a new role with these rights. Returns the URL of the owner and both names.
fn owned(rights: &str) -> (String, String, String) {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let owner = format!("owner_of_{database}");
    cluster.sql("postgres", &format!("CREATE ROLE {owner} LOGIN {rights}"));
    cluster.sql(
        "postgres",
        &format!("ALTER DATABASE {database} OWNER TO {owner}"),
    );
    cluster.sql(&database, &format!("ALTER SCHEMA public OWNER TO {owner}"));
    (cluster.url_as(&owner, &database), owner, database)
}

async fn opened(url: &str) -> mana_store::Result<Arc<PostgresStore>> {
    PostgresStore::open(url, Arc::new(Registry::builtin()), patient()).await
}

#[tokio::test]
async fn an_owner_that_may_create_roles_makes_and_takes_the_role_of_the_application() {
    let (url, owner, database) = owned("CREATEROLE");
    // The role is the cluster's, and other tests have made it: the owner needs a grant, as on a cluster that has it.
    Cluster::shared().sql(
        "postgres",
        &format!("GRANT mana_app TO {owner} WITH ADMIN OPTION"),
    );
    for _ in 0..2 {
        let store = opened(&url).await.expect("it opens");
        push(&*store, &scope("me"), "c", vec![task("t", "me", NOW)], NOW).await;
        store.close().await;
    }
    let owned_by =
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.users'::regclass";
    assert_eq!(Cluster::shared().sql(&database, owned_by), owner);
}

#[tokio::test]
async fn an_owner_without_any_right_works_as_itself_under_forced_security() {
    let (url, _, database) = owned("NOCREATEROLE");
    let store = opened(&url).await.expect("it opens");
    push(&*store, &scope("me"), "c", vec![task("t", "me", NOW)], NOW).await;
    store.close().await;
    assert_eq!(
        Cluster::shared().sql(&database, "SELECT count(*) FROM sync_changes"),
        "1"
    );
}

#[tokio::test]
async fn a_backup_by_an_owner_without_any_right_has_every_row() {
    let (url, _, _) = owned("NOCREATEROLE");
    let store = opened(&url).await.expect("it opens");
    for name in ["ada", "bob"] {
        let user = store
            .create_user(new_user(name), NOW)
            .await
            .expect("a new one");
        let scope = mana_store::Scope::own(&user.id);
        push(&*store, &scope, "c", vec![task("t", name, NOW)], NOW).await;
    }
    store.close().await;
    let mut kept = crate::backup::Kept::default();
    PostgresStore::back_up(&url, &mut kept)
        .await
        .expect("a backup");
    let tables = kept.tables();
    assert_eq!(
        (
            tables["users"].len(),
            tables["sync_changes"].len(),
            tables["records"].len()
        ),
        (2, 2, 2)
    );

    let (url, _, _) = owned("NOCREATEROLE");
    let options = kept.options(None);
    PostgresStore::restore(&url, &mut kept.given(), options)
        .await
        .expect("it is restored");
    assert_eq!(
        opened(&url)
            .await
            .expect("it opens")
            .users(None, 9)
            .await
            .expect("accounts")
            .len(),
        2
    );
}

#[tokio::test]
async fn a_role_that_owns_nothing_is_told_that_it_may_not_make_tables() {
    let (_, _, database) = owned("NOCREATEROLE");
    let cluster = Cluster::shared();
    let stranger = format!("stranger_to_{database}");
    cluster.sql("postgres", &format!("CREATE ROLE {stranger} LOGIN"));
    cluster.sql(&database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let url = cluster.url_as(&stranger, &database);
    let told = opened(&url).await.err().expect("it may not");
    assert!(
        matches!(&told, StoreError::MayNotMigrate { role } if *role == stranger),
        "{told}"
    );
}
