//! RQ-08: what is erased is gone from rows and sealed records, copies included; all else can still
//! be proven, and an order holds for what comes later.

use std::path::Path;

use cloud_sink::clock;
use cloud_sink::export::csv;
use cloud_sink::export::read::{Kind, Reader, Selection};
use cloud_sink::keys::KeyFolder;
use cloud_sink::retention::erase::{
    Erased, Order, apply, carry_out_all, destroy_secrets, list, write_down,
};
use cloud_sink::retention::{end_hold, hold};
use cloud_sink::store::db::{Db, Location};
use cloud_sink::verify::keyring::Keys;
use rig::fleet::{Fleet, named};
use tempfile::tempdir;
use wire::batch;
use wire::frame::read_frame_payload;
use wire::identity::DeviceId;
use wire::seal::Remnant;
use wire::segment::Suite;
use wire::signed::{Purpose, verify};
use wire::time::UnixNanos;

use crate::device::{alert, in_context, moment, monitor, number, numerics, wave};
use crate::gateway::Gateway;
use crate::sink::Sink;

/// A fleet, its sink, and one gateway that two devices speak to.
struct Story {
    fleet: Fleet,
    gateway: Gateway,
    sink: Sink,
}

impl Story {
    fn begin(folder: &Path) -> Self {
        let (fleet, ids) = (Fleet::new(Suite::X25519), [named("gw-1"), named("gw-2")]);
        let gateway = Gateway::start(&fleet, ids[0], &folder.join("buffer"));
        let sink = Sink::create(&fleet, folder, &ids);
        Self { fleet, gateway, sink }
    }

    /// Both devices speak within each batch.
    fn both_speak(&mut self, sequences: std::ops::RangeInclusive<u32>) {
        for sequence in sequences {
            self.gateway.hear(&monitor(1, 7), sequence, &numerics(sequence));
            self.gateway.hear(&monitor(2, 9), sequence + 10, &numerics(sequence + 10));
            self.gateway.flush();
        }
        let records = self.gateway.records();
        self.sink.take(&records);
    }

    fn opener(&self) -> Keys {
        let recipients = self.fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
        Keys::new(recipients, self.fleet.store_key)
    }

    fn erase(&self, order: &Order) -> Erased {
        apply(&self.sink.db(), &mut self.opener(), order, false).unwrap()
    }

    /// Devices of the blocks that are left of each record, after the root and the signature of each
    /// were checked.
    fn left(&self) -> Vec<Vec<DeviceId>> {
        let keys = [named("gw-1"), named("gw-2")].map(|id| Fleet::signer(id).verifying_key());
        let sql = "SELECT signed, blocks FROM remnant ORDER BY evidence";
        let rows = self.sink.db().rows(sql, &[]).unwrap();
        let devices = rows.iter().map(|row| {
            let (signed, blocks): (Vec<u8>, Vec<u8>) = (row.at(0).unwrap(), row.at(1).unwrap());
            let payload = keys.iter().find_map(|key| verify(key, Purpose::Record, &signed).ok());
            let (core, ..) = read_frame_payload(payload.expect("a gateway has signed")).unwrap();
            let remnant = Remnant::decode(&blocks).unwrap();
            assert_eq!(remnant.content_root(), core.content_root);
            let batch = batch::decode(&remnant.plaintext().unwrap()).unwrap();
            batch.blocks.iter().map(|block| block.source.device).collect()
        });
        devices.collect()
    }
}

fn of_device(number: u64) -> Order {
    Order {
        device: Some(DeviceId(number).to_string()),
        patient: None,
        from_ns: None,
        to_ns: Some(i64::MAX),
        reason: "asked for".into(),
        who: "ada".into(),
        at_ns: 1,
    }
}

#[test]
fn an_erased_device_is_gone_with_its_copies_and_its_neighbour_stays_provable() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=4);
    // Through another gateway the device says the same again: no row, and sealed all the same.
    let mut other = Gateway::start(&story.fleet, named("gw-2"), &folder.path().join("other"));
    other.hear_each(&monitor(1, 7), 2..=3, numerics);
    story.sink.take(&other.records());
    assert_eq!(story.sink.heart_rates(), [61, 62, 63, 64, 71, 72, 73, 74]);

    let erased = story.erase(&of_device(1));

    assert_eq!((erased.rows, erased.blocks, erased.held + erased.closed), (8, 6, 0));
    assert_eq!(story.sink.heart_rates(), [71, 72, 73, 74]);
    let neighbour = vec![DeviceId(2)];
    let copy = Vec::new();
    assert_eq!(
        story.left(),
        [&neighbour, &neighbour, &neighbour, &neighbour, &copy, &copy].map(Vec::clone)
    );
    let sealed: i64 = story
        .sink
        .db()
        .one("SELECT count(*) FROM evidence WHERE sequence_first > 0 AND length(bytes) > 0", &[])
        .unwrap();
    assert_eq!(sealed, 0, "every frame held something of the device");
    assert_eq!(story.erase(&of_device(1)), Erased::default(), "once");

    // Its gateway has seen no receipt and sends all of it again.
    let records = story.gateway.records();
    story.sink.take(&records);
    assert_eq!(story.sink.heart_rates(), [71, 72, 73, 74]);
}

#[test]
fn an_order_holds_for_what_comes_later_and_hides_no_reading_of_a_device_that_counts_anew() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=2);
    let early = Order { to_ns: Some(moment(3) * 1_000_000), ..of_device(1) };
    story.erase(&early);
    assert_eq!(story.sink.heart_rates(), [71, 72]);

    // The same number with another word is another reading, and no repeat of what is gone.
    let again = |sequence| number(sequence, 99);
    story.gateway.hear_each(&monitor(1, 7), 1..=1, again);
    story.gateway.hear_each(&monitor(1, 7), 3..=3, numerics);
    let records = story.gateway.records();
    story.sink.take(&records);
    assert_eq!(story.sink.heart_rates(), [99, 63, 71, 72]);
    let erased = story.erase(&early);
    assert!(erased.rows > 0 && erased.blocks == 1, "{erased:?}");
    assert_eq!(story.sink.heart_rates(), [63, 71, 72], "what was later than the order stays");
}

#[test]
fn what_does_not_open_stays_with_its_rows_until_the_key_is_back() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=2);
    let (db, other) = (story.sink.db(), Fleet::new(Suite::X25519));
    let strangers = other.pairs.iter().map(|pair| pair.secret.clone()).collect();

    let closed = apply(&db, &mut Keys::new(strangers, [9; 32]), &of_device(1), false).unwrap();

    assert_eq!((closed.rows, closed.blocks, closed.closed), (0, 0, 4));
    assert_eq!(story.sink.heart_rates(), [61, 62, 71, 72], "rows and sealed bytes go together");
    assert_eq!(story.erase(&of_device(1)).rows, 4);
    assert_eq!(story.sink.heart_rates(), [71, 72]);
}

#[test]
fn a_copy_under_the_next_patient_s_name_goes_and_what_is_new_there_stays() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    let monitor = monitor(1, 7);
    story.gateway.hear_each(&monitor, 1..=2, |sequence| in_context(sequence, b"first"));
    let records = story.gateway.records();
    story.sink.take(&records);
    let before = story.sink.heart_rates();
    // The device was not sure of its last receipt, and a nurse was quicker.
    let mut other = Gateway::start(&story.fleet, named("gw-2"), &folder.path().join("other"));
    other.hear(&monitor, 2, &in_context(2, b"next"));
    other.flush();
    other.hear(&monitor, 3, &in_context(3, b"next"));
    other.flush();
    story.sink.take(&other.records());
    let patient = Some(wire::hex::hex(b"first"));

    let erased = story.erase(&Order { device: None, patient, ..of_device(0) });

    assert_eq!(erased.blocks, 3, "two of the first, and what was said again of them");
    let after = story.sink.heart_rates();
    assert!(after.len() == 1 && !before.contains(&after[0]), "{before:?} {after:?}");
    story.sink.take(&other.records());
    assert_eq!(story.sink.heart_rates(), after, "what is new there is known still");
}

#[test]
fn without_an_end_an_order_takes_what_a_clock_that_is_ahead_has_dated() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=2);
    let early = UnixNanos(moment(1) * 1_000_000 - 1);
    let db = story.sink.db();
    db.execute("UPDATE evidence SET received_ns = 1", &[]).unwrap();

    let ended = Order { to_ns: Some(early.0), at_ns: early.0, ..of_device(1) };
    assert_eq!(story.erase(&ended).rows, 0);
    let open = Order { to_ns: None, at_ns: early.0, ..of_device(1) };
    assert_eq!(story.erase(&open).rows, 4);
}

#[test]
fn a_store_whose_newest_waveform_was_erased_is_exported_as_before() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.gateway.hear_each(&monitor(1, 7), 1..=3, wave);
    story.gateway.hear_each(&monitor(1, 7), 4..=5, numerics);
    story.gateway.hear_each(&monitor(1, 7), 6..=6, |number| alert(number, "asystole"));
    let records = story.gateway.records();
    story.sink.take(&records);
    let rows = |sql| -> i64 { story.sink.db().one(sql, &[]).unwrap() };
    assert!(rows("SELECT count(*) FROM wave") > 0 && rows("SELECT count(*) FROM note") > 0);

    story.erase(&of_device(1));

    assert_eq!(rows("SELECT count(*) FROM wave WHERE count > 0"), 0);
    assert_eq!(rows("SELECT count(*) FROM note WHERE text IS NOT NULL"), 0);
    let db = story.sink.db();
    csv::export(&db, DeviceId(1), &folder.path().join("csv")).unwrap();
    let mut reader = Reader::open(&db, Selection::default()).unwrap().unwrap();
    for kind in Kind::ALL {
        reader.page(kind, (0, i64::MAX), |_| Ok(())).unwrap();
    }
}

#[test]
fn nothing_of_what_was_erased_lies_about_in_the_files() {
    const MARKER: &str = "MARKER-asystole";
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.gateway.hear(&monitor(1, 7), 1, &alert(1, MARKER));
    story.gateway.flush();
    story.both_speak(2..=40);
    let Location::File(file) = story.sink.location().clone() else { return };
    let lies_about = || {
        let names = ["", "-wal"].map(|end| format!("{}{end}", file.display()));
        let all = names.iter().map(|name| std::fs::read(name).unwrap_or_default());
        all.into_iter().any(|bytes| bytes.windows(MARKER.len()).any(|w| w == MARKER.as_bytes()))
    };
    assert!(lies_about(), "the search would find it");
    let keys = KeyFolder(folder.path().join("keys"));
    std::fs::create_dir(&keys.0).unwrap();
    std::fs::write(keys.path("store.key"), story.fleet.store_key).unwrap();
    for (kind, pair) in [("clinical-x25519.key", 0), ("health-x25519.key", 1)] {
        std::fs::write(keys.path(kind), story.fleet.pairs[pair].secret.as_bytes()).unwrap();
    }

    write_down(&keys, &[of_device(1), of_device(1)]).unwrap();
    let erased = carry_out_all(&story.sink.db(), &keys, clock::now()).unwrap();

    assert!(erased.rows > 0 && !lies_about(), "{erased:?}");
    assert_eq!(list(&keys).unwrap(), [of_device(1)], "each order once");
}

#[test]
fn a_patient_goes_and_the_next_one_at_the_same_device_stays() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    let monitor = monitor(1, 7);
    story.gateway.hear(&monitor, 1, &in_context(1, b"first"));
    story.gateway.hear(&monitor, 2, &in_context(2, b"next"));
    story.gateway.flush();
    let records = story.gateway.records();
    story.sink.take(&records);
    let patient = Some(wire::hex::hex(b"first"));
    let order = Order { device: None, patient, ..of_device(0) };

    let before = story.sink.heart_rates();
    let erased = story.erase(&order);

    assert!(erased.rows > 0 && erased.blocks == 1, "{erased:?}");
    assert_eq!(story.sink.heart_rates(), before[1..]);
    assert_eq!(story.left(), [[DeviceId(1)]]);
}

#[test]
fn what_is_held_stays_until_the_hold_ends() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=2);
    let (db, now) = (story.sink.db(), clock::now());
    let held = hold(&db, Some(DeviceId(1)), None, "claim 7", now).unwrap();

    let kept = story.erase(&of_device(1));
    assert_eq!((kept.rows, kept.blocks, kept.held), (0, 0, 4));
    assert_eq!(story.sink.heart_rates(), [61, 62, 71, 72]);
    assert!(end_hold(&db, held, now).unwrap());
    assert_eq!(story.erase(&of_device(1)).rows, 4);
    assert_eq!(story.sink.heart_rates(), [71, 72]);
}

#[test]
fn the_secret_of_a_segment_goes_when_nothing_needs_it_and_the_rest_stays_provable() {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path());
    story.both_speak(1..=3);
    story.gateway.hear_each(&monitor(2, 9), 20..=20, numerics);
    let mut story = Story { gateway: story.gateway.crash_and_start(&story.fleet), ..story };
    story.both_speak(4..=4);
    story.erase(&Order { to_ns: Some(moment(3) * 1_000_000), ..of_device(1) });
    let (db, day) = (story.sink.db(), 86_400_000_000_000);
    let secrets = |db: &Db| -> i64 {
        db.one("SELECT count(*) FROM segment WHERE length(kept_secret) > 0", &[]).unwrap()
    };
    let (before, now) = (secrets(&db), clock::now());

    let mut opener = story.opener();
    assert_eq!(destroy_secrets(&db, &mut opener, now.0).unwrap(), 0, "more may be on its way");
    let later = UnixNanos(now.0 + 2 * day);
    assert_eq!(destroy_secrets(&db, &mut opener, later.0).unwrap(), 1);

    assert_eq!(secrets(&db), before - 1);
    let neighbours = [vec![DeviceId(2)], vec![DeviceId(2)]];
    let both = vec![DeviceId(1), DeviceId(2)];
    assert_eq!(story.left(), [&neighbours[..], &[both, vec![DeviceId(2)]]].concat());
    assert_eq!(destroy_secrets(&db, &mut opener, later.0).unwrap(), 0, "once");
}
