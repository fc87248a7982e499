//! Revocation: what a gateway says after it is held for a person, whatever its clock says; what was
//! receipted before stays valid.

use wire::identity::Lane;
use wire::receipt::{Disposition, Reason};
use wire::time::UnixNanos;

use crate::store::StoreError;
use crate::store::db::{Db, values};

/// Why trust is not changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No gateway has this name.
    #[error("{0}: there is no such gateway; see `wardline-sink gateway ls`")]
    Unknown(String),
    /// It is revoked already.
    #[error("{0} is revoked already: {1}; to take it back: `wardline-sink gateway restore`")]
    Revoked(String, String),
    /// It is not revoked.
    #[error("{0} is not revoked, and nothing of it is held for that")]
    NotRevoked(String),
    /// A gateway cannot follow itself.
    #[error("{0} cannot replace itself; enrol the new gateway under a name of its own")]
    Itself(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn row(db: &Db, gateway: &str) -> Result<i64, TrustError> {
    let found = db.row("SELECT id FROM gateway WHERE name = ?1", values![gateway])?;
    let found = found.ok_or_else(|| TrustError::Unknown(gateway.to_owned()))?;
    Ok(found.at(0)?)
}

/// Why a gateway is revoked, if it is.
///
/// # Errors
/// The store does not answer.
pub fn why_revoked(db: &Db, gateway: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT reason FROM revoked JOIN gateway ON gateway.id = revoked.gateway
               WHERE gateway.name = ?1";
    db.row(sql, values![gateway])?.map(|row| row.at(0)).transpose()
}

/// Revokes a gateway, inside a transaction of commits: every lane's last receipted record is noted.
///
/// # Errors
/// [`TrustError`]; nothing has changed then.
pub fn revoke(
    db: &Db,
    gateway: &str,
    (reason, successor): (&str, Option<&str>),
    now: UnixNanos,
) -> Result<(), TrustError> {
    let row = row(db, gateway)?;
    if let Some(why) = why_revoked(db, gateway)? {
        return Err(TrustError::Revoked(gateway.to_owned(), why));
    }
    let insert = "INSERT INTO revoked VALUES (?1, ?2, ?3, ?4)";
    db.execute(insert, values![row, now.0, reason, successor])?;
    for lane in Lane::ALL {
        db.execute(
            "INSERT INTO revoked_after
             SELECT segment.gateway, segment.lane, segment.segment, evidence.idx, evidence.hash
             FROM evidence JOIN segment ON segment.id = evidence.segment
             WHERE segment.id = (SELECT max(id) FROM segment WHERE gateway = ?1 AND lane = ?2)
               AND disposition <> ?3
             ORDER BY evidence.idx DESC, evidence.id DESC LIMIT 1",
            values![row, lane as u8, Disposition::Refused as u8],
        )?;
    }
    let certificates = "UPDATE certificate SET revoked_ns = ?2
                        WHERE gateway = ?1 AND revoked_ns IS NULL";
    db.execute(certificates, values![gateway, now.0])?;
    Ok(())
}

/// Gives what an old gateway had to the one in its place, and revokes the old one.
///
/// # Errors
/// [`TrustError`]; nothing has changed then.
pub fn replace(db: &Db, old: &str, new: &str, now: UnixNanos) -> Result<u64, TrustError> {
    if old == new {
        return Err(TrustError::Itself(old.to_owned()));
    }
    let (from, to) = (row(db, old)?, row(db, new)?);
    if let Some(why) = why_revoked(db, new)? {
        return Err(TrustError::Revoked(new.to_owned(), why));
    }
    let reason = format!("replaced by {new}");
    match revoke(db, old, (&reason, Some(new)), now) {
        Ok(()) => {}
        // It was lost first and is replaced now.
        Err(TrustError::Revoked(..)) => {
            let update = "UPDATE revoked SET successor = ?2 WHERE gateway = ?1";
            db.execute(update, values![from, new])?;
        }
        Err(error) => return Err(error),
    }
    let ward = "INSERT INTO gateway_ward SELECT ?2, ward FROM gateway_ward WHERE gateway = ?1
                ON CONFLICT (gateway) DO UPDATE SET ward = excluded.ward";
    db.execute(ward, values![from, to])?;
    let history = "INSERT INTO ward_history
                   SELECT ?2, CAST(?3 AS BIGINT), ward FROM gateway_ward WHERE gateway = ?1";
    db.execute(history, values![from, to, now.0])?;
    // Heard now, so that one which does not come along is missed.
    let devices = "INSERT INTO device_watched
                   SELECT ?2, device, CAST(?3 AS BIGINT) FROM device_watched WHERE gateway = ?1
                   ON CONFLICT DO NOTHING";
    let moved = db.execute(devices, values![from, to, now.0])?;
    for sql in [
        "DELETE FROM device_watched WHERE gateway = ?1",
        "DELETE FROM gateway_watched WHERE gateway = ?1",
        "DELETE FROM heartbeat WHERE gateway = ?1",
    ] {
        db.execute(sql, values![from])?;
    }
    Ok(moved)
}

/// Lets go what is held because its speaker was suspect: a person has looked at it. It is verified
/// once more and stored; the gateway stays revoked.
///
/// # Errors
/// [`TrustError`].
pub fn release(db: &Db, gateway: &str) -> Result<u64, TrustError> {
    let row = row(db, gateway)?;
    let let_go = db.execute(
        "UPDATE evidence SET reason = ?3
         WHERE disposition <> 1 AND disposition = ?1 AND reason = ?2
           AND segment IN (SELECT id FROM segment WHERE gateway = ?4)",
        values![Disposition::Held as u8, Reason::Suspect as u8, Reason::None as u8, row],
    )?;
    if let_go == 0 && why_revoked(db, gateway)?.is_none() {
        return Err(TrustError::NotRevoked(gateway.to_owned()));
    }
    Ok(let_go)
}

/// Takes a revocation back: it was a mistake. Its certificate is good again, and what was held is
/// let go; how many records.
///
/// # Errors
/// [`TrustError`].
pub fn restore(db: &Db, gateway: &str) -> Result<u64, TrustError> {
    let row = row(db, gateway)?;
    if why_revoked(db, gateway)?.is_none() {
        return Err(TrustError::NotRevoked(gateway.to_owned()));
    }
    let certificates = "UPDATE certificate SET revoked_ns = NULL WHERE gateway = ?1
                          AND revoked_ns = (SELECT at_ns FROM revoked WHERE gateway = ?2)";
    db.execute(certificates, values![gateway, row])?;
    let let_go = release(db, gateway)?;
    db.execute("DELETE FROM revoked WHERE gateway = ?1", values![row])?;
    db.execute("DELETE FROM revoked_after WHERE gateway = ?1", values![row])?;
    Ok(let_go)
}
