//! A gateway's own audit trail: what happened to it, entry after entry, each signed by the gateway
//! and naming the one before it.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::FORMAT_VERSION;
use crate::frame::{hash_of, payload_of};
use crate::identity::{BootId, GatewayId};
use crate::limits::{AUDIT_BYTES_MAX, AUDIT_OBJECT_BYTES_MAX, AUDIT_WORDS_BYTES_MAX};
use crate::signed::{Purpose, SignatureError, canonical, sign, verify};
use crate::strict::StrictError;
use crate::time::{MonotonicNanos, UnixNanos};

macro_rules! kinds {
    ($($number:literal $kind:ident $name:literal $words:literal,)*) => {
        /// What happened; an open list.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum AuditKind {
            $(#[doc = $words] $kind,)*
            /// A number that only a newer program knows.
            Other(u16),
        }

        impl AuditKind {
            /// All that have a name.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$kind => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// The kind of a number.
            #[must_use]
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$kind,)*
                    other => Self::Other(other),
                }
            }

            /// Its word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Other(_) => "other",
                }
            }

            /// What it means, for the catalogue.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$kind => $words,)*
                    Self::Other(_) => "Something that only a newer program has a name for.",
                }
            }
        }
    };
}

kinds! {
    1 Start "start" "The agent was started, and why.",
    2 Update "update" "Another version of the agent runs.",
    3 Config "config" "Another configuration is in force: its digest, never what it says.",
    4 Keys "keys" "Keys changed: enrolled, a certificate, a signing key, or a keyring.",
    5 KeyringRefused "keyring-refused" "A keyring was refused: an old one, or not by our roots.",
    6 ClockStep "clock-step" "The wall clock was stepped.",
    7 Integrity "integrity" "Records on the medium were damaged, or receipts were refused.",
    8 Command "command" "A command was carried out or refused.",
    9 Values "values" "Somebody looked at values at the gateway.",
    10 Export "export" "Records or diagnostics were written out.",
    11 Erase "erase" "What was buffered was erased.",
}

/// What the first entry of a trail names.
pub const BEGIN: [u8; 32] = [0; 32];

/// One entry.
///
/// Invariant: `number` is 1 exactly when `previous` is [`BEGIN`], and never 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// Whose.
    pub gateway: GatewayId,
    /// 1, 2, and so on in its trail.
    pub number: u64,
    /// SHA-256 of the signed bytes before it.
    pub previous: [u8; 32],
    /// The kernel's run in which it happened.
    pub boot: BootId,
    /// When, by the clock of that run.
    pub monotonic: MonotonicNanos,
    /// When, in UTC, if the gateway knew.
    pub utc: Option<UnixNanos>,
    /// What.
    pub kind: AuditKind,
    /// With which version, key, device or file.
    pub object: String,
    /// In words, without any reading, name or key.
    pub words: String,
}

#[derive(Serialize, Deserialize)]
struct EntryWire(
    u8,
    String,
    u64,
    ByteArray<32>,
    ByteArray<16>,
    u64,
    Option<i64>,
    u16,
    String,
    String,
);

/// SHA-256 of an entry's signed bytes: what the next one names.
#[must_use]
pub fn entry_hash(signed: &[u8]) -> [u8; 32] {
    hash_of(signed).0
}

impl AuditEntry {
    /// Signs it. Of an object or words that are too long the end is cut off.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let wire = EntryWire(
            FORMAT_VERSION,
            self.gateway.as_str().into(),
            self.number,
            self.previous.into(),
            self.boot.0.into(),
            self.monotonic.0,
            self.utc.map(|utc| utc.0),
            self.kind.number(),
            fitting(&self.object, AUDIT_OBJECT_BYTES_MAX).into(),
            fitting(&self.words, AUDIT_WORDS_BYTES_MAX).into(),
        );
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::Audit, payload)
    }

    /// Reads an entry that its gateway has signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, SignatureError> {
        if bytes.len() > AUDIT_BYTES_MAX {
            return Err(SignatureError::Shape(StrictError::Unexpected));
        }
        let payload = verify(key, Purpose::Audit, bytes)?;
        Self::decode(payload).map_err(SignatureError::Shape)
    }

    /// Reads an entry, whoever has signed it: nothing of it is proven.
    ///
    /// # Errors
    /// [`StrictError`] if the bytes have another shape.
    pub fn read(bytes: &[u8]) -> Result<Self, StrictError> {
        if bytes.len() > AUDIT_BYTES_MAX {
            return Err(StrictError::Unexpected);
        }
        Self::decode(payload_of(bytes)?)
    }

    fn decode(payload: &[u8]) -> Result<Self, StrictError> {
        let wrong = StrictError::Unexpected;
        let wire: EntryWire = canonical(payload).map_err(|_| wrong)?;
        let (number, previous) = (wire.2, *wire.3);
        let is_placed = number > 0 && (number == 1) == (previous == BEGIN);
        let fits = wire.8.len() <= AUDIT_OBJECT_BYTES_MAX && wire.9.len() <= AUDIT_WORDS_BYTES_MAX;
        if wire.0 != FORMAT_VERSION || !is_placed || !fits {
            return Err(wrong);
        }
        Ok(Self {
            gateway: GatewayId::new(&wire.1).map_err(|_| wrong)?,
            number,
            previous,
            boot: BootId(*wire.4),
            monotonic: MonotonicNanos(wire.5),
            utc: wire.6.map(UnixNanos),
            kind: AuditKind::from_number(wire.7),
            object: wire.8,
            words: wire.9,
        })
    }
}

/// As much of a text as may stand there, whole letters.
fn fitting(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn entry(number: u64) -> AuditEntry {
        AuditEntry {
            gateway: GatewayId::new("gw-1").unwrap(),
            number,
            previous: if number == 1 { BEGIN } else { [0xA5; 32] },
            boot: BootId([3; 16]),
            monotonic: MonotonicNanos(1 << 40),
            utc: Some(UnixNanos(1_790_000_000_000_000_000)),
            kind: AuditKind::Start,
            object: "0.1.0".into(),
            words: "it was stopped before".into(),
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_signed() {
        let far = AuditEntry { utc: Some(UnixNanos(i64::MIN)), ..entry(u64::MAX) };
        let without_time = AuditEntry { utc: None, ..entry(2) };
        for entry in [entry(1), entry(2), without_time, far] {
            let signed = entry.sign(&key());
            assert!(signed.len() <= AUDIT_BYTES_MAX);
            assert_eq!(AuditEntry::verify(&signed, &key().verifying_key()).as_ref(), Ok(&entry));
            assert_eq!(AuditEntry::read(&signed).as_ref(), Ok(&entry));
        }
    }

    #[test]
    fn every_kind_has_a_number_and_a_name_of_its_own_and_an_unknown_one_passes() {
        for (at, kind) in AuditKind::ALL.iter().enumerate() {
            let others = AuditKind::ALL.iter().skip(at + 1);
            assert!(others.clone().all(|other| other.number() != kind.number()));
            assert!(others.clone().all(|other| other.name() != kind.name()));
            assert!(kind.words().ends_with('.'));
        }
        for kind in AuditKind::ALL.iter().copied().chain([AuditKind::Other(900)]) {
            let signed = AuditEntry { kind, ..entry(2) }.sign(&key());
            assert_eq!(AuditEntry::read(&signed).unwrap().kind, kind);
        }
    }

    #[test]
    fn no_byte_of_an_entry_can_be_changed_and_no_other_key_signs_it() {
        let signed = entry(2).sign(&key());
        for at in 0..signed.len() {
            let mut bad = signed.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(AuditEntry::verify(&bad, &key().verifying_key()).is_err(), "byte {at}");
            assert_ne!(entry_hash(&bad), entry_hash(&signed));
        }
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(AuditEntry::verify(&signed, &other).is_err());
        let payload = payload_of(&signed).unwrap().to_vec();
        let request = sign(&key(), Purpose::Request, payload);
        assert!(AuditEntry::verify(&request, &key().verifying_key()).is_err());
    }

    #[test]
    fn bytes_of_another_shape_are_refused() {
        let wire = |version, number, previous: [u8; 32], object: usize, words: usize| {
            let (object, words) = ("o".repeat(object), "w".repeat(words));
            let (previous, boot) = (previous.into(), [3_u8; 16].into());
            let name = String::from("gw-1");
            let wire = EntryWire(version, name, number, previous, boot, 1, None, 1, object, words);
            sign(&key(), Purpose::Audit, serde_cbor::to_vec(&wire).unwrap())
        };
        let read = |signed: &[u8]| AuditEntry::verify(signed, &key().verifying_key());
        let most = (AUDIT_OBJECT_BYTES_MAX, AUDIT_WORDS_BYTES_MAX);
        assert!(read(&wire(1, 1, BEGIN, most.0, most.1)).is_ok());
        for bad in [
            wire(2, 1, BEGIN, 1, 1),
            wire(1, 0, BEGIN, 1, 1),
            wire(1, 0, [1; 32], 1, 1),
            wire(1, 1, [1; 32], 1, 1),
            wire(1, 2, BEGIN, 1, 1),
            wire(1, 1, BEGIN, most.0 + 1, 1),
            wire(1, 1, BEGIN, 1, most.1 + 1),
            wire(1, 1, BEGIN, 1, AUDIT_BYTES_MAX),
            sign(&key(), Purpose::Audit, vec![0x80]),
            sign(&key(), Purpose::Audit, Vec::new()),
        ] {
            assert!(read(&bad).is_err() && AuditEntry::read(&bad).is_err());
        }
        let good = wire(1, 1, BEGIN, 1, 1);
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_err(), "{length} bytes");
        }
        assert!(read(&[&good[..], &[0]].concat()).is_err());
        let report = crate::status::HealthReport::default().encode();
        assert!(AuditEntry::read(&report).is_err(), "a report is no entry");
        assert!(crate::status::HealthReport::decode(&good).is_err(), "and no entry a report");
    }

    #[test]
    fn words_that_are_too_long_are_cut_between_two_letters() {
        let long = "ä".repeat(AUDIT_WORDS_BYTES_MAX);
        let signed = AuditEntry { object: long.clone(), words: long, ..entry(1) }.sign(&key());

        let read = AuditEntry::read(&signed).unwrap();

        assert_eq!(read.object, "ä".repeat(AUDIT_OBJECT_BYTES_MAX / 2));
        assert_eq!(read.words, "ä".repeat(AUDIT_WORDS_BYTES_MAX / 2));
    }
}
