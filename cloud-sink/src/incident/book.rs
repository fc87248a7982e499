//! The book: one open incident a cause; its timeline only grows.

use rusqlite::{Connection, OptionalExtension, params};
use wire::time::UnixNanos;

use super::kind::QUIET_NS;
use super::{Ending, Entry, Finding, Incident, Kind};

/// Between two lines `again` of one incident: a minute.
const AGAIN_NS: i64 = 60 * 1_000_000_000;

/// Opens an incident, or lets the one that is open grow; `again` if it has happened once more.
pub(super) fn open(
    db: &Connection,
    finding: &Finding,
    now: UnixNanos,
    again: bool,
    changes: &mut Vec<String>,
) -> Result<(), rusqlite::Error> {
    let Finding { kind, gateway, subject, words, count } = finding;
    let known: Option<(i64, i64)> = db
        .prepare_cached(
            "SELECT id, last_ns FROM incident
             WHERE kind = ?1 AND gateway IS ?2 AND subject = ?3 AND closed_ns IS NULL",
        )?
        .query_row(params![kind.name(), gateway, subject], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((id, last)) = known {
        db.prepare_cached(
            "UPDATE incident SET last_ns = ?2, words = ?3,
               count = CASE WHEN ?5 THEN count + ?4 ELSE ?4 END WHERE id = ?1",
        )?
        .execute(params![id, now.0, words, count, again])?;
        if again && now.0.saturating_sub(last) >= AGAIN_NS {
            note(db, id, now, ("again", None, words))?;
        }
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO incident (kind, gateway, subject, words, count, opened_ns, last_ns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?
    .execute(params![kind.name(), gateway, subject, words, count, now.0])?;
    note(db, db.last_insert_rowid(), now, ("opened", None, words))?;
    changes.push(format!("opened: {}: {words}; {}", kind.name(), kind.remedy()));
    Ok(())
}

fn note(
    db: &Connection,
    incident: i64,
    now: UnixNanos,
    (what, who, words): (&str, Option<&str>, &str),
) -> Result<(), rusqlite::Error> {
    db.prepare_cached("INSERT INTO incident_entry VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![incident, now.0, what, who, words])?;
    Ok(())
}

/// Closes what is over by itself: conditions that no rule found now, and what has been quiet.
pub(super) fn close_ended(
    db: &Connection,
    lasting: &[Finding],
    now: UnixNanos,
    changes: &mut Vec<String>,
) -> Result<(), rusqlite::Error> {
    let mut statement = db.prepare_cached(
        "SELECT id, kind, gateway, subject, last_ns FROM incident WHERE closed_ns IS NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let (gateway, subject): (Option<i64>, String) = (row.get(2)?, row.get(3)?);
        let last: i64 = row.get(4)?;
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
    db: &Connection,
    id: i64,
    now: UnixNanos,
    (who, words): (Option<&str>, &str),
) -> Result<(), rusqlite::Error> {
    db.prepare_cached("UPDATE incident SET closed_ns = ?2 WHERE id = ?1")?
        .execute(params![id, now.0])?;
    note(db, id, now, ("closed", who, words))
}

/// Incidents that are open, or all of them, worst first and then newest first.
///
/// # Errors
/// The store does not answer.
pub fn list(db: &Connection, closed_too: bool) -> Result<Vec<Incident>, rusqlite::Error> {
    let mut statement = db.prepare_cached(
        "SELECT incident.id, kind, gateway.name, subject, words, count, opened_ns, last_ns,
           closed_ns, owner
         FROM incident LEFT JOIN gateway ON gateway.id = incident.gateway
         WHERE ?1 OR closed_ns IS NULL ORDER BY incident.id DESC",
    )?;
    let rows = statement.query_map([closed_too], |row| {
        let kind = Kind::from_name(&row.get::<_, String>(1)?);
        Ok((
            kind,
            Incident {
                id: row.get(0)?,
                kind: kind.map_or("unknown", Kind::name),
                gateway: row.get(2)?,
                subject: row.get(3)?,
                words: row.get(4)?,
                remedy: kind.map_or("", Kind::remedy),
                count: row.get::<_, i64>(5)?.cast_unsigned(),
                opened_ns: row.get(6)?,
                last_ns: row.get(7)?,
                closed_ns: row.get(8)?,
                owner: row.get(9)?,
            },
        ))
    })?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|(kind, incident)| (incident.closed_ns.is_some(), *kind));
    Ok(found.into_iter().map(|(_, incident)| incident).collect())
}

/// An incident's timeline.
///
/// # Errors
/// The store does not answer.
pub fn timeline(db: &Connection, id: i64) -> Result<Vec<Entry>, rusqlite::Error> {
    let mut statement = db.prepare_cached(
        "SELECT at_ns, what, who, note FROM incident_entry WHERE incident = ?1 ORDER BY rowid",
    )?;
    let rows = statement.query_map([id], |row| {
        let (at_ns, what) = (row.get(0)?, row.get(1)?);
        Ok(Entry { at_ns, what, who: row.get(2)?, note: row.get(3)? })
    })?;
    rows.collect()
}

/// Somebody takes an incident; whether it is there and open.
///
/// # Errors
/// The store does not answer.
pub fn acknowledge(
    db: &Connection,
    id: i64,
    now: UnixNanos,
    (who, words): (&str, &str),
) -> Result<bool, rusqlite::Error> {
    let sql = "UPDATE incident SET owner = ?2 WHERE id = ?1 AND closed_ns IS NULL";
    let taken = db.prepare_cached(sql)?.execute(params![id, who])? == 1;
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
    db: &Connection,
    id: i64,
    now: UnixNanos,
    (who, words): (&str, &str),
) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM incident WHERE id = ?1 AND closed_ns IS NULL";
    let open = db.prepare_cached(sql)?.exists([id])?;
    if open {
        end(db, id, now, (Some(who), words))?;
    }
    Ok(open)
}
