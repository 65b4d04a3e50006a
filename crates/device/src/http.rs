//! The server over HTTP: signing in, tokens, pushes.

use std::time::Duration;

use async_trait::async_trait;
use mana_core::sync::{
    JoinRequest, PushAnswer, PushRequest, Refusal, SCHEMA_VERSION, SnapshotPage, SnapshotRequest,
    TransportError,
};
use reqwest::{Client, Method, RequestBuilder, Response, header, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::Mutex;

use crate::{env::Env, transport::Transport};

const CONNECT: Duration = Duration::from_secs(10);

/// A push of 10 MB over a slow line takes its time.
const WHOLE: Duration = Duration::from_secs(60);

const COOKIE: &str = "mana_session";

/// The header that names the connection: its socket is not told of what it pushes itself.
const CONNECTION_ID: &str = "x-connection-id";

/// The header that names the version of the data's shape that this device reads.
const SCHEMA_VERSION_HEADER: &str = "x-schema-version";

/// The credentials of a sign-in.
pub struct Credentials {
    /// The address.
    pub email: String,
    /// The password; not kept.
    pub password: String,
}

/// Somebody signed in at a server. Holds secrets: keep it where only its person can read it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The server's address, without a slash at its end.
    pub url: String,
    /// The account.
    pub user_id: String,
    /// Its e-mail address.
    pub email: String,
    /// The session's cookie, which gives new tokens.
    pub cookie: String,
    /// The bearer token.
    pub token: String,
}

/// A server that somebody is signed in at.
pub struct HttpTransport {
    client: Client,
    session: Mutex<Session>,
    keep: Box<dyn Fn(&Session) + Send + Sync>,
    reread: Box<dyn Fn() -> Option<Session> + Send + Sync>,
    /// The name under which this process pushes and listens, which no copy of its replica has.
    connection_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn {
    user_id: String,
    token: String,
}

impl HttpTransport {
    /// Signs in. `keep` is called with every new token. Where a second step has to follow, the refusal has the code
    /// `second_step_required` and the challenge in its details.
    pub async fn sign_in(
        url: &str,
        credentials: &Credentials,
        keep: impl Fn(&Session) + Send + Sync + 'static,
    ) -> Result<HttpTransport, TransportError> {
        let body = json!({ "email": credentials.email, "password": credentials.password });
        Self::begin(url, "/auth/login", body, &credentials.email, keep).await
    }

    /// Completes a sign-in by a code of the second factor: six digits of an app, else a recovery code.
    pub async fn sign_in_by_code(
        url: &str,
        email: &str,
        challenge: &str,
        code: &str,
        keep: impl Fn(&Session) + Send + Sync + 'static,
    ) -> Result<HttpTransport, TransportError> {
        let is_of_app = code.chars().filter(char::is_ascii_digit).count() == 6
            && !code.contains(|c: char| c.is_ascii_alphabetic());
        let name = if is_of_app { "code" } else { "recoveryCode" };
        let body = json!({ "challenge": challenge, name: code });
        Self::begin(url, "/auth/login/code", body, email, keep).await
    }

    async fn begin(
        url: &str,
        path: &str,
        body: Value,
        email: &str,
        keep: impl Fn(&Session) + Send + Sync + 'static,
    ) -> Result<HttpTransport, TransportError> {
        let client = client(url)?;
        let url = url.trim_end_matches('/');
        let request = client.post(format!("{url}{path}")).json(&body);
        let response = send(request).await?;
        let cookie = cookie_of(&response)
            .ok_or_else(|| offline("the answer holds no session; is this a Mana server?"))?;
        let SignedIn { user_id, token } = read(response).await?;
        let session = Session {
            url: url.to_owned(),
            user_id,
            email: email.to_owned(),
            cookie,
            token,
        };
        keep(&session);
        Ok(HttpTransport {
            client,
            session: Mutex::new(session),
            keep: Box::new(keep),
            reread: Box::new(|| None),
            connection_id: (Env::system().new_id)(),
        })
    }

    /// Goes on with an earlier sign-in.
    pub fn resume(
        session: Session,
        keep: impl Fn(&Session) + Send + Sync + 'static,
    ) -> Result<HttpTransport, TransportError> {
        Ok(HttpTransport {
            client: client(&session.url)?,
            session: Mutex::new(session),
            keep: Box::new(keep),
            reread: Box::new(|| None),
            connection_id: (Env::system().new_id)(),
        })
    }

    /// The same, looking at what another process has kept before the session is used: its secret changes with time.
    #[must_use]
    pub fn rereading(
        mut self,
        reread: impl Fn() -> Option<Session> + Send + Sync + 'static,
    ) -> HttpTransport {
        self.reread = Box::new(reread);
        self
    }

    /// The session, with the newest token.
    pub async fn session(&self) -> Session {
        self.session.lock().await.clone()
    }

    /// The modules' manifests, a JSON array.
    pub async fn manifests(&self) -> Result<String, TransportError> {
        // Kept as text: the order of a manifest's fields means something, and a `Value` would sort them.
        let manifests: Box<RawValue> = self.request(Method::GET, "/modules", None::<&()>).await?;
        Ok(manifests.get().to_owned())
    }

    /// The account's time zone, an IANA name.
    pub async fn timezone(&self) -> Result<String, TransportError> {
        let me: Value = self.request(Method::GET, "/auth/me", None::<&()>).await?;
        Ok(me["timezone"].as_str().unwrap_or("UTC").to_owned())
    }

    /// Asks for a run of a mission under a slot; asking twice is asking once.
    pub async fn run_mission(&self, mission_id: &str, slot: &str) -> Result<(), TransportError> {
        let path = format!("/ai/missions/{}/run", escaped(mission_id));
        let body = json!({ "slot": slot });
        let _: Value = self.request(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// Ends the session at the server.
    pub async fn sign_out(&self) -> Result<(), TransportError> {
        let session = self.session.lock().await;
        let request = self
            .client
            .post(format!("{}/auth/logout", session.url))
            .bearer_auth(&session.token)
            .header(header::COOKIE, format!("{COOKIE}={}", session.cookie));
        send(request).await.map(drop)
    }

    /// The name under which this process pushes, for its socket.
    pub(crate) fn connection_id(&self) -> &str {
        &self.connection_id
    }

    /// Where the server is, and the token for it.
    pub(crate) async fn place(&self) -> (String, String) {
        let session = self.session.lock().await;
        (session.url.clone(), session.token.clone())
    }

    /// A request as the person; where the token has ended, with a new one.
    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, TransportError> {
        let (url, token) = self.place().await;
        let request = |token: &str| {
            let request = self
                .client
                .request(method.clone(), format!("{url}{path}"))
                .bearer_auth(token)
                .header(CONNECTION_ID, &self.connection_id)
                .header(SCHEMA_VERSION_HEADER, SCHEMA_VERSION);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let response = match send(request(&token)).await {
            Err(TransportError::Refused(refusal)) if refusal.status == 401 => {
                let token = self.refresh(&token).await?;
                send(request(&token)).await?
            }
            other => other?,
        };
        read(response).await
    }

    /// A new token by the session's cookie; the one that another request has fetched meanwhile, if there is one.
    pub(crate) async fn refresh(&self, ended: &str) -> Result<String, TransportError> {
        let mut session = self.session.lock().await;
        if session.token == ended
            && let Some(kept) = (self.reread)()
            && (&kept.url, &kept.user_id) == (&session.url, &session.user_id)
        {
            *session = kept;
        }
        if session.token == ended {
            let request = self
                .client
                .post(format!("{}/auth/refresh", session.url))
                .header(header::COOKIE, format!("{COOKIE}={}", session.cookie));
            let response = send(request).await?;
            if let Some(cookie) = cookie_of(&response) {
                session.cookie = cookie;
            }
            let SignedIn { token, .. } = read(response).await?;
            session.token = token;
            (self.keep)(&session);
        }
        Ok(session.token.clone())
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn push(&self, request: &PushRequest) -> Result<PushAnswer, TransportError> {
        self.request(Method::POST, "/sync", Some(request)).await
    }

    async fn join(&self, request: &JoinRequest) -> Result<String, TransportError> {
        let answer: Value = self
            .request(Method::POST, "/sync/join", Some(request))
            .await?;
        let end = answer.get("logEnd").and_then(Value::as_str);
        Ok(end.unwrap_or_default().to_owned())
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        let path = format!(
            "/sync/snapshot?after={}&logEpoch={}&logEnd={}&lostEnd={}",
            escaped(&request.after),
            escaped(&request.log_epoch),
            escaped(&request.log_end),
            escaped(&request.lost_end)
        );
        self.request(Method::GET, &path, None::<&()>).await
    }
}

/// A text as a part of an address.
fn escaped(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    id.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn client(url: &str) -> Result<Client, TransportError> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        // Neither password nor data go where nobody sent them.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("mana/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("http://") {
        // Plain HTTP is for this machine and one's own network: no proxy, and no certificates to read.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder.build().map_err(|error| offline(&error.to_string()))
}

async fn send(request: RequestBuilder) -> Result<Response, TransportError> {
    let response = request.send().await.map_err(|error| broken(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let retry_after_s = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let body: Value = response.json().await.unwrap_or_default();
    let error = &body["error"];
    let text = |name: &str| error[name].as_str().map(str::to_owned);
    Err(TransportError::Refused(Refusal {
        status: status.as_u16(),
        code: text("code").unwrap_or_else(|| "unexpected".to_owned()),
        message: text("message")
            .unwrap_or_else(|| format!("The server answered {status}; is this a Mana server?")),
        details: error["details"].clone(),
        retry_after_s,
    }))
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, TransportError> {
    response.json().await.map_err(|error| broken(&error))
}

fn cookie_of(response: &Response) -> Option<String> {
    let mut cookies = response.headers().get_all(header::SET_COOKIE).iter();
    cookies.find_map(|cookie| {
        let pair = cookie.to_str().ok()?.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        (name.trim().trim_start_matches("__Host-") == COOKIE).then(|| value.trim().to_owned())
    })
}

/// The innermost cause of an error, without the address, which may hold secrets.
fn broken(error: &reqwest::Error) -> TransportError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match error.is_timeout() {
        true => offline("it takes too long to answer"),
        false => offline(&cause.to_string()),
    }
}

pub(crate) fn offline(reason: &str) -> TransportError {
    TransportError::Offline(reason.to_owned())
}
