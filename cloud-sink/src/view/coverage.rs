//! Coverage map: devices by time. Did we lose data last night?

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use wire::identity::Lane;
use wire::status::{HealthReport, counter};
use wire::time::UnixNanos;

use super::access::Person;
use crate::store::StoreError;
use crate::store::coverage::MINUTE_NS;
use crate::store::db::{Db, values};

/// Columns of a map, at most.
const COLUMNS_MAX: i64 = 120;
/// Devices on one map; a gateway has some dozens, a site is looked at ward by ward.
const DEVICES_MAX: usize = 200;
/// Gaps of a gateway that one map draws, the newest; all are summed.
const GAPS_MAX: i64 = 1000;

/// The map.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Map {
    schema: u32,
    /// Begin of the first column, UTC nanoseconds.
    from_ns: i64,
    /// Length of a column, seconds.
    step_s: i64,
    columns: usize,
    devices: Vec<DeviceLine>,
    /// Whether there are more devices than fit.
    is_cut: bool,
    gateways: Vec<Sideline>,
}

/// One device.
#[derive(Debug, Serialize, ToSchema)]
struct DeviceLine {
    gateway: String,
    device: String,
    /// Readings of each column that came at once.
    live: Vec<i64>,
    /// Readings of each column that came out of a backlog.
    late: Vec<i64>,
    /// Readings that were lost before the gateway could keep them, as it or the device says.
    lost_before: i64,
}

/// What is known of a whole gateway only: a gap names no device.
#[derive(Debug, Serialize, ToSchema)]
struct Sideline {
    gateway: String,
    /// When it was heard last, UTC nanoseconds: what is newer may wait there.
    heard_ns: Option<i64>,
    /// Age of its oldest record without a receipt then, seconds: so much older may wait, too.
    unreceipted_s: u64,
    backlog_bytes: u64,
    /// Signed gaps that reach into the map, newest first, as many as are drawn.
    gaps: Vec<GapSpan>,
    /// Readings in all gaps that reach into the map, at least and at most.
    lost: (i64, i64),
    /// Readings in gaps that name no time, and were declared since the map begins.
    lost_undated: (i64, i64),
    /// Causes of all these gaps.
    causes: Vec<String>,
    /// Records of each column, by their arrival, that are held or were refused.
    quarantined: Vec<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct GapSpan {
    lane: &'static str,
    from_ns: i64,
    to_ns: i64,
    /// At least, and at most.
    readings: (i64, i64),
    cause: String,
}

/// The columns of a map.
#[derive(Clone, Copy)]
struct Columns {
    /// Minutes since 1970: first, and length of a column.
    first: i64,
    step: i64,
    count: usize,
}

impl Columns {
    fn last(hours: i64, now: UnixNanos) -> Self {
        let minutes = hours * 60;
        let step = (minutes + COLUMNS_MAX - 1) / COLUMNS_MAX;
        let count = minutes / step;
        let end = now.0.div_euclid(MINUTE_NS) / step + 1;
        Self { first: (end - count) * step, step, count: count as usize }
    }

    fn of(self, minute: i64) -> Option<usize> {
        let column = usize::try_from((minute - self.first).div_euclid(self.step)).ok()?;
        (column < self.count).then_some(column)
    }

    fn span(self) -> (i64, i64) {
        (self.first, self.first + self.step * self.count as i64)
    }
}

/// The last hours of one gateway, or of all that somebody sees.
pub(super) fn read(
    db: &Db,
    person: &Person,
    gateway: Option<&str>,
    hours: i64,
    now: UnixNanos,
) -> Result<Map, StoreError> {
    let columns = Columns::last(hours, now);
    let mut gateways = gateways(db, person, gateway, columns.count)?;
    let mut lines = BTreeMap::new();
    for (row, sideline) in &mut gateways {
        if lines.len() <= DEVICES_MAX {
            devices(db, *row, &sideline.gateway, columns, &mut lines)?;
        }
        gaps(db, *row, columns, sideline)?;
        sums(db, *row, columns, sideline)?;
    }
    quarantine(db, columns, &mut gateways)?;
    let is_cut = lines.len() > DEVICES_MAX;
    Ok(Map {
        schema: 1,
        from_ns: columns.first * MINUTE_NS,
        step_s: columns.step * 60,
        columns: columns.count,
        devices: lines.into_values().take(DEVICES_MAX).collect(),
        is_cut,
        gateways: gateways.into_values().collect(),
    })
}

fn gateways(
    db: &Db,
    person: &Person,
    gateway: Option<&str>,
    columns: usize,
) -> Result<BTreeMap<i64, Sideline>, StoreError> {
    let sql = "SELECT gateway.id, name, heard_ns, report FROM gateway
                 LEFT JOIN gateway_watched ON gateway_watched.gateway = gateway.id
                 LEFT JOIN gateway_ward ON gateway_ward.gateway = gateway.id
               WHERE (CAST(?1 AS TEXT) IS NULL OR name = ?1)
                 AND (CAST(?2 AS TEXT) IS NULL OR ward = ?2) ORDER BY name";
    let rows = db.rows(sql, values![gateway, person.ward.as_deref()])?;
    let gateways = rows.iter().map(|row| {
        let report: Option<Vec<u8>> = row.at(3)?;
        let report = report.and_then(|bytes| HealthReport::decode(&bytes).ok()).unwrap_or_default();
        let sideline = Sideline {
            gateway: row.at(1)?,
            heard_ns: row.at(2)?,
            unreceipted_s: report.counter(counter::UNRECEIPTED_SECONDS),
            backlog_bytes: report.lanes.iter().map(|lane| lane.backlog_bytes).sum(),
            gaps: Vec::new(),
            lost: (0, 0),
            lost_undated: (0, 0),
            causes: Vec::new(),
            quarantined: vec![0; columns],
        };
        Ok((row.at(0)?, sideline))
    });
    gateways.collect()
}

fn devices(
    db: &Db,
    gateway: i64,
    name: &str,
    columns: Columns,
    lines: &mut BTreeMap<(String, String), DeviceLine>,
) -> Result<(), StoreError> {
    let sql = "SELECT device.eui, (minute - ?2) / ?4, CAST(sum(live) AS BIGINT),
                 CAST(sum(late) AS BIGINT), device.id
               FROM coverage JOIN device ON device.id = coverage.device
               WHERE gateway = ?1 AND minute >= ?2 AND minute < ?3 GROUP BY 1, 2, 5 ORDER BY 5, 2";
    let (from, to) = columns.span();
    for row in db.rows(sql, values![gateway, from, to, columns.step])? {
        let (device, column): (String, i64) = (row.at(0)?, row.at(1)?);
        let key = (name.to_owned(), device.clone());
        if !lines.contains_key(&key) {
            if lines.len() > DEVICES_MAX {
                return Ok(());
            }
            let line = DeviceLine {
                gateway: name.to_owned(),
                device,
                live: vec![0; columns.count],
                late: vec![0; columns.count],
                lost_before: lost_before(db, gateway, row.at(4)?, columns)?,
            };
            lines.insert(key.clone(), line);
        }
        let Some(line) = lines.get_mut(&key) else { continue };
        let Some(column) = usize::try_from(column).ok().filter(|at| *at < columns.count) else {
            continue;
        };
        line.live[column] = row.at(2)?;
        line.late[column] = row.at(3)?;
    }
    Ok(())
}

/// What a device, or the gateway for it, says was lost before it could be kept.
fn lost_before(db: &Db, gateway: i64, device: i64, columns: Columns) -> Result<i64, StoreError> {
    let (from, to) = columns.span();
    let sql = "SELECT CAST(sum(CASE WHEN note.value BETWEEN 0 AND 1099511627776
             THEN note.value ELSE 1099511627776 END) AS BIGINT) FROM note
                 JOIN evidence ON evidence.id = note.evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE device = ?1 AND at_ns >= ?2 AND at_ns < ?3 AND kind = 'loss'
                 AND gateway = ?4";
    let asked = values![device, from * MINUTE_NS, to * MINUTE_NS, gateway];
    let sum: Option<i64> = db.one(sql, asked)?;
    Ok(sum.unwrap_or(0))
}

fn gaps(
    db: &Db,
    gateway: i64,
    columns: Columns,
    sideline: &mut Sideline,
) -> Result<(), StoreError> {
    let sql = "SELECT lane, from_ns, to_ns, readings_min, readings_max, cause FROM gap
               WHERE gateway = ?1 AND to_ns >= ?2 AND from_ns < ?3 ORDER BY to_ns DESC LIMIT ?4";
    let (from, to) = columns.span();
    let rows = db.rows(sql, values![gateway, from * MINUTE_NS, to * MINUTE_NS, GAPS_MAX])?;
    let spans = rows.iter().map(|row| {
        let lane = Lane::from_number(row.at(0)?);
        Ok(GapSpan {
            lane: lane.map_or("?", Lane::name),
            from_ns: row.at(1)?,
            to_ns: row.at(2)?,
            readings: (row.at(3)?, row.at(4)?),
            cause: row.at(5)?,
        })
    });
    sideline.gaps = spans.collect::<Result<_, StoreError>>()?;
    Ok(())
}

/// Sums all gaps. One without a time tells of what was before it was declared, so that none which
/// came before the map begins belongs to it.
fn sums(
    db: &Db,
    gateway: i64,
    columns: Columns,
    sideline: &mut Sideline,
) -> Result<(), StoreError> {
    let sql = "SELECT cause, to_ns IS NULL, CAST(sum(readings_min) AS BIGINT),
                 CAST(sum(readings_max) AS BIGINT)
               FROM gap WHERE gateway = ?1 AND to_ns >= ?2 AND from_ns < ?3 GROUP BY 1, 2
               UNION ALL
               SELECT cause, to_ns IS NULL, CAST(sum(readings_min) AS BIGINT),
                 CAST(sum(readings_max) AS BIGINT)
               FROM gap JOIN evidence ON evidence.id = gap.evidence
               WHERE gateway = ?1 AND to_ns IS NULL AND received_ns >= ?2 GROUP BY 1, 2";
    let (from, to) = columns.span();
    for row in db.rows(sql, values![gateway, from * MINUTE_NS, to * MINUTE_NS])? {
        let cause: String = row.at(0)?;
        if !sideline.causes.contains(&cause) {
            sideline.causes.push(cause);
        }
        let undated: bool = row.at(1)?;
        let sum = if undated { &mut sideline.lost_undated } else { &mut sideline.lost };
        sum.0 += row.at::<i64>(2)?;
        sum.1 += row.at::<i64>(3)?;
    }
    Ok(())
}

fn quarantine(
    db: &Db,
    columns: Columns,
    gateways: &mut BTreeMap<i64, Sideline>,
) -> Result<(), StoreError> {
    let sql = "SELECT segment.gateway, received_ns / ?3, count(*) FROM evidence
                 JOIN segment ON segment.id = evidence.segment
               WHERE disposition <> 1 AND received_ns >= ?1 AND received_ns < ?2 GROUP BY 1, 2";
    let (from, to) = columns.span();
    for row in db.rows(sql, values![from * MINUTE_NS, to * MINUTE_NS, MINUTE_NS])? {
        let column = columns.of(row.at(1)?);
        let sideline = gateways.get_mut(&row.at(0)?);
        if let Some((column, sideline)) = column.zip(sideline) {
            sideline.quarantined[column] += row.at::<i64>(2)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::access::Role;
    use super::*;

    const NOW_MINUTE: i64 = 30_000_000;

    fn store(sql: &str) -> Db {
        let db = Db::in_memory();
        db.batch(
            "INSERT INTO gateway VALUES (1, 'gw-1', x'', 0), (2, 'gw-2', x'', 0);
             INSERT INTO device VALUES (1, '0242ACFFFE000001'), (2, '0242ACFFFE000002');",
        )
        .unwrap();
        db.batch(sql).unwrap();
        db
    }

    fn anybody(ward: Option<&str>) -> Person {
        Person { name: "ada".into(), role: Role::Viewer, ward: ward.map(Into::into) }
    }

    fn map(db: &Db, gateway: Option<&str>, hours: i64) -> Map {
        read(db, &anybody(None), gateway, hours, UnixNanos(NOW_MINUTE * MINUTE_NS + 1)).unwrap()
    }

    #[test]
    fn minutes_fall_into_their_columns_and_others_do_not() {
        let rows = [(0, 1, 1), (1, 2, 3), (59, 4, 0), (60, 50, 50), (-20, 50, 50)];
        let rows = rows.map(|(ago, live, late)| {
            format!("INSERT INTO coverage VALUES (1, {}, 1, {live}, {late});", NOW_MINUTE - ago)
        });
        let db = store(&rows.concat());

        let hour = map(&db, None, 1);
        assert_eq!((hour.columns, hour.step_s, hour.devices.len()), (60, 60, 1));
        let line = &hour.devices[0];
        assert_eq!((line.live[59], line.late[59]), (1, 1), "this minute is the last column");
        assert_eq!((line.live[58], line.late[58], line.live[0]), (2, 3, 4));
        assert_eq!(line.live.iter().sum::<i64>(), 7);

        let day = map(&db, None, 24);
        assert_eq!((day.columns, day.step_s), (120, 720));
        assert_eq!(day.devices[0].live.iter().sum::<i64>(), 57, "an hour ago, and not the future");
    }

    #[test]
    fn gaps_and_quarantine_stand_beside_their_gateway() {
        let (then, long_ago) = (NOW_MINUTE * MINUTE_NS, (NOW_MINUTE - 300) * MINUTE_NS);
        let gap = |from: i64| {
            format!(
                "INSERT INTO gap (evidence, gateway, lane, readings_min, readings_max, from_ns,
                   to_ns, cause) VALUES (1, 1, 1, 3, 5, {from}, {from}, 'eviction');"
            )
        };
        let undated = |evidence: i64| {
            format!(
                "INSERT INTO gap (evidence, gateway, lane, readings_min, readings_max, cause)
                 VALUES ({evidence}, 1, 1, 10, 20, 'damage');"
            )
        };
        let db = store(&format!(
            "{}{}{}{}INSERT INTO segment (id, segment, gateway, lane) VALUES (1, x'01', 2, 1),
               (2, x'02', 1, 1);
             INSERT INTO evidence (id, segment, idx, hash, disposition, reason, received_ns, bytes)
             VALUES (1, 1, 1, x'01', 3, 1, {then}, x''), (2, 2, 2, x'02', 1, 0, {then}, x''),
                    (3, 2, 3, x'03', 1, 0, {long_ago}, x'');
             INSERT INTO coverage VALUES (1, {NOW_MINUTE}, 1, 0, 0);
             INSERT INTO note (evidence, device, at_ns, kind, value)
             VALUES (2, 1, {then}, 'loss', 4), (2, 1, {long_ago}, 'loss', 8),
                    (2, 1, {then}, 'event', 16);",
            gap(then),
            gap(long_ago),
            undated(2),
            undated(3)
        ));

        let map = map(&db, None, 1);
        let [first, second] = &map.gateways[..] else { panic!("{map:?}") };
        assert_eq!((first.gaps.len(), first.gaps[0].readings), (1, (3, 5)));
        assert_eq!((first.gaps[0].lane, first.lost), ("vital", (3, 5)));
        assert_eq!(first.lost_undated, (10, 20), "one was declared before the map begins");
        assert_eq!(first.causes, ["eviction", "damage"]);
        assert_eq!((map.devices.len(), map.devices[0].lost_before), (1, 4));
        assert_eq!((second.quarantined[59], second.quarantined.iter().sum()), (1, 1));
        let of = |ward, gateway| read(&db, &anybody(ward), gateway, 1, UnixNanos(0)).unwrap();
        assert_eq!(of(None, Some("gw-2")).gateways.len(), 1);

        db.batch("INSERT INTO gateway_ward VALUES (1, 'ICU')").unwrap();
        let named = |map: Map| map.gateways.into_iter().map(|side| side.gateway).collect();
        let seen: Vec<String> = named(of(Some("ICU"), None));
        assert_eq!(seen, ["gw-1"], "a gateway without a ward is seen by nobody of a ward");
        assert!(of(Some("ICU"), Some("gw-2")).gateways.is_empty());
    }
}
