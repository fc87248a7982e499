//! What was heard of devices' runs, in memory while it is used, and in the database.

use std::collections::{HashMap, HashSet};

use super::StoreError;
use super::db::{Db, values};
use super::heard::{Run, RunKey};

/// Runs of devices whose ranges stay in memory.
const RUNS_MAX: usize = 4096;
/// Ranges and holes of all runs that stay in memory: some hundred megabytes at the worst.
const RANGES_MAX: usize = 4 << 20;

const KEEP: &str = "
INSERT INTO heard VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (device, boot, lane, gateway, first) DO UPDATE SET last = excluded.last";
const FORGET: &str = "
DELETE FROM heard
WHERE device = ?1 AND boot = ?2 AND lane = ?3 AND gateway = ?4 AND first = ?5";

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
    pub(super) fn of(&mut self, db: &Db, key: RunKey) -> Result<&mut Run, StoreError> {
        if !self.runs.contains_key(&key) {
            if self.runs.len() > RUNS_MAX || self.size() > RANGES_MAX {
                self.save(db)?;
                self.runs.clear();
            }
            self.runs.insert(key, load(db, key)?);
        }
        Ok(self.runs.entry(key).or_default())
    }

    /// A run that will be saved.
    pub(super) fn change(&mut self, db: &Db, key: RunKey) -> Result<&mut Run, StoreError> {
        self.of(db, key)?;
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
    pub(super) fn save(&mut self, db: &Db) -> Result<(), StoreError> {
        for key in self.dirty.drain() {
            let Some(run) = self.runs.get_mut(&key) else { continue };
            for heard in &mut run.lanes {
                let (lane, gateway) = (heard.lane, heard.gateway);
                for (first, last) in heard.take_changed() {
                    match last {
                        Some(last) => {
                            db.later(KEEP, values![key.0, key.1, lane, gateway, first, last])?;
                        }
                        None => db.later(FORGET, values![key.0, key.1, lane, gateway, first])?,
                    }
                }
            }
        }
        Ok(())
    }
}

fn load(db: &Db, key: RunKey) -> Result<Run, StoreError> {
    let sql = "SELECT gateway, lane, first, last FROM heard WHERE device = ?1 AND boot = ?2
               ORDER BY gateway, lane, first";
    let mut run = Run::default();
    for row in db.rows(sql, values![key.0, key.1])? {
        run.lane(row.at(0)?, row.at(1)?).load(row.at(2)?, row.at(3)?);
    }
    Ok(run)
}
