//! P3, P4, P5 against somebody who means it: the rows of `docs/threats.md` that no other module
//! shows. Each name begins with its row.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::buffer::disk::Folder;
use agent::clock::Clock;
use agent::health::Health;
use agent::line::{Line, Trust};
use agent::seal::batcher::Batcher;
use agent::seal::keyring::load_keyring;
use agent::seal::sealer::Seal;
use agent::uplink::driver::{FromBroker, MessageKind};
use agent::uplink::machine::Uplink;
use ed25519_dalek::SigningKey;
use wire::command::Command;
use wire::identity::{BootId, Lane};
use wire::keyring::{Keyring, Roots};
use wire::receipt::{Disposition, Range, Reason, Receipt};
use wire::signed::SignatureError;
use wire::status::Status;
use wire::time::UnixNanos;
use wire::topic::{ALL_LANES, Level, Topic};

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::{receipts, settle};
use crate::site::Site;
use rig::fleet::{Fleet, named};
use rig::hands::Mute;

mod cards;
mod seals;
mod withheld;

/// A site whose gateway has heard four frames.
fn site() -> Site {
    let mut site = crate::site::site();
    site.gateway.hear_each(&monitor(1, 7), 1..=4, numerics);
    site
}

/// The gateway's own line around its log, and where it keeps its keyring.
fn line_of(fleet: &Fleet, gateway: Gateway, folder: &Path) -> (Line<Folder, Seal, Mute>, PathBuf) {
    let (clock, path) = (Clock::new(), folder.join("keyring"));
    let uplink = Uplink::new(clock.now(), 1 << 20, 7);
    let health = Health::new(gateway.id, Duration::from_secs(3600), clock.monotonic());
    let (roots, keyring) = (fleet.roots.clone(), fleet.keyring.clone());
    let trust = Trust::new(gateway.id, roots, keyring, path.clone());
    let batcher = Batcher::new([Duration::from_secs(1); 4]);
    (Line::new(clock, batcher, gateway.buffer, uplink, Mute { takes: true }, health, trust), path)
}

fn say(line: &mut Line<Folder, Seal, Mute>, kind: MessageKind, bytes: &[u8]) {
    line.hear_broker(0, FromBroker::Message { kind, bytes: bytes.to_vec() });
}

fn versions(line: &Line<Folder, Seal, Mute>) -> Option<(u64, u64)> {
    line.trust.keyring.as_ref().map(Keyring::versions)
}

#[test]
fn rollback_to_an_older_keyring_is_not_taken_and_not_kept() {
    let Site { fleet, gateway, folder, .. } = site();
    let newer = fleet.reborn();
    let (mut line, kept) = line_of(&fleet, gateway, folder.path());

    say(&mut line, MessageKind::Keyring, &newer.document);
    let taken = versions(&line);
    say(&mut line, MessageKind::Keyring, &fleet.document);
    say(&mut line, MessageKind::Keyring, &newer.document);

    assert_eq!(taken, Some((1, 2)));
    assert_eq!(versions(&line), taken);
    let found = load_keyring(&kept, &fleet.roots).unwrap();
    assert_eq!(found.versions(), (1, 2), "nor after a restart");
}

#[test]
fn rollback_by_a_keyring_of_other_roots_is_not_taken() {
    let Site { fleet, gateway, folder, .. } = site();
    let thief = SigningKey::from_bytes(&[0x77; 32]);
    let newer = fleet.reborn().keyring;
    let root = newer.root.sign(&thief);
    let document = wire::keyring::join(vec![root], newer.fleet.sign(&thief));
    let (mut line, _) = line_of(&fleet, gateway, folder.path());

    say(&mut line, MessageKind::Keyring, &document);

    assert_eq!(versions(&line), Some((1, 1)));
    let own = Roots { keys: vec![thief.verifying_key()], needed: 1 };
    assert!(Keyring::verify(&document, &own).is_err(), "the fleet key is not the thief's either");
}

fn whole(record: &Sent, disposition: Disposition) -> Range {
    let (first, last, last_hash) = (record.index, record.index, record.hash);
    Range { first, last, disposition, reason: Reason::None, last_hash }
}

/// Who has a receipt key and sees the network can sign for what no sink has. It costs the alarm and
/// another life of the store, and no reading.
#[test]
fn early_trim_by_a_stolen_receipt_key_ends_with_the_next_life_of_the_store() {
    let Site { fleet, mut gateway, mut sink, folder } = site();
    let records = gateway.records();
    let (last, segment) = (records.last().unwrap(), records[0].segment);
    let refused = whole(&records[2], Disposition::Refused);
    let forged = Receipt {
        gateway: gateway.id,
        store_epoch: fleet.epoch,
        commit: 9,
        sink_time: UnixNanos(1),
        segments: vec![(segment, vec![refused, whole(last, Disposition::Stored)])],
        headers_wanted: Vec::new(),
    };
    let owed = gateway.buffer.lane_health(Lane::Vital).backlog_bytes;
    let (mut line, _) = line_of(&fleet, gateway, folder.path());

    say(&mut line, MessageKind::Receipt, &forged.sign(&fleet.receipt));
    let robbed = line.buffer.lane_health(Lane::Vital).backlog_bytes;
    let next = fleet.reborn();
    say(&mut line, MessageKind::Keyring, &next.document);
    say(&mut line, MessageKind::Receipt, &forged.sign(&fleet.receipt));

    assert!(robbed < owed, "the thief has gained nothing, and the row is wrong");
    assert_eq!(line.buffer.lane_health(Lane::Vital).backlog_bytes, owed, "all is offered again");
    drop(line);
    gateway = Gateway::start(&next, named("gw-1"), &folder.path().join("buffer"));
    sink.take(&gateway.records());
    assert_eq!(sink.heart_rates(), [61, 62, 63, 64]);
}

#[test]
fn truncation_of_a_lane_s_end_is_owed_by_its_gateway_until_it_has_come() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let records = gateway.records();
    let (last, others) = records.split_last().unwrap();

    let rounds = sink.take(others);
    settle(&mut gateway, &receipts(&fleet, &rounds));
    let owed = gateway.records();
    let health = gateway.buffer.lane_health(Lane::Vital);

    assert_eq!(owed.iter().map(|sent| sent.hash).collect::<Vec<_>>(), [last.hash]);
    assert_eq!(health.head, Some((last.segment, last.index, last.hash)));
    assert_eq!(health.oldest_unreceipted, Some((last.segment, last.index)));
}

#[test]
fn forged_command_is_refused_and_moves_nothing_at_its_gateway() {
    let Site { fleet, gateway, folder, .. } = site();
    let keys = &fleet.keyring.fleet;
    let (boot, argument) = (BootId([0xB0; 16]), Vec::new());
    let command = Command { gateway: gateway.id, boot, number: 1, action: 1, argument };
    let owed = gateway.buffer.backlog_bytes();
    let signers = [fleet.receipt.clone(), gateway.signer.clone(), SigningKey::from_bytes(&[9; 32])];
    let (mut line, _) = line_of(&fleet, gateway, folder.path());

    for signer in &signers {
        let forged = command.sign(signer);
        let refused = Command::verify(&forged, &keys.command_key);
        assert!(matches!(refused, Err(SignatureError::Forged { .. })), "{refused:?}");
        say(&mut line, MessageKind::Command, &forged);
    }
    let as_receipt = Receipt::verify(&command.sign(&fleet.receipt), &keys.receipt_keys);

    assert!(matches!(as_receipt, Err(SignatureError::Forged { .. })), "{as_receipt:?}");
    assert_eq!(line.buffer.backlog_bytes(), owed);
    assert_eq!(versions(&line), Some((1, 1)));
}

#[test]
fn forged_status_is_refused_and_no_sink_listens_to_one() {
    let (gateway, other) = (named("gw-1"), named("gw-2"));
    let status = Status { boot: BootId([1; 16]), start_count: 3, online: true };
    let key = Fleet::signer(gateway).verifying_key();
    let good = status.sign(&Fleet::signer(gateway));

    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Status::verify(&bad, &key).is_err(), "bit {bit}");
    }
    let forged = Status::verify(&status.sign(&Fleet::signer(other)), &key);

    assert!(matches!(forged, Err(SignatureError::Forged { .. })), "{forged:?}");
    assert_eq!(Status::verify(&good, &key), Ok(status));
    let topic = Topic { gateway, level: Level::Status }.to_string();
    let level = topic.rsplit('/').next().unwrap();
    assert!(ALL_LANES.iter().all(|filter| !filter.ends_with(level)), "silence is judged by frames");
}
