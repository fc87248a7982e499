//! Erasure: a patient's, a device's or a period's readings go, and what is left can still be
//! verified.
//!
//! Of a sealed record the signed part stays, and each of its blocks that is not erased, with its
//! salt; of an erased block the digest stays, of which nobody can tell what it was once the
//! segment's secret is destroyed. An order is written down before anything goes, outside the store,
//! too, and holds for what comes later and for a store that is put back from a backup.

use serde::{Deserialize, Serialize};
use wire::hex::unhex;
use wire::identity::{DeviceId, Lane};

use super::policy::{Candidate, Policy};
use crate::store::StoreError;
use crate::store::db::{Db, Row, Turn, values};
use crate::verify::keyring::Keys;

mod orders;

mod record;

mod segments;

pub use orders::{carry_out, carry_out_all, list, prove, take_over, write_down};
use record::{Erasing, Which};
pub use segments::destroy_secrets;

/// What is to be erased, by whom and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A device's readings; of every device without it.
    pub device: Option<String>,
    /// A patient's, by the token under which the gateway sends them, hexadecimal.
    pub patient: Option<String>,
    /// From this moment on, UTC nanoseconds; from the beginning without it.
    pub from_ns: Option<i64>,
    /// Before this moment: never later than the order itself.
    pub to_ns: i64,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub who: String,
    /// When, UTC nanoseconds.
    pub at_ns: i64,
}

impl Order {
    /// Whose readings, in words.
    #[must_use]
    pub fn object(&self) -> String {
        let device = self.device.as_ref().map(|device| format!("device {device}"));
        let patient = self.patient.as_ref().map(|token| format!("patient {token}"));
        let moment = |ns| crate::clock::words(ns);
        let from = self.from_ns.map(|from| format!("from {}", moment(from)));
        let to = format!("before {}", moment(self.to_ns));
        [device, patient, from, Some(to)].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What has gone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Erased {
    /// Rows of readings: blocks of numerics, runs of samples, notes.
    pub rows: u64,
    /// Blocks of sealed records, copies included.
    pub blocks: u64,
    /// Rows that a legal hold keeps: they go when it ends.
    pub held: u64,
    /// Sealed records that no key here opens: their bytes stay as they are.
    pub closed: u64,
}

impl Erased {
    /// Adds what another order has erased.
    pub const fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.blocks += other.blocks;
        self.held += other.held;
        self.closed += other.closed;
    }
}

/// Rows in one transaction: commits wait for no longer.
const ROWS_AT_ONCE: i64 = 500;

/// A table that is walked through by number.
struct Walk {
    /// Number, record, device's number and EUI, context's token, when it was stored, lane, gateway;
    /// then what its deed needs.
    read: &'static str,
    /// Takes one row away; of the newest it takes what it says.
    take: fn(&Db, &Row) -> Result<(), StoreError>,
}

const WALKS: [Walk; 3] = [
    Walk {
        read: "SELECT block.id, block.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway, first_row, last_row
               FROM block JOIN series ON series.id = block.series
                 JOIN device ON device.id = series.device
                 LEFT JOIN context ON context.id = block.context
                 JOIN evidence ON evidence.id = block.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE block.id > ?1 AND (CAST(?2 AS TEXT) IS NULL OR eui = ?2)
                 AND (CAST(?3 AS BIGINT) IS NULL OR context.id = ?3)
                 AND block.to_ns >= ?4 AND block.from_ns < ?5 AND last_row >= first_row
               ORDER BY block.id LIMIT ?6",
        take: take_block,
    },
    Walk {
        read: "SELECT wave.id, wave.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway
               FROM wave JOIN series ON series.id = wave.series
                 JOIN device ON device.id = series.device
                 LEFT JOIN context ON context.id = wave.context
                 JOIN evidence ON evidence.id = wave.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE wave.id > ?1 AND (CAST(?2 AS TEXT) IS NULL OR eui = ?2)
                 AND (CAST(?3 AS BIGINT) IS NULL OR context.id = ?3)
                 AND wave.at_ns + wave.count * 1000000000 / rate_numerator * rate_denominator >= ?4
                 AND wave.at_ns < ?5 AND wave.count > 0
               ORDER BY wave.id LIMIT ?6",
        take: take_wave,
    },
    // That something was lost or contradicts itself is evidence, and no reading.
    Walk {
        read: "SELECT note.id, note.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway
               FROM note JOIN device ON device.id = note.device
                 LEFT JOIN context ON context.id = note.context
                 JOIN evidence ON evidence.id = note.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE note.id > ?1 AND (CAST(?2 AS TEXT) IS NULL OR eui = ?2)
                 AND (CAST(?3 AS BIGINT) IS NULL OR context.id = ?3)
                 AND note.at_ns >= ?4 AND note.at_ns < ?5
                 AND note.kind NOT IN ('loss', 'conflict', 'erased')
               ORDER BY note.id LIMIT ?6",
        take: take_note,
    },
];

/// The newest row of a table stays where its number would come again: feeds and exports go on
/// behind the last number that they have seen.
fn is_newest(db: &Db, newest: &'static str, id: i64) -> Result<bool, StoreError> {
    Ok(db.counts_again() && db.one::<i64>(newest, &[])? == id)
}

fn take_block(db: &Db, row: &Row) -> Result<(), StoreError> {
    let (id, first, last): (i64, i64, i64) = (row.at(0)?, row.at(8)?, row.at(9)?);
    if is_newest(db, "SELECT max(id) FROM numeric", last)? {
        let empty = "UPDATE numeric SET series = 0, at_ns = 0, mantissa = NULL, status = 0,
                       absent = NULL WHERE id = ?1";
        db.later(empty, values![last])?;
        db.later("DELETE FROM numeric WHERE id BETWEEN ?1 AND ?2", values![first, last - 1])?;
    } else {
        db.later("DELETE FROM numeric WHERE id BETWEEN ?1 AND ?2", values![first, last])?;
    }
    if is_newest(db, "SELECT max(id) FROM block", id)? {
        return db.later("UPDATE block SET last_row = first_row - 1 WHERE id = ?1", values![id]);
    }
    db.later("DELETE FROM block WHERE id = ?1", values![id])
}

fn take_wave(db: &Db, row: &Row) -> Result<(), StoreError> {
    let (id, nothing): (i64, &[u8]) = (row.at(0)?, &[]);
    if is_newest(db, "SELECT max(id) FROM wave", id)? {
        let empty = "UPDATE wave SET count = 0, samples = ?2, invalid = NULL WHERE id = ?1";
        return db.later(empty, values![id, nothing]);
    }
    db.later("DELETE FROM wave WHERE id = ?1", values![id])
}

fn take_note(db: &Db, row: &Row) -> Result<(), StoreError> {
    let id: i64 = row.at(0)?;
    if is_newest(db, "SELECT max(id) FROM note", id)? {
        let empty = "UPDATE note SET kind = 'erased', code = NULL, source = NULL, phase = NULL,
                       state = NULL, priority = NULL, value = NULL, text = NULL WHERE id = ?1";
        return db.later(empty, values![id]);
    }
    db.later("DELETE FROM note WHERE id = ?1", values![id])
}

/// Which readings an order means in this store.
struct Scope<'a> {
    device: Option<&'a str>,
    context: Option<i64>,
    from_ns: i64,
    to_ns: i64,
}

impl<'a> Scope<'a> {
    /// None if nothing of the device or patient has come.
    fn read(db: &Db, order: &'a Order) -> Result<Option<Self>, StoreError> {
        let context = match order.patient.as_deref() {
            None => None,
            Some(text) => {
                let token = unhex(text).ok_or(StoreError::Shape("no token of a patient"))?;
                let sql = "SELECT id FROM context WHERE token = ?1";
                let Some(row) = db.row(sql, values![&token])? else { return Ok(None) };
                Some(row.at(0)?)
            }
        };
        let (device, from_ns) = (order.device.as_deref(), order.from_ns.unwrap_or(i64::MIN));
        Ok(Some(Self { device, context, from_ns, to_ns: order.to_ns }))
    }

    fn rows(&self, db: &Db, walk: &Walk, after: i64) -> Result<Vec<Row>, StoreError> {
        let Self { device, context, from_ns, to_ns } = *self;
        db.rows(walk.read, values![after, device, context, from_ns, to_ns, ROWS_AT_ONCE])
    }
}

/// Erases what an order means, step by step; commits go on between. With `dry`, only counts rows.
///
/// # Errors
/// The store does not answer: what has gone by then is gone, and the order stands.
pub fn apply(db: &Db, opener: &mut Keys, order: &Order, dry: bool) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    let Some(scope) = Scope::read(db, order)? else { return Ok(erased) };
    for walk in &WALKS {
        let mut after = Some(i64::MIN);
        while let Some(from) = after {
            after = if dry {
                let rows = scope.rows(db, walk, from)?;
                erased.rows += rows.len() as u64;
                last_of(&rows)?
            } else {
                db.transaction(Turn::Commit, |db| {
                    step(db, opener, (&scope, walk, from), &mut erased)
                })?
            };
        }
    }
    Ok(erased)
}

/// Number of the last row, if there may be more.
fn last_of(rows: &[Row]) -> Result<Option<i64>, StoreError> {
    let is_full = rows.len() as i64 == ROWS_AT_ONCE;
    rows.last().filter(|_| is_full).map(|row| row.at(0)).transpose()
}

/// The next rows of a walk, with the sealed blocks that they came in.
fn step(
    db: &Db,
    opener: &mut Keys,
    (scope, walk, after): (&Scope<'_>, &Walk, i64),
    erased: &mut Erased,
) -> Result<Option<i64>, StoreError> {
    let policy = Policy::read(db, &[])?;
    let rows = scope.rows(db, walk, after)?;
    let mut erasing = Erasing::default();
    for row in &rows {
        let (lane, eui): (u64, String) = (row.at::<i64>(6)?.cast_unsigned(), row.at(3)?);
        let which = Which {
            device: DeviceId::parse(&eui).ok_or(StoreError::Shape("no EUI of a device"))?,
            token: row.at::<Option<_>>(4)?.unwrap_or_default(),
        };
        let lane = Lane::from_number(lane).ok_or(StoreError::Shape("no lane"))?;
        let (gateway, stored_ns) = (row.at(7)?, row.at(5)?);
        if policy.is_held(&Candidate { gateway, lane, device: Some(eui), stored_ns }) {
            erased.held += 1;
            continue;
        }
        (walk.take)(db, row)?;
        erased.rows += 1;
        erasing.add(row.at(1)?, row.at(2)?, which);
    }
    erasing.erase(db, opener, erased)?;
    last_of(&rows)
}
