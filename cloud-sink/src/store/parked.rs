//! Records that wait for their segment's header.

use std::collections::HashMap;

use wire::receipt::{Disposition, Reason};

use super::db::{Db, values};
use super::{Committed, StoreError};
use crate::limits::PARKED_MAX;
use crate::verify::Disposed;

/// How many records each gateway has parked, as far as somebody asked.
#[derive(Debug, Default)]
pub(super) struct Parked(HashMap<i64, u64>);

impl Parked {
    /// Whether one more record without a segment header may be kept for a gateway.
    pub(super) fn may_park(&mut self, db: &Db, gateway: i64) -> Result<bool, StoreError> {
        if let Some(count) = self.0.get(&gateway) {
            return Ok(*count < PARKED_MAX);
        }
        let count = count(db, gateway)?;
        self.0.insert(gateway, count);
        Ok(count < PARKED_MAX)
    }

    /// One more is kept.
    pub(super) fn parked(&mut self, gateway: i64) {
        if let Some(count) = self.0.get_mut(&gateway) {
            *count += 1;
        }
    }

    /// A parked record was opened: the store is asked anew.
    pub(super) fn opened(&mut self, gateway: i64) {
        self.0.remove(&gateway);
    }

    /// The store is asked anew for every gateway.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

fn count(db: &Db, gateway: i64) -> Result<u64, StoreError> {
    let held = values![Disposition::Held as u8, Reason::NoHeader as u8, gateway];
    db.one(
        "SELECT count(*) FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE evidence.disposition <> 1 AND evidence.disposition = ?1 AND evidence.reason = ?2
           AND segment.gateway = ?3",
        held,
    )
}

/// Whether a segment's header is stored by now.
pub(super) fn has_header(db: &Db, segment: i64) -> Result<bool, StoreError> {
    db.one("SELECT header IS NOT NULL FROM segment WHERE id = ?1", values![segment])
}

/// Hands parked records of a segment back for verification, now that its header is here.
pub(super) fn unpark(
    db: &Db,
    segment: i64,
    record: &Disposed,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    let sql = "SELECT bytes FROM evidence WHERE segment = ?1 AND disposition = ?2 AND reason = ?3
               ORDER BY idx";
    let held = values![segment, Disposition::Held as u8, Reason::NoHeader as u8];
    for row in db.rows(sql, held)? {
        committed.parked.push((record.gateway.id, record.lane, row.at(0)?));
    }
    Ok(())
}
