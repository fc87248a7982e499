//! Every parser that meets bytes from outside, each as a plain function of bytes.
//!
//! A target panics where a promise is broken and does nothing else: it may refuse any input, it
//! must end soon and within bounded memory, and what it accepts must be encoded again as the same
//! bytes where the format has one encoding. The scenarios run them on the corpus and on mutations
//! of it; `tests/fuzz` gives them to libFuzzer.
//!
//! What stands behind a signature is signed here first, with keys that everybody knows: an
//! attacker who could sign is the harder case, and the decoder is reached.

use std::path::Path;

use agent::config::Config;
use ed25519_dalek::SigningKey;
use wire::audit::AuditEntry;
use wire::batch;
use wire::command::Command;
use wire::frame::{Core, Foreign, Record, RecordKind, frame_payload, join, read_frame_payload};
use wire::gap::Gap;
use wire::keyring::{Keyring, Roots};
use wire::receipt::Receipt;
use wire::segment::{header_payload, read_header_payload};
use wire::signed::{Purpose, sign};
use wire::status::{HealthReport, Status};
use wire::strict::{Reader, check};
use wire::topic::Topic;

mod link;
mod recovery;

pub use link::link;
pub use recovery::{Chunk, Entry, crc32c, encode as encode_folder, recovery};

/// A function that must bear any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders in `tests/fuzz/corpus`, each with the longest input
/// that is tried.
pub const TARGETS: [(&str, Target, usize); 13] = [
    ("link", link, 8 * 1024),
    ("strict", strict, 4 * 1024),
    ("batch", batch, 64 * 1024),
    ("record", record, 64 * 1024),
    ("frame", frame, 4 * 1024),
    ("header", header, 8 * 1024),
    ("gap", gap, 4 * 1024),
    ("receipt", receipt, 64 * 1024),
    ("keyring", keyring, 64 * 1024),
    ("reports", reports, 64 * 1024),
    ("config", config, 16 * 1024),
    ("wfdb", wfdb, 16 * 1024),
    ("recovery", recovery, 32 * 1024),
];

/// The key that signs for this purpose in every target; the number is its seed.
#[must_use]
pub fn known_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

const ROOT: u8 = 1;
const FLEET: u8 = 2;
const OTHER: u8 = 3;

/// The purpose whose known key signs the fleet part of a seed keyring.
#[must_use]
pub fn keyring_keys() -> (SigningKey, SigningKey) {
    (known_key(ROOT), known_key(FLEET))
}

/// Strict CBOR: the walk and the check agree, and positions stay inside.
pub fn strict(bytes: &[u8]) {
    let accepted = check(bytes).is_ok();
    let mut reader = Reader::new(bytes);
    let walked = reader.skip().is_ok() && reader.is_done();
    assert!(reader.position() <= bytes.len());
    assert!(!accepted || walked, "the check takes what the walk does not");
}

/// A batch: what is decoded can be encoded again and says the same.
pub fn batch(bytes: &[u8]) {
    let Ok(decoded) = batch::decode(bytes) else { return };
    assert!(check(bytes).is_ok(), "a batch is strict CBOR");
    let again = batch::encode(&decoded);
    let again = again.expect("what came in a frame fits a frame");
    assert_eq!(batch::decode(&again).as_ref(), Ok(&decoded), "encoding changes it");
}

/// A whole record, as it comes from a broker or a disk.
pub fn record(bytes: &[u8]) {
    let foreign = Foreign::parse(bytes);
    let Ok(record) = Record::parse(bytes) else { return };
    let ciphertext = (record.kind == RecordKind::Frame).then_some(record.ciphertext);
    assert_eq!(join(record.signed, ciphertext), bytes, "a record has one encoding");
    if let (Ok((core, _, _)), Ok(foreign)) = (read_frame_payload(record.payload), foreign) {
        assert_eq!((core.segment, core.index), (foreign.segment, foreign.index));
    }
    header(record.payload);
    gap(record.payload);
}

/// The signed payload of a frame.
pub fn frame(bytes: &[u8]) {
    let Ok((core, exact, digest)) = read_frame_payload(bytes) else { return };
    let again = core.encode();
    assert_eq!(again, exact, "a core has one encoding");
    assert_eq!(whole_frame(&core, digest), bytes);
}

/// A payload whose digest is given.
fn whole_frame(core: &Core, digest: [u8; 32]) -> Vec<u8> {
    let mut payload = frame_payload(&core.encode(), &[]);
    let length = payload.len();
    payload[length - 32..].copy_from_slice(&digest);
    payload
}

/// The signed payload of a segment header.
pub fn header(bytes: &[u8]) {
    let Ok((header, core, wrapped)) = read_header_payload(bytes) else { return };
    assert_eq!(header.encode(), core, "a core has one encoding");
    assert_eq!(header_payload(core, &wrapped), bytes);
}

/// The signed payload of a gap.
pub fn gap(bytes: &[u8]) {
    let Ok(gap) = Gap::decode(bytes) else { return };
    assert_eq!(gap.encode(), bytes, "a gap has one encoding");
}

/// A receipt: as it comes, and as if its sink had signed these bytes.
pub fn receipt(bytes: &[u8]) {
    let key = known_key(OTHER);
    let keys = [key.verifying_key()];
    let signed = sign(&key, Purpose::Receipt, bytes.to_vec());
    for document in [bytes, &signed] {
        if let Ok(receipt) = Receipt::verify(document, &keys) {
            assert_eq!(receipt.sign(&key), document, "a receipt has one encoding");
        }
    }
}

/// A keyring: as it comes, and as if root and fleet had signed these bytes. Two bytes say how long
/// the root's part is.
pub fn keyring(bytes: &[u8]) {
    let (root, fleet) = keyring_keys();
    let roots = Roots { keys: vec![root.verifying_key()], needed: 1 };
    let accepted = Keyring::verify(bytes, &roots);
    assert!(accepted.is_err() || accepted.is_ok_and(|keyring| !keyring.is_newer_than(&keyring)));
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (root_part, fleet_part) = rest.split_at(length);
    let root_part = sign(&root, Purpose::KeyringRoot, root_part.to_vec());
    let fleet_part = sign(&fleet, Purpose::KeyringFleet, fleet_part.to_vec());
    let document = wire::keyring::join(vec![root_part], fleet_part);
    let Ok(keyring) = Keyring::verify(&document, &roots) else { return };
    let again = wire::keyring::join(vec![keyring.root.sign(&root)], keyring.fleet.sign(&fleet));
    assert_eq!(again, document, "a keyring has one encoding");
}

/// A health report, an entry of a gateway's trail, a command, a status hint and a topic.
pub fn reports(bytes: &[u8]) {
    if let Ok(report) = HealthReport::decode(bytes) {
        assert_eq!(report.encode(), bytes, "a report has one encoding");
    }
    let key = known_key(OTHER);
    let command = sign(&key, Purpose::Command, bytes.to_vec());
    if let Ok(read) = Command::verify(&command, &key.verifying_key()) {
        assert_eq!(read.sign(&key), command, "a command has one encoding");
    }
    let entry = sign(&key, Purpose::Audit, bytes.to_vec());
    if let Ok(read) = AuditEntry::verify(&entry, &key.verifying_key()) {
        assert_eq!(read.sign(&key), entry, "an entry has one encoding");
    }
    let status = sign(&key, Purpose::Status, bytes.to_vec());
    if let Ok(read) = Status::verify(&status, &key.verifying_key()) {
        assert_eq!(read.sign(&key), status, "a status has one encoding");
    }
    if let Ok(name) = std::str::from_utf8(bytes)
        && let Some(topic) = Topic::parse(name)
    {
        assert_eq!(topic.to_string(), name, "a topic has one spelling");
    }
}

/// A configuration; a wrong one is refused in words.
pub fn config(bytes: &[u8]) {
    if let Err(error) = Config::understand(Path::new("wardline.toml"), bytes) {
        assert!(!error.to_string().is_empty());
    }
}

/// The header of a WFDB record.
pub fn wfdb(bytes: &[u8]) {
    crate::wfdb::read_header_text(&String::from_utf8_lossy(bytes));
}
