//! Gateways' own audit trails: what is missing there, stands there twice, or is signed by nobody.

use wire::audit::AuditEntry;
use wire::status::{HealthReport, counter};
use wire::time::UnixNanos;

use super::{Finding, Kind};
use crate::store::StoreError;
use crate::store::db::{Db, values};
use crate::store::trails::UNVERIFIED;

/// A hole is told once it has lasted so long, an hour: what was live comes before the backlog.
const LASTS_NS: i64 = 3_600 * 1_000_000_000;
/// A gateway whose oldest record waits for longer brings its backlog still, seconds.
const LATE_SECONDS: u64 = 300;

/// Holes of a gateway that are watched at once: each is told under the same incident.
const HOLES_MAX: i64 = 64;

fn holes(db: &Db, gateway: i64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM watched WHERE name LIKE ?1";
    db.one(sql, values![&format!("trail {gateway} %")])
}

/// A hole that was seen, under `trail GATEWAY NUMBER`: its first time counts.
const SEEN: &str = "INSERT INTO watched VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";

fn finding(gateway: i64, subject: String, words: String) -> Finding {
    Finding { kind: Kind::Audit, gateway: Some(gateway), subject, words, count: 1 }
}

/// Entries that came with these records: each follows one that is here, and no other one does.
pub(super) fn came(
    db: &Db,
    (from, to): (i64, i64),
    now: UnixNanos,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let sql = "SELECT gateway, number, hash, kind, entry FROM gateway_audit
               WHERE evidence > ?1 AND evidence <= ?2 ORDER BY gateway, number, hash";
    for row in db.rows(sql, values![from, to])? {
        let (gateway, number): (i64, i64) = (row.at(0)?, row.at(1)?);
        if row.at::<String>(3)? == UNVERIFIED {
            let words = format!("entry {number} of its trail is signed by none of its keys");
            found.push(finding(gateway, "signature".into(), words));
            continue;
        }
        let Ok(entry) = AuditEntry::read(&row.at::<Vec<u8>>(4)?) else { continue };
        found.extend(rival(db, (gateway, number), row.at(2)?, &entry)?);
        let is_first = number == 1 || is_here(db, gateway, number - 1, entry.previous)?;
        if !is_first && holes(db, gateway)? < HOLES_MAX {
            db.execute(SEEN, values![&format!("trail {gateway} {number}"), now.0])?;
        }
    }
    Ok(())
}

/// Another entry of this number that follows the same one, or none as this one does.
fn rival(
    db: &Db,
    (gateway, number): (i64, i64),
    hash: [u8; 32],
    entry: &AuditEntry,
) -> Result<Option<Finding>, StoreError> {
    let sql = "SELECT entry FROM gateway_audit
               WHERE gateway = ?1 AND number = ?2 AND hash <> ?3 AND kind <> 'unverified'
               LIMIT 16";
    for row in db.rows(sql, values![gateway, number, hash])? {
        let other = AuditEntry::read(&row.at::<Vec<u8>>(0)?);
        if !other.is_ok_and(|other| other.previous == entry.previous) {
            continue;
        }
        let (subject, words): (String, String) = if number == 1 {
            let words = "its trail begins anew: see whether its card was replaced or emptied";
            ("begins anew".into(), words.into())
        } else {
            let words = format!("two entries of its trail have number {number} and follow one");
            (format!("number {number}"), words)
        };
        return Ok(Some(finding(gateway, subject, words)));
    }
    Ok(None)
}

fn is_here(db: &Db, gateway: i64, number: i64, hash: [u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM gateway_audit WHERE gateway = ?1 AND number = ?2 AND hash = ?3";
    Ok(db.row(sql, values![gateway, number, hash])?.is_some())
}

/// Holes that were seen long ago, and are there still; each is told once.
pub(super) fn missing(db: &Db, now: UnixNanos, found: &mut Vec<Finding>) -> Result<(), StoreError> {
    let sql = "SELECT name FROM watched WHERE name LIKE 'trail %' AND value < ?1 ORDER BY name";
    for row in db.rows(sql, values![now.0.saturating_sub(LASTS_NS)])? {
        let name: String = row.at(0)?;
        let mut words = name.split(' ').skip(1).map(str::parse::<i64>);
        if let (Some(Ok(gateway)), Some(Ok(number))) = (words.next(), words.next()) {
            if is_late(db, gateway)? {
                continue;
            }
            found.extend(hole_before(db, gateway, number)?);
        }
        db.execute("DELETE FROM watched WHERE name = ?1", values![&name])?;
    }
    Ok(())
}

/// What is missing before an entry, if something is.
fn hole_before(db: &Db, gateway: i64, number: i64) -> Result<Option<Finding>, StoreError> {
    let sql = "SELECT entry FROM gateway_audit
               WHERE gateway = ?1 AND number = ?2 AND kind <> 'unverified'";
    for row in db.rows(sql, values![gateway, number])? {
        let Ok(entry) = AuditEntry::read(&row.at::<Vec<u8>>(0)?) else { continue };
        if is_here(db, gateway, number - 1, entry.previous)? {
            continue;
        }
        let sql = "SELECT COALESCE(max(number), 0) + 1 FROM gateway_audit
                   WHERE gateway = ?1 AND number < ?2";
        let first: i64 = db.one(sql, values![gateway, number])?;
        let last = number - 1;
        // Those of another trail of this gateway may have these numbers.
        let first = first.min(last);
        let words = format!("entries {first} to {last} of its trail are missing");
        return Ok(Some(finding(gateway, "missing".into(), words)));
    }
    Ok(None)
}

/// Whether a gateway says that it has much to bring still.
fn is_late(db: &Db, gateway: i64) -> Result<bool, StoreError> {
    let row = db.row("SELECT report FROM heartbeat WHERE gateway = ?1", values![gateway])?;
    let Some(row) = row else { return Ok(false) };
    let report = HealthReport::decode(&row.at::<Vec<u8>>(0)?).unwrap_or_default();
    Ok(report.counter(counter::UNRECEIPTED_SECONDS) > LATE_SECONDS)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use wire::audit::{AuditKind, BEGIN, entry_hash};
    use wire::identity::{BootId, GatewayId};
    use wire::time::MonotonicNanos;

    use super::*;

    fn entry(number: u64, previous: [u8; 32], words: &str) -> Vec<u8> {
        let entry = AuditEntry {
            gateway: GatewayId::new("gw-1").unwrap(),
            number,
            previous,
            boot: BootId([1; 16]),
            monotonic: MonotonicNanos(number),
            utc: None,
            kind: AuditKind::Start,
            object: "1.0".into(),
            words: words.into(),
        };
        entry.sign(&SigningKey::from_bytes(&[7; 32]))
    }

    fn trail(count: u64, words: &str) -> Vec<Vec<u8>> {
        let (mut entries, mut previous) = (Vec::new(), BEGIN);
        for number in 1..=count {
            entries.push(entry(number, previous, words));
            previous = entry_hash(&entries[entries.len() - 1]);
        }
        entries
    }

    /// Entries come with a record of this number.
    fn come(db: &Db, evidence: i64, kind: &str, entries: &[Vec<u8>]) {
        for bytes in entries {
            let number = AuditEntry::read(bytes).unwrap().number.cast_signed();
            let insert = "INSERT INTO gateway_audit VALUES (1, ?1, ?2, ?3, NULL, ?4, '', '', ?5)";
            db.execute(insert, values![number, entry_hash(bytes), evidence, kind, bytes]).unwrap();
        }
    }

    fn look(db: &Db, evidence: i64, hours: i64) -> Vec<(String, String)> {
        let (mut found, now) = (Vec::new(), UnixNanos(hours * LASTS_NS + 1));
        came(db, (evidence - 1, evidence), now, &mut found).unwrap();
        missing(db, now, &mut found).unwrap();
        found.into_iter().map(|finding| (finding.subject, finding.words)).collect()
    }

    #[test]
    fn a_hole_is_told_once_when_it_has_lasted_and_not_while_the_backlog_comes() {
        let (db, entries) = (Db::in_memory(), trail(6, "one"));
        come(&db, 1, "start", &[entries[0].clone(), entries[5].clone()]);
        assert!(look(&db, 1, 0).is_empty(), "the others may be on their way");
        let counters = vec![(counter::UNRECEIPTED_SECONDS, 301)];
        let report = HealthReport { counters, ..HealthReport::default() }.encode();
        let beat = "INSERT INTO heartbeat VALUES (1, 1, 1, ?1, 0, NULL)";
        db.execute(beat, values![&report]).unwrap();
        assert!(look(&db, 2, 2).is_empty(), "it brings its backlog");
        come(&db, 3, "start", &entries[1..3]);
        db.batch("DELETE FROM heartbeat").unwrap();

        let told = look(&db, 3, 3);

        let words = "entries 4 to 5 of its trail are missing";
        assert_eq!(told, [("missing".to_owned(), words.to_owned())]);
        assert!(look(&db, 4, 9).is_empty(), "told once");
        let healed = Db::in_memory();
        come(&healed, 1, "start", &entries[3..]);
        assert!(look(&healed, 1, 0).is_empty());
        come(&healed, 2, "start", &entries[..3]);
        assert!(look(&healed, 2, 2).is_empty(), "they have come");
    }

    #[test]
    fn a_fork_another_beginning_and_a_strange_signature_are_told_at_once() {
        let (db, entries) = (Db::in_memory(), trail(3, "one"));
        come(&db, 1, "start", &entries);
        assert!(look(&db, 1, 0).is_empty());
        come(&db, 2, "start", &[entry(3, entry_hash(&entries[1]), "a clone's")]);
        assert_eq!(look(&db, 2, 0)[0].0, "number 3");
        come(&db, 3, "start", &trail(2, "another"));
        let told = look(&db, 3, 0);
        assert_eq!(told.len(), 1, "its second entry forks nothing: {told:?}");
        assert_eq!(told[0].0, "begins anew");
        come(&db, 4, UNVERIFIED, &[entry(9, [3; 32], "anybody's")]);
        assert_eq!(look(&db, 4, 0)[0].0, "signature");
        assert!(look(&db, 5, 9).is_empty(), "nobody asks what is before that");
    }
}
