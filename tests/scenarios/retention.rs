//! Retention: what is old goes, what is held stays, and what has gone does not come back.

use cloud_sink::clock;
use cloud_sink::retention::{How, Rule, dispose, end_hold, hold};
use cloud_sink::store::db::Db;
use rig::fleet::{Fleet, named};
use tempfile::tempdir;
use wire::identity::{DeviceId, Lane};
use wire::segment::Suite;
use wire::time::UnixNanos;

use crate::device::{monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;

const DAY_NS: i64 = 86_400_000_000_000;

/// The readings of these stories are of long ago.
const REALLY: How = How { dry: false, force: true };

fn rules(days: u32) -> Vec<Rule> {
    Lane::ALL.map(|lane| Rule { lane, ward: None, days }).to_vec()
}

#[test]
fn what_was_disposed_of_does_not_come_back_and_its_chain_holds() {
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    gateway.hear_each(&monitor(1, 7), 1..=4, numerics);
    let records = gateway.records();
    sink.take(&records);
    let books = sink.books(id, Lane::Vital);
    let db = Db::open(sink.location()).unwrap();
    let later = UnixNanos(clock::now().0 + 100 * DAY_NS);

    dispose(&db, &rules(120), later, REALLY).unwrap();
    assert_eq!(sink.heart_rates(), [61, 62, 63, 64], "it is not old enough");
    let held = hold(&db, Some(DeviceId(1)), None, "claim 7", later).unwrap();
    dispose(&db, &rules(30), later, REALLY).unwrap();
    assert_eq!(sink.heart_rates(), [61, 62, 63, 64], "it is held");
    assert!(end_hold(&db, held, later).unwrap());
    dispose(&db, &rules(30), later, REALLY).unwrap();
    assert_eq!(sink.heart_rates(), [] as [i64; 0]);
    let bytes: Option<i64> =
        db.one("SELECT CAST(sum(length(bytes)) AS BIGINT) FROM evidence", &[]).unwrap();
    assert_eq!(bytes, Some(0), "sealed readings have gone, too");

    // A sink that begins now, as after the night in which they went.
    let mut sink = sink.crash_and_start(&fleet);
    sink.take(&records);
    gateway.hear_each(&monitor(1, 7), 5..=5, numerics);
    sink.take(&gateway.records());
    assert_eq!(sink.heart_rates(), [65]);
    let after = sink.books(id, Lane::Vital);
    assert_eq!((after.present, after.linked), (books.present + 1, books.linked + 1), "{after:?}");
    assert!(after.double > books.double && after.waiting + after.forked == 0, "{after:?}");
}
