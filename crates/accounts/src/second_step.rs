//! The second step of a sign-in: codes of an app (RFC 6238), and recovery codes for the day the app is lost.

use mana_core::Micros;
use mana_store::{FactorState, StoreError, User, UserId};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};

use crate::audit_events::AuditEvent;
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::purpose_tokens::Purpose;
use crate::random;

/// How long the second step may take, in seconds.
const CHALLENGE_LIFETIME_S: i64 = 5 * 60;
/// How long a trusted device is not asked, in seconds.
pub const TRUST_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Wrong codes in a row that close the second step, and for how long, in microseconds.
const MOST_GUESSES: i64 = 5;
const CLOSED_FOR: i64 = 15 * 60 * 1_000_000;
/// RFC 4226 asks for 160 bits.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 60 bits.
const RECOVERY_CODE_CHARS: usize = 12;
/// Without what is read as something else.
const RECOVERY_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A second factor that has yet to be confirmed by a first code.
#[derive(Debug)]
pub struct NewFactor {
    /// The secret for an app that can't scan, in base32.
    pub secret: String,
    /// The address that an app scans or opens, `otpauth://totp/…`.
    pub url: String,
}

/// The proof that a person shows in the second step.
#[derive(Debug, Clone)]
pub enum SecondProof {
    /// The six digits of the app.
    Code(String),
    /// A recovery code.
    RecoveryCode(String),
}

/// The account of a challenge, and a mark of what it was made from: another password or another factor ends it.
#[derive(Clone, Serialize, Deserialize)]
struct Challenged {
    user: UserId,
    mark: String,
}

fn mark(user: &User, factor: FactorState) -> String {
    let text = format!("{} {}", user.password_hash, factor.confirmed_at.0);
    random::sha256_base64(text.as_bytes())
}

impl Auth {
    /// The second factor of an account, once it is confirmed.
    pub async fn factor_state(&self, user: &UserId) -> Result<Option<FactorState>> {
        Ok(self.accounts.factor_state(user).await?)
    }

    /// Makes a second factor, which is asked for from its first code on.
    pub async fn begin_factor(
        &self,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
        server: &str,
    ) -> Result<NewFactor> {
        self.confirm_password(user, password, attempt).await?;
        let mut secret = [0; SECRET_BYTES];
        random::fill(&mut secret);
        let totp = self.totp(&secret, user, server)?;
        let shown = Secret::from(secret).to_base32();
        let sealed = self
            .seal
            .seal(&sealed_name(&user.id), &shown)
            .map_err(AccountError::internal)?;
        if !self.accounts.begin_factor(&user.id, &sealed).await? {
            return Err(AccountError::field(
                "code",
                "There is a second factor already; remove it first.",
            ));
        }
        Ok(NewFactor {
            url: totp.to_url().map_err(AccountError::internal)?,
            secret: shown,
        })
    }

    /// Confirms a second factor by its first code. Returns the recovery codes, which are shown this once.
    pub async fn confirm_factor(
        &self,
        user: &User,
        code: &str,
        attempt: &SignInAttempt,
    ) -> Result<Vec<String>> {
        let step = self.step_of_code(user, code, attempt, false).await?;
        let codes = recovery_codes();
        self.accounts
            .confirm_factor(&user.id, step, &plain_codes(&codes), self.now())
            .await?;
        let origin = attempt.origin_of(&user.id);
        self.note(AuditEvent::FactorAdded, &origin, Some(&user.id), "app")
            .await;
        Ok(codes)
    }

    /// Takes the second factor away. Returns whether there was one.
    pub async fn remove_factor(
        &self,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<bool> {
        self.confirm_password(user, password, attempt).await?;
        let removed = self.accounts.remove_factor(&user.id).await?;
        self.factor_rule.forget(&user.id);
        if removed {
            let origin = attempt.origin_of(&user.id);
            self.note(AuditEvent::FactorRemoved, &origin, Some(&user.id), "app")
                .await;
        }
        Ok(removed)
    }

    /// Makes new recovery codes; earlier ones are good no more.
    pub async fn new_recovery_codes(
        &self,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<Vec<String>> {
        self.confirm_password(user, password, attempt).await?;
        if self.accounts.factor_state(&user.id).await?.is_none() {
            return Err(AccountError::field(
                "code",
                "There is no second factor; add one first.",
            ));
        }
        let codes = recovery_codes();
        self.accounts
            .replace_recovery_codes(&user.id, &plain_codes(&codes))
            .await?;
        let origin = attempt.origin_of(&user.id);
        self.note(AuditEvent::RecoveryCodesMade, &origin, Some(&user.id), "")
            .await;
        Ok(codes)
    }

    /// Asks for the second step where the account has a second factor, unless the device is trusted.
    pub(crate) async fn challenge(
        &self,
        user: &User,
        trusted: Option<&str>,
    ) -> Result<Option<String>> {
        let Some(factor) = self.accounts.factor_state(&user.id).await? else {
            return Ok(None);
        };
        let challenged = Challenged {
            user: user.id.clone(),
            mark: mark(user, factor),
        };
        let trust = trusted.and_then(|token| {
            self.tokens
                .verify_for::<Challenged>(Purpose::TrustedDevice, token, self.now())
        });
        if trust.is_some_and(|trust| trust.user == challenged.user && trust.mark == challenged.mark)
        {
            return Ok(None);
        }
        let challenge = self
            .tokens
            .issue_for(
                Purpose::SecondStep,
                challenged,
                CHALLENGE_LIFETIME_S,
                self.now(),
            )
            .map_err(AccountError::internal)?;
        Ok(Some(challenge))
    }

    /// Completes a sign-in. Returns the account, and how the second step was proved.
    pub async fn second_step(
        &self,
        challenge: &str,
        proof: SecondProof,
        attempt: &SignInAttempt,
    ) -> Result<(User, &'static str)> {
        let challenged: Challenged = self
            .tokens
            .verify_for(Purpose::SecondStep, challenge, self.now())
            .ok_or(AccountError::StepExpired)?;
        let user = self.accounts.user(&challenged.user).await?;
        let factor = self.accounts.factor_state(&challenged.user).await?;
        let (Some(user), Some(factor)) = (user, factor) else {
            return Err(AccountError::StepExpired);
        };
        if mark(&user, factor) != challenged.mark {
            return Err(AccountError::StepExpired);
        }
        let proved = match proof {
            SecondProof::Code(code) => {
                let step = self.step_of_code(&user, &code, attempt, true).await?;
                self.accounts.take_code(&user.id, step).await?;
                "code"
            }
            SecondProof::RecoveryCode(code) => {
                self.take_guess(&user, attempt).await?;
                let taken = self
                    .accounts
                    .take_recovery_code(&user.id, &plain_code(&code))
                    .await;
                if let Err(StoreError::CodeWrong) = taken {
                    self.note_wrong_code(&user, attempt).await;
                }
                taken?;
                let origin = attempt.origin();
                self.note(AuditEvent::RecoveryCodeUsed, &origin, Some(&user.id), "")
                    .await;
                "recovery-code"
            }
        };
        Ok((user, proved))
    }

    /// Issues the token by which a device is not asked for a second step for [`TRUST_LIFETIME_S`].
    pub async fn trust_device(&self, user: &User) -> Result<Option<String>> {
        let Some(factor) = self.accounts.factor_state(&user.id).await? else {
            return Ok(None);
        };
        let trust = Challenged {
            user: user.id.clone(),
            mark: mark(user, factor),
        };
        let token =
            self.tokens
                .issue_for(Purpose::TrustedDevice, trust, TRUST_LIFETIME_S, self.now());
        Ok(Some(token.map_err(AccountError::internal)?))
    }

    /// The time step of a code that fits, within one step of the present one. Takes one guess.
    async fn step_of_code(
        &self,
        user: &User,
        code: &str,
        attempt: &SignInAttempt,
        confirmed: bool,
    ) -> Result<i64> {
        let factor = self.take_guess(user, attempt).await?;
        let factor = factor.filter(|factor| factor.confirmed_at.is_some() == confirmed);
        let factor = factor.ok_or(AccountError::StepExpired)?;
        let secret = self
            .seal
            .unseal(&sealed_name(&user.id), &factor.secret)
            .map_err(AccountError::internal)?;
        let secret = Secret::try_from_base32(&secret).map_err(AccountError::internal)?;
        let totp = Builder::new().with_secret(secret).build_noncompliant();
        let seconds = self.now().0.div_euclid(1_000_000).unsigned_abs();
        let code: String = code.chars().filter(char::is_ascii_digit).collect();
        let step = match code.len() {
            6 => totp.check(&code, seconds),
            _ => None,
        };
        match step.and_then(|step| i64::try_from(step).ok()) {
            Some(step) => Ok(step),
            None => {
                self.note_wrong_code(user, attempt).await;
                Err(StoreError::CodeWrong.into())
            }
        }
    }

    async fn take_guess(
        &self,
        user: &User,
        attempt: &SignInAttempt,
    ) -> Result<Option<mana_store::SecondFactor>> {
        let taken = self
            .accounts
            .take_guess(&user.id, self.now(), MOST_GUESSES, CLOSED_FOR)
            .await;
        match taken {
            Err(StoreError::CodesClosed { until }) => {
                let origin = attempt.origin();
                self.note_line(AuditEvent::SecondStepClosed, &origin, Some(&user.id));
                Err(AccountError::TooManyAttempts {
                    retry_after_s: seconds_until(until, self.now()),
                })
            }
            taken => Ok(taken?),
        }
    }

    async fn note_wrong_code(&self, user: &User, attempt: &SignInAttempt) {
        let origin = attempt.origin();
        self.note(AuditEvent::CodeFailed, &origin, Some(&user.id), "")
            .await;
    }

    fn totp(&self, secret: &[u8; SECRET_BYTES], user: &User, server: &str) -> Result<Totp> {
        // A colon would end the name, and a code app shows both.
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_secret(*secret)
            .with_account_name(plain(&user.email))
            .with_issuer(Some(format!("Mana {}", plain(server)).trim().to_owned()))
            .build()
            .map_err(AccountError::internal)
    }
}

/// The name under which an account's secret is sealed: it opens for no other account.
fn sealed_name(user: &UserId) -> String {
    format!("second factor of {user}")
}

fn seconds_until(until: Micros, now: Micros) -> u64 {
    (until.0 - now.0).max(0).unsigned_abs() / 1_000_000 + 1
}

/// Makes recovery codes as a person writes them down: `k3md-8xqa-p0ts`.
fn recovery_codes() -> Vec<String> {
    let code = || {
        let mut bytes = [0; RECOVERY_CODE_CHARS];
        random::fill(&mut bytes);
        let letters = bytes.map(|byte| char::from(RECOVERY_ALPHABET[usize::from(byte % 32)]));
        let groups = letters
            .chunks(4)
            .map(|group| group.iter().collect::<String>());
        groups.collect::<Vec<_>>().join("-")
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// A recovery code without what a person adds or leaves out in writing.
fn plain_code(code: &str) -> String {
    let kept = code.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

fn plain_codes(codes: &[String]) -> Vec<String> {
    codes.iter().map(|code| plain_code(code)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn recovery_codes_differ_and_are_read_however_they_are_written() {
        let codes = recovery_codes();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), RECOVERY_CODES);
        let code = &codes[0];
        assert_eq!((code.len(), plain_code(code).len()), (14, 12));
        assert_eq!(
            plain_code(&format!(" {} ", code.to_uppercase().replace('-', " "))),
            plain_code(code)
        );
    }
}
