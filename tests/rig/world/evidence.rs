//! What a world hands to a judge that shares no code with us: the store as the sinks left it, and
//! beside it what was said, sealed and accepted.

use std::fs;
use std::path::Path;

use anyhow::Result;
use cloud_sink::keys::hex;
use cloud_sink::ledger;
use cloud_sink::store::db::Db;
use serde_json::{Value, json};

use super::World;
use super::bedside::{Kind, LOSS_CAUSE, MARK, kind, numeric, samples, ticks};
use super::books::{Books, Place, Reading};
use crate::fleet::{Fleet, Pair, named};

impl World {
    /// Writes the store, the sinks' ledger and the world's own books into a new folder.
    pub(super) fn hand_out(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let db = Db::open(&self.store().into())?;
        db.batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        fs::copy(self.store(), folder.join("store.sqlite"))?;
        fs::write(folder.join("ledger.json"), serde_json::to_vec(&ledger::read(&db)?)?)?;
        let books = self.books.borrow();
        let document = json!({
            "schema": 1,
            "seed": self.outcome.seed,
            "keys": keys(&self.gateway.fleet),
            "readings": books.sealed.iter().map(reading).collect::<Vec<_>>(),
            "accepted": books.accepted.iter().map(name).collect::<Vec<_>>(),
            "records": records(&books),
            "gaps": gaps(&books),
            "restored": self.was_restored(),
            "lied": books.medium_lied,
            "faults": self.outcome.faults,
        });
        fs::write(folder.join("books.json"), serde_json::to_vec(&document)?)?;
        Ok(())
    }
}

fn name(reading: &Reading) -> Value {
    json!([reading.device.0, reading.number])
}

fn place((segment, index): &Place) -> Value {
    json!([hex(&segment.0), index])
}

/// A reading with its time in ticks of a millisecond, its content, and where it was sealed.
fn reading((reading, places): (&Reading, &Vec<Place>)) -> Value {
    let number = reading.number;
    let what = match kind(number) {
        Kind::Wave => json!({"samples": samples(number)}),
        Kind::Alert => json!({"alert": format!("{MARK}{number}")}),
        Kind::Loss => json!({"loss": [number, LOSS_CAUSE]}),
        Kind::Numeric | Kind::NotANumber | Kind::Precise => json!({"numeric": numeric(number)}),
    };
    // A loss has no time of the device: its number stands for it.
    let ticks = if kind(number) == Kind::Loss { -i64::from(number) } else { ticks(number) };
    let places: Vec<_> = places.iter().map(place).collect();
    json!([reading.device.0, number, ticks, what, places])
}

/// Each record that was ever made, with the SHA-256 of its bytes, and of a frame its lane and lane
/// sequences.
fn records(books: &Books) -> Vec<Value> {
    let record = |(at, digest): (&Place, &[u8; 32])| {
        let span = books.frames.get(at).map(|(lane, first, last)| (*lane as u8, first, last));
        json!([hex(&at.0.0), at.1, hex(digest), span])
    };
    books.bytes.iter().map(record).collect()
}

/// Each gap that was ever signed: its own place, and the hole that it names.
fn gaps(books: &Books) -> Vec<Value> {
    let gap = |gap: &wire::gap::Gap| {
        let hole = gap.hole.segment.map(|segment| hex(&segment.0));
        json!([hex(&gap.segment.0), gap.index, hole, gap.hole.indexes])
    };
    books.gaps.iter().map(gap).collect()
}

fn keys(fleet: &Fleet) -> Value {
    let gateway = named("gw-1");
    let pair = |pair: &Pair| {
        let (private, public) = (hex(pair.secret.as_bytes()), hex(&pair.public.public));
        json!({"audience": pair.audience as u8, "private": private, "public": public})
    };
    json!({
        "suite": fleet.suite as u8,
        "gateway": gateway.as_str(),
        "gateway_seed": hex(Fleet::signer(gateway).as_bytes()),
        "recipients": fleet.pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}
