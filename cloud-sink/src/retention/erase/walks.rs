//! Rows that an order means: what is read of each table, and what takes a row away.

use wire::batch::wave;
use wire::hex::unhex;

use super::Order;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// Rows that are looked at between two breaths: nothing waits for it.
const PAGE: i64 = 5000;
/// Rows that are taken in one transaction: commits wait for no longer.
const ROWS_AT_ONCE: i64 = 500;

/// A table that is walked through by number.
pub(super) struct Walk {
    /// Number of the last row of a page.
    page: &'static str,
    /// Number, record, device's number and EUI, context's token, when it was stored, lane, gateway;
    /// then what its deed needs.
    read: &'static str,
    /// Takes one row away; of the newest it takes what it says.
    pub(super) take: fn(&Db, &Row) -> Result<(), StoreError>,
}

pub(super) const WALKS: [Walk; 3] = [
    Walk {
        page: "SELECT max(id) FROM (SELECT id FROM block WHERE id > ?1 ORDER BY id LIMIT ?2) AS p",
        read: "SELECT block.id, block.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway, first_row, last_row
               FROM block JOIN series ON series.id = block.series
                 JOIN device ON device.id = series.device
                 LEFT JOIN context ON context.id = block.context
                 JOIN evidence ON evidence.id = block.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE block.id > ?1 AND block.id <= ?2 AND (CAST(?3 AS TEXT) IS NULL OR eui = ?3)
                 AND (CAST(?4 AS BIGINT) IS NULL OR context.id = ?4) AND block.to_ns >= ?5
                 AND (block.from_ns < ?6 OR coalesce(opened_ns, received_ns) < ?7)
                 AND last_row >= first_row
               ORDER BY block.id LIMIT ?8",
        take: take_block,
    },
    Walk {
        page: "SELECT max(id) FROM (SELECT id FROM wave WHERE id > ?1 ORDER BY id LIMIT ?2) AS p",
        read: "SELECT wave.id, wave.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway
               FROM wave JOIN series ON series.id = wave.series
                 JOIN device ON device.id = series.device
                 LEFT JOIN context ON context.id = wave.context
                 JOIN evidence ON evidence.id = wave.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE wave.id > ?1 AND wave.id <= ?2 AND (CAST(?3 AS TEXT) IS NULL OR eui = ?3)
                 AND (CAST(?4 AS BIGINT) IS NULL OR context.id = ?4)
                 AND wave.at_ns + CAST(wave.count AS DOUBLE PRECISION) * 1000000000.0
                   * rate_denominator / rate_numerator >= CAST(?5 AS BIGINT)
                 AND (wave.at_ns < ?6 OR coalesce(opened_ns, received_ns) < ?7) AND wave.count > 0
               ORDER BY wave.id LIMIT ?8",
        take: take_wave,
    },
    // That something was lost or contradicts itself is evidence, and no reading.
    Walk {
        page: "SELECT max(id) FROM (SELECT id FROM note WHERE id > ?1 ORDER BY id LIMIT ?2) AS p",
        read: "SELECT note.id, note.evidence, device.id, eui, token,
                 coalesce(opened_ns, received_ns), lane, gateway
               FROM note JOIN device ON device.id = note.device
                 LEFT JOIN context ON context.id = note.context
                 JOIN evidence ON evidence.id = note.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE note.id > ?1 AND note.id <= ?2 AND (CAST(?3 AS TEXT) IS NULL OR eui = ?3)
                 AND (CAST(?4 AS BIGINT) IS NULL OR context.id = ?4) AND note.at_ns >= ?5
                 AND (note.at_ns < ?6 OR coalesce(opened_ns, received_ns) < ?7)
                 AND note.kind NOT IN ('loss', 'conflict', 'erased')
               ORDER BY note.id LIMIT ?8",
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
    let is_last = is_newest(db, "SELECT max(id) FROM numeric", last)?;
    if is_last {
        let empty = "UPDATE numeric SET series = 0, at_ns = 0, mantissa = NULL, status = 0,
                       absent = NULL WHERE id = ?1";
        db.later(empty, values![last])?;
    }
    let gone = if is_last { last - 1 } else { last };
    db.later("DELETE FROM numeric WHERE id BETWEEN ?1 AND ?2", values![first, gone])?;
    if is_newest(db, "SELECT max(id) FROM block", id)? {
        return db.later("UPDATE block SET last_row = first_row - 1 WHERE id = ?1", values![id]);
    }
    db.later("DELETE FROM block WHERE id = ?1", values![id])
}

fn take_wave(db: &Db, row: &Row) -> Result<(), StoreError> {
    let id: i64 = row.at(0)?;
    if is_newest(db, "SELECT max(id) FROM wave", id)? {
        let empty = "UPDATE wave SET count = 0, samples = ?2, invalid = NULL WHERE id = ?1";
        return db.later(empty, values![id, wave::encode(&[], None)]);
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
pub(super) struct Scope<'a> {
    device: Option<&'a str>,
    context: Option<i64>,
    from_ns: i64,
    /// Before this moment by their own time, or stored before the other one.
    before_ns: (i64, i64),
}

impl<'a> Scope<'a> {
    /// None if nothing of the patient has come.
    pub(super) fn read(db: &Db, order: &'a Order) -> Result<Option<Self>, StoreError> {
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
        // A device's clock may be ahead: without an end everything goes that was here.
        let before_ns = order.to_ns.map_or((order.at_ns, order.at_ns), |to| (to, i64::MIN));
        Ok(Some(Self { device, context, from_ns, before_ns }))
    }

    /// The last number of the next page behind a number, if there is one.
    pub(super) fn page(db: &Db, walk: &Walk, after: i64) -> Result<Option<i64>, StoreError> {
        db.one(walk.page, values![after, PAGE])
    }

    /// Rows of a page, and up to which number it was read.
    pub(super) fn rows(
        &self,
        db: &Db,
        walk: &Walk,
        (after, last): (i64, i64),
    ) -> Result<(Vec<Row>, i64), StoreError> {
        let Self { device, context, from_ns, before_ns: (to, stored) } = *self;
        let asked = values![after, last, device, context, from_ns, to, stored, ROWS_AT_ONCE];
        let rows = db.rows(walk.read, asked)?;
        let is_full = rows.len() as i64 == ROWS_AT_ONCE;
        let end = rows.last().filter(|_| is_full).map(|row| row.at(0)).transpose()?;
        Ok((rows, end.unwrap_or(last)))
    }
}
