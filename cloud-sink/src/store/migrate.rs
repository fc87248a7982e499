//! Migration: a store's file into an empty PostgreSQL database. Every row is copied as it is; the
//! new store is of the same life, so that receipts stay what they were.

use super::StoreError;
use super::db::{Appended, Db, Location, NumericRow, Row, Turn, Value, values};

/// A table: its name, and the statements that read it in order and write a row.
struct Table {
    name: &'static str,
    read: &'static str,
    write: &'static str,
    has_number: bool,
}

macro_rules! table {
    ($name:literal, $columns:literal, $places:literal) => {
        table!($name, $columns, $places, "1, 2", false)
    };
    ($name:literal, $columns:literal, $places:literal, numbered) => {
        table!($name, $columns, $places, "1", true)
    };
    ($name:literal, $columns:literal, $places:literal, $order:literal, $numbered:literal) => {
        Table {
            name: $name,
            read: concat!("SELECT ", $columns, " FROM ", $name, " ORDER BY ", $order),
            write: concat!("INSERT INTO ", $name, " (", $columns, ") VALUES (", $places, ")"),
            has_number: $numbered,
        }
    };
}

const TABLES: [Table; 44] = [
    table!("gateway", "id, name, signing_key, enrolled_ns", "?1, ?2, ?3, ?4", numbered),
    table!("gateway_key", "gateway, signing_key, enrolled_ns", "?1, ?2, ?3"),
    table!(
        "segment",
        "id, segment, gateway, lane, header, kept_secret, boot, start_count, continues_segment,
         continues_index, found, software, doubles",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13",
        numbered
    ),
    table!(
        "evidence",
        "id, segment, idx, hash, previous, sequence_first, sequence_last, disposition, reason,
         received_ns, bytes, opened_ns",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12",
        numbered
    ),
    table!("device", "id, eui", "?1, ?2", numbered),
    table!("context", "id, token", "?1, ?2", numbered),
    table!(
        "frame_time",
        "evidence, gateway, boot, start_count, epoch, monotonic_ns, utc_ns, error_us, source",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
    ),
    table!(
        "anchor",
        "gateway, boot, start_count, monotonic_ns, utc_ns, error_us, source",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7"
    ),
    table!(
        "feed",
        "name, numerics, waves, notes, taken, refused, left_out, at_ns",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
    ),
    table!("feed_waiting", "name, kind, id", "?1, ?2, ?3"),
    table!("heard", "device, boot, lane, gateway, first, last", "?1, ?2, ?3, ?4, ?5, ?6"),
    table!(
        "series",
        "id, device, code, unit, label, unit_label, wave, rate_numerator, rate_denominator,
         gain_mantissa, gain_exponent, baseline, bits, mode",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14",
        numbered
    ),
    table!(
        "note",
        "id, evidence, device, at_ns, kind, code, source, phase, state, priority, value, text,
         context, dated, place",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15",
        numbered
    ),
    table!(
        "gap",
        "id, evidence, gateway, lane, hole_segment, index_first, index_last, sequence_first,
         sequence_last, readings_min, readings_max, from_ns, to_ns, cause, before, after",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16",
        numbered
    ),
    table!("counter", "name, value", "?1, ?2"),
    table!("revoked", "gateway, at_ns, reason, successor", "?1, ?2, ?3, ?4"),
    table!("revoked_after", "gateway, lane, segment, idx, hash", "?1, ?2, ?3, ?4, ?5"),
    table!(
        "key_end",
        "gateway, signing_key, successor, start_count, spoke_ns, at_ns",
        "?1, ?2, ?3, ?4, ?5, ?6"
    ),
    table!(
        "token",
        "digest, gateway, ward, expires_ns, another_key, used_by",
        "?1, ?2, ?3, ?4, ?5, ?6"
    ),
    table!("certificate", "serial, gateway, from_ns, to_ns, revoked_ns", "?1, ?2, ?3, ?4, ?5"),
    table!("keyring", "root_version, fleet_version, at_ns, document", "?1, ?2, ?3, ?4"),
    table!("fork", "gateway, boot, other, at_ns", "?1, ?2, ?3, ?4"),
    table!(
        "said",
        "device, boot, lane, first, evidence, last, digests",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7"
    ),
    table!("coverage", "gateway, minute, device, live, late", "?1, ?2, ?3, ?4, ?5"),
    table!(
        "gateway_hour",
        "gateway, hour, up, live, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19"
    ),
    table!(
        "heartbeat",
        "gateway, arrivals, sequence, report, epoch, error_us",
        "?1, ?2, ?3, ?4, ?5, ?6"
    ),
    table!("watched", "name, value", "?1, ?2"),
    table!("gateway_watched", "gateway, heard_ns, arrivals, report, epoch", "?1, ?2, ?3, ?4, ?5"),
    table!("device_watched", "gateway, device, heard_ns", "?1, ?2, ?3"),
    table!(
        "incident",
        "id, kind, gateway, subject, words, count, opened_ns, last_ns, closed_ns, owner",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10",
        numbered
    ),
    table!("signed_in", "digest, name, role, ward, expires_ns", "?1, ?2, ?3, ?4, ?5"),
    table!(
        "account",
        "name, role, ward, password, secret, step, failures, locked_ns, made_ns, is_off",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10"
    ),
    table!("gateway_ward", "gateway, ward", "?1, ?2"),
    table!("ward_history", "gateway, from_ns, ward", "?1, ?2, ?3"),
    table!(
        "audit",
        "id, at_ns, who, role, what, object, words, hash",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8",
        numbered
    ),
    table!(
        "hold",
        "id, device, ward, reason, begun_ns, ended_ns",
        "?1, ?2, ?3, ?4, ?5, ?6",
        numbered
    ),
    table!(
        "maintenance",
        "id, gateway, ward, reason, from_ns, to_ns",
        "?1, ?2, ?3, ?4, ?5, ?6",
        numbered
    ),
    table!("notice", "incident, channel, event, at_ns", "?1, ?2, ?3, ?4"),
    table!(
        "disposal",
        "id, at_ns, lane, ward, stored_before_ns, rows_gone, records_gone",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7",
        numbered
    ),
    table!(
        "erasure",
        "id, digest, at_ns, device, patient, from_ns, to_ns, reason, who, rows_gone, blocks_gone",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11",
        numbered
    ),
    table!("remnant", "evidence, signed, blocks", "?1, ?2, ?3"),
    table!(
        "gateway_audit",
        "gateway, number, hash, evidence, at_ns, kind, object, words, entry",
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
    ),
    table!("asset", "eui, udi, serial, model, maker, place", "?1, ?2, ?3, ?4, ?5, ?6"),
    Table {
        name: "incident_entry",
        read: "SELECT incident, at_ns, what, who, note FROM incident_entry ORDER BY rowid",
        write: "INSERT INTO incident_entry (incident, at_ns, what, who, note)
                VALUES (?1, ?2, ?3, ?4, ?5)",
        has_number: false,
    },
];

const NUMERICS: &str =
    "SELECT id, series, at_ns, mantissa, exponent, status, absent FROM numeric ORDER BY id";
const BLOCKS: &str =
    "SELECT id, evidence, series, from_ns, to_ns, first_row, last_row, context, dated, place
     FROM block ORDER BY id";
const WAVES: &str = "
SELECT id, evidence, series, at_ns, sample_first, count, status, samples, invalid, context, dated,
  place
FROM wave ORDER BY id";

/// Rows in one transaction: bounded memory, whatever the store holds.
const ROWS_AT_ONCE: usize = 20_000;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Copied {
    /// Rows of all tables.
    pub rows: u64,
    /// Numerics among them.
    pub numerics: u64,
}

/// Copies a store's file into an empty database. `said` is told each table when it is done.
///
/// No sink may run on the file meanwhile. Until the last row is there, no sink takes the database.
///
/// # Errors
/// The file or the database does not answer, or the database is not empty.
pub fn migrate(
    from: &Db,
    to: &Location,
    mut said: impl FnMut(&str, u64),
) -> Result<Copied, StoreError> {
    let Location::Postgres(address) = to else { return Err(StoreError::NoTarget) };
    let epoch = from.store_epoch()?;
    let commit: i64 = from.one("SELECT value FROM meta WHERE key = 'commit'", &[])?;
    let db = Db::begin(address)?;
    let mut copied = Copied::default();
    for table in &TABLES {
        let rows = copy(from, &db, table.read, |db, row| db.later(table.write, row.values()))?;
        if table.has_number {
            db.count_on(table.name)?;
        }
        copied.rows += rows;
        said(table.name, rows);
    }
    let base = db.first_row()?;
    copied.numerics = copy(from, &db, NUMERICS, |db, row| {
        db.put_numeric(base + row.at::<i64>(0)?, numeric(row)?)
    })?;
    said("numeric", copied.numerics);
    copied.rows += copied.numerics;
    for (table, read, columns) in
        [(Appended::Block, BLOCKS, &[0, 5, 6][..]), (Appended::Wave, WAVES, &[0])]
    {
        let rows = copy(from, &db, read, |db, row| db.put(table, moved(row, base, columns)?))?;
        said(table.name(), rows);
        copied.rows += rows;
    }
    follow_feeds(&db, base)?;
    db.finish(epoch, commit)?;
    Ok(copied)
}

/// Feeds go on behind the rows that they have sent, which have other numbers now.
fn follow_feeds(db: &Db, base: i64) -> Result<(), StoreError> {
    for sql in [
        "UPDATE feed SET numerics = numerics + ?1",
        "UPDATE feed SET waves = waves + ?1 WHERE waves >= 0",
        "UPDATE feed_waiting SET id = id + ?1 WHERE kind < 2",
    ] {
        db.execute(sql, values![base])?;
    }
    Ok(())
}

/// A row whose numbers of rows count from where the database counts.
fn moved(row: &Row, base: i64, columns: &[usize]) -> Result<Vec<Value<'static>>, StoreError> {
    let mut values = row.values().to_vec();
    for column in columns {
        values[*column] = Value::Int(base + row.at::<i64>(*column)?);
    }
    Ok(values)
}

fn numeric(row: &Row) -> Result<NumericRow, StoreError> {
    Ok(NumericRow {
        series: row.at(1)?,
        at_ns: row.at(2)?,
        mantissa: row.at(3)?,
        exponent: row.at(4)?,
        status: row.at(5)?,
        absent: row.at(6)?,
    })
}

fn copy(
    from: &Db,
    to: &Db,
    read: &'static str,
    mut write: impl FnMut(&Db, &Row) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut waiting, mut count) = (Vec::with_capacity(ROWS_AT_ONCE), 0);
    let mut flush = |waiting: &mut Vec<Row>| {
        count += waiting.len() as u64;
        to.transaction(Turn::Commit, |db| waiting.drain(..).try_for_each(|row| write(db, &row)))
    };
    from.each(read, &[], |row| {
        waiting.push(row);
        if waiting.len() == ROWS_AT_ONCE { flush(&mut waiting) } else { Ok(()) }
    })?;
    flush(&mut waiting)?;
    Ok(count)
}
