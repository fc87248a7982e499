//! Forks: two records on one head. Both branches are kept and never merged; here they get their
//! name.

use wire::receipt::Disposition;
use wire::time::UnixNanos;

use super::rules::{collect, lane};
use super::{Finding, Kind};
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// What came of the other branch so long after the fork was on its way before it.
const ON_ITS_WAY_NS: i64 = 10 * 1_000_000_000;
/// A branch that is so old is an old card, and nobody's clone.
const WATCHED_NS: i64 = 30 * 86_400 * 1_000_000_000;

/// New records on heads that have been followed already. If another run of the agent followed them,
/// its card is an older one, or there are two of it; if the same run did, its medium forgets.
pub(super) fn forked(
    db: &Db,
    (from, to): (i64, i64),
    now: UnixNanos,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let sql = "SELECT segment.gateway, segment.lane, count(*), segment.boot, theirs.boot,
           count(CASE WHEN segment.boot <> theirs.boot
             OR segment.start_count <> theirs.start_count THEN 1 END),
           max(segment.start_count)
         FROM evidence JOIN segment ON segment.id = evidence.segment
           JOIN evidence AS other ON other.previous = evidence.previous
             AND other.hash <> evidence.hash
           JOIN segment AS theirs ON theirs.id = other.segment
             AND theirs.gateway = segment.gateway AND theirs.lane = segment.lane
         WHERE evidence.id > ?1 AND evidence.id <= ?2 AND evidence.disposition <> ?3
           AND other.disposition <> ?3
         GROUP BY 1, 2, 4, 5";
    for row in db.rows(sql, values![from, to, Disposition::Refused as u8])? {
        let (gateway, lane): (i64, _) = (row.at(0)?, lane(&row, 1)?);
        let boots: (Option<Vec<u8>>, Option<Vec<u8>>) = (row.at(3)?, row.at(4)?);
        let is_another_run = row.at::<i64>(5)? > 0;
        let (kind, words) = match &boots {
            (Some(boot), Some(other)) if is_another_run => {
                let insert = "INSERT INTO fork VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
                db.execute(insert, values![gateway, boot, other, now.0])?;
                let start: Option<i64> = row.at(6)?;
                let start = start.unwrap_or(0);
                (Kind::OldCard, format!("start {start} goes on from a head that was followed"))
            }
            _ => (Kind::Fork, format!("two records of lane {lane} follow the same one")),
        };
        let (subject, count) = (lane.to_owned(), row.at(2)?);
        found.push(Finding { kind, gateway: Some(gateway), subject, words, count });
    }
    Ok(())
}

/// The other branch of a fork goes on although the second has begun: there are two machines.
pub(super) fn cloned(
    db: &Db,
    (from, to): (i64, i64),
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let sql = "SELECT fork.gateway, count(*), max(evidence.received_ns)
         FROM fork JOIN segment ON segment.gateway = fork.gateway AND segment.boot = fork.other
           JOIN evidence ON evidence.segment = segment.id
         WHERE evidence.id > ?1 AND evidence.id <= ?2 AND evidence.received_ns > fork.at_ns + ?3
           AND evidence.received_ns < fork.at_ns + ?4 AND fork.boot <> fork.other
         GROUP BY 1";
    let finding = |row: &Row| {
        let count = row.at(1)?;
        Ok(Finding {
            kind: Kind::Clone,
            gateway: row.at(0)?,
            subject: String::new(),
            words: format!("{count} records of one branch while the other speaks, too"),
            count,
        })
    };
    collect(db, sql, values![from, to, ON_ITS_WAY_NS, WATCHED_NS], finding, found)
}
