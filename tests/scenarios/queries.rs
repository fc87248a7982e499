//! What is stored can be asked for by a person, with the words that stand in the schema.

use cloud_sink::store::db::Db;
use tempfile::tempdir;
use wire::segment::Suite;

use crate::device::{BEGIN_MS, monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

#[test]
fn the_view_of_readings_answers_with_values_and_times() {
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    gateway.hear_all(&monitor(1, 7), 1..=2, numerics);
    sink.take(&gateway.records());

    let db = Db::open(sink.location()).unwrap();
    let sql = "SELECT device, at_ns, value FROM reading WHERE code = 150456 ORDER BY at_ns";
    let rows = db.rows(sql, &[]).unwrap();
    let found = rows.iter().map(|row| (row.at(0).unwrap(), row.at(1).unwrap(), row.at(2).unwrap()));
    let found: Vec<(String, i64, f64)> = found.collect();

    let device = "0000000000000001".to_owned();
    let at = |sequence: i64| (BEGIN_MS + sequence * 100) * 1_000_000;
    assert_eq!(found, [(device.clone(), at(1), 95.1), (device, at(2), 95.2)]);
}
