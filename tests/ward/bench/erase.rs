//! One of the devices of a store of ten million numerics is erased: rows, sealed blocks, proof.

use std::time::Instant;

use anyhow::{Result, ensure};
use cloud_sink::retention::erase::{Order, apply};
use cloud_sink::store::db::{Db, Location};
use cloud_sink::verify::keyring::Keys;
use rig::fleet::Fleet;
use wire::segment::Suite;

use super::store::filled;
use super::{Row, row};

const NUMERICS: u64 = 10_000_000;

pub fn measure() -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let location = Location::File(folder.path().join("store.sqlite"));
    filled(&location, NUMERICS)?;
    let db = Db::open(&location)?;
    let count = "SELECT count(*) FROM numeric JOIN series ON series.id = numeric.series";
    let before: u64 = db.one(count, &[])?;
    let order = Order {
        device: Some(db.one("SELECT eui FROM device ORDER BY id LIMIT 1", &[])?),
        patient: None,
        from_ns: None,
        to_ns: None,
        reason: "measured".into(),
        who: "bench".into(),
        at_ns: i64::MAX,
    };
    // The store has the secrets of all segments: no recipient's key is needed.
    let mut opener = Keys::new(Vec::new(), Fleet::new(Suite::XWing).store_key);
    let begin = Instant::now();
    let erased = apply(&db, &mut opener, &order, false)?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(erased.closed == 0 && erased.blocks > 0, "{erased:?}");
    let gone = (before - db.one::<u64>(count, &[])?) as f64;
    let name = |what: &str| {
        format!("erasing a device out of {} million numerics: {what}", before / 1_000_000)
    };
    Ok(vec![
        row(name("time"), seconds, "s"),
        row(name("numerics gone"), gone / seconds, "1/s"),
        row(name("sealed blocks gone"), erased.blocks as f64 / seconds, "1/s"),
    ])
}
