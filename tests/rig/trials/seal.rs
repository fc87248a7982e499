//! What a seal binds, and what is refused before it is opened.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use wire::frame::{Core, Record, frame_payload, join};
use wire::identity::{BootId, Lane, RecordHash, SegmentId};
use wire::seal::{
    SegmentKeys, SegmentSecret, open_frame, seal_frame, seal_header, verify_frame, verify_header,
};
use wire::segment::{Found, Header, Suite};
use wire::signed::{Purpose, sign, signing_key_id};
use wire::strict;
use wire::time::{ClockState, MonotonicNanos, TimeSource};

use super::demand;
use crate::fleet::{Fleet, named};

/// Frames of one segment whose nonces are compared: more than one byte of index tells apart.
const NONCES: u32 = 1024;

/// A segment's header and what seals its frames.
pub(super) struct Sealed {
    pub(super) fleet: Fleet,
    pub(super) header: Vec<u8>,
    pub(super) hash: RecordHash,
    pub(super) keys: SegmentKeys,
    pub(super) segment: SegmentId,
}

fn sealed() -> Result<Sealed, String> {
    sealed_by(&Fleet::signer(named("gw-1")))
}

/// A segment of the vital lane, signed by this key.
pub(super) fn sealed_by(signer: &SigningKey) -> Result<Sealed, String> {
    let fleet = Fleet::new(Suite::X25519);
    let header = Header {
        suite: Suite::X25519,
        lane: Lane::Vital,
        gateway: named("gw-1"),
        segment: SegmentId([7; 16]),
        boot: BootId([1; 16]),
        start_count: 1,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        signing_key: signing_key_id(&signer.verifying_key()),
        clock: ClockState {
            epoch: 0,
            monotonic: MonotonicNanos(1),
            utc: None,
            error_us: u64::MAX,
            source: TimeSource::None,
        },
        receipt_seen: 0,
        software: "trial".into(),
    };
    let (secret, ephemeral) =
        (SegmentSecret::from_bytes([3; 32]), SegmentSecret::from_bytes([4; 32]));
    let recipients = fleet.keyring.recipients(Lane::Vital, Suite::X25519);
    let made = seal_header(&header, &secret, &ephemeral, &recipients, signer);
    let (bytes, hash, keys) = made.map_err(|error| error.to_string())?;
    Ok(Sealed { fleet, header: bytes, hash, keys, segment: header.segment })
}

/// The core of a frame of that segment.
pub(super) fn core(sealed: &Sealed, index: u32) -> Core {
    Core {
        lane: Lane::Vital,
        segment: sealed.segment,
        index,
        sequence_first: 1,
        sequence_last: 2,
        previous: sealed.hash,
        content_root: [0; 32],
    }
}

/// A plaintext that has the shape of a batch.
pub(super) fn plaintext() -> Vec<u8> {
    // An array of one byte string of 32 zeros.
    [&[0x81, 0x58, 32][..], &[0; 32]].concat()
}

/// The same plaintext under every index of a segment never gives the same key stream.
pub(super) fn nonces() -> Result<(), String> {
    let sealed = sealed()?;
    let signer = Fleet::signer(named("gw-1"));
    let mut seen = BTreeSet::new();
    for index in 1..=NONCES {
        let made = seal_frame(&sealed.keys, &signer, &core(&sealed, index), plaintext());
        let (bytes, _) = made.map_err(|error| error.to_string())?;
        let record = Record::parse(&bytes).map_err(|error| error.to_string())?;
        let stream = record.ciphertext[..plaintext().len()].to_vec();
        demand(seen.insert(stream), format!("index {index} repeats the key stream of another"))?;
    }
    Ok(())
}

/// A gateway that signs another core over the same ciphertext is not opened.
pub(super) fn associated_data() -> Result<(), String> {
    let sealed = sealed()?;
    let signer = Fleet::signer(named("gw-1"));
    let made = seal_frame(&sealed.keys, &signer, &core(&sealed, 1), plaintext());
    let (bytes, _) = made.map_err(|error| error.to_string())?;
    let record = Record::parse(&bytes).map_err(|error| error.to_string())?;
    let own = verify_frame(&record, &signer.verifying_key()).map_err(|error| error.to_string())?;
    open_frame(&sealed.keys, &own).map_err(|error| format!("the true frame: {error}"))?;
    let true_core = own.core;
    let others = [
        ("lane", Core { lane: Lane::Alert, ..true_core }),
        ("segment", Core { segment: SegmentId([8; 16]), ..true_core }),
        ("index", Core { index: 2, ..true_core }),
        ("first sequence", Core { sequence_first: 2, ..true_core }),
        ("last sequence", Core { sequence_last: 3, ..true_core }),
        ("previous hash", Core { previous: RecordHash([9; 32]), ..true_core }),
        ("content root", Core { content_root: [9; 32], ..true_core }),
    ];
    for (field, other) in others {
        let payload = frame_payload(&other.encode(), record.ciphertext);
        let spliced = join(&sign(&signer, Purpose::Record, payload), Some(record.ciphertext));
        let record = Record::parse(&spliced).map_err(|error| error.to_string())?;
        let frame = verify_frame(&record, &signer.verifying_key());
        let frame = frame.map_err(|error| format!("another {field}: {error}"))?;
        demand(
            open_frame(&sealed.keys, &frame).is_err(),
            format!("a frame with another {field} opens"),
        )?;
    }
    Ok(())
}

/// A header with one flipped bit is refused.
pub(super) fn flipped_header() -> Result<(), String> {
    let sealed = sealed()?;
    let key = Fleet::signer(named("gw-1")).verifying_key();
    let whole = Record::parse(&sealed.header).map_err(|error| error.to_string())?;
    verify_header(&whole, &key).map_err(|error| format!("the true header: {error}"))?;
    for bit in 0..sealed.header.len() * 8 {
        let mut bytes = sealed.header.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let taken = Record::parse(&bytes).is_ok_and(|record| verify_header(&record, &key).is_ok());
        demand(!taken, format!("a header with bit {bit} flipped is taken"))?;
    }
    demand(!sealed.fleet.pairs.is_empty(), "a site without recipients")
}

/// CBOR that is not in its one strict form is refused.
pub(super) fn lax_bytes() -> Result<(), String> {
    let lax: [(&str, &[u8]); 8] = [
        ("an indefinite array", &[0x9F, 0x01, 0xFF]),
        ("an indefinite byte string", &[0x5F, 0x41, 0x01, 0xFF]),
        ("an indefinite map", &[0xBF, 0x01, 0x02, 0xFF]),
        ("a repeated key", &[0xA2, 0x01, 0x02, 0x01, 0x03]),
        ("keys out of order", &[0xA2, 0x02, 0x02, 0x01, 0x03]),
        ("a long head", &[0x18, 0x01]),
        ("a float", &[0xF9, 0x00, 0x00]),
        ("bytes behind the item", &[0x01, 0x01]),
    ];
    for (what, bytes) in lax {
        demand(strict::check(bytes).is_err(), format!("{what} is taken"))?;
    }
    strict::check(&[0xA2, 0x01, 0x02, 0x02, 0x03]).map_err(|error| error.to_string())
}
