//! A store that moves from its file into PostgreSQL is the same store.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cloud_sink::export::csv;
use cloud_sink::store::StoreError;
use cloud_sink::store::db::{Db, Location};
use cloud_sink::store::migrate::migrate;
use rig::store::{SERVER, fresh};
use tempfile::tempdir;
use wire::identity::DeviceId;
use wire::segment::Suite;

use crate::device::{alert, monitor, numerics, wave};
use crate::gateway::{Gateway, Sent};
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

fn exported(location: &Location, folder: &Path) -> BTreeMap<String, String> {
    csv::export(&Db::open(location).unwrap(), DeviceId(1), folder).unwrap();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let text = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    files.map(text).collect()
}

/// A store in a file that has the first of some records.
fn store(fleet: &Fleet, folder: &Path) -> (Location, Vec<Sent>) {
    let id = named("gw-1");
    let mut gateway = Gateway::start(fleet, id, &folder.join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=9, numerics);
    gateway.hear_each(&monitor(1, 7), 10..=12, wave);
    gateway.hear_each(&monitor(1, 7), 13..=13, |sequence| alert(sequence, "HR LOW 38 < 40"));
    let file = Location::File(folder.join("moves.sqlite"));
    let mut sink = Sink::create_at(fleet, file.clone(), &[id]);
    let records = gateway.records();
    let most = records.len() - 3;
    sink.take(&records[..most]);
    sink.take(&records[..2]);
    (file, records)
}

#[test]
fn a_store_goes_into_a_database_whole_and_goes_on_there() {
    if std::env::var_os(SERVER).is_none() {
        eprintln!("skipped: no PostgreSQL server in {SERVER}; tests/legs/postgres has one");
        return;
    }
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let (file, records) = store(&fleet, folder.path());
    let database = fresh(folder.path());

    let copied = migrate(&Db::open(&file).unwrap(), &database, |_, _| {}).unwrap();

    let (mut before, mut after) = (Sink::open(&fleet, &file), Sink::open(&fleet, &database));
    let ledger = |sink: &Sink| serde_json::to_value(sink.ledger()).unwrap();
    assert_eq!(copied.numerics, before.ledger().numerics);
    assert_eq!(ledger(&after), ledger(&before));
    before.take(&records);
    after.take(&records);
    assert_eq!(ledger(&after), ledger(&before), "doubles are known, the rest is taken");
    assert_eq!(after.rows(), before.rows());
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    assert_eq!(exported(&database, &other), exported(&file, &one));
    let again = migrate(&Db::open(&file).unwrap(), &database, |_, _| {});
    assert!(matches!(again, Err(StoreError::NotEmpty)), "{again:?}");
}

#[test]
fn a_store_goes_into_no_other_file() {
    let folder = tempdir().unwrap();
    let (file, _) = store(&Fleet::new(Suite::X25519), folder.path());
    let other = Location::File(folder.path().join("other.sqlite"));

    let moved = migrate(&Db::open(&file).unwrap(), &other, |_, _| {});

    assert!(matches!(moved, Err(StoreError::NoTarget)), "{moved:?}");
}
