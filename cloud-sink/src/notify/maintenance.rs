//! Maintenance: for a while, somebody works there, and nobody need be told.

use serde::Serialize;
use wire::time::UnixNanos;

use crate::incident::Incident;
use crate::store::StoreError;
use crate::store::db::{Db, values};

/// A window of maintenance. Incidents inside it stand in the book as ever.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// Number.
    pub id: i64,
    /// A gateway; all of the ward without it.
    pub gateway: Option<String>,
    /// A ward; all of them without it.
    pub ward: Option<String>,
    /// Why.
    pub reason: String,
    /// From when, and until when; UTC nanoseconds.
    pub from_ns: i64,
    /// See above.
    pub to_ns: i64,
}

impl Window {
    /// Whether an incident is inside it.
    pub(super) fn covers(&self, incident: &Incident) -> bool {
        let is_of =
            |window: &Option<String>, this: &Option<String>| window.is_none() || window == this;
        is_of(&self.gateway, &incident.gateway) && is_of(&self.ward, &incident.ward)
    }
}

/// Windows that are open at a moment.
///
/// # Errors
/// The store does not answer.
pub fn windows(db: &Db, now: UnixNanos) -> Result<Vec<Window>, StoreError> {
    let sql = "SELECT id, gateway, ward, reason, from_ns, to_ns FROM maintenance
               WHERE from_ns <= ?1 AND to_ns > ?1 ORDER BY from_ns, id";
    let rows = db.rows(sql, values![now.0])?;
    let windows = rows.iter().map(|row| {
        let (id, gateway, ward, reason) = (row.at(0)?, row.at(1)?, row.at(2)?, row.at(3)?);
        Ok(Window { id, gateway, ward, reason, from_ns: row.at(4)?, to_ns: row.at(5)? })
    });
    windows.collect()
}

/// Opens a window; its number.
///
/// # Errors
/// The store does not answer.
pub fn begin(
    db: &Db,
    gateway: Option<&str>,
    ward: Option<&str>,
    reason: &str,
    (from, to): (UnixNanos, UnixNanos),
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO maintenance (gateway, ward, reason, from_ns, to_ns)
               VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
    db.one(sql, values![gateway, ward, reason, from.0, to.0])
}

/// Ends a window; whether it was there and open.
///
/// # Errors
/// The store does not answer.
pub fn end(db: &Db, id: i64, now: UnixNanos) -> Result<bool, StoreError> {
    let sql = "UPDATE maintenance SET to_ns = ?2 WHERE id = ?1 AND to_ns > ?2";
    Ok(db.execute(sql, values![id, now.0])? == 1)
}
