//! Every flipped bit is refused, and nothing opens for the wrong key, gateway, lane or place.

extern crate std;
use std::vec;

use super::*;
use crate::identity::{BootId, GatewayId, Lane, SegmentId, StoreEpoch};
use crate::keyring::{Audience, FleetPart, Keyring, RootPart, Roots};
use crate::receipt::{Disposition, Range, Reason, Receipt};
use crate::segment::{Found, Suite};
use crate::time::{ClockState, MonotonicNanos, TimeSource, UnixNanos};

fn header(suite: Suite, gateway: &str, segment: u8, signer: &SigningKey) -> Header {
    Header {
        suite,
        lane: Lane::Vital,
        gateway: GatewayId::new(gateway).unwrap(),
        segment: SegmentId([segment; 16]),
        boot: BootId([7; 16]),
        start_count: 3,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        signing_key: crate::signed::signing_key_id(&signer.verifying_key()),
        clock: ClockState {
            epoch: 0,
            monotonic: MonotonicNanos(1),
            utc: Some(UnixNanos(5)),
            error_us: 10,
            source: TimeSource::Free,
        },
        receipt_seen: 0,
        software: "0.1.0".into(),
    }
}

struct Sealed {
    signer: SigningKey,
    private: RecipientSecret,
    header: Vec<u8>,
    frame: Vec<u8>,
    keys: SegmentKeys,
}

fn sealed(suite: Suite, gateway: &str) -> Sealed {
    let signer = SigningKey::from_bytes(&[1; 32]);
    let (private, recipient) = RecipientSecret::generate(suite);
    let secret = SegmentSecret::mix(&[9; 32], &[b"boot", gateway.as_bytes()]);
    let header = header(suite, gateway, 2, &signer);
    let ephemeral = SegmentSecret::mix(&[8; 32], &[b"boot", gateway.as_bytes()]);
    let (bytes, hash, keys) =
        seal_header(&header, &secret, &ephemeral, &[recipient], &signer).unwrap();
    let core = Core {
        lane: Lane::Vital,
        segment: header.segment,
        index: 1,
        sequence_first: 1,
        sequence_last: 2,
        previous: hash,
        content_root: [0; 32],
    };
    let plaintext = vec![0x83, 0x42, 1, 2, 0x41, 3, 0x40];
    let (frame, _) = seal_frame(&keys, &signer, &core, plaintext).unwrap();
    Sealed { signer, private, header: bytes, frame, keys }
}

fn open(sealed: &Sealed, header: &[u8], frame: &[u8]) -> Result<Vec<u8>, OpenError> {
    let shape = |_| OpenError::Shape(StrictError::Unexpected);
    let record = Record::parse(header).map_err(shape)?;
    let key = sealed.signer.verifying_key();
    let (header, core, wrapped) = verify_header(&record, &key)?;
    let secret = unwrap_secret(&header, core, &wrapped, &sealed.private)?;
    let keys = SegmentKeys::derive(&secret, core);
    let record = Record::parse(frame).map_err(shape)?;
    open_frame(&keys, &verify_frame(&record, &key)?)
}

#[test]
fn both_suites_open_what_they_sealed() {
    for suite in [Suite::XWing, Suite::X25519] {
        let sealed = sealed(suite, "gw-1");

        let plaintext = open(&sealed, &sealed.header, &sealed.frame).unwrap();

        assert_eq!(plaintext, [0x83, 0x42, 1, 2, 0x41, 3, 0x40]);
    }
}

#[test]
fn any_flipped_bit_of_a_frame_or_header_is_refused() {
    let sealed = sealed(Suite::X25519, "gw-1");
    for bit in 0..sealed.frame.len() * 8 {
        let mut bad = sealed.frame.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&sealed, &sealed.header, &bad).is_err(), "frame bit {bit}");
    }
    for bit in 0..sealed.header.len() * 8 {
        let mut bad = sealed.header.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&sealed, &bad, &sealed.frame).is_err(), "header bit {bit}");
    }
}

#[test]
fn a_frame_spliced_under_another_core_does_not_open_even_when_signed_again() {
    let sealed = sealed(Suite::X25519, "gw-1");
    let key = sealed.signer.verifying_key();
    let record = Record::parse(&sealed.frame).unwrap();
    let frame = verify_frame(&record, &key).unwrap();
    let changes: [fn(&mut Core); 6] = [
        |core| core.lane = Lane::Wave,
        |core| core.segment.0[0] ^= 1,
        |core| core.index += 1,
        |core| core.sequence_last += 1,
        |core| core.previous.0[31] ^= 1,
        |core| core.content_root[0] ^= 1,
    ];
    for change in changes {
        let mut core = frame.core;
        change(&mut core);
        let payload = frame_payload(&core.encode(), frame.ciphertext);
        let signed = sign(&sealed.signer, Purpose::Record, payload);
        let bytes = join(&signed, Some(frame.ciphertext));
        let forged = Record::parse(&bytes).unwrap();
        let forged = verify_frame(&forged, &key).unwrap();
        assert!(matches!(open_frame(&sealed.keys, &forged), Err(OpenError::Forged { .. })));
    }
}

#[test]
fn a_secret_does_not_unwrap_under_another_header() {
    let one = sealed(Suite::X25519, "gw-1");
    let record = Record::parse(&one.header).unwrap();
    let (mut header, _, wrapped) = verify_header(&record, &one.signer.verifying_key()).unwrap();
    header.gateway = GatewayId::new("gw-2").unwrap();
    let core = header.encode();

    let opened = unwrap_secret(&header, &core, &wrapped, &one.private);

    assert!(matches!(opened, Err(OpenError::Unwrap { .. })));
}

#[test]
fn ten_thousand_indexes_give_ten_thousand_nonces() {
    let keys = sealed(Suite::X25519, "gw-1").keys;
    let nonces: std::collections::BTreeSet<_> =
        (0..10_000).map(|index| keys.nonce(index)).collect();
    assert_eq!(nonces.len(), 10_000);
}

#[test]
fn a_stuck_generator_alone_repeats_no_secret() {
    let one = SegmentSecret::mix(&[0; 32], &[b"a", b"bc"]);
    let two = SegmentSecret::mix(&[0; 32], &[b"ab", b"c"]);
    assert_ne!(one.as_bytes(), two.as_bytes());
}

#[test]
fn any_flipped_bit_of_a_receipt_is_refused() {
    let key = SigningKey::from_bytes(&[4; 32]);
    let receipt = Receipt {
        gateway: GatewayId::new("gw-1").unwrap(),
        store_epoch: StoreEpoch([1; 16]),
        commit: 77,
        sink_time: UnixNanos(123),
        segments: vec![(
            SegmentId([2; 16]),
            vec![Range {
                first: 0,
                last: 9,
                disposition: Disposition::Stored,
                reason: Reason::None,
                last_hash: RecordHash([3; 32]),
            }],
        )],
        headers_wanted: vec![SegmentId([5; 16])],
    };
    let bytes = receipt.sign(&key);
    let keys = [SigningKey::from_bytes(&[5; 32]).verifying_key(), key.verifying_key()];
    assert_eq!(Receipt::verify(&bytes, &keys), Ok(receipt));
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Receipt::verify(&bad, &keys).is_err(), "bit {bit}");
    }
}

#[test]
fn any_flipped_bit_of_a_keyring_is_refused() {
    let (root, fleet) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let (_, recipient) = RecipientSecret::generate(Suite::X25519);
    let root_part = RootPart {
        version: 1,
        expires: UnixNanos(9),
        fleet_key: fleet.verifying_key(),
        recovery: vec![(Audience::Clinical, recipient.clone())],
    };
    let fleet_part = FleetPart {
        version: 2,
        recipients: vec![(Audience::Clinical, recipient)],
        receipt_keys: vec![root.verifying_key()],
        command_key: root.verifying_key(),
        formats: (1, 1),
        store_epoch: StoreEpoch([3; 16]),
    };
    let other = SigningKey::from_bytes(&[8; 32]);
    let parts = vec![root_part.sign(&root)];
    let document = crate::keyring::join(parts, fleet_part.sign(&fleet));
    let roots = Roots { keys: vec![root.verifying_key(), other.verifying_key()], needed: 1 };
    assert_eq!(Keyring::verify(&document, &roots).unwrap().fleet, fleet_part);
    assert!(Keyring::verify(&document, &Roots { needed: 2, ..roots.clone() }).is_err());
    let both = vec![root_part.sign(&root), root_part.sign(&other)];
    let document_of_two = crate::keyring::join(both, fleet_part.sign(&fleet));
    assert!(Keyring::verify(&document_of_two, &Roots { needed: 2, ..roots.clone() }).is_ok());
    for bit in 0..document.len() * 8 {
        let mut bad = document.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Keyring::verify(&bad, &roots).is_err(), "bit {bit}");
    }
}

#[test]
fn other_roots_are_followed_only_from_those_before_them() {
    let key = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
    let roots = |seeds: &[u8], needed| Roots {
        keys: seeds.iter().map(|seed| key(*seed).verifying_key()).collect(),
        needed,
    };
    let (old, new, newest) = (roots(&[1, 2, 3], 2), roots(&[4, 5], 2), roots(&[6], 1));
    let (_, recipient) = RecipientSecret::generate(Suite::X25519);
    let root_part = RootPart {
        version: 3,
        expires: UnixNanos(9),
        fleet_key: key(9).verifying_key(),
        recovery: vec![(Audience::Clinical, recipient.clone())],
    };
    let fleet_part = FleetPart {
        version: 1,
        recipients: vec![(Audience::Clinical, recipient)],
        receipt_keys: vec![key(9).verifying_key()],
        command_key: key(9).verifying_key(),
        formats: (1, 1),
        store_epoch: StoreEpoch([3; 16]),
    };
    let document = |parts: Vec<Vec<u8>>| crate::keyring::join(parts, fleet_part.sign(&key(9)));
    let first = [new.sign_as_successors(&key(1)), new.sign_as_successors(&key(3))];
    let second = [newest.sign_as_successors(&key(4)), newest.sign_as_successors(&key(5))];
    let signed = vec![root_part.sign(&key(6))];
    let whole = document([&first[..], &second, &signed].concat());

    assert!(Keyring::verify(&whole, &old).is_ok(), "through both successions");
    assert_eq!(old.after(&whole).unwrap(), newest);
    assert_eq!(new.after(&whole).unwrap(), newest);
    assert!(Keyring::verify(&whole, &roots(&[1, 2], 2)).is_err(), "one signature of two");
    let without = document([&first[1..], &second, &signed].concat());
    assert!(Keyring::verify(&without, &old).is_err(), "too few of the old roots");
    let back = vec![old.sign_as_successors(&key(1)), old.sign_as_successors(&key(2))];
    let back = document([back, vec![root_part.sign(&key(1)), root_part.sign(&key(2))]].concat());
    assert!(Keyring::verify(&back, &newest).is_err(), "retired roots bring nobody back");
}
#[test]
fn a_salt_is_the_published_hmac_of_index_and_block() {
    // Wycheproof, HMAC-SHA256, cases 9 and 90: 32 bytes of key and 8 of message, as ours are.
    let published: [([u128; 2], u32, u32, u128); 2] = [
        (
            [0x233e_4fde_e70b_cc20_235b_6977_ddfc_05b0, 0xdf66_f563_5d82_7c66_e5a6_3cdb_16a2_4938],
            0xfdb2_ee4b,
            0x6d1a_0ac2,
            0x120b_26ee_1355_c134_c262_513c_7922_deb6,
        ),
        (
            [0x505a_a988_1980_9ef6_3b9a_368a_1e8b_c2e9, 0x22da_45b0_3ce0_2d9a_7966_b150_06db_a2d5],
            0x2e4e_7ef7,
            0x28fe_11af,
            0x406a_5c2b_d3e6_a959_5f9b_7dff_608d_59a7,
        ),
    ];
    let mut keys = sealed(Suite::X25519, "gw-1").keys;

    for ([high, low], index, block, salt) in published {
        keys.salt_key[..16].copy_from_slice(&high.to_be_bytes());
        keys.salt_key[16..].copy_from_slice(&low.to_be_bytes());

        assert_eq!(keys.salt(index, block), salt.to_be_bytes());
    }
}

/// AES-GCM alone commits to no key and to no text: the content root does.
#[test]
fn a_frame_whose_root_names_other_blocks_does_not_open_although_its_tag_fits() {
    let Sealed { signer, frame, keys, .. } = sealed(Suite::X25519, "gw-1");
    let record = Record::parse(&frame).unwrap();
    let core = verify_frame(&record, &signer.verifying_key()).unwrap().core;
    let other = vec![0x83, 0x42, 1, 2, 0x41, 4, 0x40];
    let core_bytes = core.encode();
    let mut ciphertext = other.clone();
    let nonce = Nonce::from(keys.nonce(core.index));
    keys.cipher.encrypt_in_place(&nonce, &core_bytes, &mut ciphertext).unwrap();
    let signed = sign(&signer, Purpose::Record, frame_payload(&core_bytes, &ciphertext));
    let bytes = join(&signed, Some(&ciphertext));

    let record = Record::parse(&bytes).unwrap();
    let frame = verify_frame(&record, &signer.verifying_key()).unwrap();

    assert_ne!(keys.content_root(core.index, &other), Ok(core.content_root));
    assert_eq!(open_frame(&keys, &frame), Err(OpenError::ContentRoot));
}

#[test]
fn each_block_is_proven_alone_and_no_other_block_is() {
    let keys = SegmentKeys::derive(&SegmentSecret::from_bytes([5; 32]), b"core");
    for count in 1..=9u8 {
        let mut plaintext = vec![0x80 + count];
        (0..count).for_each(|block| plaintext.extend([0x41, block]));
        let root = keys.content_root(3, &plaintext).unwrap();
        let whole = Remnant::whole(&keys, 3, &plaintext).unwrap();
        for block in 0..count {
            let proof = whole.prove(block.into()).unwrap();
            assert!(proof.holds(&root, &[block]), "{block} of {count}");
            assert!(!proof.holds(&root, &[block + 1]) && !proof.holds(&[0; 32], &[block]));
        }
        assert_eq!(whole.prove(count.into()), None);
    }
}

#[test]
fn what_an_erasure_leaves_is_proven_under_the_root_that_was_signed() {
    let keys = SegmentKeys::derive(&SegmentSecret::from_bytes([5; 32]), b"core");
    let plaintext = [vec![0x85], (0..5).flat_map(|block| [0x41, block]).collect()].concat();
    let root = keys.content_root(3, &plaintext).unwrap();
    for erased in [vec![1], vec![4, 2], vec![0, 1, 2, 3, 4]] {
        let mut remnant = Remnant::whole(&keys, 3, &plaintext).unwrap();
        for block in &erased {
            assert!(remnant.erase(*block) && !remnant.erase(*block), "once");
        }
        let bytes = remnant.encode().unwrap();
        assert!(!erased.iter().any(|block| bytes.windows(2).any(|w| w == [0x41, *block as u8])));
        let read = Remnant::decode(&bytes).unwrap();
        assert_eq!((&read, read.content_root()), (&remnant, root));
        let left: Vec<u32> = (0..5).filter(|block| !erased.contains(block)).collect();
        assert_eq!(read.blocks().map(|(at, _)| at).collect::<Vec<_>>(), left);
        for (at, block) in read.blocks() {
            assert!(read.prove(at).unwrap().holds(&root, block));
        }
        assert!(erased.iter().all(|block| read.prove(*block).is_none()));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let same = Remnant::decode(&changed).is_ok_and(|other| other.content_root() == root);
            assert!(!same, "a changed byte {at} changes the root");
        }
    }
}
