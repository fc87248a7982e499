//! What is said of a run when it begins, beside what the trail says of the run before.

use ed25519_dalek::SigningKey;
use wire::audit::{AuditEntry, AuditKind};
use wire::hex::hex;
use wire::signed::signing_key_id;

use super::{Deed, Kept};

/// A run of the agent.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Version of the agent.
    pub software: String,
    /// SHA-256 of the configuration in force.
    pub config: [u8; 32],
    /// Why the agent was started.
    pub why: String,
}

impl Begun {
    /// The start, and what is another than it was.
    pub(super) fn deeds(&self, kept: &Kept, signer: &SigningKey) -> Vec<Deed> {
        let last = |kind: AuditKind| {
            let found = kept.entries.iter().rev().find(|(entry, _)| entry.kind == kind);
            found.map(|(entry, _)| entry.object.as_str())
        };
        let mut words = self.why.clone();
        if kept.torn {
            words.push_str("; the end of this trail was torn, and is cut off");
        }
        if kept.damaged {
            words.push_str("; something of this trail was damaged on the medium");
        }
        let mut deeds = vec![Deed::new(AuditKind::Start, &self.software, words)];
        let before = last(AuditKind::Start).filter(|before| *before != self.software);
        if let Some(before) = before {
            let words = format!("version {before} ran before");
            deeds.push(Deed::new(AuditKind::Update, &self.software, words));
        }
        let config = hex(&self.config);
        let words = match last(AuditKind::Config) {
            Some(before) if before == config => None,
            Some(before) => Some(format!("another one was in force: {before}")),
            None => Some("the first that this trail knows".to_owned()),
        };
        deeds.extend(words.map(|words| Deed::new(AuditKind::Config, config, words)));
        let key = signer.verifying_key();
        let is_by_another = |signed: &[u8]| AuditEntry::verify(signed, &key).is_err();
        if kept.entries.last().is_some_and(|(_, signed)| is_by_another(signed)) {
            let words = "another signing key speaks from this start on";
            deeds.push(Deed::new(AuditKind::Keys, signing_key_id(&key).to_string(), words));
        }
        deeds
    }
}
