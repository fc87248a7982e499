//! P5 nonce: a generator that is stuck repeats neither a segment's name nor its secret.

use std::collections::BTreeSet;

use agent::seal::sealer::Seal;
use agent::seal::{SealError, Sealer, SegmentDraft};
use wire::frame::Record;
use wire::identity::{BootId, Lane};
use wire::seal::unwrap_secret;
use wire::segment::{Found, Suite, read_header_payload};

use crate::gateway::clock;
use rig::fleet::{Fleet, named};

fn stuck(bytes: &mut [u8]) -> Result<(), SealError> {
    bytes.fill(0x5A);
    Ok(())
}

fn draft(lane: Lane, start_count: u64, seconds: u64) -> SegmentDraft {
    SegmentDraft {
        lane,
        gateway: named("gw-1"),
        boot: BootId([0xB0; 16]),
        start_count,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        clock: clock(seconds),
        receipt_seen: 0,
        software: "0.1.0".into(),
    }
}

#[test]
fn a_stuck_generator_repeats_no_name_and_no_secret() {
    let fleet = Fleet::new(Suite::X25519);
    let (mut names, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    let mut count = 0;
    for start in 1..4 {
        let signer = Fleet::signer(named("gw-1"));
        let seal = Seal::new(signer, fleet.keyring.clone(), fleet.suite);
        let mut seal = seal.with_random(stuck);
        // The same lane at the same moment too, as after a segment that was poisoned at once.
        for (lane, seconds) in
            [(Lane::Vital, 1), (Lane::Wave, 1), (Lane::Vital, 1), (Lane::Vital, 2)]
        {
            let (segment, bytes, _) = seal.open_segment(draft(lane, start, seconds)).unwrap();
            let record = Record::parse(&bytes).unwrap();
            let (header, core, wrapped) = read_header_payload(record.payload).unwrap();
            let secret = unwrap_secret(&header, core, &wrapped, &fleet.pairs[0].secret).unwrap();
            names.insert(segment);
            secrets.insert(*secret.as_bytes());
            count += 1;
        }
    }
    assert_eq!((names.len(), secrets.len()), (count, count));
}
