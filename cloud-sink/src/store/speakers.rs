//! Who is not believed any more: revoked gateways, and keys that have a successor. It is asked
//! inside the commit, so that nothing which comes after a revocation is stored before it.

use std::collections::{HashMap, HashSet};

use wire::receipt::{Disposition, Reason};

use super::StoreError;
use super::db::{Db, values};
use crate::verify::{Content, Disposed};

/// What stands against speakers, as one transaction sees it.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    revoked: HashSet<i64>,
    ended: HashMap<(i64, [u8; 32]), Ended>,
}

/// A key that another one follows.
#[derive(Debug)]
struct Ended {
    successor: [u8; 32],
    /// The first start under the successor, if one has come.
    start_count: Option<i64>,
}

impl Speakers {
    pub(super) fn read(db: &Db) -> Result<Self, StoreError> {
        let revoked = db.rows("SELECT gateway FROM revoked", &[])?;
        let sql = "SELECT gateway, signing_key, successor, start_count FROM key_end";
        let mut ended = HashMap::new();
        for row in db.rows(sql, &[])? {
            let end = Ended { successor: row.at(2)?, start_count: row.at(3)? };
            ended.insert((row.at(0)?, row.at(1)?), end);
        }
        let revoked = revoked.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
        Ok(Self { revoked, ended })
    }

    /// What becomes of a record that is new here: what verification says, unless its speaker is
    /// suspect.
    pub(super) fn judge(
        &self,
        db: &Db,
        record: &Disposed,
        segment: i64,
    ) -> Result<(Disposition, Reason), StoreError> {
        let is_suspect = self.revoked.contains(&record.gateway.row)
            || self.speaks_after_its_end(db, record, segment)?;
        Ok(if is_suspect && record.disposition != Disposition::Refused {
            (Disposition::Held, Reason::Suspect)
        } else {
            (record.disposition, record.reason)
        })
    }

    /// Whether the key had a successor when the run began that this record belongs to.
    fn speaks_after_its_end(
        &self,
        db: &Db,
        record: &Disposed,
        segment: i64,
    ) -> Result<bool, StoreError> {
        let key = (record.gateway.row, record.gateway.key.to_bytes());
        let Some(end) = self.ended.get(&key).and_then(|ended| ended.start_count) else {
            return Ok(false);
        };
        if let Content::Header { header, .. } = &record.content {
            return Ok(header.start_count.cast_signed() >= end);
        }
        let sql = "SELECT start_count FROM segment WHERE id = ?1";
        let begun: Option<i64> = db.one(sql, values![segment])?;
        // A frame without a header waits for it anyway.
        let is_frame = matches!(record.content, Content::Frame { .. });
        Ok(begun.map_or(!is_frame, |begun| begun >= end))
    }

    /// Notes the first start under a key that follows another.
    pub(super) fn hear(&mut self, db: &Db, record: &Disposed) -> Result<(), StoreError> {
        let Content::Header { header, .. } = &record.content else { return Ok(()) };
        let (gateway, key) = (record.gateway.row, record.gateway.key.to_bytes());
        for ((of, ended), end) in &mut self.ended {
            if *of == gateway && end.successor == key && end.start_count.is_none() {
                let start = header.start_count.cast_signed();
                let update = "UPDATE key_end SET start_count = ?3
                              WHERE gateway = ?1 AND signing_key = ?2";
                db.later(update, values![gateway, *ended, start])?;
                end.start_count = Some(start);
            }
        }
        Ok(())
    }
}
