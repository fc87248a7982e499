//! `wardline-sink recover`: the sink is dead, its evidence lives, and the safe holds the recovery
//! keys.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use wire::identity::{GatewayId, Lane};
use wire::receipt::Reason;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::ingest::{Found, Ingest, Tally};
use crate::keys::KeyFolder;
use crate::retention::erase;
use crate::store::StoreError;
use crate::store::db::{Db, Location, values};
use crate::trust::desk::in_transaction;

/// Opens the evidence of a dead sink's store with the offline recovery keys, and stores it here.
/// Its gateways are taken over with their keys and revocations; make this site with `init` first.
#[derive(Debug, clap::Args)]
pub struct Recover {
    #[command(flatten)]
    config: ConfigArg,
    /// The dead sink's store: its file, or postgres://…
    #[arg(long, value_name = "FILE|URL")]
    from: String,
    /// The folder of recovery keys, out of the safe.
    #[arg(long, value_name = "DIR")]
    recovery: PathBuf,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    schema: u32,
    gateways: u64,
    #[serde(flatten)]
    tally: Tally,
    /// Records of which something was erased there: what is left of them stays in that store.
    erased: u64,
}

/// Records that are read at once.
const PAGE: i64 = 1024;

impl Recover {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let here = std::env::current_dir().context("no folder to count from")?;
        let old = Db::open(&Location::parse(&self.from, &here)).context("the dead sink's store")?;
        let db = Db::open(&config.store)?;
        write_down(&db, Deed::Import, "", &format!("recovered from {}", self.from))?;
        let gateways = in_transaction(&db, |db| Ok(take_gateways(&old, db)?))?;
        let keys = KeyFolder(config.keys.clone());
        let recovery = KeyFolder(self.recovery);
        let mut ingest = Ingest::open(&config.store, &keys, &recovery)?;
        // Headers first: records never wait for one then.
        for (headers, suspect) in [(true, false), (false, false), (true, true), (false, true)] {
            if headers && suspect {
                // What was held for its speaker is held here, too.
                in_transaction(&db, |db| Ok(take_revocations(&old, db)?))?;
            }
            let mut after = 0;
            while let Some((last, records)) = page(&old, after, (headers, suspect))? {
                after = last;
                ingest.take(records)?;
            }
        }
        let (tally, _) = ingest.end();
        erase::take_over(&keys, &old)?;
        erase::carry_out_all(&db, &keys, clock::now())?;
        let erased = old.one("SELECT count(*) FROM remnant", &[])?;
        let answer = Answer { schema: 1, gateways, tally, erased };
        if self.json {
            println!("{}", serde_json::to_string(&answer)?);
            return Ok(());
        }
        let Tally { stored, held, refused, unsigned, .. } = tally;
        println!(
            "{gateways} gateways; {stored} records are stored, {held} held, {refused} refused"
        );
        if unsigned > 0 {
            println!("{unsigned} are signed by no gateway of that store, and are not kept");
        }
        if erased > 0 {
            println!(
                "{erased} were erased in part: what is left of them is in that store only; export \
                 it there, and keep it"
            );
        }
        println!(
            "next: `wardline-sink enroll` each gateway again, or `restored` if it has this keyring"
        );
        Ok(())
    }
}

/// Copies who was enrolled, under which keys, and who is revoked.
fn take_gateways(old: &Db, db: &Db) -> Result<u64, StoreError> {
    let mut count = 0;
    for row in old.rows("SELECT name, signing_key, enrolled_ns FROM gateway", &[])? {
        let (name, key): (String, Vec<u8>) = (row.at(0)?, row.at(1)?);
        let insert = "INSERT INTO gateway (name, signing_key, enrolled_ns) VALUES (?1, ?2, ?3)
                      ON CONFLICT DO NOTHING";
        count += db.execute(insert, values![&name, &key, row.at::<i64>(2)?])?;
        add_key(db, &name, &key, row.at(2)?)?;
    }
    let keys = "SELECT name, gateway_key.signing_key, gateway_key.enrolled_ns FROM gateway_key
                  JOIN gateway ON gateway.id = gateway_key.gateway";
    for row in old.rows(keys, &[])? {
        let (name, key): (String, Vec<u8>) = (row.at(0)?, row.at(1)?);
        add_key(db, &name, &key, row.at(2)?)?;
    }
    Ok(count)
}

/// Copies who is revoked, after what, and which keys have successors.
fn take_revocations(old: &Db, db: &Db) -> Result<(), StoreError> {
    let revoked = "SELECT name, at_ns, reason, successor FROM revoked
                     JOIN gateway ON gateway.id = revoked.gateway";
    for row in old.rows(revoked, &[])? {
        let (name, reason): (String, String) = (row.at(0)?, row.at(2)?);
        let (at, successor): (i64, Option<String>) = (row.at(1)?, row.at(3)?);
        let insert = "INSERT INTO revoked SELECT id, CAST(?2 AS BIGINT), ?3, ?4 FROM gateway
                      WHERE name = ?1 ON CONFLICT DO NOTHING";
        db.execute(insert, values![&name, at, &reason, successor.as_deref()])?;
    }
    let after = "SELECT name, lane, segment, idx, hash FROM revoked_after
                   JOIN gateway ON gateway.id = revoked_after.gateway";
    for row in old.rows(after, &[])? {
        let (name, segment, hash): (String, Vec<u8>, Vec<u8>) =
            (row.at(0)?, row.at(2)?, row.at(4)?);
        let (lane, index): (i64, i64) = (row.at(1)?, row.at(3)?);
        let insert = "INSERT INTO revoked_after
                      SELECT id, CAST(?2 AS BIGINT), ?3, CAST(?4 AS BIGINT), ?5 FROM gateway
                      WHERE name = ?1 ON CONFLICT DO NOTHING";
        db.execute(insert, values![&name, lane, &segment, index, &hash])?;
    }
    let ends = "SELECT name, key_end.signing_key, successor, start_count, spoke_ns, at_ns
                FROM key_end JOIN gateway ON gateway.id = key_end.gateway";
    for row in old.rows(ends, &[])? {
        let (name, key, successor): (String, Vec<u8>, Vec<u8>) =
            (row.at(0)?, row.at(1)?, row.at(2)?);
        let (start, spoke): (Option<i64>, Option<i64>) = (row.at(3)?, row.at(4)?);
        let insert = "INSERT INTO key_end
                      SELECT id, ?2, ?3, CAST(?4 AS BIGINT), CAST(?5 AS BIGINT), CAST(?6 AS BIGINT)
                      FROM gateway WHERE name = ?1 ON CONFLICT DO NOTHING";
        let at: i64 = row.at(5)?;
        db.execute(insert, values![&name, &key, &successor, start, spoke, at])?;
    }
    Ok(())
}

fn add_key(db: &Db, name: &str, key: &[u8], enrolled_ns: i64) -> Result<(), StoreError> {
    let insert = "INSERT INTO gateway_key
                  SELECT id, ?2, CAST(?3 AS BIGINT) FROM gateway
                  WHERE name = ?1 AND signing_key <> ?2
                  ON CONFLICT DO NOTHING";
    db.execute(insert, values![name, key, enrolled_ns]).map(drop)
}

type Page = Option<(i64, Vec<Found>)>;

/// The next records of a store, headers or all others; those that retention left without bytes are
/// passed over.
fn page(old: &Db, after: i64, (headers, suspect): (bool, bool)) -> Result<Page, StoreError> {
    let sql = "SELECT evidence.id, gateway.name, segment.lane, evidence.bytes
               FROM evidence JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
               WHERE evidence.id > ?1 AND length(evidence.bytes) > 0
                 AND CASE WHEN evidence.idx = 0 THEN 1 ELSE 0 END = CAST(?2 AS BIGINT)
                 AND CASE WHEN evidence.reason = ?4 THEN 1 ELSE 0 END = CAST(?5 AS BIGINT)
               ORDER BY evidence.id LIMIT ?3";
    let asked = values![after, i64::from(headers), PAGE, Reason::Suspect as u8, i64::from(suspect)];
    let mut found = None;
    for row in old.rows(sql, asked)? {
        let (id, name): (i64, String) = (row.at(0)?, row.at(1)?);
        let (last, records) = found.get_or_insert((id, Vec::new()));
        *last = id;
        let lane = Lane::from_number(row.at::<i64>(2)?.cast_unsigned());
        if let (Ok(gateway), Some(lane)) = (GatewayId::new(&name), lane) {
            records.push(Found { gateway, lane, bytes: row.at(3)? });
        }
    }
    Ok(found)
}
