//! `mana user`: the accounts of a server. The server may go on meanwhile: it sees the entry of the audit log.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Result, anyhow, bail};
use mana_accounts::{AuditEvent, Origin, create_password_reset, entry, new_account};
use mana_core::Micros;
use mana_store::{Role, StoreError, User};
use serde_json::json;

use super::open;
use crate::clock;
use crate::config::Config;
use crate::error::sentence;
use crate::serve::reachable;
use crate::storage::Upkeep;
use crate::users::Users;

/// A change of an account by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// Nobody may sign in.
    Locked,
    /// Its person may sign in again.
    Open,
    /// The account is an owner.
    Owner,
    /// The account is a member.
    Member,
    /// The password alone lets in.
    NoSecondFactor,
    /// Nothing of the account is left.
    Deleted {
        /// Whether the operator is not asked.
        unasked: bool,
    },
}

/// Prints every account.
pub async fn list_people(config: Config, as_json: bool) -> Result<()> {
    let upkeep = open(&config).await?;
    let (mut users, mut lines) = (Users::default(), Vec::new());
    while let Some(user) = users.next(&*upkeep.accounts).await? {
        let (email, role) = (user.email, user.role.as_str());
        lines.push(match as_json {
            true => json!({ "id": user.id.0, "email": email, "name": user.name, "role": role,
                "createdAt": user.created_at, "lockedAt": user.locked_at })
            .to_string(),
            false => {
                let locked = if user.locked_at.is_some() {
                    "  locked"
                } else {
                    ""
                };
                format!("{email}  {role}  {}{locked}", user.created_at)
            }
        });
    }
    upkeep.store.close().await;
    users.some(&config)?;
    println!("{}", lines.join("\n"));
    Ok(())
}

/// Makes an account, and prints the link with which its person sets the password.
pub async fn add_person(config: Config, email: String, name: String, owner: bool) -> Result<()> {
    let upkeep = open(&config).await?;
    let made = make(&upkeep, &email, &name, owner).await;
    upkeep.store.close().await;
    let (token, ends) = made?;
    print_link(&config, &token, ends);
    Ok(())
}

async fn make(upkeep: &Upkeep, email: &str, name: &str, owner: bool) -> Result<(String, Micros)> {
    let (accounts, now) = (&*upkeep.accounts, clock::now());
    if !owner && !accounts.owner_exists().await? {
        bail!("The server has no owner yet; make the first account with --owner");
    }
    let new = new_account(accounts, email, name).await?;
    let user = accounts.create_user(new, now).await.map_err(told)?;
    if owner {
        accounts.set_role(&user.id, Role::Owner).await?;
    }
    let role = if owner { Role::Owner } else { Role::Member };
    note(upkeep, AuditEvent::AccountMade, Some(&user), role.as_str()).await?;
    let made = create_password_reset(accounts, &user, now).await?;
    note(upkeep, AuditEvent::ResetLinkMade, Some(&user), "").await?;
    Ok(made)
}

/// Prints a link with which the person with this address sets another password.
pub async fn reset_password(config: Config, email: String) -> Result<()> {
    let upkeep = open(&config).await?;
    let made = async {
        let user = find(&upkeep, &email).await?;
        let made = create_password_reset(&*upkeep.accounts, &user, clock::now()).await?;
        note(&upkeep, AuditEvent::ResetLinkMade, Some(&user), "").await?;
        Ok::<_, anyhow::Error>(made)
    }
    .await;
    upkeep.store.close().await;
    let (token, ends) = made?;
    print_link(&config, &token, ends);
    Ok(())
}

/// Changes the account with this address.
pub async fn change_account(config: Config, email: String, change: AccountChange) -> Result<()> {
    let upkeep = open(&config).await?;
    let changed = apply(&upkeep, &email, change).await;
    upkeep.store.close().await;
    println!("{}", changed?);
    Ok(())
}

async fn apply(upkeep: &Upkeep, email: &str, change: AccountChange) -> Result<String> {
    let (accounts, now) = (&upkeep.accounts, clock::now());
    let user = find(upkeep, email).await?;
    let (id, email) = (&user.id, &user.email);
    let (event, subject, detail, said) = match change {
        AccountChange::Locked => {
            let ended = accounts
                .set_locked(id, Some(now))
                .await
                .map_err(told)?
                .len();
            let said = format!("The account {email} is locked; {ended} sessions ended.");
            (AuditEvent::AccountLocked, Some(&user), "", said)
        }
        AccountChange::Open => {
            accounts.set_locked(id, None).await.map_err(told)?;
            let said = format!("The account {email} is open.");
            (AuditEvent::AccountOpened, Some(&user), "", said)
        }
        AccountChange::Owner | AccountChange::Member => {
            let role = match change {
                AccountChange::Owner => Role::Owner,
                _ => Role::Member,
            };
            accounts.set_role(id, role).await.map_err(told)?;
            let said = format!("The account {email} is {} now.", role.as_str());
            (AuditEvent::RoleChanged, Some(&user), role.as_str(), said)
        }
        AccountChange::NoSecondFactor => {
            if !accounts.remove_factor(id).await? {
                bail!("The account {email} has no second factor");
            }
            let said = format!("The password alone lets into the account {email}.");
            (AuditEvent::FactorRemoved, Some(&user), "", said)
        }
        AccountChange::Deleted { unasked } => {
            if !unasked {
                ask(email)?;
            }
            accounts.delete_person(id, now).await.map_err(told)?;
            let said = format!("Nothing of the account {email} is left in the database.");
            (AuditEvent::AccountDeleted, None, "", said)
        }
    };
    note(upkeep, event, subject, detail).await?;
    Ok(said)
}

/// The account with this address, however it is written.
async fn find(upkeep: &Upkeep, email: &str) -> Result<User> {
    let user = upkeep.accounts.user_by_email(email).await?;
    user.ok_or_else(|| {
        anyhow!("No account has the e-mail address {email}; `mana user list` prints them")
    })
}

fn ask(email: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "Nobody is there to ask; use --yes to delete the account {email} with all of its content"
        );
    }
    eprint!("Delete {email} with everything that the account wrote? Type the address again: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() == email {
        true => Ok(()),
        false => bail!("Nothing was deleted"),
    }
}

/// Says a refusal with its remedy.
fn told(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::LastOwner | StoreError::EmailTaken => anyhow!("{}", sentence(&error)),
        error => error.into(),
    }
}

async fn note(
    upkeep: &Upkeep,
    event: AuditEvent,
    subject: Option<&User>,
    detail: &str,
) -> Result<()> {
    let subject = subject.map(|user| &user.id);
    let kept = entry(
        event,
        &Origin::default(),
        subject,
        detail.to_owned(),
        clock::now(),
    );
    Ok(upkeep.accounts.keep_audit(kept).await?)
}

fn print_link(config: &Config, token: &str, ends: Micros) {
    let base = match &config.server.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", reachable(config.server.listen)),
    };
    // The token is in the fragment, so it never reaches a log.
    println!("{base}/reset#token={token}");
    if config.server.public_url.is_none() {
        eprintln!(
            "MANA_PUBLIC_URL is not set, so the link names this machine; elsewhere write the address by which the \
             person reaches the server in the place of {base}."
        );
    }
    eprintln!("The link is good once, until {ends}; whoever has it takes over the account.");
}
