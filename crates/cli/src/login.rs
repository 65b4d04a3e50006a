//! `mana login`: signing in.

use std::{
    io::{BufRead as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use mana_core::sync::TransportError;
use mana_device::{Credentials, HttpTransport, Session};
use serde_json::json;

use crate::{
    terminal::visible,
    workspace::{Workspace, WorkspaceDir},
};

pub(crate) async fn login(
    data_dir: &Path,
    url: &str,
    bring: Option<bool>,
    as_json: bool,
) -> Result<()> {
    let url = address(url)?;
    let dir = WorkspaceDir::new(data_dir)?;
    let email = match set("MANA_EMAIL") {
        Some(email) => email,
        None => ask("E-mail: ")?,
    };
    let password = match set("MANA_PASSWORD") {
        Some(password) => password,
        None => rpassword::prompt_password("Password: ")
            .context("the password can't be asked for; set MANA_PASSWORD")?,
    };
    let credentials = Credentials { email, password };
    let http = match HttpTransport::sign_in(&url, &credentials, |_| {}).await {
        Err(TransportError::Refused(refusal)) if refusal.code == "second_step_required" => {
            let challenge = refusal.details["challenge"].as_str().unwrap_or_default();
            let code = match set("MANA_CODE") {
                Some(code) => code,
                None => ask("Code of your app, or a recovery code: ")?,
            };
            HttpTransport::sign_in_by_code(&url, &credentials.email, challenge, &code, |_| {})
                .await?
        }
        signed_in => signed_in?,
    };
    let session = http.session().await;
    let held = |before: &Session| {
        let path = dir.database(before);
        path != dir.database(&session) && path.exists()
    };
    if let Some(before) = dir.session()?.filter(held) {
        let anew = before.url == session.url && before.email == session.email;
        match bring {
            Some(true) => dir.adopt(&before, &session).await?,
            None if anew => bail!(
                "The server at {url} was set up anew: it has another account of {} than this machine. \
                 Bring along what this machine holds with `mana login {url} --bring`, or leave it with `--bring=false`",
                before.email
            ),
            Some(false) | None => {}
        }
    }
    dir.keep_session(&session)?;
    let keep = dir.clone();
    let http = HttpTransport::resume(session.clone(), move |session| {
        let _ = keep.keep_session(session);
    })?;
    let mut workspace = Workspace::with(dir, &session, http).await?;
    workspace.sync().await?;
    if as_json {
        println!(
            "{}",
            json!({ "url": url, "userId": session.user_id, "email": session.email })
        );
    } else {
        println!("Signed in at {url} as {}.", visible(&session.email));
    }
    workspace.close().await;
    Ok(())
}

/// Returns the address without a trailing slash.
fn address(url: &str) -> Result<String> {
    let url = url.trim().trim_end_matches('/');
    if !url.starts_with("http://") && !url.starts_with("https://") {
        bail!("{url} is no address; write it with https://, or http:// for this machine");
    }
    Ok(url.to_owned())
}

fn set(variable: &str) -> Option<String> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
}

fn ask(question: &str) -> Result<String> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        "" => bail!("nothing was typed; type it, or set MANA_EMAIL and MANA_CODE"),
        text => Ok(text.to_owned()),
    }
}
