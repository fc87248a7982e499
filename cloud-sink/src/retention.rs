//! Retention: how long readings are kept, and what a legal hold keeps all the same.
//!
//! What goes is everything that tells of a patient: numerics, waveforms, notes, and the sealed
//! bytes that they came in. What stays is the evidence that they were here: hashes, chain, gaps,
//! counts, and that and why they went.

use serde::Serialize;
use utoipa::ToSchema;
use wire::identity::{DeviceId, Lane};
use wire::time::UnixNanos;

use crate::store::StoreError;
use crate::store::db::{Db, Turn, values};

mod dispose;

pub mod erase;

mod policy;

pub use dispose::{Disposed, How, dispose};
pub use policy::PolicyError;

/// How long the readings of a lane are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Of which lane.
    pub lane: Lane,
    /// Of which ward; of all that have no rule of their own without it.
    pub ward: Option<String>,
    /// So many days after they were stored.
    pub days: u32,
}

/// What is kept whatever the rules say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Hold {
    /// Number.
    pub id: i64,
    /// A device's readings; all of the ward without it.
    pub device: Option<String>,
    /// A ward's readings; of all wards without it.
    pub ward: Option<String>,
    /// Why.
    pub reason: String,
    /// Since when, UTC nanoseconds.
    pub begun_ns: i64,
    /// When it ended, UTC nanoseconds.
    pub ended_ns: Option<i64>,
}

/// All holds, newest first.
///
/// # Errors
/// The store does not answer.
pub fn holds(db: &Db) -> Result<Vec<Hold>, StoreError> {
    let sql = "SELECT id, device, ward, reason, begun_ns, ended_ns FROM hold ORDER BY id DESC";
    let rows = db.rows(sql, &[])?;
    let holds = rows.iter().map(|row| {
        let (id, device, ward) = (row.at(0)?, row.at(1)?, row.at(2)?);
        let (reason, begun_ns, ended_ns) = (row.at(3)?, row.at(4)?, row.at(5)?);
        Ok(Hold { id, device, ward, reason, begun_ns, ended_ns })
    });
    holds.collect()
}

/// Begins a hold; its number. When this returns, nothing that it covers goes any more.
///
/// # Errors
/// The store does not answer.
pub fn hold(
    db: &Db,
    device: Option<DeviceId>,
    ward: Option<&str>,
    reason: &str,
    now: UnixNanos,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO hold (device, ward, reason, begun_ns) VALUES (?1, ?2, ?3, ?4)
               RETURNING id";
    let device = device.map(|device| device.to_string());
    // The turn of disposals: none that began without it is under way when this returns.
    db.transaction(Turn::Commit, |db| db.one(sql, values![device.as_deref(), ward, reason, now.0]))
}

/// Ends a hold; whether there was one.
///
/// # Errors
/// The store does not answer.
pub fn end_hold(db: &Db, id: i64, now: UnixNanos) -> Result<bool, StoreError> {
    let sql = "UPDATE hold SET ended_ns = ?2 WHERE id = ?1 AND ended_ns IS NULL";
    Ok(db.execute(sql, values![id, now.0])? == 1)
}
