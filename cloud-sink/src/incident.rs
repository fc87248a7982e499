//! Incidents: what needs a person. Opened by rules, one a cause, each with what to do about it.
//!
//! The rules read the store and nothing else, so that any sink over it comes to the same book. An
//! incident is never deleted; its timeline only grows.

use serde::Serialize;
use utoipa::ToSchema;
use wire::time::UnixNanos;

use crate::store::StoreError;
use crate::store::db::{Db, Turn};

mod beats;

mod book;

mod expiry;

mod forks;

mod kind;

mod rules;

mod trails;

mod withheld;

pub use book::{acknowledge, close, list, one, timeline};
pub use kind::{Ending, Kind};

use withheld::Heads;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Incident {
    /// Number in this store.
    pub id: i64,
    /// What kind.
    pub kind: &'static str,
    /// Which gateway, if it is one's.
    pub gateway: Option<String>,
    /// The ward of that gateway, if it is known.
    pub ward: Option<String>,
    /// What of it: a lane, a device, a reason.
    pub subject: String,
    /// What happened.
    pub words: String,
    /// What to do.
    pub remedy: &'static str,
    /// How often, or how many.
    pub count: u64,
    /// When it began, was seen last, and ended; UTC nanoseconds.
    pub opened_ns: i64,
    /// See above.
    pub last_ns: i64,
    /// See above.
    pub closed_ns: Option<i64>,
    /// Who has taken it.
    pub owner: Option<String>,
}

/// A line of an incident's timeline.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct Entry {
    /// When, UTC nanoseconds.
    pub at_ns: i64,
    /// `opened`, `again`, `acknowledged`, `closed`.
    pub what: String,
    /// Who, if a person did it.
    pub who: Option<String>,
    /// In whose words.
    pub note: String,
}

/// What a rule has found.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Finding {
    kind: Kind,
    gateway: Option<i64>,
    subject: String,
    words: String,
    count: i64,
}

/// Looks at what has come and what has not; opens and closes. What changed, in words for the log.
///
/// To be asked about once a second. `now` may be another clock's than the one of the rows.
///
/// # Errors
/// The store does not answer; the next look sees the same.
pub fn look(db: &Db, now: UnixNanos) -> Result<Vec<String>, StoreError> {
    db.transaction(Turn::Incidents, |db| {
        rules::write_looks(db, now)?;
        let mut heads = Heads::read(db)?;
        let mut happened = rules::happened(db, now, &mut heads)?;
        let mut lasting = rules::held(db)?;
        beats::hear(db, now, &mut happened, &mut heads)?;
        beats::judge(db, now, &mut lasting)?;
        expiry::judge(db, now, &mut lasting)?;
        heads.judge(db, &mut lasting)?;
        let mut changes = Vec::new();
        for finding in &happened {
            book::open(db, finding, now, true, &mut changes)?;
        }
        for finding in &lasting {
            book::open(db, finding, now, false, &mut changes)?;
        }
        book::close_ended(db, &lasting, now, &mut changes)?;
        Ok(changes)
    })
}
