//! Mail to people: the link of a forgotten password, and the request for a second factor.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use mana_store::User;
use tokio::sync::Semaphore;

use crate::config::SmtpConfig;

/// How long the mail server may take for a step.
const WITHIN: Duration = Duration::from_secs(20);
/// Mails under way at a time.
const AT_A_TIME: usize = 4;

/// A mail that a person gets, in each language: language, subject, text with `{link}`. The last is for everybody else.
type Texts = [(&'static str, &'static str, &'static str); 2];

const RESET: Texts = [
    (
        "de",
        "Neues Passwort für Mana",
        "Jemand hat für dieses Konto ein neues Passwort verlangt. Wenn du es warst, öffne diesen Link:\n\n\
         {link}\n\nEr gilt einmal und einen Tag lang. Wenn du es nicht warst, tu nichts: Es ändert sich nichts.\n",
    ),
    (
        "en",
        "A new password for Mana",
        "Somebody asked for a new password of this account. If it was you, open this link:\n\n{link}\n\n\
         It is good once, for a day. If it was not you, do nothing: nothing changes.\n",
    ),
];

const FACTOR: Texts = [
    (
        "de",
        "Bitte richte einen zweiten Faktor für Mana ein",
        "Der Inhaber dieses Servers bittet dich um einen zweiten Faktor, zum Beispiel eine Code-App auf dem Telefon. \
         Hier richtest du ihn ein:\n\n{link}\n\nBis dahin schützt allein dein Passwort, was du geschrieben hast.\n",
    ),
    (
        "en",
        "Please add a second factor for Mana",
        "The owner of this server asks you for a second factor, such as a code app on your phone. Add it here:\n\n\
         {link}\n\nUntil then your password alone protects what you wrote.\n",
    ),
];

/// Sends mail by the configured server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    permits: Semaphore,
}

impl Mailer {
    /// Makes the mailer. Nothing is connected before the first mail.
    ///
    /// # Errors
    ///
    /// The address of the server can't be used.
    pub fn new(config: &SmtpConfig) -> Result<Arc<Mailer>> {
        // An error means that a provider is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(config.url.expose())
            .context("MANA_SMTP_URL can't be used")?
            .timeout(Some(WITHIN))
            .build();
        Ok(Arc::new(Mailer {
            transport,
            from: config.from.clone(),
            permits: Semaphore::new(AT_A_TIME),
        }))
    }

    /// Sends the link of a forgotten password. A failure is for the operator: whoever asked must not be told whether
    /// there is an account.
    pub async fn send_reset_link(&self, user: &User, link: &str) {
        self.send(user, &RESET, link, "with the link of a password")
            .await;
    }

    /// Asks a person to add a second factor.
    pub async fn ask_for_factor(&self, user: &User, link: &str) {
        self.send(user, &FACTOR, link, "that asks for a second factor")
            .await;
    }

    async fn send(&self, user: &User, texts: &Texts, link: &str, what: &str) {
        if let Err(error) = self.try_to_send(user, texts, link).await {
            tracing::error!(
                user_id = %user.id,
                "The mail {what} could not be sent; check MANA_SMTP_URL: {error:#}"
            );
        }
    }

    async fn try_to_send(&self, user: &User, texts: &Texts, link: &str) -> Result<()> {
        let language = user.locale.split('-').next().unwrap_or_default();
        let [.., otherwise] = texts;
        let (_, subject, text) = texts
            .iter()
            .find(|(known, ..)| *known == language)
            .unwrap_or(otherwise);
        let mail = Message::builder()
            .from(self.from.clone())
            .to(user
                .email
                .parse()
                .context("the address can't be written to")?)
            .subject(*subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.replace("{link}", link))?;
        let _permit = self.permits.acquire().await?;
        self.transport.send(mail).await?;
        Ok(())
    }
}
