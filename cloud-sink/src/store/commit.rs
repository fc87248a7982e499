//! Commits: evidence and rows of a group of records, in one transaction.

use std::collections::HashMap;

use wire::identity::{GatewayId, RecordHash, SegmentId, StoreEpoch};
use wire::receipt::{Disposition, Range, Reason};

use super::db::{Db, Location, Turn, values};
use super::parked::{has_header, unpark};
use super::rows::Rows;
use super::speakers::Speakers;
use super::{Committed, Store, StoreError};
use crate::clock;
use crate::verify::{Content, Disposed};

/// A segment as one gateway and lane speak of it: nobody can take another's by naming it.
type SegmentKey = (SegmentId, i64, u8);

/// A store in a database.
pub struct SqlStore {
    db: Db,
    epoch: StoreEpoch,
    rows: Rows,
    segments: HashMap<SegmentKey, i64>,
    /// The last commit that was ours.
    last_commit: i64,
}

/// Segments whose row numbers stay in memory.
const SEGMENT_ROWS_MAX: usize = 8192;

/// Makes a new store.
///
/// # Errors
/// [`StoreError`]; there may be one already.
pub fn create(location: &Location, epoch: StoreEpoch) -> Result<(), StoreError> {
    let db = Db::create(location)?;
    match location {
        Location::File(_) => {
            let insert = "INSERT INTO meta VALUES ('store_epoch', ?1), ('commit', 0)";
            db.execute(insert, values![epoch.0])?;
        }
        Location::Postgres(_) => {
            db.execute("INSERT INTO life VALUES (?1)", values![epoch.0])?;
            db.execute("INSERT INTO meta VALUES ('commit', 0)", &[])?;
        }
    }
    Ok(())
}

/// A store that was put back begins a new life.
///
/// # Errors
/// [`StoreError`].
pub fn begin_life(location: &Location, epoch: StoreEpoch) -> Result<(), StoreError> {
    let sql = match location {
        Location::File(_) => "UPDATE meta SET value = ?1 WHERE key = 'store_epoch'",
        Location::Postgres(_) => "UPDATE life SET epoch = ?1",
    };
    Db::open(location)?.execute(sql, values![epoch.0]).map(drop)
}

impl SqlStore {
    /// Opens a store for writing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        let db = Db::open(location)?;
        let epoch = db.store_epoch()?;
        let (rows, segments, last_commit) = (Rows::default(), HashMap::new(), 0);
        Ok(Self { db, epoch: StoreEpoch(epoch), rows, segments, last_commit })
    }

    /// Counts bytes that no known gateway has signed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_unsigned(&mut self, count: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO counter VALUES ('unsigned', ?1)
                   ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value";
        self.db.execute(sql, values![count.cast_signed()])?;
        Ok(())
    }
}

/// The number of a commit in this store's life.
const NEXT_COMMIT: &str = "UPDATE meta SET value = value + 1 WHERE key = 'commit' RETURNING value";

/// What became of one record, for the receipt.
struct Fate {
    gateway: GatewayId,
    segment: SegmentId,
    index: u32,
    hash: RecordHash,
    previous: Option<RecordHash>,
    disposition: Disposition,
    reason: Reason,
}

impl Store for SqlStore {
    fn commit(&mut self, group: &[Disposed]) -> Result<Committed, StoreError> {
        let result = commit_group(self, group);
        let Self { rows, segments, .. } = self;
        if result.is_err() {
            // What the caches learnt was rolled back with the transaction.
            *rows = Rows::default();
            segments.clear();
        }
        result
    }

    fn epoch(&self) -> StoreEpoch {
        self.epoch
    }
}

fn commit_group(store: &mut SqlStore, group: &[Disposed]) -> Result<Committed, StoreError> {
    let SqlStore { db, rows, segments, last_commit, .. } = store;
    if segments.len() > SEGMENT_ROWS_MAX {
        segments.clear();
    }
    let (committed, fates) = db.transaction(Turn::Commit, |db| {
        let number: i64 = db.one(NEXT_COMMIT, &[])?;
        if number != *last_commit + 1 {
            // Another sink has committed, perhaps what we do not know of.
            rows.runs.forget();
            rows.parked.forget();
        }
        *last_commit = number;
        take_all(db, rows, segments, group, number)
    })?;
    rows.hours.committed(clock::now().0);
    Ok(sum_up(fates, committed))
}

/// Takes a group's records, as far as they may be kept.
fn take_all(
    db: &Db,
    rows: &mut Rows,
    segments: &mut HashMap<SegmentKey, i64>,
    group: &[Disposed],
    commit: i64,
) -> Result<(Committed, Vec<Fate>), StoreError> {
    let now = clock::now().0;
    let mut committed = Committed { commit: commit.cast_unsigned(), ..Committed::default() };
    let mut fates = Vec::with_capacity(group.len());
    let mut speakers = Speakers::read(db, now)?;
    for record in group {
        if record.reason == Reason::NoHeader && !rows.parked.may_park(db, record.gateway.row)? {
            // Not kept and not signed for: the gateway has it, and is asked for the header.
            committed.want_header(record.gateway.id, record.segment);
            continue;
        }
        let segment = segment_row(db, segments, record)?;
        let said = Said { record, segment, fate: speakers.judge(db, record, segment)? };
        if said.fate.1 == Reason::Suspect && !speakers.may_keep(db, record.gateway.row)? {
            continue;
        }
        fates.push(take(db, rows, said, now, &mut committed)?);
        speakers.hear(db, record)?;
    }
    rows.runs.save(db)?;
    rows.coverage.save(db)?;
    rows.hours.save(db)?;
    Ok((committed, fates))
}

fn segment_row(
    db: &Db,
    segments: &mut HashMap<SegmentKey, i64>,
    record: &Disposed,
) -> Result<i64, StoreError> {
    let key = (record.segment, record.gateway.row, record.lane as u8);
    if let Some(row) = segments.get(&key) {
        return Ok(*row);
    }
    let values = values![record.segment.0, record.gateway.row, record.lane as u8];
    let insert = "INSERT INTO segment (segment, gateway, lane) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING";
    db.execute(insert, values)?;
    let sql = "SELECT id FROM segment WHERE segment = ?1 AND gateway = ?2 AND lane = ?3";
    let row = db.one(sql, values)?;
    segments.insert(key, row);
    Ok(row)
}

/// A record of a segment's row, and what is to become of it if it is new.
#[derive(Clone, Copy)]
struct Said<'a> {
    record: &'a Disposed,
    segment: i64,
    fate: (Disposition, Reason),
}

/// Takes one record: evidence first, then what it says; a double is counted and says nothing new.
fn take(
    db: &Db,
    rows: &mut Rows,
    said: Said<'_>,
    now: i64,
    committed: &mut Committed,
) -> Result<Fate, StoreError> {
    let Said { record, segment, fate } = said;
    let (disposition, reason) = match insert_evidence(db, said, now)? {
        Some(evidence) => {
            keep_content(db, rows, evidence, said, now, committed)?;
            if fate.1 == Reason::Suspect && record.index == 0 {
                suspect_parked(db, segment)?;
                rows.parked.opened(record.gateway.row);
            }
            if fate.1 == Reason::NoHeader {
                rows.parked.parked(record.gateway.row);
                if has_header(db, segment)? {
                    // Another sink has committed the header since this one was looked for.
                    committed.parked.push((record.gateway.id, record.lane, record.bytes.clone()));
                }
            }
            fate
        }
        None => take_again(db, rows, said, now, committed)?,
    };
    Ok(Fate {
        gateway: record.gateway.id,
        segment: record.segment,
        index: record.index,
        hash: record.hash,
        previous: record.previous,
        disposition,
        reason,
    })
}

/// What waits for a header that is held is held for the same reason.
fn suspect_parked(db: &Db, segment: i64) -> Result<(), StoreError> {
    let update = "UPDATE evidence SET reason = ?4
                  WHERE segment = ?1 AND disposition = ?2 AND reason = ?3";
    let (held, waits) = (Disposition::Held as u8, Reason::NoHeader as u8);
    db.execute(update, values![segment, held, waits, Reason::Suspect as u8]).map(drop)
}

/// Takes a record that is here: it may open now, or a person may have let it go.
fn take_again(
    db: &Db,
    rows: &mut Rows,
    said: Said<'_>,
    now: i64,
    committed: &mut Committed,
) -> Result<(Disposition, Reason), StoreError> {
    let Said { record, segment, fate } = said;
    let (evidence, before) = existing(db, segment, record)?;
    // What was held for its speaker stays so; what was not is as good as it was.
    let after =
        if before.1 == Reason::Suspect { fate } else { (record.disposition, record.reason) };
    let is_better = before.0 != Disposition::Stored && after.0 == Disposition::Stored;
    if !is_better {
        let count = "UPDATE segment SET doubles = doubles + 1 WHERE id = ?1";
        db.later(count, values![segment])?;
        return Ok(before);
    }
    let update = "UPDATE evidence SET disposition = ?2, reason = ?3, opened_ns = ?4
                  WHERE id = ?1";
    db.execute(update, values![evidence, after.0 as u8, after.1 as u8, now])?;
    rows.parked.opened(record.gateway.row);
    keep_content(db, rows, evidence, Said { fate: after, ..said }, now, committed)?;
    Ok(after)
}

fn insert_evidence(db: &Db, said: Said<'_>, now: i64) -> Result<Option<i64>, StoreError> {
    let Said { record, segment, fate } = said;
    let sequences = match &record.content {
        Content::Frame { core, .. } => {
            Some((core.sequence_first.cast_signed(), core.sequence_last.cast_signed()))
        }
        Content::Header { .. } | Content::Gap(_) | Content::Foreign => None,
    };
    let values = values![
        segment,
        record.index,
        record.hash.0,
        record.previous.map(|hash| hash.0),
        sequences.map(|(first, _)| first),
        sequences.map(|(_, last)| last),
        fate.0 as u8,
        fate.1 as u8,
        now,
        &record.bytes,
    ];
    let insert = "INSERT INTO evidence (segment, idx, hash, previous, sequence_first,
                    sequence_last, disposition, reason, received_ns, bytes)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING
                  RETURNING id";
    db.row(insert, values)?.map(|row| row.at(0)).transpose()
}

fn existing(
    db: &Db,
    segment: i64,
    record: &Disposed,
) -> Result<(i64, (Disposition, Reason)), StoreError> {
    let sql = "SELECT id, disposition, reason FROM evidence
               WHERE segment = ?1 AND idx = ?2 AND hash = ?3";
    let row = db.row(sql, values![segment, record.index, record.hash.0])?;
    let row = row.ok_or(StoreError::Shape("no such record"))?;
    let disposition = Disposition::from_number(row.at(1)?).unwrap_or(Disposition::Held);
    let reason = Reason::from_number(row.at(2)?).unwrap_or(Reason::None);
    Ok((row.at(0)?, (disposition, reason)))
}

const KEEP_HEADER: &str = "
UPDATE segment SET header = ?2, kept_secret = ?3, boot = ?4, start_count = ?5,
  continues_segment = ?6, continues_index = ?7, found = ?8, software = ?9
WHERE id = ?1 AND header IS NULL";

fn keep_content(
    db: &Db,
    rows: &mut Rows,
    evidence: i64,
    said: Said<'_>,
    now: i64,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    let Said { record, segment, fate } = said;
    if fate.0 != Disposition::Stored {
        return Ok(());
    }
    match &record.content {
        Content::Header { header, kept_secret } => {
            let continues = header.continues;
            let values = values![
                segment,
                &record.bytes,
                kept_secret.as_ref(),
                header.boot.0,
                header.start_count.cast_signed(),
                continues.map(|continues| continues.segment.0),
                continues.map(|continues| continues.index),
                header.found as u8,
                &header.software,
            ];
            db.later(KEEP_HEADER, values)?;
            unpark(db, segment, record, committed)?;
        }
        Content::Frame { batch: Some(batch), .. } => {
            rows.insert(db, evidence, record, batch.inside(), now)?;
        }
        Content::Frame { batch: None, .. } | Content::Foreign => {}
        Content::Gap(gap) => super::notes::insert_gap(db, evidence, record.gateway.row, gap)?,
    }
    Ok(())
}

/// Joins what became of single records into ranges.
fn sum_up(mut fates: Vec<Fate>, mut committed: Committed) -> Committed {
    fates.sort_by_key(|fate| (fate.gateway, fate.segment, fate.index));
    for fate in fates {
        if fate.reason == Reason::NoHeader {
            committed.want_header(fate.gateway, fate.segment);
        }
        let segments = &mut committed.signable(fate.gateway).segments;
        if segments.last().is_none_or(|(segment, _)| *segment != fate.segment) {
            segments.push((fate.segment, Vec::new()));
        }
        let Some((_, ranges)) = segments.last_mut() else { continue };
        match ranges.last_mut() {
            Some(Range { last, disposition, reason, last_hash, .. })
                if (fate.index == *last + 1 && fate.previous == Some(*last_hash)
                    || fate.index == *last && fate.hash == *last_hash)
                    && (*disposition, *reason) == (fate.disposition, fate.reason) =>
            {
                (*last, *last_hash) = (fate.index, fate.hash);
            }
            _ => ranges.push(Range {
                first: fate.index,
                last: fate.index,
                disposition: fate.disposition,
                reason: fate.reason,
                last_hash: fate.hash,
            }),
        }
    }
    committed
}
