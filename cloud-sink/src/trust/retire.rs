//! When a recipient key's private half may be destroyed: nothing can come any more that only it
//! opens. The store has the secrets of all segments whose headers have come.

use wire::frame::Record;
use wire::identity::{KeyId, Lane};
use wire::keyring::{Audience, Keyring};
use wire::receipt::Disposition;
use wire::segment::read_header_payload;
use wire::status::{HealthReport, counter};

use crate::store::StoreError;
use crate::store::db::{Db, values};

/// Why a key of an audience must stay, in words; none if nothing waits for it.
///
/// A gateway counts until it is revoked: each has to say that it knows the keyring in force, and
/// that the oldest record which it still holds is under a key of that keyring.
///
/// # Errors
/// The store does not answer.
pub fn why_kept(
    db: &Db,
    keyring: &Keyring,
    audience: Audience,
    key: KeyId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT gateway.id, gateway.name, heartbeat.report FROM gateway
                 LEFT JOIN heartbeat ON heartbeat.gateway = gateway.id
               WHERE NOT EXISTS (SELECT 1 FROM revoked WHERE revoked.gateway = gateway.id)
               ORDER BY gateway.name";
    for row in db.rows(sql, &[])? {
        let (id, name): (i64, String) = (row.at(0)?, row.at(1)?);
        let report: Option<Vec<u8>> = row.at(2)?;
        let report = report.and_then(|report| HealthReport::decode(&report).ok());
        let Some(report) = report else {
            return Ok(Some(format!("{name} has never reported")));
        };
        if versions(&report) < keyring.versions() {
            return Ok(Some(format!("{name} does not have the present keyring")));
        }
        let lanes = report.lanes.iter().filter(|lane| Audience::of(lane.lane) == audience);
        for lane in lanes {
            let Some((segment, _)) = lane.oldest_unreceipted else { continue };
            let sql = "SELECT header FROM segment
                       WHERE gateway = ?1 AND segment = ?2 AND lane = ?3 AND header IS NOT NULL";
            let header = db.row(sql, values![id, segment.0, lane.lane as u8])?;
            let header: Option<Vec<u8>> = header.map(|row| row.at(0)).transpose()?;
            if header.is_none_or(|header| is_wrapped_for(&header, key)) {
                return Ok(Some(waits(&name, lane.lane)));
            }
        }
    }
    held_for(db, key)
}

/// A header without a kept secret that only this key opens: its records are held, and a person may
/// yet let them go.
fn held_for(db: &Db, key: KeyId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT gateway.name, evidence.bytes FROM evidence
                 JOIN segment ON segment.id = evidence.segment
                 JOIN gateway ON gateway.id = segment.gateway
               WHERE evidence.idx = 0 AND segment.kept_secret IS NULL
                 AND evidence.disposition <> ?1 AND length(evidence.bytes) > 0";
    for row in db.rows(sql, values![Disposition::Refused as u8])? {
        if is_wrapped_for(&row.at::<Vec<u8>>(1)?, key) {
            let name: String = row.at(0)?;
            return Ok(Some(format!("records of {name} are held that only it opens")));
        }
    }
    Ok(None)
}

fn waits(gateway: &str, lane: Lane) -> String {
    format!("{gateway} still holds records of lane {lane} that may be under it")
}

fn is_wrapped_for(header: &[u8], key: KeyId) -> bool {
    let Ok(record) = Record::parse(header) else { return true };
    let Ok((_, _, wrapped)) = read_header_payload(record.payload) else { return true };
    wrapped.iter().any(|wrapped| wrapped.recipient == key)
}

/// The versions of the keyring that a gateway says it has; none is older than all.
#[must_use]
pub fn versions(report: &HealthReport) -> (u64, u64) {
    (report.counter(counter::KEYRING_ROOT), report.counter(counter::KEYRING_FLEET))
}

/// The first gateway that does not have a keyring yet, of those that are believed and have ever
/// reported.
///
/// # Errors
/// The store does not answer.
pub fn who_lacks(db: &Db, keyring: &Keyring) -> Result<Option<String>, StoreError> {
    let sql = "SELECT gateway.name, heartbeat.report FROM gateway
                 JOIN heartbeat ON heartbeat.gateway = gateway.id
               WHERE NOT EXISTS (SELECT 1 FROM revoked WHERE revoked.gateway = gateway.id)
               ORDER BY gateway.name";
    for row in db.rows(sql, &[])? {
        let report: Vec<u8> = row.at(1)?;
        if versions(&HealthReport::decode(&report).unwrap_or_default()) < keyring.versions() {
            return Ok(Some(row.at(0)?));
        }
    }
    Ok(None)
}
