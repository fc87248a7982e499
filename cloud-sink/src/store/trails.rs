//! Entries of gateways' own audit trails, each once, as its gateway signed it. Retention never
//! takes them: who asks what happened asks late.

use ed25519_dalek::VerifyingKey;
use wire::audit::{AuditEntry, entry_hash};
use wire::frame::payload_of;

use super::StoreError;
use super::db::{Db, values};
use crate::verify::Gateway;

/// The kind of what none of the gateway's keys has signed: nothing that it says is believed.
pub const UNVERIFIED: &str = "unverified";

/// What came in a record that was opened later is looked at as if it came next.
const INSERT: &str = "
INSERT INTO gateway_audit (gateway, number, hash, evidence, at_ns, kind, object, words, entry)
VALUES (?1, ?2, ?3, (SELECT CASE WHEN max(id) > ?4 THEN max(id) + 1 ELSE CAST(?4 AS BIGINT) END
    FROM evidence), ?5, ?6, ?7, ?8, ?9) ON CONFLICT (gateway, number, hash)
DO UPDATE SET kind = excluded.kind WHERE gateway_audit.kind = 'unverified'";

/// All keys of a gateway, those before a successor too.
const KEYS: &str = "
SELECT signing_key FROM gateway WHERE id = ?1
UNION SELECT signing_key FROM gateway_key WHERE gateway = ?1";

/// Keeps an entry; whether the bytes of a health section are one, or would be one, and no report.
pub(super) fn insert(
    db: &Db,
    evidence: i64,
    gateway: &Gateway,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    let Ok(entry) = AuditEntry::read(bytes) else { return Ok(payload_of(bytes).is_ok()) };
    let is_by = |key: &VerifyingKey| AuditEntry::verify(bytes, key).is_ok();
    let is_own = entry.gateway == gateway.id
        && (is_by(&gateway.key) || keys(db, gateway.row)?.iter().any(is_by));
    let kind = if is_own { entry.kind.name() } else { UNVERIFIED };
    let number = i64::try_from(entry.number).unwrap_or(i64::MAX);
    let values = values![
        gateway.row,
        number,
        entry_hash(bytes),
        evidence,
        entry.utc.map(|utc| utc.0),
        kind,
        &entry.object,
        &entry.words,
        bytes,
    ];
    db.later(INSERT, values)?;
    Ok(true)
}

/// The keys of a gateway.
///
/// # Errors
/// The store does not answer.
pub fn keys(db: &Db, gateway: i64) -> Result<Vec<VerifyingKey>, StoreError> {
    let rows = db.rows(KEYS, values![gateway])?;
    let keys = rows.iter().map(|row| row.at::<[u8; 32]>(0));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    Ok(keys.iter().filter_map(|key| VerifyingKey::from_bytes(key).ok()).collect())
}
