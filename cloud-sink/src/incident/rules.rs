//! Rules about records: what was refused, forked, lost, unsigned, or is held.

use wire::identity::Lane;
use wire::receipt::{Disposition, Reason};
use wire::time::UnixNanos;

use super::forks;
use super::kind::QUIET_NS;
use super::withheld::Heads;
use super::{Finding, Kind, trails};
use crate::audit::{self, Act, Deed};
use crate::store::StoreError;
use crate::store::db::{Db, Row, Value, values};

/// How far the rules have read; names of rows in `watched`.
const EVIDENCE: &str = "evidence";
const GAPS: &str = "gap";
const NOTES: &str = "note";
const UNSIGNED: &str = "unsigned";
const SIGN_INS: &str = "sign-ins";
/// Records in one look, some tenths of a second: commits wait meanwhile, and a store may be old.
const RECORDS_MAX: i64 = 20_000;

/// Remembers a mark under a name.
pub(super) const KEEP: &str = "INSERT INTO watched VALUES (?1, ?2)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// What has happened since the last look.
pub(super) fn happened(
    db: &Db,
    now: UnixNanos,
    heads: &mut Heads,
) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    let (from, to) = advance(db, EVIDENCE, "SELECT max(id) FROM evidence", RECORDS_MAX)?;
    if from < to {
        refused(db, (from, to), &mut found)?;
        forks::forked(db, (from, to), now, &mut found)?;
        forks::cloned(db, (from, to), &mut found)?;
        heads.came(db, (from, to))?;
        trails::came(db, (from, to), now, &mut found)?;
    }
    trails::missing(db, now, &mut found)?;
    let (from, to) = advance(db, GAPS, "SELECT max(id) FROM gap", RECORDS_MAX)?;
    if from < to {
        gaps(db, (from, to), &mut found)?;
    }
    let (from, to) = advance(db, NOTES, "SELECT max(id) FROM note", RECORDS_MAX)?;
    if from < to {
        losses(db, (from, to), &mut found)?;
    }
    let count = "SELECT max(value) FROM counter WHERE name = 'unsigned'";
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
    sign_ins(db, &mut found)?;
    Ok(found)
}

/// Where a rule has read to, and where it reads to now, so many further at most.
fn advance(
    db: &Db,
    name: &'static str,
    end: &'static str,
    most: i64,
) -> Result<(i64, i64), StoreError> {
    let sql = "SELECT max(value) FROM watched WHERE name = ?1";
    let from = db.one::<Option<i64>>(sql, values![name])?.unwrap_or(0);
    let end = db.one::<Option<i64>>(end, &[])?;
    let to = end.unwrap_or(0).min(from.saturating_add(most));
    if from != to {
        db.execute(KEEP, values![name, to])?;
    }
    Ok((from, to))
}

/// Somebody beside a gateway has looked at values: it stands where those who look here stand.
pub(super) fn write_looks(db: &Db, now: UnixNanos) -> Result<(), StoreError> {
    let sql = "SELECT gateway.name, counter.name, counter.value,
                 counter.value - COALESCE(watched.value, 0)
               FROM counter JOIN gateway ON counter.name = 'looks ' || gateway.id
                 LEFT JOIN watched ON watched.name = counter.name
               WHERE counter.value > COALESCE(watched.value, 0)";
    for row in db.rows(sql, &[])? {
        let (name, mark): (String, String) = (row.at(0)?, row.at(1)?);
        let (all, new): (i64, i64) = (row.at(2)?, row.at(3)?);
        let words = format!("looked {new} times at the gateway itself, by `wardline tap --phi`");
        let (role, what) = ("gateway", Deed::Values);
        audit::add(db, &Act { who: &name, role, what, object: &name, words: &words }, now)?;
        db.execute(KEEP, values![&mark, all])?;
    }
    Ok(())
}

pub(super) fn lane(row: &Row, at: usize) -> Result<&'static str, StoreError> {
    Ok(Lane::from_number(row.at(at)?).map_or("?", Lane::name))
}

fn reason(row: &Row, at: usize) -> Result<&'static str, StoreError> {
    Ok(Reason::from_number(row.at(at)?).unwrap_or(Reason::None).name())
}

pub(super) fn collect(
    db: &Db,
    sql: &'static str,
    values: &[Value<'_>],
    finding: impl Fn(&Row) -> Result<Finding, StoreError>,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    for row in db.rows(sql, values)? {
        found.push(finding(&row)?);
    }
    Ok(())
}

fn refused(db: &Db, (from, to): (i64, i64), found: &mut Vec<Finding>) -> Result<(), StoreError> {
    let sql = "SELECT segment.gateway, segment.lane, evidence.reason, count(*)
         FROM evidence JOIN segment ON segment.id = evidence.segment
         WHERE evidence.disposition = ?1 AND evidence.id > ?2 AND evidence.id <= ?3
         GROUP BY 1, 2, 3";
    let parameters = values![Disposition::Refused as u8, from, to];
    let finding = |row: &Row| {
        let (lane, reason, count) = (lane(row, 1)?, reason(row, 2)?, row.at(3)?);
        Ok(Finding {
            kind: Kind::Integrity,
            gateway: row.at(0)?,
            subject: format!("{lane}, {reason}"),
            words: format!("{count} signed records of lane {lane} were refused: {reason}"),
            count,
        })
    };
    collect(db, sql, parameters, finding, found)
}

fn gaps(db: &Db, (from, to): (i64, i64), found: &mut Vec<Finding>) -> Result<(), StoreError> {
    let sql = "SELECT gateway, lane, cause, count(*),
           CAST(sum(readings_min) AS BIGINT), CAST(sum(readings_max) AS BIGINT)
         FROM gap WHERE id > ?1 AND id <= ?2 GROUP BY 1, 2, 3";
    let finding = |row: &Row| {
        let (lane, cause): (_, String) = (lane(row, 1)?, row.at(2)?);
        let (least, most): (i64, i64) = (row.at(4)?, row.at(5)?);
        Ok(Finding {
            kind: Kind::Gap,
            gateway: row.at(0)?,
            subject: format!("{lane}, {cause}"),
            words: format!("{least} to {most} readings of lane {lane} are lost: {cause}"),
            count: row.at(3)?,
        })
    };
    collect(db, sql, values![from, to], finding, found)
}

/// What a device, or its gateway for it, says was lost before it could be kept. A device may say
/// any number: one that is beyond 2^40 counts as that many, so that no sum overflows.
fn losses(db: &Db, (from, to): (i64, i64), found: &mut Vec<Finding>) -> Result<(), StoreError> {
    let sql = "SELECT segment.gateway, device.eui,
           CAST(sum(CASE WHEN note.value BETWEEN 0 AND 1099511627776
             THEN note.value ELSE 1099511627776 END) AS BIGINT)
         FROM note JOIN device ON device.id = note.device
           JOIN evidence ON evidence.id = note.evidence
           JOIN segment ON segment.id = evidence.segment
         WHERE note.id > ?1 AND note.id <= ?2 AND note.kind = 'loss' GROUP BY 1, 2";
    let finding = |row: &Row| {
        let (device, count): (String, Option<i64>) = (row.at(1)?, row.at(2)?);
        let count = count.unwrap_or(0);
        Ok(Finding {
            kind: Kind::DeviceLoss,
            gateway: row.at(0)?,
            words: format!("device {device} lost {count} readings before they could be kept"),
            subject: device,
            count,
        })
    };
    collect(db, sql, values![from, to], finding, found)
}

/// Records that wait for a key, a newer program or a person; a missing header is asked for.
pub(super) fn held(db: &Db) -> Result<Vec<Finding>, StoreError> {
    let sql = "SELECT segment.gateway, evidence.reason, count(*), max(revoked.reason)
         FROM evidence JOIN segment ON segment.id = evidence.segment
           LEFT JOIN revoked ON revoked.gateway = segment.gateway
         WHERE evidence.disposition <> 1 AND evidence.disposition = ?1 AND evidence.reason <> ?2
         GROUP BY 1, 2";
    let finding = |row: &Row| {
        let (because, count): (_, i64) = (reason(row, 1)?, row.at(2)?);
        let revoked: Option<String> = row.at(3)?;
        let is_suspect = because == Reason::Suspect.name();
        let (kind, words) = match revoked {
            Some(why) if is_suspect => {
                (Kind::Revoked, format!("{count} records came after it was revoked: {why}"))
            }
            None if is_suspect => {
                (Kind::StolenKey, format!("{count} records are by a key that has a successor"))
            }
            _ => (Kind::Held, format!("{count} records are kept and not opened: {because}")),
        };
        Ok(Finding { kind, gateway: row.at(0)?, subject: because.to_owned(), words, count })
    };
    let mut found = Vec::new();
    let parameters = values![Disposition::Held as u8, Reason::NoHeader as u8];
    collect(db, sql, parameters, finding, &mut found)?;
    Ok(found)
}

/// So many refusals within ten minutes are no typing error: an account is locked after five.
const REFUSALS: i64 = 10;

/// Entries of the trail that are looked at: at most twenty refusals a minute are written down.
const LOOKED_AT: i64 = 1_000;

/// Somebody tries to come in, again and again.
fn sign_ins(db: &Db, found: &mut Vec<Finding>) -> Result<(), StoreError> {
    let (from, to) = advance(db, SIGN_INS, "SELECT max(id) FROM audit", i64::MAX)?;
    if from == to {
        return Ok(());
    }
    // Of the newest entries, so that an old trail costs no more than a young one.
    let sql = "SELECT count(*) FROM audit
               WHERE id > CAST(?1 AS BIGINT) - ?3 AND at_ns > CAST(?2 AS BIGINT) - ?4
                 AND what IN ('sign-in-refused', 'locked', 'enrol-refused')";
    let newest: i64 = db.one("SELECT at_ns FROM audit WHERE id = ?1", values![to])?;
    let count: i64 = db.one(sql, values![to, newest, LOOKED_AT, QUIET_NS])?;
    if count >= REFUSALS {
        found.push(Finding {
            kind: Kind::SignIns,
            gateway: None,
            subject: String::new(),
            words: format!("{count} claims were refused within ten minutes"),
            count,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_says_any_number_of_losses_stops_no_rule() {
        let db = Db::in_memory();
        db.batch(&format!(
            "INSERT INTO gateway VALUES (1, 'gw-1', x'', 0);
             INSERT INTO device VALUES (1, 'A');
             INSERT INTO segment (id, segment, gateway, lane) VALUES (1, x'01', 1, 1);
             INSERT INTO evidence (id, segment, idx, hash, disposition, reason, received_ns, bytes)
             VALUES (1, 1, 1, x'01', 1, 0, 0, x'');
             INSERT INTO note (evidence, device, at_ns, kind, value)
             VALUES (1, 1, 0, 'loss', {most}), (1, 1, 0, 'loss', {most}), (1, 1, 0, 'loss', -1);",
            most = i64::MAX
        ))
        .unwrap();
        let found = happened(&db, UnixNanos(0), &mut Heads::default()).unwrap();
        assert_eq!((found.len(), found[0].kind, found[0].count), (1, Kind::DeviceLoss, 3 << 40));
    }
}
