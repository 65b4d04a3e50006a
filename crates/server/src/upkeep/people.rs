//! `mana user`: the accounts of a server, and the link of a forgotten password.

use anyhow::{Result, bail};
use mana_accounts::create_password_reset;
use serde_json::json;

use super::{Users, open};
use crate::clock;
use crate::config::Config;
use crate::serve::reachable;

/// Prints every account.
pub async fn list_people(config: Config, as_json: bool) -> Result<()> {
    let upkeep = open(&config).await?;
    let (mut users, mut lines) = (Users::default(), Vec::new());
    while let Some(user) = users.next(&upkeep).await? {
        let (email, role) = (user.email, user.role.as_str());
        lines.push(match as_json {
            true => json!({ "id": user.id.0, "email": email, "name": user.name, "role": role,
                "createdAt": user.created_at })
            .to_string(),
            false => format!("{email}  {role}  {}", user.created_at),
        });
    }
    upkeep.store.close().await;
    users.some(&config)?;
    println!("{}", lines.join("\n"));
    Ok(())
}

/// Prints a link with which the person with this address sets another password.
pub async fn reset_password(config: Config, email: String) -> Result<()> {
    let upkeep = open(&config).await?;
    let user = upkeep.accounts.user_by_email(&email).await?;
    let made = match &user {
        Some(user) => Some(create_password_reset(&*upkeep.accounts, user, clock::now()).await),
        None => None,
    };
    upkeep.store.close().await;
    let Some(made) = made else {
        bail!("No account has the e-mail address {email}; `mana user list` prints them");
    };
    let (token, ends) = made?;
    let base = match &config.server.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", reachable(config.server.listen)),
    };
    // The token is in the fragment, so it never reaches a log.
    println!("{base}/reset#token={token}");
    eprintln!("The link is good once, until {ends}; whoever has it takes over the account.");
    Ok(())
}
