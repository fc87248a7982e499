//! O11: what goes wrong has its incident within a minute, with what to do; what is over is closed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cloud_sink::incident;
use cloud_sink::store::db::Db;
use rusqlite::Connection;
use wire::identity::Lane;
use wire::time::UnixNanos;

use super::chain;
use crate::store::open_file;

/// Between two looks of the sinks.
pub const LOOK: Duration = Duration::from_secs(5);
/// By when a silent gateway is seen.
const WITHIN: Duration = Duration::from_secs(60);

/// What the world knows of silence.
#[derive(Default)]
pub struct Seen {
    /// Since when no report has reached a sink although there was one.
    since: Duration,
    next: Duration,
    /// As the sinks have it open, and as we have.
    db: Option<(Db, Connection)>,
    /// Incidents that were opened, by kind.
    pub opened: BTreeMap<String, u64>,
}

impl Seen {
    /// A report has reached a sink, or nobody could have seen one.
    pub fn heard(&mut self, now: Duration) {
        self.since = now;
    }

    /// The store's file will be another.
    pub fn leave_store(&mut self) {
        self.db = None;
    }

    /// Whether it is time to look.
    pub fn is_due(&mut self, now: Duration) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + LOOK;
        }
        due
    }

    /// The sinks look for what needs a person; what they have overlooked.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn look(
        &mut self,
        store: &Path,
        now: Duration,
        truth: UnixNanos,
    ) -> Result<Option<&'static str>> {
        let (sinks, db) = match &mut self.db {
            Some(open) => open,
            none => none.insert((Db::open(&store.into())?, open_file(store)?)),
        };
        incident::look(sinks, truth)?;
        let late = now.saturating_sub(self.since) > WITHIN + LOOK;
        let overlooked = late && has_reported(db)? && !is_open(db, "silent")?;
        Ok(overlooked.then_some("a gateway is silent for a minute, and nobody is told"))
    }

    /// What stands in the store against what stands in the book, when all is well again.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn judge(&mut self, store: &Path) -> Result<Vec<String>> {
        let db = open_file(store)?;
        let mut wrong = Vec::new();
        for (kind, facts) in [
            ("gap", "SELECT count(*) FROM gap"),
            ("integrity", "SELECT count(*) FROM evidence WHERE disposition = 3"),
        ] {
            let facts: i64 = db.query_row(facts, [], |row| row.get(0))?;
            let sql = "SELECT coalesce(sum(count), 0) FROM incident WHERE kind = ?1";
            let told: i64 = db.query_row(sql, [kind], |row| row.get(0))?;
            if facts != told {
                wrong.push(format!("{told} of {facts} are told: {kind}"));
            }
        }
        for lane in chain::forked_lanes(&db)? {
            let sql = "SELECT 1 FROM incident WHERE kind IN ('fork', 'old card') AND subject = ?1";
            let name = Lane::from_number(lane.into()).map_or("?", Lane::name);
            if !db.prepare(sql)?.exists([name])? {
                wrong.push(format!("a fork of lane {name} is not told"));
            }
        }
        for kind in ["silent", "outage", "late"] {
            if is_open(&db, kind)? {
                wrong.push(format!("all is well, and an incident is open: {kind}"));
            }
        }
        let mut statement = db.prepare("SELECT kind, count(*) FROM incident GROUP BY 1")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (kind, count) = row?;
            self.opened.insert(kind, count.cast_unsigned());
        }
        let remedies = incident::list(&Db::open(&store.into())?, true)?;
        if let Some(without) = remedies.iter().find(|incident| incident.remedy.is_empty()) {
            wrong.push(format!("nobody is told what to do about {}", without.kind));
        }
        Ok(wrong)
    }
}

/// Whether a report of the gateway is stored.
fn has_reported(db: &Connection) -> Result<bool> {
    let sql = "SELECT 1 FROM evidence JOIN segment ON segment.id = evidence.segment
        WHERE segment.lane = ?1 AND evidence.sequence_first IS NOT NULL AND disposition = 1";
    Ok(db.prepare(sql)?.exists([Lane::Health as u8])?)
}

fn is_open(db: &Connection, kind: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM incident WHERE kind = ?1 AND closed_ns IS NULL";
    Ok(db.prepare(sql)?.exists([kind])?)
}
