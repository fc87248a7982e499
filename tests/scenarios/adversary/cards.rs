//! Whoever has the medium: a card that was copied, put back or stolen, and the store itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cloud_sink::store::db::Value;
use cloud_sink::store::query::{Reopened, StoreRegistry};
use cloud_sink::trust::registry::{release, revoke};
use ed25519_dalek::VerifyingKey;
use wire::frame::{Record, RecordKind};
use wire::identity::{Lane, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::seal::{SegmentKeys, SegmentSecret, open_frame, unwrap_secret, verify_frame};
use wire::segment::read_header_payload;
use wire::signed::{Purpose, verify};
use wire::time::UnixNanos;

use super::site;
use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, fates};
use crate::site::Site;
use rig::fleet::Fleet;

/// Names and secrets of the segments whose headers are among some records.
fn secrets(fleet: &Fleet, records: &[Sent]) -> Vec<(SegmentId, [u8; 32])> {
    let headers = records.iter().filter(|sent| sent.index == 0);
    let secret = |sent: &Sent| {
        let record = Record::parse(&sent.bytes).unwrap();
        let (header, core, wrapped) = read_header_payload(record.payload).unwrap();
        let secret = unwrap_secret(&header, core, &wrapped, &fleet.pairs[0].secret).unwrap();
        (header.segment, *secret.as_bytes())
    };
    headers.map(secret).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    let _: std::io::Result<()> = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn nonce_and_key_are_new_on_a_clone_and_after_yesterday_s_image_was_put_back() {
    let Site { fleet, gateway, folder, .. } = site();
    let (card, image) = (folder.path().join("buffer"), folder.path().join("image"));
    let id = gateway.id;
    drop(gateway);
    copy_folder(&card, &image);
    let mut seen = Vec::new();
    // The card goes on; then it is put back twice, as on a clone and after a restore.
    for round in 0..3 {
        let place = folder.path().join(format!("round-{round}"));
        copy_folder(&image, &place);
        let mut gateway = Gateway::start(&fleet, id, &place);
        let old = gateway.records().len();
        gateway.hear_each(&monitor(1, 7), 5..=6, numerics);
        seen.extend(secrets(&fleet, &gateway.records()[old..]));
    }

    let names: BTreeSet<_> = seen.iter().map(|(segment, _)| *segment).collect();
    let keys: BTreeSet<_> = seen.iter().map(|(_, secret)| *secret).collect();
    assert_eq!((seen.len(), names.len(), keys.len()), (3, 3, 3));
}

/// All files of a folder in one.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn stolen_card_holds_no_key_of_its_frames_and_the_search_would_find_one() {
    let Site { fleet, mut gateway, folder, .. } = site();
    let records = gateway.records();
    let header = Record::parse(&records[0].bytes).unwrap();
    let (_, core, _) = read_header_payload(header.payload).unwrap();
    let record = Record::parse(&records[1].bytes).unwrap();
    let frame = verify_frame(&record, &gateway.signer.verifying_key()).unwrap();
    let opens = |key: &[u8]| {
        let secret = SegmentSecret::from_bytes(key.try_into().unwrap());
        open_frame(&SegmentKeys::derive(&secret, core), &frame).is_ok()
    };
    let mut card = bytes_of(&folder.path().join("buffer"));
    card.extend(gateway.signer.to_bytes());
    card.extend(&fleet.document);
    let tried = |bytes: &[u8]| {
        let windows = bytes.windows(32).filter(|window| window.iter().any(|byte| *byte != 0));
        windows.map(<[u8]>::to_vec).collect::<BTreeSet<_>>()
    };

    let found = tried(&card).into_iter().filter(|key| opens(key)).count();
    let truth = secrets(&fleet, &records[..1])[0].1;

    assert_eq!(found, 0);
    let control = [&[9; 40][..], &truth, &[9; 40]].concat();
    assert_eq!(tried(&control).into_iter().filter(|key| opens(key)).count(), 1);
}

/// What of a store's evidence its gateway has not signed so: anybody can ask who has its key.
fn unsound(sink: &Sink, key: &VerifyingKey) -> Vec<i64> {
    let rows = sink.db().rows("SELECT id, bytes FROM evidence ORDER BY id", &[]).unwrap();
    let sound = |bytes: &[u8]| -> bool {
        let Ok(record) = Record::parse(bytes) else { return false };
        let signed = verify(key, Purpose::Record, record.signed).is_ok();
        signed && (record.kind != RecordKind::Frame || verify_frame(&record, key).is_ok())
    };
    let bad = rows.iter().filter(|row| !sound(&row.at::<Vec<u8>>(1).unwrap()));
    bad.map(|row| row.at(0).unwrap()).collect()
}

#[test]
fn insider_who_changes_evidence_is_found_by_the_public_key_alone() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    sink.take(&gateway.records());
    let (db, key) = (sink.db(), gateway.signer.verifying_key());
    let update = "UPDATE evidence SET bytes = ?2 WHERE id = ?1";
    assert_eq!(unsound(&sink, &key), [] as [i64; 0]);

    for row in db.rows("SELECT id, bytes FROM evidence ORDER BY id", &[]).unwrap() {
        let (id, bytes): (i64, Vec<u8>) = (row.at(0).unwrap(), row.at(1).unwrap());
        for at in (0..bytes.len()).step_by(17).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            db.execute(update, &[Value::from(id), Value::from(&changed)]).unwrap();
            assert_eq!(unsound(&sink, &key), [id], "byte {at}");
        }
        db.execute(update, &[Value::from(id), Value::from(&bytes)]).unwrap();
    }
}

#[test]
fn revoked_speaker_is_held_whatever_its_clock_says_until_a_person_lets_it_go() {
    let Site { fleet, mut gateway, mut sink, folder: _folder } = site();
    let records = gateway.records();
    sink.take(&records[..3]);
    // The gateway's clock says that all of it was before.
    revoke(&sink.db(), "gw-1", ("stolen", None), UnixNanos(i64::MAX)).unwrap();

    let rounds = sink.take(&records);
    let mut again = gateway.crash_and_start(&fleet);
    again.hear_each(&monitor(1, 8), 1..=1, numerics);
    let later = again.records_of(Lane::Vital).split_off(records.len());
    let of_later = sink.take(&later);
    let kept = sink.heart_rates();
    release(&sink.db(), "gw-1").unwrap();
    let held = StoreRegistry::open(sink.location()).unwrap().reopen(0, false).unwrap();
    let sent = |held: Reopened| Sent::read(held.gateway, held.lane, held.bytes);
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&held.into_iter().map(sent).collect::<Vec<_>>());

    let (segment, none) = (records[0].segment, Reason::None);
    let stored = (segment, 0, 2, Disposition::Stored, none);
    let suspect = (segment, 3, 4, Disposition::Held, Reason::Suspect);
    assert_eq!(fates(&rounds), [stored, suspect], "what was receipted stands");
    let all_held = |fate: &crate::sink::Fate| fate.4 == Reason::Suspect;
    assert!(fates(&of_later).iter().all(all_held), "{:?}", fates(&of_later));
    assert_eq!(kept, [61, 62]);
    assert_eq!(sink.heart_rates(), [61, 61, 62, 63, 64]);
}

#[test]
fn retired_key_speaks_no_more_although_its_frames_open() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let records = gateway.records();
    let key = gateway.signer.verifying_key().to_bytes();
    // Its successor has spoken from start 1 on, a moment ago.
    let insert = "INSERT INTO key_end VALUES (1, ?1, ?2, 1, ?3, ?3)";
    let now = cloud_sink::clock::now().0;
    let values = [Value::from(key), Value::from([9; 32]), Value::from(now)];
    sink.db().execute(insert, &values).unwrap();

    let rounds = sink.take(&records);
    let again = sink.take(&records);

    let all_held = |fate: &crate::sink::Fate| fate.4 == Reason::Suspect;
    assert!(fates(&rounds).iter().all(all_held), "{:?}", fates(&rounds));
    assert!(fates(&again).iter().all(all_held), "{:?}", fates(&again));
    assert_eq!(sink.heart_rates(), [] as [i64; 0]);
}
