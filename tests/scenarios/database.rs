//! A database that hangs up is called again: nothing is lost, and nobody has to start anything.

use cloud_sink::store::db::{Db, Location};
use rig::store::SERVER;
use tempfile::tempdir;
use wire::segment::Suite;

use crate::device::{monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

/// Ends every other connection to a database.
fn hang_up(location: &Location) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended = Db::open(location).unwrap().rows(sql, &[]).unwrap();
    assert!(!ended.is_empty(), "a sink has a connection");
}

#[test]
fn a_sink_goes_on_after_its_database_has_hung_up() {
    if std::env::var_os(SERVER).is_none() {
        eprintln!("skipped: no PostgreSQL server in {SERVER}; tests/legs/postgres has one");
        return;
    }
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    gateway.hear_each(&monitor(1, 7), 1..=4, numerics);
    let records = gateway.records();
    sink.take(&records[..2]);

    hang_up(sink.location());
    sink.take(&records[2..4]);
    hang_up(sink.location());
    let mut sink = sink.crash_and_start(&fleet);
    hang_up(sink.location());
    sink.take(&records);

    assert!(sink.dropped.is_empty(), "{:?}", sink.dropped);
    assert_eq!(sink.heart_rates(), [61, 62, 63, 64]);
}
