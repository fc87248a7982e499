//! The default store: SQLite in one file, write-ahead log, synchronous = FULL.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use wire::identity::{GatewayId, RecordHash, SegmentId, StoreEpoch};
use wire::receipt::{Disposition, Range, Reason};

use super::parked::{has_header, unpark};
use super::rows::Rows;
use super::schema::{ADDITIONS, SETTINGS, TABLES, VERSION};
use super::{Committed, Store, StoreError};
use crate::clock;
use crate::verify::{Content, Disposed};

/// A segment as one gateway and lane speak of it: nobody can take another's by naming it.
type SegmentKey = (SegmentId, i64, u8);

/// A store in one file.
pub struct Sqlite {
    db: Connection,
    epoch: StoreEpoch,
    rows: Rows,
    segments: HashMap<SegmentKey, i64>,
    /// The last commit that was ours.
    last_commit: i64,
}

/// Longest wait for another process that writes.
const BUSY: Duration = Duration::from_secs(20);
/// Segments whose row numbers stay in memory.
const SEGMENT_ROWS_MAX: usize = 8192;

/// Makes a new store.
///
/// # Errors
/// [`StoreError`]; the file may be there already.
pub fn create(path: &Path, epoch: StoreEpoch) -> Result<(), StoreError> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA page_size = 8192;")?;
    db.execute_batch(SETTINGS)?;
    db.execute_batch(TABLES)?;
    db.execute_batch(ADDITIONS)?;
    db.execute("INSERT INTO meta VALUES ('store_epoch', ?1), ('commit', 0)", [epoch.0])?;
    db.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Opens a store for reading.
///
/// # Errors
/// [`StoreError`].
pub fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    check_version(&db)?;
    Ok(db)
}

fn check_version(db: &Connection) -> Result<(), StoreError> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == VERSION { Ok(()) } else { Err(StoreError::Version { found, known: VERSION }) }
}

impl Sqlite {
    /// Opens a store for writing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let db = open_for_reading(path)?;
        db.execute_batch(SETTINGS)?;
        db.execute_batch(ADDITIONS)?;
        db.set_prepared_statement_cache_capacity(64);
        let epoch: [u8; 16] =
            db.query_row("SELECT value FROM meta WHERE key = 'store_epoch'", [], |r| r.get(0))?;
        let (rows, segments, last_commit) = (Rows::default(), HashMap::new(), 0);
        Ok(Self { db, epoch: StoreEpoch(epoch), rows, segments, last_commit })
    }

    /// Counts bytes that no known gateway has signed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_unsigned(&mut self, count: u64) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO counter VALUES ('unsigned', ?1)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            [count.cast_signed()],
        )?;
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

impl Store for Sqlite {
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

fn commit_group(store: &mut Sqlite, group: &[Disposed]) -> Result<Committed, StoreError> {
    let Sqlite { db, rows, segments, last_commit, .. } = store;
    if segments.len() > SEGMENT_ROWS_MAX {
        segments.clear();
    }
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let number: i64 = tx.query_row(NEXT_COMMIT, [], |row| row.get(0))?;
    if number != *last_commit + 1 {
        // Another sink has committed, perhaps what we do not know of.
        rows.runs.forget();
        rows.parked.forget();
    }
    let now = clock::now().0;
    let mut committed = Committed { commit: number.cast_unsigned(), ..Committed::default() };
    let mut fates = Vec::with_capacity(group.len());
    for record in group {
        if record.reason == Reason::NoHeader && !rows.parked.may_park(&tx, record.gateway.row)? {
            // Not kept and not signed for: the gateway has it, and is asked for the header.
            committed.want_header(record.gateway.id, record.segment);
            continue;
        }
        fates.push(take(&tx, rows, segments, record, now, &mut committed)?);
    }
    rows.runs.save(&tx)?;
    rows.coverage.save(&tx)?;
    tx.commit()?;
    *last_commit = number;
    sum_up(fates, &mut committed);
    Ok(committed)
}

fn segment_row(
    tx: &Transaction<'_>,
    segments: &mut HashMap<SegmentKey, i64>,
    record: &Disposed,
) -> Result<i64, rusqlite::Error> {
    let key = (record.segment, record.gateway.row, record.lane as u8);
    if let Some(row) = segments.get(&key) {
        return Ok(*row);
    }
    tx.prepare_cached(
        "INSERT INTO segment (segment, gateway, lane) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![record.segment.0, record.gateway.row, record.lane as u8])?;
    let row = tx
        .prepare_cached("SELECT id FROM segment WHERE segment = ?1 AND gateway = ?2 AND lane = ?3")?
        .query_row(params![key.0.0, key.1, key.2], |row| row.get(0))?;
    segments.insert(key, row);
    Ok(row)
}

/// Takes one record: evidence first, then what it says; a double is counted and says nothing new.
fn take(
    tx: &Transaction<'_>,
    rows: &mut Rows,
    segments: &mut HashMap<SegmentKey, i64>,
    record: &Disposed,
    now: i64,
    committed: &mut Committed,
) -> Result<Fate, StoreError> {
    let segment = segment_row(tx, segments, record)?;
    let (mut disposition, mut reason) = (record.disposition, record.reason);
    match insert_evidence(tx, segment, record, now)? {
        Some(evidence) => {
            keep_content(tx, rows, segment, evidence, record, now, committed)?;
            if reason == Reason::NoHeader {
                rows.parked.parked(record.gateway.row);
                if has_header(tx, segment)? {
                    // Another sink has committed the header since this one was looked for.
                    committed.parked.push((record.gateway.id, record.lane, record.bytes.clone()));
                }
            }
        }
        None => {
            let (evidence, before) = existing(tx, segment, record)?;
            let better = before.0 != Disposition::Stored && disposition == Disposition::Stored;
            if better {
                let update = "UPDATE evidence SET disposition = ?2, reason = ?3 WHERE id = ?1";
                tx.prepare_cached(update)?.execute(params![
                    evidence,
                    disposition as u8,
                    reason as u8
                ])?;
                rows.parked.opened(record.gateway.row);
                keep_content(tx, rows, segment, evidence, record, now, committed)?;
            } else {
                (disposition, reason) = before;
                tx.prepare_cached("UPDATE segment SET doubles = doubles + 1 WHERE id = ?1")?
                    .execute([segment])?;
            }
        }
    }
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

fn insert_evidence(
    tx: &Transaction<'_>,
    segment: i64,
    record: &Disposed,
    now: i64,
) -> Result<Option<i64>, rusqlite::Error> {
    let sequences = match &record.content {
        Content::Frame { core, .. } => {
            Some((core.sequence_first.cast_signed(), core.sequence_last.cast_signed()))
        }
        Content::Header { .. } | Content::Gap(_) | Content::Foreign => None,
    };
    let inserted = tx
        .prepare_cached(
            "INSERT INTO evidence (segment, idx, hash, previous, sequence_first, sequence_last,
               disposition, reason, received_ns, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            segment,
            record.index,
            record.hash.0,
            record.previous.map(|hash| hash.0),
            sequences.map(|(first, _)| first),
            sequences.map(|(_, last)| last),
            record.disposition as u8,
            record.reason as u8,
            now,
            record.bytes,
        ])?;
    Ok((inserted == 1).then(|| tx.last_insert_rowid()))
}

fn existing(
    tx: &Transaction<'_>,
    segment: i64,
    record: &Disposed,
) -> Result<(i64, (Disposition, Reason)), rusqlite::Error> {
    tx.prepare_cached(
        "SELECT id, disposition, reason FROM evidence
         WHERE segment = ?1 AND idx = ?2 AND hash = ?3",
    )?
    .query_row(params![segment, record.index, record.hash.0], |row| {
        let disposition = Disposition::from_number(row.get(1)?).unwrap_or(Disposition::Held);
        let reason = Reason::from_number(row.get(2)?).unwrap_or(Reason::None);
        Ok((row.get(0)?, (disposition, reason)))
    })
}

fn keep_content(
    tx: &Transaction<'_>,
    rows: &mut Rows,
    segment: i64,
    evidence: i64,
    record: &Disposed,
    now: i64,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    if record.disposition != Disposition::Stored {
        return Ok(());
    }
    match &record.content {
        Content::Header { header, kept_secret } => {
            let continues = header.continues;
            tx.prepare_cached(
                "UPDATE segment SET header = ?2, kept_secret = ?3, boot = ?4, start_count = ?5,
                   continues_segment = ?6, continues_index = ?7, found = ?8, software = ?9
                 WHERE id = ?1 AND header IS NULL",
            )?
            .execute(params![
                segment,
                record.bytes,
                kept_secret,
                header.boot.0,
                header.start_count.cast_signed(),
                continues.map(|continues| continues.segment.0),
                continues.map(|continues| continues.index),
                header.found as u8,
                header.software,
            ])?;
            unpark(tx, segment, record, committed)?;
        }
        Content::Frame { batch: Some(batch), .. } => {
            rows.insert(tx, evidence, record, batch.inside(), now)?;
        }
        Content::Frame { batch: None, .. } | Content::Foreign => {}
        Content::Gap(gap) => super::notes::insert_gap(tx, evidence, record.gateway.row, gap)?,
    }
    Ok(())
}

/// Joins what became of single records into ranges.
fn sum_up(mut fates: Vec<Fate>, committed: &mut Committed) {
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
}

/// Reads one value that may be missing.
pub(super) fn optional<T: rusqlite::types::FromSql>(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<T>, rusqlite::Error> {
    db.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()
}
