//! Who is not believed any more: revoked gateways, and keys that have a successor. It is asked
//! inside the commit, so that nothing which comes after a revocation is stored before it.

use std::collections::{HashMap, HashSet};

use wire::receipt::{Disposition, Reason};

use super::StoreError;
use super::db::{Db, values};
use crate::verify::{Content, Disposed};

/// What came under a key before its successor is in by then: more than a buffer keeps.
const BACKLOG_NS: i64 = 7 * 86_400 * 1_000_000_000;
/// Records of suspect speakers that are kept of one gateway: a thief must not fill the store. What
/// is more is neither kept nor signed for, so that an honest gateway still has it.
const SUSPECT_MAX: u64 = 65_536;

/// What stands against speakers, as one transaction sees it.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    revoked: HashSet<i64>,
    ended: HashMap<(i64, [u8; 32]), Ended>,
    /// Suspect records of a gateway that are kept, as far as somebody asked.
    kept: HashMap<i64, u64>,
    now: i64,
}

/// A key that another one follows.
#[derive(Debug)]
struct Ended {
    successor: [u8; 32],
    /// The first start under the successor, and when it was heard, if it was.
    spoke: Option<(i64, i64)>,
}

impl Speakers {
    pub(super) fn read(db: &Db, now: i64) -> Result<Self, StoreError> {
        let revoked = db.rows("SELECT gateway FROM revoked", &[])?;
        let sql = "SELECT gateway, signing_key, successor, start_count, spoke_ns FROM key_end";
        let mut ended = HashMap::new();
        for row in db.rows(sql, &[])? {
            let spoke = row.at::<Option<i64>>(3)?.zip(row.at::<Option<i64>>(4)?);
            let end = Ended { successor: row.at(2)?, spoke };
            ended.insert((row.at(0)?, row.at(1)?), end);
        }
        let revoked = revoked.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
        Ok(Self { revoked, ended, kept: HashMap::new(), now })
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

    /// Whether one more record of a suspect speaker may be kept; it counts as kept then.
    pub(super) fn may_keep(&mut self, db: &Db, gateway: i64) -> Result<bool, StoreError> {
        let count = match self.kept.get(&gateway) {
            Some(count) => *count,
            None => db.one(
                "SELECT count(*) FROM evidence JOIN segment ON segment.id = evidence.segment
                 WHERE evidence.disposition <> 1 AND evidence.disposition = ?1
                   AND evidence.reason = ?2 AND segment.gateway = ?3",
                values![Disposition::Held as u8, Reason::Suspect as u8, gateway],
            )?,
        };
        self.kept.insert(gateway, count + 1);
        Ok(count < SUSPECT_MAX)
    }

    /// Whether the key had a successor when the run began that this record belongs to, or its
    /// successor has spoken for so long that nothing of it can be on its way.
    fn speaks_after_its_end(
        &self,
        db: &Db,
        record: &Disposed,
        segment: i64,
    ) -> Result<bool, StoreError> {
        let key = (record.gateway.row, record.gateway.key.to_bytes());
        let Some((end, since)) = self.ended.get(&key).and_then(|ended| ended.spoke) else {
            return Ok(false);
        };
        if self.now.saturating_sub(since) > BACKLOG_NS {
            return Ok(true);
        }
        if let Content::Header { header, .. } = &record.content {
            return Ok(header.start_count.cast_signed() >= end);
        }
        let sql = "SELECT start_count, (SELECT count(*) FROM evidence
                     WHERE evidence.segment = segment.id AND idx = 0 AND reason = ?2)
                   FROM segment WHERE id = ?1";
        let row = db.row(sql, values![segment, Reason::Suspect as u8])?;
        let row = row.ok_or(StoreError::Shape("no segment"))?;
        let (begun, held): (Option<i64>, i64) = (row.at(0)?, row.at(1)?);
        // A frame whose header has not come waits for it anyway; one that opens although the header
        // is not stored had it held.
        let is_frame = matches!(record.content, Content::Frame { .. });
        Ok(begun.map_or_else(
            || !is_frame || held > 0 || record.disposition == Disposition::Stored,
            |begun| begun >= end,
        ))
    }

    /// Notes the first start under a key that follows another.
    pub(super) fn hear(&mut self, db: &Db, record: &Disposed) -> Result<(), StoreError> {
        let Content::Header { header, .. } = &record.content else { return Ok(()) };
        let (gateway, key) = (record.gateway.row, record.gateway.key.to_bytes());
        let start = header.start_count.cast_signed();
        for ((of, ended), end) in &mut self.ended {
            let is_first = end.spoke.is_none_or(|(known, _)| start < known);
            if *of == gateway && end.successor == key && is_first {
                let since = end.spoke.map_or(self.now, |(_, since)| since);
                let update = "UPDATE key_end SET start_count = ?3, spoke_ns = ?4
                              WHERE gateway = ?1 AND signing_key = ?2";
                db.later(update, values![gateway, *ended, start, since])?;
                end.spoke = Some((start, since));
            }
        }
        Ok(())
    }
}
