//! What stands around the records of a bundle: keys, clocks, disposals, the audit trails.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wire::identity::Lane;

use super::Wanted;
use crate::keys::{KeyFolder, hex};
use crate::store::StoreError;
use crate::store::db::{Db, Row, values};

/// The site's keyrings, oldest first; the one in force stands there in any case.
pub(super) fn keyrings(db: &Db, keys: &KeyFolder) -> anyhow::Result<Vec<Value>> {
    let sql = "SELECT at_ns, document FROM keyring ORDER BY root_version, fleet_version";
    let mut lines = Vec::new();
    let present = keys.read("keyring.cbor")?;
    let mut has_present = false;
    for row in db.rows(sql, &[])? {
        let document: Vec<u8> = row.at(1)?;
        has_present |= document == present;
        lines.push(json!({
            "is": "keyring", "at_ns": row.at::<i64>(0)?, "document": hex(&document),
        }));
    }
    if !has_present {
        lines.push(json!({ "is": "keyring", "at_ns": null, "document": hex(&present) }));
    }
    Ok(lines)
}

const KEYS: &str = "
SELECT own.name, own.signing_key, own.enrolled_ns, key_end.successor, key_end.start_count FROM (
  SELECT id, name, signing_key, enrolled_ns FROM gateway
  UNION SELECT gateway.id, name, gateway_key.signing_key, gateway_key.enrolled_ns
  FROM gateway_key JOIN gateway ON gateway.id = gateway_key.gateway) AS own
  LEFT JOIN key_end ON key_end.gateway = own.id AND key_end.signing_key = own.signing_key
WHERE own.id = ?1 ORDER BY own.enrolled_ns, own.signing_key";

/// Keys and revocations of some gateways.
pub(super) fn gateways(db: &Db, gateways: &BTreeSet<i64>) -> anyhow::Result<Vec<Value>> {
    let mut lines = Vec::new();
    for gateway in gateways {
        for row in db.rows(KEYS, values![*gateway])? {
            let key: Vec<u8> = row.at(1)?;
            let successor: Option<Vec<u8>> = row.at(3)?;
            lines.push(json!({
                "is": "gateway", "gateway": row.at::<String>(0)?, "key": hex(&key),
                "enrolled_ns": row.at::<i64>(2)?, "successor": successor.map(|key| hex(&key)),
                "successor_start": row.at::<Option<i64>>(4)?,
            }));
        }
        let sql = "SELECT name, at_ns, reason FROM revoked
                     JOIN gateway ON gateway.id = revoked.gateway WHERE revoked.gateway = ?1";
        for row in db.rows(sql, values![*gateway])? {
            lines.push(json!({
                "is": "revoked", "gateway": row.at::<String>(0)?, "at_ns": row.at::<i64>(1)?,
                "reason": row.at::<String>(2)?, "after": after(db, *gateway)?,
            }));
        }
    }
    Ok(lines)
}

/// The last records before a revocation.
fn after(db: &Db, gateway: i64) -> anyhow::Result<Vec<Value>> {
    let sql = "SELECT lane, segment, idx, hash FROM revoked_after WHERE gateway = ?1 ORDER BY lane";
    let rows = db.rows(sql, values![gateway])?;
    let lines = rows.iter().map(|row| {
        let (segment, hash): (Vec<u8>, Vec<u8>) = (row.at(1)?, row.at(3)?);
        Ok(json!({
            "lane": lane(row.at(0)?), "segment": hex(&segment), "index": row.at::<i64>(2)?,
            "hash": hex(&hash),
        }))
    });
    lines.collect()
}

fn lane(number: i64) -> &'static str {
    Lane::from_number(number.cast_unsigned()).map_or("?", Lane::name)
}

/// Anchors of the gateways' clocks.
pub(super) fn times(
    db: &Db,
    gateways: &BTreeSet<i64>,
    wanted: Wanted,
) -> anyhow::Result<Vec<Value>> {
    let sql = "SELECT gateway.name, boot, start_count, monotonic_ns, utc_ns, error_us
               FROM anchor JOIN gateway ON gateway.id = anchor.gateway
               WHERE anchor.gateway = ?1 AND utc_ns < ?2 ORDER BY utc_ns, boot";
    let mut lines = Vec::new();
    for gateway in gateways {
        for row in db.rows(sql, values![*gateway, wanted.to_ns])? {
            let boot: Vec<u8> = row.at(1)?;
            lines.push(json!({
                "is": "time", "gateway": row.at::<String>(0)?, "boot": hex(&boot),
                "start_count": row.at::<i64>(2)?, "monotonic_ns": row.at::<i64>(3)?,
                "utc_ns": row.at::<i64>(4)?, "error_us": row.at::<i64>(5)?,
            }));
        }
    }
    Ok(lines)
}

/// What rules of retention and erasures took that was stored before the end of the time.
pub(super) fn disposals(db: &Db, wanted: Wanted) -> anyhow::Result<Vec<Value>> {
    let sql = "SELECT at_ns, lane, ward, rows_gone, records_gone FROM disposal
               WHERE stored_before_ns >= ?1 ORDER BY id";
    let rows = db.rows(sql, values![wanted.from_ns])?;
    let disposed = rows.iter().map(|row| {
        let of = row.at::<Option<i64>>(1)?.map_or("all lanes", lane);
        let what = format!("{of}: {} rows, {} records", row.at::<i64>(3)?, row.at::<i64>(4)?);
        Ok(json!({ "is": "disposed", "at_ns": row.at::<i64>(0)?, "what": what }))
    });
    disposed.chain(erasures(db, wanted)?).collect()
}

/// Erasures that may have taken something of the device in the time. Whose else they were of is
/// not said.
fn erasures(
    db: &Db,
    wanted: Wanted,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Value>>> {
    let sql = "SELECT at_ns, rows_gone, blocks_gone FROM erasure
               WHERE (device IS NULL OR device = ?1) AND (to_ns IS NULL OR to_ns > ?2)
                 AND (from_ns IS NULL OR from_ns < ?3) ORDER BY id";
    let device = wanted.device.to_string();
    let rows = db.rows(sql, values![&device, wanted.from_ns, wanted.to_ns])?;
    Ok(rows.into_iter().map(|row| {
        let (gone, blocks): (i64, i64) = (row.at(1)?, row.at(2)?);
        let what = format!("erased: {gone} rows, {blocks} sealed blocks, copies included");
        Ok(json!({ "is": "disposed", "at_ns": row.at::<i64>(0)?, "what": what }))
    }))
}

/// The audit trail over the time, without a hole.
pub(super) fn audit(db: &Db, wanted: Wanted) -> anyhow::Result<Vec<Value>> {
    let span = "SELECT min(id), max(id) FROM audit WHERE at_ns >= ?1 AND at_ns < ?2";
    let row = db.row(span, values![wanted.from_ns, wanted.to_ns])?;
    let row = row.ok_or(StoreError::Shape("no answer"))?;
    let (Some(first), Some(last)) = (row.at::<Option<i64>>(0)?, row.at::<Option<i64>>(1)?) else {
        return Ok(Vec::new());
    };
    let before = db.row("SELECT hash FROM audit WHERE id = ?1", values![first - 1])?;
    let before: Option<Vec<u8>> = before.map(|row| row.at(0)).transpose()?;
    let mut before = Some(hex(&before.unwrap_or_else(|| vec![0; 32])));
    let sql = "SELECT id, at_ns, who, role, what, object, words, hash FROM audit
               WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    let rows = db.rows(sql, values![first, last])?;
    let lines = rows.iter().map(|row| {
        let mut line = entry(row)?;
        if let Some(before) = before.take() {
            line["before"] = before.into();
        }
        Ok(line)
    });
    lines.collect()
}

fn entry(row: &Row) -> Result<Value, StoreError> {
    let text = |at: usize| row.at::<String>(at);
    Ok(json!({
        "is": "audit", "id": row.at::<i64>(0)?, "at_ns": row.at::<i64>(1)?, "who": text(2)?,
        "role": text(3)?, "what": text(4)?, "object": text(5)?, "words": text(6)?,
        "hash": hex(&row.at::<Vec<u8>>(7)?),
    }))
}

const ENTRIES: &str = "
SELECT gateway.name, entry FROM gateway_audit JOIN gateway ON gateway.id = gateway_audit.gateway
WHERE gateway_audit.gateway = ?1 AND number >= ?2 AND number <= ?3 AND kind <> 'unverified'
ORDER BY number, hash";

/// The gateways' own audit trails, by number: from the first of the time to the last of it.
pub(super) fn trails(
    db: &Db,
    gateways: &BTreeSet<i64>,
    wanted: Wanted,
) -> anyhow::Result<Vec<Value>> {
    let span = "SELECT min(number), max(number) FROM gateway_audit
                WHERE gateway = ?1 AND at_ns >= ?2 AND at_ns < ?3 AND kind <> 'unverified'";
    let mut lines = Vec::new();
    for gateway in gateways {
        let row = db.row(span, values![*gateway, wanted.from_ns, wanted.to_ns])?;
        let row = row.ok_or(StoreError::Shape("no answer"))?;
        let (first, last): (Option<i64>, Option<i64>) = (row.at(0)?, row.at(1)?);
        let Some((first, last)) = first.zip(last) else { continue };
        for row in db.rows(ENTRIES, values![*gateway, first, last])? {
            let (name, entry): (String, Vec<u8>) = (row.at(0)?, row.at(1)?);
            lines.push(json!({ "is": "gateway-audit", "gateway": name, "entry": hex(&entry) }));
        }
    }
    Ok(lines)
}
