//! The store alone: what a sink verifies and commits when frames are full, and nothing else runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cloud_sink::limits::{GROUP_RECORDS_MAX, VERIFIED_MAX};
use cloud_sink::store::Store;
use cloud_sink::store::commit::{SqlStore, create};
use cloud_sink::store::db::{Db, Location};
use cloud_sink::store::query::{StoreRegistry, enroll};
use cloud_sink::verify::Disposed;
use cloud_sink::verify::dispose::Verifier;
use cloud_sink::verify::keyring::Keys;
use rig::fleet::{Fleet, named};
use tokio::sync::mpsc;
use wire::identity::{GatewayId, Lane};
use wire::segment::Suite;

use super::fleet::gateway::Gateway;
use super::{Row, row};

const GATEWAYS: u64 = 4;

/// What a record holds.
#[derive(Clone, Copy)]
struct Load {
    words: &'static str,
    /// Seconds of a bed in one turn of a gateway: several full frames, or one small one.
    seconds: u32,
    /// Numerics that are made for each second of the measurement; more than any store here takes.
    made_a_second: u64,
}

const FULL: Load = Load { words: "full frames", seconds: 2_000, made_a_second: 4_000_000 };
const SMALL: Load = Load { words: "frames of 30", seconds: 1, made_a_second: 600_000 };

type Record = (GatewayId, Lane, Vec<u8>);

/// Numerics a second through verification and commits.
pub fn measure(time: Duration) -> Result<Vec<Row>> {
    Ok([measure_load(time, FULL)?, measure_load(time, SMALL)?].concat())
}

fn measure_load(time: Duration, load: Load) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let location = rig::store::fresh(folder.path());
    let fleet = Fleet::new(Suite::XWing);
    let ids: Vec<GatewayId> = (0..GATEWAYS).map(|number| named(&format!("gw-{number}"))).collect();
    create(&location, fleet.epoch)?;
    for id in &ids {
        enroll(&location, *id, &Fleet::signer(*id).verifying_key())?;
    }
    let records = records(&fleet, &ids, load, time.as_secs())?;
    let (name, began) = (name(&location), Instant::now());
    let stored = store(&fleet, &location, records, began + time)?;
    let seconds = began.elapsed().as_secs_f64();
    let (kind, length) = (load.words, time.as_secs());
    let words = format!("store ({name}): numerics verified and committed, {kind}, {length} s");
    let size = format!("store ({name}): bytes of database a numeric, {kind}");
    Ok(vec![
        row(words, stored as f64 / seconds, "1/s"),
        row(size, bytes(&location)? as f64 / stored as f64, "B"),
    ])
}

/// Makes a store and commits so many numerics into it, in frames of a bed's second.
pub fn filled(location: &Location, numerics: u64) -> Result<()> {
    let fleet = Fleet::new(Suite::XWing);
    let ids: Vec<GatewayId> = (0..GATEWAYS).map(|number| named(&format!("gw-{number}"))).collect();
    create(location, fleet.epoch)?;
    for id in &ids {
        enroll(location, *id, &Fleet::signer(*id).verifying_key())?;
    }
    let load = Load { made_a_second: numerics, ..SMALL };
    let recipients = fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
    let keys = Keys::new(recipients, fleet.store_key);
    let mut verifier = Verifier::new(StoreRegistry::open(location)?, keys);
    let mut store = SqlStore::open(location)?;
    let mut records = records(&fleet, &ids, load, 1)?.into_iter().peekable();
    while records.peek().is_some() {
        let mut group = Vec::with_capacity(GROUP_RECORDS_MAX);
        for (gateway, lane, bytes) in records.by_ref().take(GROUP_RECORDS_MAX) {
            let disposed = verifier.dispose(gateway, lane, bytes).ok();
            group.push(disposed.context("a record was refused")?);
        }
        store.commit(&group)?;
    }
    Ok(())
}

/// Bytes of the whole store, evidence and indexes included.
fn bytes(location: &Location) -> Result<u64> {
    let sql = match location {
        Location::File(_) => {
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        }
        Location::Postgres(_) => "SELECT pg_database_size(current_database())",
    };
    Ok(Db::open(location)?.one(sql, &[])?)
}

const fn name(location: &Location) -> &'static str {
    match location {
        Location::File(_) => "SQLite",
        Location::Postgres(_) => "PostgreSQL",
    }
}

fn records(fleet: &Fleet, ids: &[GatewayId], load: Load, seconds: u64) -> Result<VecDeque<Record>> {
    let mut gateways = Vec::new();
    for (number, id) in (0..).zip(ids) {
        gateways.push((*id, Gateway::new(number, *id, fleet.keyring.clone())?));
    }
    let (mut records, mut made) = (VecDeque::new(), 0);
    while made < load.made_a_second * seconds {
        for (id, gateway) in &mut gateways {
            let before = gateway.numerics();
            let said = gateway.seconds(load.seconds)?;
            records.extend(said.into_iter().map(|(_, bytes)| (*id, Lane::Vital, bytes)));
            made += gateway.numerics() - before;
        }
    }
    Ok(records)
}

/// Verifies on one thread and commits on another, as a sink does; numerics that were stored.
fn store(
    fleet: &Fleet,
    location: &Location,
    records: VecDeque<Record>,
    until: Instant,
) -> Result<u64> {
    let recipients = fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
    let keys = Keys::new(recipients, fleet.store_key);
    let mut verifier = Verifier::new(StoreRegistry::open(location)?, keys);
    let mut store = SqlStore::open(location)?;
    let (verified, mut waiting) = mpsc::channel::<Disposed>(VERIFIED_MAX);
    let verifying = std::thread::spawn(move || {
        for (gateway, lane, bytes) in records {
            let disposed = verifier.dispose(gateway, lane, bytes);
            let Ok(disposed) = disposed else { return Err("a record was refused") };
            if verified.blocking_send(disposed).is_err() {
                return Ok(());
            }
        }
        Err("too few records were made")
    });
    while Instant::now() < until
        && let Some(first) = waiting.blocking_recv()
    {
        let mut group = vec![first];
        while group.len() < GROUP_RECORDS_MAX
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        store.commit(&group)?;
    }
    drop(waiting);
    let ended = verifying.join().ok().context("verification has failed")?;
    ensure!(ended.is_ok(), "{ended:?}");
    Ok(Db::open(location)?.numerics_stored()?)
}
