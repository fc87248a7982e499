//! Access: who may see what. A ticket lets one person in once; a session lasts for a shift.
//!
//! Tickets and sessions are 256 random bits. The store has their digests only, so that any sink
//! over it knows them, and a copy of the store lets nobody in.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::time::UnixNanos;

use crate::keys::{hex, random};

/// What a person may do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the line, no patient data; changes nothing.
    Viewer,
    /// Takes and closes incidents, too.
    Engineer,
    /// Sees the line and who did what; changes nothing.
    Auditor,
    /// Everything.
    Admin,
}

impl Role {
    const ALL: [Self; 4] = [Self::Viewer, Self::Engineer, Self::Auditor, Self::Admin];

    const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role handles incidents.
    #[must_use]
    pub const fn may_handle(self) -> bool {
        matches!(self, Self::Engineer | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who is signed in.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// Name, as it stands in timelines.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// How long a ticket lets its bearer in.
pub const TICKET_LIFE: Duration = Duration::from_secs(600);
/// How long a session lasts: a long shift.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn later(now: UnixNanos, by: Duration) -> i64 {
    now.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX))
}

fn put(
    db: &Connection,
    sql: &str,
    person: &Person,
    expires_ns: i64,
) -> Result<String, rusqlite::Error> {
    let secret = random().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let secret = hex(&secret);
    db.execute(sql, params![digest(&secret), person.name, person.role.name(), expires_ns])?;
    Ok(secret)
}

fn person(row: &rusqlite::Row<'_>) -> Result<Option<Person>, rusqlite::Error> {
    let role = Role::from_name(&row.get::<_, String>(1)?);
    let name = row.get(0)?;
    Ok(role.map(|role| Person { name, role }))
}

/// Makes a ticket for one sign-in.
///
/// # Errors
/// The store does not answer.
pub fn issue(db: &Connection, who: &Person, now: UnixNanos) -> Result<String, rusqlite::Error> {
    db.execute("DELETE FROM ticket WHERE expires_ns <= ?1", [now.0])?;
    put(db, "INSERT INTO ticket VALUES (?1, ?2, ?3, ?4)", who, later(now, TICKET_LIFE))
}

/// Takes a ticket, which nobody can take again; the session's secret.
pub(super) fn redeem(
    db: &Connection,
    ticket: &str,
    now: UnixNanos,
) -> Result<Option<String>, rusqlite::Error> {
    let taken = db
        .query_row(
            "DELETE FROM ticket WHERE digest = ?1 AND expires_ns > ?2 RETURNING name, role",
            params![digest(ticket), now.0],
            person,
        )
        .optional()?
        .flatten();
    let Some(who) = taken else { return Ok(None) };
    db.execute("DELETE FROM session WHERE expires_ns <= ?1", [now.0])?;
    put(db, "INSERT INTO session VALUES (?1, ?2, ?3, ?4)", &who, later(now, SESSION_LIFE)).map(Some)
}

/// Whose session it is.
pub(super) fn recognise(
    db: &Connection,
    session: &str,
    now: UnixNanos,
) -> Result<Option<Person>, rusqlite::Error> {
    let found = db
        .prepare_cached("SELECT name, role FROM session WHERE digest = ?1 AND expires_ns > ?2")?
        .query_row(params![digest(session), now.0], person)
        .optional()?;
    Ok(found.flatten())
}

/// Ends a session.
pub(super) fn leave(db: &Connection, session: &str) -> Result<(), rusqlite::Error> {
    db.execute("DELETE FROM session WHERE digest = ?1", [digest(session)])?;
    Ok(())
}

/// Attempts that may go wrong within [`ATTEMPT_SPAN_NS`]; then everybody waits.
const ATTEMPTS_MAX: u32 = 20;
/// A minute.
const ATTEMPT_SPAN_NS: i64 = 60_000_000_000;

/// Counts attempts that went wrong.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<(i64, u32)>);

impl Attempts {
    /// Whether one more may be made now.
    pub(super) fn may_try(&self, now: UnixNanos) -> bool {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0.saturating_sub(attempts.0) > ATTEMPT_SPAN_NS {
            *attempts = (now.0, 0);
        }
        attempts.1 < ATTEMPTS_MAX
    }

    /// One went wrong.
    pub(super) fn failed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::{ADDITIONS, TABLES};

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

    fn after(life: Duration) -> UnixNanos {
        UnixNanos(later(NOW, life))
    }

    fn ticket(db: &Connection) -> String {
        let who = Person { name: "Ada".into(), role: Role::Auditor };
        issue(db, &who, NOW).unwrap()
    }

    #[test]
    fn tickets_and_sessions_end_and_neither_stands_in_the_store() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(TABLES).unwrap();
        db.execute_batch(ADDITIONS).unwrap();
        let late = ticket(&db);
        assert_eq!(redeem(&db, &late, after(TICKET_LIFE)).unwrap(), None);

        let good = ticket(&db);
        let session = redeem(&db, &good, NOW).unwrap().unwrap();
        assert_eq!(redeem(&db, &good, NOW).unwrap(), None, "a ticket is taken once");
        let almost = UnixNanos(later(NOW, SESSION_LIFE) - 1);
        let person = recognise(&db, &session, almost).unwrap().unwrap();
        assert_eq!((person.name.as_str(), person.role), ("Ada", Role::Auditor));
        assert!(recognise(&db, &session, after(SESSION_LIFE)).unwrap().is_none());
        assert!(recognise(&db, &good, NOW).unwrap().is_none(), "a ticket is no session");
        let kept: Vec<u8> = db.query_row("SELECT digest FROM session", [], |r| r.get(0)).unwrap();
        assert_ne!(hex(&kept), session);

        leave(&db, &session).unwrap();
        assert!(recognise(&db, &session, NOW).unwrap().is_none());
    }

    #[test]
    fn after_twenty_failures_everybody_waits_for_a_minute() {
        let attempts = Attempts::default();
        for _ in 0..ATTEMPTS_MAX {
            assert!(attempts.may_try(NOW));
            attempts.failed();
        }
        assert!(!attempts.may_try(after(Duration::from_secs(59))));
        assert!(attempts.may_try(after(Duration::from_secs(61))));
    }
}
