//! The book: one open incident a cause; its timeline only grows.

use wire::time::UnixNanos;

use super::kind::QUIET_NS;
use super::{Ending, Entry, Finding, Incident, Kind};
use crate::store::StoreError;
use crate::store::db::{Db, values};

/// Between two lines `again` of one incident: a minute.
const AGAIN_NS: i64 = 60 * 1_000_000_000;

/// Opens an incident, or lets the one that is open grow; `again` if it has happened once more.
pub(super) fn open(
    db: &Db,
    finding: &Finding,
    now: UnixNanos,
    again: bool,
    changes: &mut Vec<String>,
) -> Result<(), StoreError> {
    let Finding { kind, gateway, subject, words, count } = finding;
    let sql = "SELECT id, last_ns FROM incident WHERE kind = ?1
                 AND gateway IS NOT DISTINCT FROM ?2 AND subject = ?3 AND closed_ns IS NULL";
    if let Some(row) = db.row(sql, values![kind.name(), *gateway, subject])? {
        let (id, last): (i64, i64) = (row.at(0)?, row.at(1)?);
        let grow = "UPDATE incident SET last_ns = ?2, words = ?3,
                      count = CASE WHEN NOT ?5 THEN ?4 WHEN count > 4611686018427387904 THEN count
                        ELSE count + ?4 END WHERE id = ?1";
        db.execute(grow, values![id, now.0, words, *count, again])?;
        if again && now.0.saturating_sub(last) >= AGAIN_NS {
            note(db, id, now, ("again", None, words))?;
        }
        return Ok(());
    }
    let insert = "INSERT INTO incident (kind, gateway, subject, words, count, opened_ns, last_ns)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) RETURNING id";
    let values = values![kind.name(), *gateway, subject, words, *count, now.0];
    let id = db.one(insert, values)?;
    note(db, id, now, ("opened", None, words))?;
    changes.push(format!("opened: {}: {words}; {}", kind.name(), kind.remedy()));
    Ok(())
}

fn note(
    db: &Db,
    incident: i64,
    now: UnixNanos,
    (what, who, words): (&str, Option<&str>, &str),
) -> Result<(), StoreError> {
    let insert = "INSERT INTO incident_entry (incident, at_ns, what, who, note)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    db.later(insert, values![incident, now.0, what, who, words])
}

/// Closes what is over by itself: conditions that no rule found now, and what has been quiet.
pub(super) fn close_ended(
    db: &Db,
    lasting: &[Finding],
    now: UnixNanos,
    changes: &mut Vec<String>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, kind, gateway, subject, last_ns FROM incident WHERE closed_ns IS NULL";
    for row in db.rows(sql, &[])? {
        let (id, name): (i64, String) = (row.at(0)?, row.at(1)?);
        let (gateway, subject): (Option<i64>, String) = (row.at(2)?, row.at(3)?);
        let last: i64 = row.at(4)?;
        let Some(kind) = Kind::from_name(&name) else { continue };
        let still = |found: &Finding| {
            (found.kind, found.gateway, &found.subject) == (kind, gateway, &subject)
        };
        let over = match kind.ending() {
            Ending::Condition => !lasting.iter().any(still),
            Ending::Quiet => now.0.saturating_sub(last) > QUIET_NS,
            Ending::Person => false,
        };
        if over {
            end(db, id, now, (None, "it is over"))?;
            changes.push(format!("closed: {name} {subject}"));
        }
    }
    Ok(())
}

fn end(
    db: &Db,
    id: i64,
    now: UnixNanos,
    (who, words): (Option<&str>, &str),
) -> Result<(), StoreError> {
    db.execute("UPDATE incident SET closed_ns = ?2 WHERE id = ?1", values![id, now.0])?;
    note(db, id, now, ("closed", who, words))
}

/// Closed incidents are listed if they are among so many of the newest; open ones always are.
const LISTED_MAX: i64 = 1000;

/// Incidents that are open, or closed ones too, worst first and then newest first.
///
/// # Errors
/// The store does not answer.
pub fn list(db: &Db, closed_too: bool) -> Result<Vec<Incident>, StoreError> {
    let all = read(db, closed_too, None)?;
    let mut found: Vec<_> = all.into_iter().map(|one| (Kind::from_name(one.kind), one)).collect();
    found.sort_by_key(|(kind, incident)| (incident.closed_ns.is_some(), *kind));
    Ok(found.into_iter().map(|(_, incident)| incident).collect())
}

/// One incident, open or closed.
///
/// # Errors
/// The store does not answer.
pub fn one(db: &Db, id: i64) -> Result<Option<Incident>, StoreError> {
    Ok(read(db, true, Some(id))?.pop())
}

fn read(db: &Db, closed_too: bool, id: Option<i64>) -> Result<Vec<Incident>, StoreError> {
    let sql = "SELECT incident.id, kind, gateway.name, subject, words, count, opened_ns, last_ns,
                 closed_ns, owner, ward
               FROM incident LEFT JOIN gateway ON gateway.id = incident.gateway
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = incident.gateway
               WHERE CASE WHEN CAST(?2 AS BIGINT) IS NOT NULL THEN incident.id = ?2
                 ELSE closed_ns IS NULL OR ?1
                   AND incident.id > (SELECT max(newest.id) FROM incident AS newest) - ?3 END
               ORDER BY incident.id DESC";
    let rows = db.rows(sql, values![closed_too, id, LISTED_MAX])?;
    let found = rows.iter().map(|row| {
        let kind = Kind::from_name(&row.at::<String>(1)?);
        Ok(Incident {
            id: row.at(0)?,
            kind: kind.map_or("unknown", Kind::name),
            gateway: row.at(2)?,
            ward: row.at(10)?,
            subject: row.at(3)?,
            words: row.at(4)?,
            remedy: kind.map_or("", Kind::remedy),
            count: row.at::<i64>(5)?.cast_unsigned(),
            opened_ns: row.at(6)?,
            last_ns: row.at(7)?,
            closed_ns: row.at(8)?,
            owner: row.at(9)?,
        })
    });
    found.collect()
}

/// An incident's timeline.
///
/// # Errors
/// The store does not answer.
pub fn timeline(db: &Db, id: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT at_ns, what, who, note FROM incident_entry WHERE incident = ?1
               ORDER BY rowid";
    let rows = db.rows(sql, values![id])?;
    let entries = rows.iter().map(|row| {
        let (at_ns, what) = (row.at(0)?, row.at(1)?);
        Ok(Entry { at_ns, what, who: row.at(2)?, note: row.at(3)? })
    });
    entries.collect()
}

/// Somebody takes an incident; whether it is there and open.
///
/// # Errors
/// The store does not answer.
pub fn acknowledge(
    db: &Db,
    id: i64,
    now: UnixNanos,
    (who, words): (&str, &str),
) -> Result<bool, StoreError> {
    let sql = "UPDATE incident SET owner = ?2 WHERE id = ?1 AND closed_ns IS NULL";
    let taken = db.execute(sql, values![id, who])? == 1;
    if taken {
        note(db, id, now, ("acknowledged", Some(who), words))?;
    }
    Ok(taken)
}

/// Somebody closes an incident; whether it was there and open. What lasts opens another.
///
/// # Errors
/// The store does not answer.
pub fn close(
    db: &Db,
    id: i64,
    now: UnixNanos,
    (who, words): (&str, &str),
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM incident WHERE id = ?1 AND closed_ns IS NULL";
    let open = db.row(sql, values![id])?.is_some();
    if open {
        end(db, id, now, (Some(who), words))?;
    }
    Ok(open)
}
