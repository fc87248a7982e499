//! How far a feed has come, as the store remembers it.

use serde::Serialize;

use super::Answer;
use crate::clock;
use crate::export::read::{Kind, Reader};
use crate::store::StoreError;
use crate::store::db::{Db, Turn, values};

/// It is written down at most so often: a write waits for the store's, and the store for it.
const KEPT_EACH_NS: i64 = 1_000_000_000;
/// Rows that were passed without a date and are looked at in one turn.
const WAITING_AT_ONCE: i64 = 256;

/// Where a feed stands that takes nothing of a kind.
const NOWHERE: i64 = -1;

/// How far a feed has come.
pub(super) struct Cursor {
    name: String,
    /// The last row of each kind that was sent.
    after: [i64; 3],
    /// Rows that were sent without a date, or left out for it, and are not written down yet.
    guessed: Vec<(Kind, i64)>,
    taken: i64,
    refused: i64,
    left_out: i64,
    kept_ns: i64,
    is_kept: bool,
}

const KEEP: &str = "
UPDATE feed SET numerics = ?2, waves = ?3, notes = ?4, taken = taken + ?5, refused = refused + ?6,
  left_out = left_out + ?7, at_ns = ?8 WHERE name = ?1";
const WAITS: &str = "
INSERT INTO feed_waiting (name, kind, id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

impl Cursor {
    /// Where a feed stands; a new one begins with what is stored from now on. One that takes no
    /// samples stands nowhere among them.
    pub(super) fn open(
        db: &Db,
        name: &str,
        reader: &Reader<'_>,
        has_waves: bool,
    ) -> Result<Self, StoreError> {
        let last = |kind| reader.last(kind);
        let waves = if has_waves { last(Kind::Waves)? } else { NOWHERE };
        let begin = [last(Kind::Numerics)?, waves, last(Kind::Notes)?];
        let sql = "INSERT INTO feed (name, numerics, waves, notes, taken, refused, left_out,
                     at_ns) VALUES (?1, ?2, ?3, ?4, 0, 0, 0, ?5) ON CONFLICT DO NOTHING";
        let now = clock::now().0;
        db.execute(sql, values![name, begin[0], begin[1], begin[2], now])?;
        let sql = "SELECT numerics, waves, notes FROM feed WHERE name = ?1";
        let row = db.row(sql, values![name])?.ok_or(StoreError::Shape("a feed without a place"))?;
        let waves = Some(row.at(1)?).filter(|at| *at != NOWHERE).unwrap_or(waves);
        Ok(Self {
            name: name.to_owned(),
            after: [row.at(0)?, waves, row.at(2)?],
            guessed: Vec::new(),
            taken: 0,
            refused: 0,
            left_out: 0,
            kept_ns: now,
            // What was decided here counts also after a restart.
            is_kept: false,
        })
    }

    pub(super) const fn after(&self, kind: Kind) -> i64 {
        self.after[kind as usize]
    }

    pub(super) fn reached(&mut self, kind: Kind, end: i64, guessed: Vec<i64>, left_out: i64) {
        self.after[kind as usize] = end;
        self.guessed.extend(guessed.into_iter().map(|id| (kind, id)));
        self.left_out += left_out;
        self.is_kept = false;
    }

    pub(super) fn counted(&mut self, answers: &[Answer]) {
        let taken = answers.iter().filter(|answer| **answer == Answer::Taken).count();
        self.taken += taken as i64;
        self.refused += (answers.len() - taken) as i64;
    }

    /// Rows of a page up to this one that nobody has dated yet.
    pub(super) fn guessed(&self, db: &Db, kind: Kind, end: i64) -> Result<Vec<i64>, StoreError> {
        let rows = db.rows(kind.guessed(), values![self.after(kind), end])?;
        rows.iter().map(|row| row.at(0)).collect()
    }

    /// Runs of rows that were passed without a date and have one now: first and last.
    pub(super) fn dated_by_now(&self, db: &Db, kind: Kind) -> Result<Vec<(i64, i64)>, StoreError> {
        let asked = values![self.name.as_str(), kind as i64, WAITING_AT_ONCE];
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for row in db.rows(kind.dated_by_now(), asked)? {
            let id: i64 = row.at(0)?;
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == id => *last = id,
                _ => runs.push((id, id)),
            }
        }
        Ok(runs)
    }

    /// These rows were sent again, with their dates.
    pub(super) fn has_sent(
        &mut self,
        db: &Db,
        kind: Kind,
        runs: &[(i64, i64)],
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM feed_waiting WHERE name = ?1 AND kind = ?2 AND id BETWEEN ?3 AND ?4";
        if runs.is_empty() {
            return Ok(());
        }
        db.transaction(Turn::Incidents, |db| {
            runs.iter().try_for_each(|(first, last)| {
                let asked = values![self.name.as_str(), kind as i64, *first, *last];
                db.execute(sql, asked).map(drop)
            })
        })?;
        self.is_kept = false;
        Ok(())
    }

    pub(super) fn keep_sometimes(&mut self, db: &Db) -> Result<(), StoreError> {
        let since = clock::now().0.saturating_sub(self.kept_ns);
        // A clock that was set back says nothing.
        if (0..KEPT_EACH_NS).contains(&since) { Ok(()) } else { self.keep(db) }
    }

    /// Writes it down.
    pub(super) fn keep(&mut self, db: &Db) -> Result<(), StoreError> {
        if self.is_kept {
            return Ok(());
        }
        db.transaction(Turn::Incidents, |db| {
            for (kind, id) in &self.guessed {
                db.execute(WAITS, values![self.name.as_str(), *kind as i64, *id])?;
            }
            let [numerics, waves, notes] = self.after;
            let (name, now) = (self.name.as_str(), clock::now().0);
            let (taken, refused, left_out) = (self.taken, self.refused, self.left_out);
            let asked = values![name, numerics, waves, notes, taken, refused, left_out, now];
            db.execute(KEEP, asked)
        })?;
        self.guessed.clear();
        (self.taken, self.refused, self.left_out) = (0, 0, 0);
        (self.kept_ns, self.is_kept) = (clock::now().0, true);
        Ok(())
    }
}

/// How a feed stands, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Blocks of numbers, runs of samples and notes that are stored and not sent.
    pub behind: i64,
    /// Rows that nobody has dated yet.
    pub undated: i64,
    /// Messages or resources that were taken.
    pub taken: i64,
    /// Those that were refused for good.
    pub refused: i64,
    /// Readings that have no place in the format.
    pub left_out: i64,
    /// When it last came further, UTC nanoseconds.
    pub at_ns: i64,
}

/// All feeds that ever ran over a store.
///
/// # Errors
/// The store does not answer.
pub fn standings(db: &Db) -> Result<Vec<Standing>, StoreError> {
    let sql = "SELECT name, (SELECT count(*) FROM block WHERE id > numerics)
                 + (SELECT count(*) FROM wave WHERE waves >= 0 AND id > waves)
                 + (SELECT count(*) FROM note WHERE id > notes),
                 (SELECT count(*) FROM feed_waiting WHERE feed_waiting.name = feed.name),
                 taken, refused, left_out, at_ns FROM feed ORDER BY name";
    let rows = db.rows(sql, &[])?;
    let standing = |row: &crate::store::db::Row| {
        Ok(Standing {
            name: row.at(0)?,
            behind: row.at(1)?,
            undated: row.at(2)?,
            taken: row.at(3)?,
            refused: row.at(4)?,
            left_out: row.at(5)?,
            at_ns: row.at(6)?,
        })
    };
    rows.iter().map(standing).collect()
}
