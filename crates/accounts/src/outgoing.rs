//! Requests to issuers and providers: bounded in time and size, and following nobody elsewhere.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, redirect};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Largest answer. A key is a few hundred bytes, a provider's description a few thousand.
const MAX_BYTES: usize = 64 * 1024;

/// A client that is made when it is first needed.
#[derive(Default)]
pub(crate) struct Http(OnceLock<reqwest::Client>);

impl Http {
    /// Returns the client.
    pub fn client(&self) -> Result<&reqwest::Client, String> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        // An error means that a provider is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("mana/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(without_url)?;
        Ok(self.0.get_or_init(|| client))
    }
}

/// Sends a request and reads the answer's body.
pub(crate) async fn read(request: RequestBuilder) -> Result<Vec<u8>, String> {
    let reading = async {
        let answer = request.send().await.map_err(without_url)?;
        body(answer).await
    };
    tokio::time::timeout(WITHIN, reading)
        .await
        .map_err(|_| format!("no answer in {} s", WITHIN.as_secs()))?
}

async fn body(answer: Response) -> Result<Vec<u8>, String> {
    let mut answer = answer.error_for_status().map_err(without_url)?;
    let mut text = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(without_url)? {
        text.extend_from_slice(&part);
        if text.len() > MAX_BYTES {
            return Err(format!("the answer is larger than {MAX_BYTES} bytes"));
        }
    }
    Ok(text)
}

/// Returns an error's text without the address in it, which may hold a secret.
fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
