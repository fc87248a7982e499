//! What was heard of devices' runs, in memory while it is used, and in the database.

use std::collections::{HashMap, HashSet};

use rusqlite::{Transaction, params};

use super::heard::{Run, RunKey};

/// Runs of devices whose ranges stay in memory.
const RUNS_MAX: usize = 4096;
/// Ranges and holes of all runs that stay in memory: some hundred megabytes at the worst.
const RANGES_MAX: usize = 4 << 20;

#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: HashMap<RunKey, Run>,
    dirty: HashSet<RunKey>,
}

impl Runs {
    /// A run that was asked for before in this transaction.
    pub(super) fn known(&self, key: RunKey) -> Option<&Run> {
        self.runs.get(&key)
    }

    /// A run as the database has it.
    pub(super) fn of(&mut self, tx: &Transaction<'_>, key: RunKey) -> rusqlite::Result<&mut Run> {
        if !self.runs.contains_key(&key) {
            if self.runs.len() > RUNS_MAX || self.size() > RANGES_MAX {
                self.save(tx)?;
                self.runs.clear();
            }
            self.runs.insert(key, load(tx, key)?);
        }
        Ok(self.runs.entry(key).or_default())
    }

    /// A run that will be saved.
    pub(super) fn change(
        &mut self,
        tx: &Transaction<'_>,
        key: RunKey,
    ) -> rusqlite::Result<&mut Run> {
        self.of(tx, key)?;
        self.dirty.insert(key);
        Ok(self.runs.entry(key).or_default())
    }

    /// The database is asked again; nothing may wait to be saved.
    pub(super) fn forget(&mut self) {
        self.runs.clear();
    }

    fn size(&self) -> usize {
        self.runs.values().map(Run::size).sum()
    }

    /// Writes the ranges that changed; belongs to the same transaction as their rows.
    pub(super) fn save(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut keep = tx.prepare_cached(
            "INSERT INTO heard VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE
             SET last = excluded.last",
        )?;
        let mut forget = tx.prepare_cached(
            "DELETE FROM heard
             WHERE device = ?1 AND boot = ?2 AND lane = ?3 AND gateway = ?4 AND first = ?5",
        )?;
        for key in self.dirty.drain() {
            let Some(run) = self.runs.get_mut(&key) else { continue };
            for heard in &mut run.lanes {
                let (lane, gateway) = (heard.lane, heard.gateway);
                for (first, last) in heard.take_changed() {
                    match last {
                        Some(last) => {
                            keep.execute(params![key.0, key.1, lane, gateway, first, last])?
                        }
                        None => forget.execute(params![key.0, key.1, lane, gateway, first])?,
                    };
                }
            }
        }
        Ok(())
    }
}

fn load(tx: &Transaction<'_>, key: RunKey) -> rusqlite::Result<Run> {
    let mut statement = tx.prepare_cached(
        "SELECT gateway, lane, first, last FROM heard WHERE device = ?1 AND boot = ?2
         ORDER BY gateway, lane, first",
    )?;
    let mut rows = statement.query(params![key.0, key.1])?;
    let mut run = Run::default();
    while let Some(row) = rows.next()? {
        run.lane(row.get(0)?, row.get(1)?).load(row.get(2)?, row.get(3)?);
    }
    Ok(run)
}
