//! Buffers and stores that an earlier version made are opened by this one, and go on.
//!
//! Shape of `tests/vectors/fixtures`: `keys.json`; `buffer/` and `store/` with files in pages (see
//! [`pages`]); `expected.json` with what they hold; `export/` with the store's CSV files. The test
//! makes a set that is missing when `WARDLINE_MAKE_FIXTURES=1`; a set that is committed stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use agent::buffer::disk::{Disk, Folder};
use agent::buffer::segment::{FileName, read_place, scan};
use cloud_sink::store::db::Db;
use serde_json::{Value, json};
use tempfile::tempdir;
use wire::frame::{Record, RecordKind};
use wire::identity::{DeviceId, Lane};
use wire::seal::{SegmentKeys, open_frame, unwrap_secret, verify_frame, verify_header};

use crate::device::{monitor, numerics};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, receipts, settle};
use rig::fleet::{Fleet, named};

mod keys;
mod make;
mod pages;

/// Whose records the fixtures hold.
const GATEWAY: &str = "gw-fixture";
/// Whose readings.
const DEVICE: DeviceId = DeviceId(1);

/// The committed folder; made first when it is missing and the maker was asked for.
fn fixtures() -> PathBuf {
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/fixtures");
    let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let asked = std::env::var_os("WARDLINE_MAKE_FIXTURES").is_some_and(|value| value == "1");
    if asked && !folder.exists() {
        make::all(&folder);
    }
    folder
}

/// The fixtures in a temporary folder, with what they should hold.
struct Opened {
    fleet: Fleet,
    expected: Value,
    folder: tempfile::TempDir,
}

fn opened() -> Opened {
    let from = fixtures();
    let folder = tempdir().unwrap();
    for part in ["buffer", "store"] {
        pages::restore_all(&from.join(part), &folder.path().join(part));
    }
    let fleet = keys::read(&from.join("keys.json"));
    let text = fs::read_to_string(from.join("expected.json")).unwrap();
    Opened { fleet, expected: serde_json::from_str(&text).unwrap(), folder }
}

/// One segment file, read as `wardline log verify` reads it: with the public key alone.
struct Segment {
    said: Value,
    records: Vec<Sent>,
    done: bool,
}

fn segments(folder: &Path) -> Vec<Segment> {
    let disk = Folder::existing(folder).unwrap();
    let names = disk.list().unwrap().into_iter();
    let mut heads = BTreeMap::new();
    let segments = names.filter_map(|(name, _)| {
        let parsed = FileName::parse(&name)?;
        Some(segment(&disk, &name, &parsed, &mut heads))
    });
    segments.collect()
}

fn segment(
    disk: &Folder,
    name: &str,
    parsed: &FileName,
    heads: &mut BTreeMap<Lane, wire::identity::RecordHash>,
) -> Segment {
    let key = Fleet::signer(named(GATEWAY)).verifying_key();
    let file = disk.open(name).unwrap();
    let found = scan(&file, parsed.segment).unwrap();
    assert!(found.header_twice && !found.torn_tail && found.holes.is_empty(), "{name}");
    let (_, bytes, _) = found.header.unwrap();
    let sent = |bytes| Sent::read(named(GATEWAY), parsed.lane, bytes);
    let mut records = vec![sent(bytes)];
    for place in &found.places {
        records.push(sent(read_place(&file, parsed.segment, place).unwrap().unwrap()));
    }
    let mut kinds = Vec::new();
    for one in &records {
        let record = Record::parse(&one.bytes).unwrap();
        assert_eq!(one.previous, heads.get(&parsed.lane).copied(), "{name}: {}", one.index);
        heads.insert(parsed.lane, one.hash);
        match record.kind {
            RecordKind::Header => drop(verify_header(&record, &key).unwrap()),
            RecordKind::Frame => drop(verify_frame(&record, &key).unwrap()),
            RecordKind::Gap => {}
        }
        kinds.push(json!([format!("{:?}", record.kind), one.hash.to_string()]));
    }
    Segment { said: json!({ "name": name, "records": kinds }), records, done: parsed.done }
}

/// The whole batches of some records, opened with the kept keys, as text.
fn batches(fleet: &Fleet, records: &[Sent]) -> Vec<String> {
    let key = Fleet::signer(named(GATEWAY)).verifying_key();
    let header = Record::parse(&records[0].bytes).unwrap();
    let (header, core, wrapped) = verify_header(&header, &key).unwrap();
    let secrets = fleet.pairs.iter().map(|pair| &pair.secret);
    let mut opened = secrets.filter_map(|one| unwrap_secret(&header, core, &wrapped, one).ok());
    let secret = opened.next_back().expect("a kept key opens the segment");
    let keys = SegmentKeys::derive(&secret, core);
    let frames = records[1..].iter().filter_map(|sent| {
        let record = Record::parse(&sent.bytes).unwrap();
        (record.kind == RecordKind::Frame).then(|| {
            let plaintext = open_frame(&keys, &verify_frame(&record, &key).unwrap()).unwrap();
            format!("{:?}", wire::batch::decode(&plaintext).unwrap().blocks)
        })
    });
    frames.collect()
}

/// Whether everything that is expected is there; more may be.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value))),
        (Value::Array(found), Value::Array(expected)) => {
            let pairs = found.iter().zip(expected);
            found.len() == expected.len() && pairs.into_iter().all(|(a, b)| holds(a, b))
        }
        _ => found == expected,
    }
}

fn assert_holds(found: &Value, expected: &Value) {
    assert!(holds(found, expected), "found {found:#}\nexpected {expected:#}");
}

/// Each exported file by its name.
fn exported(store: &Path, folder: &Path) -> BTreeMap<String, String> {
    let db = Db::open(&store.into()).unwrap();
    cloud_sink::export::csv::export(&db, DEVICE, folder).unwrap();
    read_all(folder)
}

fn read_all(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn a_kept_buffer_is_whole_and_opens_with_the_kept_keys() {
    let Opened { fleet, expected, folder } = opened();

    let found = segments(&folder.path().join("buffer"));

    let said: Vec<Value> = found.iter().map(|segment| segment.said.clone()).collect();
    assert_holds(&Value::from(said), &expected["segments"]);
    let opened: usize = found.iter().map(|one| batches(&fleet, &one.records).len()).sum();
    assert_eq!(Some(opened as u64), expected["frames"].as_u64());
}

#[test]
fn a_kept_buffer_is_recovered_and_goes_on() {
    let Opened { fleet, expected, folder } = opened();
    let buffer = folder.path().join("buffer");

    let mut gateway = Gateway::start(&fleet, named(GATEWAY), &buffer);
    let found = gateway.recovery;
    gateway.hear_each(&monitor(1, 9), 1..=2, numerics);

    assert_holds(&make::recovery(&found), &expected["recovery"]);
    assert_eq!(gateway.buffer.start_count(), expected["start_count"].as_u64().unwrap() + 1);
    let all = segments(&buffer);
    assert_eq!(all.len(), expected["segments"].as_array().unwrap().len() + 1, "one chain a lane");
}

#[test]
fn a_kept_store_says_what_it_said_and_exports_what_it_exported() {
    let Opened { fleet, expected, folder } = opened();
    let store = folder.path().join("store/store.sqlite");

    let sink = Sink::open(&fleet, &store.as_path().into());
    let ledger = serde_json::to_value(sink.ledger()).unwrap();
    let csv = exported(&store, &folder.path().join("export"));

    assert_holds(&ledger, &expected["ledger"]);
    assert_eq!(csv, read_all(&fixtures().join("export")));
}

#[test]
fn a_kept_store_takes_the_rest_of_a_kept_buffer() {
    let Opened { fleet, expected, folder } = opened();
    let buffer = folder.path().join("buffer");
    let mut sink = Sink::open(&fleet, &folder.path().join("store/store.sqlite").into());
    let mut gateway = Gateway::start(&fleet, named(GATEWAY), &buffer);
    let done = segments(&buffer).into_iter().filter(|segment| segment.done);
    let doubles: Vec<Sent> = done.flat_map(|segment| segment.records).collect();

    sink.take(&doubles);
    let rounds = sink.take(&gateway.records());
    settle(&mut gateway, &receipts(&fleet, &rounds));

    assert_holds(&serde_json::to_value(sink.ledger()).unwrap(), &expected["ledger_after"]);
    assert_eq!(json!(sink.heart_rates()), expected["heart_rates"]);
    assert_eq!(gateway.buffer.backlog_bytes(), 0, "everything has its receipt");
}
