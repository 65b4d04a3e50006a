//! Events of the audit log, each an entry and a line of the server's log, without secrets and without what a person
//! typed.

use std::net::IpAddr;

use mana_store::{AuditClass, AuditEntry, UserId};

/// Something that the audit log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "EVENTS has a sentence for each")]
pub enum AuditEvent {
    SignIn,
    SignInFailed,
    SignInLocked,
    CodeFailed,
    SecondStepClosed,
    RecoveryCodeUsed,
    SessionEnded,
    SessionReplayed,
    AccountMade,
    InvitationFailed,
    PasswordChanged,
    PasswordReset,
    ResetFailed,
    ResetLinkMade,
    ResetMailSent,
    AddressChanged,
    FactorAdded,
    FactorRemoved,
    RecoveryCodesMade,
    FactorAskedFor,
    FactorRuleChanged,
    IdentityJoined,
    IdentityRemoved,
    ProviderRefused,
    InvitationMade,
    InvitationWithdrawn,
    AccountLocked,
    AccountOpened,
    RoleChanged,
    LimitsChanged,
    AccountDeleted,
    KeyMade,
    KeyChanged,
    KeyRemoved,
    KeyUsed,
    ModelsChanged,
}

use AuditClass::{Act, Failure};
use AuditEvent as E;

/// Every event with its name, its class and its sentence in the server's log. Filters such as fail2ban's match the
/// sentences of failures (`deploy/fail2ban`).
const EVENTS: [(AuditEvent, &str, AuditClass, &str); 36] = [
    (E::SignIn, "sign-in", Act, "Sign-in"),
    (E::SignInFailed, "sign-in-failed", Failure, "Sign-in failed"),
    (
        E::SignInLocked,
        "sign-in-locked",
        Failure,
        "Sign-in to a locked account refused",
    ),
    (
        E::CodeFailed,
        "code-failed",
        Failure,
        "Second step of a sign-in failed",
    ),
    (
        E::SecondStepClosed,
        "second-step-closed",
        Failure,
        "Second step of a sign-in closed after wrong codes",
    ),
    (
        E::RecoveryCodeUsed,
        "recovery-code-used",
        Act,
        "Recovery code used",
    ),
    (E::SessionEnded, "session-ended", Act, "Sessions ended"),
    (
        E::SessionReplayed,
        "session-replayed",
        Failure,
        "Session ended because an old secret of it was shown",
    ),
    (E::AccountMade, "account-made", Act, "Account made"),
    (
        E::InvitationFailed,
        "invitation-failed",
        Failure,
        "Invitation or setup link refused",
    ),
    (
        E::PasswordChanged,
        "password-changed",
        Act,
        "Password changed",
    ),
    (
        E::PasswordReset,
        "password-reset",
        Act,
        "Password set by a link",
    ),
    (
        E::ResetFailed,
        "reset-failed",
        Failure,
        "Link of a password refused",
    ),
    (
        E::ResetLinkMade,
        "reset-link-made",
        Act,
        "Link of a password made",
    ),
    (
        E::ResetMailSent,
        "reset-mail-sent",
        Act,
        "Link of a password sent by mail",
    ),
    (
        E::AddressChanged,
        "address-changed",
        Act,
        "E-mail address changed",
    ),
    (E::FactorAdded, "factor-added", Act, "Second factor added"),
    (
        E::FactorRemoved,
        "factor-removed",
        Act,
        "Second factor removed",
    ),
    (
        E::RecoveryCodesMade,
        "recovery-codes-made",
        Act,
        "Recovery codes made",
    ),
    (
        E::FactorAskedFor,
        "factor-asked-for",
        Act,
        "Second factor asked for",
    ),
    (
        E::FactorRuleChanged,
        "factor-rule-changed",
        Act,
        "Rule of second factors changed",
    ),
    (
        E::IdentityJoined,
        "identity-joined",
        Act,
        "Provider's identity joined",
    ),
    (
        E::IdentityRemoved,
        "identity-removed",
        Act,
        "Provider's identity removed",
    ),
    (
        E::ProviderRefused,
        "provider-refused",
        Failure,
        "Sign-in by a provider failed",
    ),
    (E::InvitationMade, "invitation-made", Act, "Invitation made"),
    (
        E::InvitationWithdrawn,
        "invitation-withdrawn",
        Act,
        "Invitation withdrawn",
    ),
    (E::AccountLocked, "account-locked", Act, "Account locked"),
    (E::AccountOpened, "account-opened", Act, "Account opened"),
    (E::RoleChanged, "role-changed", Act, "Role changed"),
    (E::LimitsChanged, "limits-changed", Act, "Limits changed"),
    (E::AccountDeleted, "account-deleted", Act, "Account deleted"),
    (E::KeyMade, "key-made", Act, "Key made"),
    (E::KeyChanged, "key-changed", Act, "Key changed"),
    (E::KeyRemoved, "key-removed", Act, "Key removed"),
    (E::KeyUsed, "key-used", Act, "Key used"),
    (
        E::ModelsChanged,
        "models-changed",
        Act,
        "Settings of models changed",
    ),
];

/// The events after which other servers read anew what they know of people.
pub const CHANGES_PEOPLE: [AuditEvent; 6] = [
    E::AccountLocked,
    E::AccountOpened,
    E::RoleChanged,
    E::LimitsChanged,
    E::AccountDeleted,
    E::FactorRuleChanged,
];

impl AuditEvent {
    fn row(self) -> &'static (AuditEvent, &'static str, AuditClass, &'static str) {
        let row = EVENTS.iter().find(|(event, ..)| *event == self);
        row.expect("the table has every event")
    }

    /// The event as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }
}

/// The account that acts, and the place that it acts from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The account that acts; none where nobody is signed in.
    pub actor: Option<UserId>,
    /// The network address; none at the command line.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// Somebody who is not signed in.
    pub fn stranger(address: IpAddr) -> Origin {
        Origin {
            actor: None,
            address: Some(address),
        }
    }
}

/// Makes an entry.
pub fn entry(
    event: AuditEvent,
    origin: &Origin,
    subject: Option<&UserId>,
    detail: String,
    at: mana_core::Micros,
) -> AuditEntry {
    let (_, name, class, _) = event.row();
    AuditEntry {
        at,
        class: *class,
        event: name,
        subject: subject.cloned(),
        actor: origin.actor.clone(),
        address: origin.address.map(|address| address.to_string()),
        detail,
    }
}

/// Logs `Sign-in failed from 192.0.2.1`, with the entry's ids as fields.
pub(crate) fn log_line(entry: &AuditEntry, event: AuditEvent) {
    let (_, name, class, sentence) = event.row();
    let from = match &entry.address {
        Some(address) => format!("from {address}"),
        None => "on the server itself".to_owned(),
    };
    let id = |id: &Option<UserId>| id.as_ref().map(|id| id.0.clone()).unwrap_or_default();
    let (account, actor) = (id(&entry.subject), id(&entry.actor));
    match class {
        Failure => tracing::warn!(
            event = name,
            user_id = account,
            actor_id = actor,
            detail = entry.detail,
            "{sentence} {from}"
        ),
        Act => tracing::info!(
            event = name,
            user_id = account,
            actor_id = actor,
            detail = entry.detail,
            "{sentence} {from}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_has_one_row_and_a_name_of_its_own() {
        let names: BTreeSet<&str> = EVENTS.iter().map(|(_, name, ..)| *name).collect();
        assert_eq!(names.len(), EVENTS.len());
        assert_eq!(AuditEvent::ModelsChanged.as_str(), "models-changed");
    }

    #[test]
    fn the_filter_of_fail2ban_has_the_sentence_of_each_failure() {
        let filter = include_str!("../../../deploy/fail2ban/filter.d/mana.conf");
        let failures = EVENTS.iter().filter(|(.., class, _)| *class == Failure);
        for (_, name, _, sentence) in failures {
            let alternative = [
                format!("(?:{sentence}|"),
                format!("|{sentence}|"),
                format!("|{sentence})"),
            ];
            assert!(alternative.iter().any(|one| filter.contains(one)), "{name}");
        }
    }
}
