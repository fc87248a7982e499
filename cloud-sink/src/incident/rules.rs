//! Rules about records: what was refused, forked, lost, unsigned, or is held.

use rusqlite::{Connection, Row, params};
use wire::identity::Lane;
use wire::receipt::{Disposition, Reason};

use super::{Finding, Kind};

/// How far the rules have read; names of rows in `watched`.
const EVIDENCE: &str = "evidence";
const GAPS: &str = "gap";
const UNSIGNED: &str = "unsigned";
/// Records in one look, some tenths of a second: commits wait meanwhile, and a store may be old.
const RECORDS_MAX: i64 = 20_000;

/// What has happened since the last look.
pub(super) fn happened(db: &Connection) -> Result<Vec<Finding>, rusqlite::Error> {
    let mut found = Vec::new();
    let (from, to) = advance(db, EVIDENCE, "SELECT max(id) FROM evidence", RECORDS_MAX)?;
    if from < to {
        refused(db, (from, to), &mut found)?;
        forked(db, (from, to), &mut found)?;
    }
    let (from, to) = advance(db, GAPS, "SELECT max(id) FROM gap", RECORDS_MAX)?;
    if from < to {
        gaps(db, (from, to), &mut found)?;
    }
    let count = "SELECT value FROM counter WHERE name = 'unsigned' UNION ALL SELECT 0";
    let (from, to) = advance(db, UNSIGNED, count, i64::MAX)?;
    if from < to {
        found.push(Finding {
            kind: Kind::Unsigned,
            gateway: None,
            subject: String::new(),
            words: format!("{} deliveries that no known gateway has signed", to - from),
            count: to - from,
        });
    }
    Ok(found)
}

/// Where a rule has read to, and where it reads to now, so many further at most.
fn advance(
    db: &Connection,
    name: &str,
    end: &str,
    most: i64,
) -> Result<(i64, i64), rusqlite::Error> {
    let from: i64 = db
        .prepare_cached("SELECT value FROM watched WHERE name = ?1 UNION ALL SELECT 0")?
        .query_row([name], |row| row.get(0))?;
    let end = db.prepare_cached(end)?.query_row([], |row| row.get::<_, Option<i64>>(0))?;
    let to = end.unwrap_or(0).min(from.saturating_add(most));
    if from != to {
        db.prepare_cached(
            "INSERT INTO watched VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![name, to])?;
    }
    Ok((from, to))
}

fn lane(row: &Row<'_>, at: usize) -> Result<&'static str, rusqlite::Error> {
    Ok(Lane::from_number(row.get::<_, i64>(at)?.cast_unsigned()).map_or("?", Lane::name))
}

fn reason(row: &Row<'_>, at: usize) -> Result<&'static str, rusqlite::Error> {
    Ok(Reason::from_number(row.get(at)?).unwrap_or(Reason::None).name())
}

fn collect(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    finding: impl FnMut(&Row<'_>) -> Result<Finding, rusqlite::Error>,
    found: &mut Vec<Finding>,
) -> Result<(), rusqlite::Error> {
    let mut statement = db.prepare_cached(sql)?;
    for finding in statement.query_map(parameters, finding)? {
        found.push(finding?);
    }
    Ok(())
}

fn refused(
    db: &Connection,
    (from, to): (i64, i64),
    found: &mut Vec<Finding>,
) -> Result<(), rusqlite::Error> {
    let sql = "SELECT segment.gateway, segment.lane, evidence.reason, count(*)
         FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE evidence.disposition = ?1 AND evidence.id > ?2 AND evidence.id <= ?3
         GROUP BY 1, 2, 3";
    let parameters = params![Disposition::Refused as u8, from, to];
    let finding = |row: &Row<'_>| {
        let (lane, reason, count) = (lane(row, 1)?, reason(row, 2)?, row.get(3)?);
        Ok(Finding {
            kind: Kind::Integrity,
            gateway: row.get(0)?,
            subject: format!("{lane}, {reason}"),
            words: format!("{count} signed records of lane {lane} were refused: {reason}"),
            count,
        })
    };
    collect(db, sql, parameters, finding, found)
}

/// A second record on one head: both are kept.
fn forked(
    db: &Connection,
    (from, to): (i64, i64),
    found: &mut Vec<Finding>,
) -> Result<(), rusqlite::Error> {
    let sql = "SELECT segment.gateway, segment.lane, count(*)
         FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE evidence.id > ?1 AND evidence.id <= ?2 AND evidence.disposition <> ?3
           AND EXISTS (SELECT 1 FROM evidence AS other
                         JOIN segment AS theirs ON theirs.id = other.segment
                       WHERE other.previous = evidence.previous AND other.hash <> evidence.hash
                         AND other.disposition <> ?3 AND theirs.gateway = segment.gateway
                         AND theirs.lane = segment.lane)
         GROUP BY 1, 2";
    let finding = |row: &Row<'_>| {
        let lane = lane(row, 1)?;
        Ok(Finding {
            kind: Kind::Fork,
            gateway: row.get(0)?,
            subject: lane.to_owned(),
            words: format!("two records of lane {lane} follow the same one"),
            count: row.get(2)?,
        })
    };
    collect(db, sql, params![from, to, Disposition::Refused as u8], finding, found)
}

fn gaps(
    db: &Connection,
    (from, to): (i64, i64),
    found: &mut Vec<Finding>,
) -> Result<(), rusqlite::Error> {
    let sql = "SELECT gateway, lane, cause, count(*), sum(readings_min), sum(readings_max)
         FROM gap WHERE id > ?1 AND id <= ?2 GROUP BY 1, 2, 3";
    let finding = |row: &Row<'_>| {
        let (lane, cause): (_, String) = (lane(row, 1)?, row.get(2)?);
        let (least, most): (i64, i64) = (row.get(4)?, row.get(5)?);
        Ok(Finding {
            kind: Kind::Gap,
            gateway: row.get(0)?,
            subject: format!("{lane}, {cause}"),
            words: format!("{least} to {most} readings of lane {lane} are lost: {cause}"),
            count: row.get(3)?,
        })
    };
    collect(db, sql, params![from, to], finding, found)
}

/// Records that wait for a key, a newer program or a person; a missing header is asked for.
pub(super) fn held(db: &Connection) -> Result<Vec<Finding>, rusqlite::Error> {
    let sql = "SELECT segment.gateway, evidence.reason, count(*)
         FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE evidence.disposition <> 1 AND evidence.disposition = ?1 AND evidence.reason <> ?2
         GROUP BY 1, 2";
    let finding = |row: &Row<'_>| {
        let (reason, count): (_, i64) = (reason(row, 1)?, row.get(2)?);
        Ok(Finding {
            kind: Kind::Held,
            gateway: row.get(0)?,
            subject: reason.to_owned(),
            words: format!("{count} records are kept and not opened: {reason}"),
            count,
        })
    };
    let mut found = Vec::new();
    let parameters = params![Disposition::Held as u8, Reason::NoHeader as u8];
    collect(db, sql, parameters, finding, &mut found)?;
    Ok(found)
}
