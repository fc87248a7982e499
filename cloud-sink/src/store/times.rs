//! Times: what a gateway's clock said of each frame, and what became known of it later.
//!
//! A gateway that does not know the time says how long it has been running. One moment of that run
//! that is known dates all of it; a run of which none is known ended before the next one began.
//! Until then a frame is dated by a guess, which is put right by what comes.

use std::collections::HashMap;

use wire::batch::Batch;
use wire::identity::{BootId, Lane, SegmentId};
use wire::time::ClockState;

use super::StoreError;
use super::at::in_range;
use super::coverage::Coverage;
use super::db::{Db, Turn, values};
use crate::verify::Disposed;

/// A clock that nobody corrects is off by no more: twice what crystals promise, millionths.
const DRIFT_PPM: i64 = 100;
/// A block says in milliseconds when it came; microseconds.
const BLOCK_ERROR_US: i64 = 1_000;
/// Runs whose known moments stay in memory.
const ANCHORS_MAX: usize = 8192;
/// Segments whose runs stay in memory.
const RUNS_MAX: usize = 8192;
/// Frames that are put right in one transaction.
const FRAMES_AT_ONCE: usize = 256;
/// Nothing was measured before: the product is younger. 2026-01-01T00:00:00Z.
const EARLIEST_NS: i64 = 1_767_225_600_000_000_000;
/// How a run was dated that has no known moment of its own: by the one after it.
const SOURCE_NEXT_RUN: u8 = 4;

/// One moment of a run that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Anchor {
    monotonic_ns: i64,
    utc_ns: i64,
    error_us: i64,
    source: u8,
}

/// UTC of an instant, and how far it may be off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Dated {
    /// Nanoseconds.
    pub(super) utc_ns: i64,
    /// Microseconds; none for a guess.
    pub(super) error_us: Option<i64>,
    source: u8,
}

impl Anchor {
    /// By a clock that says how far it may be off.
    fn of(clock: &ClockState) -> Option<Self> {
        let utc = clock.utc?;
        let error_us = i64::try_from(clock.error_us).ok()?;
        Some(Self {
            monotonic_ns: monotonic(clock),
            utc_ns: utc.0,
            error_us,
            source: clock.source as u8,
        })
    }

    /// Whether this is later and says that the other one was wrong: the gateway's source of time
    /// was put right.
    fn excludes(&self, other: &Self) -> bool {
        let Dated { utc_ns, error_us, .. } = other.at(self.monotonic_ns);
        let may_us = self.error_us.saturating_add(error_us.unwrap_or(i64::MAX)).unsigned_abs();
        self.monotonic_ns > other.monotonic_ns
            && utc_ns.abs_diff(self.utc_ns) > may_us.saturating_mul(1_000)
    }

    /// Another moment of the same run.
    fn at(&self, monotonic_ns: i64) -> Dated {
        let since = monotonic_ns.saturating_sub(self.monotonic_ns);
        let drift_us = (since.saturating_abs() / 1_000_000).saturating_mul(DRIFT_PPM) / 1_000;
        // Behind the last moment of a run that was dated by the next one, it did not end there.
        let beyond_us = if self.source == SOURCE_NEXT_RUN { since.max(0) / 1_000 } else { 0 };
        let error_us = self.error_us.saturating_add(drift_us).saturating_add(beyond_us);
        let utc_ns = in_range(self.utc_ns.saturating_add(since));
        let error_us = Some(error_us.saturating_add(BLOCK_ERROR_US));
        Dated { utc_ns, error_us, source: self.source }
    }
}

fn monotonic(clock: &ClockState) -> i64 {
    i64::try_from(clock.monotonic.0).unwrap_or(i64::MAX)
}

/// What is known of runs, as the database has it.
#[derive(Debug, Default)]
pub(super) struct Times {
    anchors: HashMap<(i64, [u8; 16]), Option<Anchor>>,
    /// The run that each segment belongs to: its machine's boot, and the start of the agent.
    runs: HashMap<(SegmentId, i64, u8), (BootId, i64)>,
}

const KEEP: &str = "
INSERT INTO frame_time (evidence, gateway, boot, start_count, epoch, monotonic_ns, utc_ns, error_us,
  source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
const ANCHOR: &str = "
INSERT INTO anchor (gateway, boot, start_count, monotonic_ns, utc_ns, error_us, source)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (gateway, boot) DO UPDATE SET monotonic_ns = excluded.monotonic_ns,
  utc_ns = excluded.utc_ns, error_us = excluded.error_us, source = excluded.source
WHERE excluded.error_us < anchor.error_us OR CAST(?8 AS BIGINT) = 1";

impl Times {
    /// Dates a frame: by its own clock if that says how far it may be off, else by what is known of
    /// its run, else by a guess.
    pub(super) fn date(
        &mut self,
        db: &Db,
        evidence: i64,
        record: &Disposed,
        batch: &Batch,
        now: i64,
    ) -> Result<Dated, StoreError> {
        let (gateway, clock) = (record.gateway.row, &batch.clock);
        let (boot, start) = self.run(db, record)?;
        let own = Anchor::of(clock);
        let known = self.anchor(db, gateway, boot)?;
        let contradicts = own.zip(known).is_some_and(|(own, known)| own.excludes(&known));
        let is_nearer = |own: &Anchor| known.is_none_or(|known| own.error_us < known.error_us);
        if let Some(own) = own.filter(|own| contradicts || is_nearer(own)) {
            let Anchor { monotonic_ns, utc_ns, error_us, source } = own;
            let put_right = u8::from(contradicts);
            let anchor =
                values![gateway, boot.0, start, monotonic_ns, utc_ns, error_us, source, put_right];
            db.later(ANCHOR, anchor)?;
            self.anchors.insert((gateway, boot.0), Some(own));
        }
        let at = monotonic(clock);
        let guess = || Dated {
            utc_ns: in_range(clock.utc.map_or(now, |utc| utc.0)),
            error_us: None,
            source: clock.source as u8,
        };
        let dated = match own {
            Some(own) => own.at(at),
            None => known.map_or_else(guess, |known| known.at(at)),
        };
        if record.lane != Lane::Health {
            let Dated { utc_ns, error_us, source } = dated;
            let frame = values![
                evidence,
                gateway,
                boot.0,
                start,
                clock.epoch,
                at,
                utc_ns,
                error_us,
                source
            ];
            db.later(KEEP, frame)?;
        }
        Ok(dated)
    }

    /// The run of a record whose header is there.
    fn run(&mut self, db: &Db, record: &Disposed) -> Result<(BootId, i64), StoreError> {
        let key = (record.segment, record.gateway.row, record.lane as u8);
        if let Some(run) = self.runs.get(&key) {
            return Ok(*run);
        }
        let sql = "SELECT boot, start_count FROM segment
                   WHERE segment = ?1 AND gateway = ?2 AND lane = ?3 AND header IS NOT NULL";
        let Some(row) = db.row(sql, values![key.0.0, key.1, key.2])? else {
            return Ok((BootId([0; 16]), 0));
        };
        let run = (BootId(row.at(0)?), row.at(1)?);
        if self.runs.len() >= RUNS_MAX {
            self.runs.clear();
        }
        self.runs.insert(key, run);
        Ok(run)
    }

    fn anchor(
        &mut self,
        db: &Db,
        gateway: i64,
        boot: BootId,
    ) -> Result<Option<Anchor>, StoreError> {
        if let Some(known @ Some(_)) = self.anchors.get(&(gateway, boot.0)) {
            return Ok(*known);
        }
        let known = stored_anchor(db, gateway, boot.0)?;
        if self.anchors.len() >= ANCHORS_MAX {
            self.anchors.clear();
        }
        self.anchors.insert((gateway, boot.0), known);
        Ok(known)
    }
}

fn stored_anchor(db: &Db, gateway: i64, boot: [u8; 16]) -> Result<Option<Anchor>, StoreError> {
    let sql = "SELECT monotonic_ns, utc_ns, error_us, source FROM anchor
               WHERE gateway = ?1 AND boot = ?2";
    let row = db.row(sql, values![gateway, boot])?;
    row.map(|row| {
        Ok(Anchor {
            monotonic_ns: row.at(0)?,
            utc_ns: row.at(1)?,
            error_us: row.at(2)?,
            source: row.at(3)?,
        })
    })
    .transpose()
}

/// Looks again and again whether something can be put right, and looks closely only when more is
/// known of runs than at the last look that found nothing: without a clock for a week a gateway
/// leaves very many frames.
#[derive(Debug, Default)]
pub struct Righting {
    nothing_at: Option<(i64, i64)>,
}

impl Righting {
    /// As [`put_right`].
    ///
    /// # Errors
    /// As that.
    pub fn look(&mut self, db: &Db) -> Result<usize, StoreError> {
        let sql = "SELECT count(*), CAST(coalesce(sum(error_us), 0) AS BIGINT) FROM anchor";
        let row = db.row(sql, &[])?.ok_or(StoreError::Shape("a count without a row"))?;
        let known = (row.at(0)?, row.at(1)?);
        if self.nothing_at == Some(known) {
            return Ok(0);
        }
        let frames = put_right(db)?;
        // What was put right may say more of the runs before.
        self.nothing_at = (frames == 0).then_some(known);
        Ok(frames)
    }
}

/// Puts frames right that were dated by a guess, as far as something is known by now; how many. Of
/// more than a few hundred the next call takes the next.
///
/// # Errors
/// The store does not answer; nothing has then changed.
pub fn put_right(db: &Db) -> Result<usize, StoreError> {
    let any = "SELECT EXISTS (SELECT 1 FROM frame_time WHERE error_us IS NULL)";
    if !db.one::<bool>(any, &[])? {
        return Ok(0);
    }
    db.transaction(Turn::Commit, |db| {
        date_runs_by_the_next(db)?;
        let sql = "SELECT frame_time.evidence, frame_time.gateway, frame_time.boot,
                     frame_time.monotonic_ns, frame_time.utc_ns
                   FROM frame_time JOIN anchor ON anchor.gateway = frame_time.gateway
                     AND anchor.boot = frame_time.boot
                   WHERE frame_time.error_us IS NULL LIMIT ?1";
        let frames = db.rows(sql, values![FRAMES_AT_ONCE as i64])?;
        let mut known: HashMap<(i64, [u8; 16]), Option<Anchor>> = HashMap::new();
        for frame in &frames {
            let run: (i64, [u8; 16]) = (frame.at(1)?, frame.at(2)?);
            let anchor = match known.get(&run) {
                Some(anchor) => *anchor,
                None => *known.entry(run).or_insert(stored_anchor(db, run.0, run.1)?),
            };
            let Some(anchor) = anchor else { continue };
            let dated = anchor.at(frame.at(3)?);
            move_frame(db, (frame.at(0)?, run.0), dated, frame.at(4)?)?;
        }
        Ok(frames.len())
    })
}

/// Moves what one frame brought from where a guess has dated it.
fn move_frame(
    db: &Db,
    (evidence, gateway): (i64, i64),
    dated: Dated,
    guess_ns: i64,
) -> Result<(), StoreError> {
    let by = in_range(dated.utc_ns.saturating_sub(guess_ns));
    Coverage::move_frame(db, (evidence, gateway), by)?;
    let blocks = "SELECT first_row, last_row FROM block WHERE evidence = ?1 AND dated = 2";
    for block in db.rows(blocks, values![evidence])? {
        let (first, last): (i64, i64) = (block.at(0)?, block.at(1)?);
        let sql = "UPDATE numeric SET at_ns = at_ns + ?1 WHERE id BETWEEN ?2 AND ?3";
        db.execute(sql, values![by, first, last])?;
    }
    for sql in [
        "UPDATE block SET from_ns = from_ns + ?1, to_ns = to_ns + ?1, dated = 0
         WHERE evidence = ?2 AND dated = 2",
        "UPDATE wave SET at_ns = at_ns + ?1, dated = 0 WHERE evidence = ?2 AND dated = 2",
        "UPDATE note SET at_ns = at_ns + ?1, dated = 0 WHERE evidence = ?2 AND dated = 2",
    ] {
        db.execute(sql, values![by, evidence])?;
    }
    let sql = "UPDATE frame_time SET utc_ns = ?2, error_us = ?3, source = ?4 WHERE evidence = ?1";
    db.execute(sql, values![evidence, dated.utc_ns, dated.error_us, dated.source]).map(drop)
}

/// Runs without a known moment whose next run has begun at a known one, the newest first: they
/// ended before that, and began after the one before them.
fn date_runs_by_the_next(db: &Db) -> Result<(), StoreError> {
    let sql = "SELECT gateway, boot, max(start_count), max(monotonic_ns), min(monotonic_ns)
               FROM frame_time WHERE error_us IS NULL AND NOT EXISTS (
                 SELECT 1 FROM anchor WHERE anchor.gateway = frame_time.gateway
                   AND anchor.boot = frame_time.boot)
               GROUP BY gateway, boot ORDER BY 3 DESC";
    for run in db.rows(sql, &[])? {
        let (gateway, boot): (i64, [u8; 16]) = (run.at(0)?, run.at(1)?);
        let (start, last): (i64, i64) = (run.at(2)?, run.at(3)?);
        let next = "SELECT boot FROM anchor WHERE gateway = ?1 AND start_count > ?2
                    ORDER BY start_count LIMIT 1";
        let Some(begin) = begin_of(db, next, gateway, start)? else { continue };
        let known = "SELECT boot FROM anchor WHERE gateway = ?1 AND start_count > ?2
                       AND source <> 4 ORDER BY start_count LIMIT 1";
        let known_us = begin_of(db, known, gateway, start)?.and_then(|known| known.error_us);
        let begin = begin.utc_ns;
        let before = "SELECT max(utc_ns - error_us * 1000) FROM frame_time
                      WHERE gateway = ?1 AND start_count < ?2 AND error_us IS NOT NULL";
        let before: Option<i64> = db.one(before, values![gateway, start])?;
        let earliest = before.unwrap_or(EARLIEST_NS).max(EARLIEST_NS);
        let length = last.saturating_sub(run.at(4)?);
        // It lay anywhere between the two.
        let room_us = begin.saturating_sub(earliest).saturating_sub(length).max(0) / 1_000;
        let error_us = room_us.saturating_add(known_us.unwrap_or(0));
        let anchor = values![gateway, boot, start, last, begin, error_us, SOURCE_NEXT_RUN, 0];
        db.execute(ANCHOR, anchor)?;
    }
    Ok(())
}

/// When the run began that a question finds. One that was dated by its next one began then or
/// earlier: what stands with it says by how much, and that counts once.
fn begin_of(
    db: &Db,
    sql: &'static str,
    gateway: i64,
    start: i64,
) -> Result<Option<Dated>, StoreError> {
    let Some(row) = db.row(sql, values![gateway, start])? else { return Ok(None) };
    Ok(stored_anchor(db, gateway, row.at(0)?)?.map(|anchor| anchor.at(0)))
}
