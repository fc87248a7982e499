//! Ledger: which records exist, which are double, missing, waiting, bridged or forked.

use serde::Serialize;
use wire::identity::Lane;
use wire::receipt::{Disposition, Reason};

use crate::keys::hex;
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// The books of one gateway and lane.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LaneBooks {
    /// Gateway.
    pub gateway: String,
    /// Lane.
    pub lane: String,
    /// Records that are here.
    pub present: u64,
    /// Deliveries of records that were here already.
    pub double: u64,
    /// Records that are not here although a later one of their segment is.
    pub missing: u64,
    /// Readings below the highest number of the lane that have neither come nor stand in a gap that
    /// gives numbers: on their way, or gone with a store that was restored.
    pub missing_readings: u64,
    /// Records whose predecessor is here, and first records of a lane.
    pub linked: u64,
    /// Records whose predecessor has not come.
    pub waiting: u64,
    /// Records whose predecessor is inside a gap.
    pub bridged: u64,
    /// Records that claim a predecessor which another record claims too.
    pub forked: u64,
    /// Records that are kept and not decoded yet.
    pub held: u64,
    /// Records that were refused.
    pub refused: u64,
}

/// A record that is held or refused, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Gateway.
    pub gateway: String,
    /// Lane.
    pub lane: String,
    /// Segment.
    pub segment: String,
    /// Index.
    pub index: u32,
    /// `held` or `refused`.
    pub disposition: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The whole ledger; what `wardline-sink status --json` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    /// Version of this structure.
    pub schema: u32,
    /// Commits in this store's life.
    pub commits: u64,
    /// Numerics that are stored.
    pub numerics: u64,
    /// Waveform samples that are stored.
    pub samples: u64,
    /// Alerts, events and losses that are stored.
    pub notes: u64,
    /// Deliveries of records that were here already.
    pub records_double: u64,
    /// Gap records.
    pub gap_records: u64,
    /// Readings inside gaps, at most.
    pub gap_readings: u64,
    /// Deliveries that no known gateway had signed.
    pub unsigned: u64,
    /// Gateway by gateway, lane by lane.
    pub lanes: Vec<LaneBooks>,
    /// Held and refused records, newest first.
    pub kept: Vec<Kept>,
}

/// Held and refused records in one listing.
const KEPT_MAX: u32 = 100;

fn count(db: &Db, sql: &'static str) -> Result<u64, StoreError> {
    Ok(db.one::<Option<i64>>(sql, &[])?.unwrap_or(0).cast_unsigned())
}

/// Reads the ledger.
///
/// # Errors
/// The store does not answer.
pub fn read(db: &Db) -> Result<Ledger, StoreError> {
    Ok(Ledger {
        schema: 1,
        commits: count(db, "SELECT value FROM meta WHERE key = 'commit'")?,
        numerics: db.numerics_stored()?,
        samples: count(db, "SELECT CAST(sum(count) AS BIGINT) FROM wave")?,
        notes: count(db, "SELECT count(*) FROM note")?,
        records_double: count(db, "SELECT CAST(sum(doubles) AS BIGINT) FROM segment")?,
        gap_records: count(db, "SELECT count(*) FROM gap")?,
        gap_readings: count(db, "SELECT CAST(sum(readings_max) AS BIGINT) FROM gap")?,
        unsigned: count(db, "SELECT max(value) FROM counter WHERE name = 'unsigned'")?,
        lanes: lanes(db)?,
        kept: kept(db)?,
    })
}

/// Linkage is a stored fact of each record: what it names as its predecessor, and what is here.
const LANES: &str = "
WITH record AS (
  SELECT segment.gateway, segment.lane, evidence.segment, evidence.idx, evidence.disposition,
    CASE
      WHEN evidence.previous IS NULL THEN 'linked'
      WHEN (SELECT count(DISTINCT other.hash) FROM evidence AS other
              JOIN segment AS theirs ON theirs.id = other.segment
            WHERE other.previous = evidence.previous AND theirs.gateway = segment.gateway
              AND theirs.lane = segment.lane AND other.disposition <> 3) > 1 THEN 'forked'
      WHEN EXISTS (SELECT 1 FROM evidence AS before
                     JOIN segment AS theirs ON theirs.id = before.segment
                   WHERE before.hash = evidence.previous AND theirs.gateway = segment.gateway
                     AND before.disposition <> 3)
        THEN 'linked'
      WHEN EXISTS (SELECT 1 FROM gap WHERE gap.after = evidence.previous) THEN 'bridged'
      ELSE 'waiting'
    END AS link
  FROM evidence JOIN segment ON segment.id = evidence.segment),
reach AS (
  SELECT segment, max(idx) + 1 - count(DISTINCT idx) AS missing FROM evidence GROUP BY segment),
span AS (
  SELECT segment.gateway, segment.lane, sequence_first AS first, sequence_last AS last
  FROM evidence JOIN segment ON segment.id = evidence.segment
  WHERE sequence_first IS NOT NULL AND disposition <> 3
  UNION ALL
  SELECT gateway, lane, sequence_first, sequence_last FROM gap WHERE sequence_first IS NOT NULL),
reached AS (
  SELECT gateway, lane, first, max(last) OVER (PARTITION BY gateway, lane ORDER BY first, last
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
  FROM span)
SELECT gateway.name, record.lane, count(*),
  (SELECT CAST(sum(doubles) AS BIGINT) FROM segment AS s
   WHERE s.gateway = record.gateway AND s.lane = record.lane),
  (SELECT CAST(sum(reach.missing) AS BIGINT) FROM reach JOIN segment AS s ON s.id = reach.segment
   WHERE s.gateway = record.gateway AND s.lane = record.lane),
  count(*) FILTER (WHERE link = 'linked'), count(*) FILTER (WHERE link = 'waiting'),
  count(*) FILTER (WHERE link = 'bridged'), count(*) FILTER (WHERE link = 'forked'),
  count(*) FILTER (WHERE disposition = 2), count(*) FILTER (WHERE disposition = 3),
  (SELECT CAST(sum(first - coalesce(reached, 0) - 1) AS BIGINT) FROM reached
   WHERE first > coalesce(reached, 0) + 1 AND reached.gateway = record.gateway
     AND reached.lane = record.lane)
FROM record JOIN gateway ON gateway.id = record.gateway
GROUP BY record.gateway, gateway.name, record.lane
ORDER BY gateway.name, record.lane";

fn number(row: &Row, at: usize) -> Result<u64, StoreError> {
    Ok(row.at::<Option<i64>>(at)?.unwrap_or(0).cast_unsigned())
}

fn lane_name(row: &Row, at: usize) -> Result<String, StoreError> {
    Ok(Lane::from_number(number(row, at)?).map_or("?", Lane::name).to_owned())
}

fn lanes(db: &Db) -> Result<Vec<LaneBooks>, StoreError> {
    let rows = db.rows(LANES, &[])?;
    let books = rows.iter().map(|row| {
        Ok(LaneBooks {
            gateway: row.at(0)?,
            lane: lane_name(row, 1)?,
            present: number(row, 2)?,
            double: number(row, 3)?,
            missing: number(row, 4)?,
            missing_readings: number(row, 11)?,
            linked: number(row, 5)?,
            waiting: number(row, 6)?,
            bridged: number(row, 7)?,
            forked: number(row, 8)?,
            held: number(row, 9)?,
            refused: number(row, 10)?,
        })
    });
    books.collect()
}

fn kept(db: &Db) -> Result<Vec<Kept>, StoreError> {
    let sql = "SELECT gateway.name, segment.lane, segment.segment, evidence.idx,
                 evidence.disposition, evidence.reason
               FROM evidence JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
               WHERE evidence.disposition <> 1 ORDER BY evidence.id DESC LIMIT ?1";
    let rows = db.rows(sql, values![KEPT_MAX])?;
    let kept = rows.iter().map(|row| {
        let segment: [u8; 16] = row.at(2)?;
        let disposition = Disposition::from_number(row.at(4)?).unwrap_or(Disposition::Held);
        let reason = Reason::from_number(row.at(5)?).unwrap_or(Reason::None);
        Ok(Kept {
            gateway: row.at(0)?,
            lane: lane_name(row, 1)?,
            segment: hex(&segment),
            index: row.at(3)?,
            disposition: disposition.name(),
            reason: reason.name(),
        })
    });
    kept.collect()
}
