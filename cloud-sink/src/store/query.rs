//! Questions to the store: who is enrolled, which segments are known.

use std::collections::HashMap;
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use rusqlite::{Connection, OptionalExtension, params};
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};

use super::StoreError;
use super::schema::ADDITIONS;
use super::sqlite::{open_for_reading, optional};
use crate::clock;
use crate::limits::KEYS_MAX;
use crate::verify::Enrolled;
use crate::verify::dispose::Registry;

/// Answers verification from the store.
pub struct StoreRegistry {
    db: Connection,
    known: HashMap<GatewayId, Enrolled>,
}

impl StoreRegistry {
    /// Opens the store for questions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: open_for_reading(path)?, known: HashMap::new() })
    }

    fn look_up(&self, id: GatewayId) -> Result<Option<Enrolled>, rusqlite::Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT gateway.id, gateway_key.signing_key FROM gateway
               JOIN gateway_key ON gateway_key.gateway = gateway.id
             WHERE gateway.name = ?1
             UNION SELECT id, signing_key FROM gateway WHERE name = ?1",
        )?;
        let mut rows = statement.query([id.as_str()])?;
        let mut found: Option<Enrolled> = None;
        while let Some(row) = rows.next()? {
            let (row, key): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
            let Ok(key) = VerifyingKey::from_bytes(&key) else { continue };
            found.get_or_insert(Enrolled { row, keys: Vec::new() }).keys.push(key);
        }
        Ok(found)
    }
}

/// A record that is held, to be verified once more.
#[derive(Debug)]
pub struct Reopened {
    /// Its number in the store.
    pub row: i64,
    /// Whose.
    pub gateway: GatewayId,
    /// Of which lane.
    pub lane: Lane,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Held records that one question brings.
const REOPENED_AT_ONCE: u32 = 64;

impl StoreRegistry {
    /// Held records behind `after` that a newer program, another key or a header that has come
    /// since may open, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reopen(&self, after: i64) -> Result<Vec<Reopened>, StoreError> {
        let mut statement = self.db.prepare_cached(
            "SELECT evidence.id, gateway.name, segment.lane, evidence.bytes
             FROM evidence JOIN segment ON segment.id = evidence.segment
               JOIN gateway ON gateway.id = segment.gateway
             WHERE evidence.disposition <> 1 AND evidence.disposition = ?1
               AND (evidence.reason IN (?2, ?3)
                 OR evidence.reason = ?4 AND segment.header IS NOT NULL)
               AND evidence.id > ?5
             ORDER BY evidence.id LIMIT ?6",
        )?;
        let wanted = params![
            Disposition::Held as u8,
            Reason::Version as u8,
            Reason::NoKey as u8,
            Reason::NoHeader as u8,
            after,
            REOPENED_AT_ONCE
        ];
        let mut rows = statement.query(wanted)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, lane): (String, u8) = (row.get(1)?, row.get(2)?);
            let lane = Lane::from_number(lane.into());
            let (Ok(gateway), Some(lane)) = (GatewayId::new(&name), lane) else {
                continue;
            };
            found.push(Reopened { row: row.get(0)?, gateway, lane, bytes: row.get(3)? });
        }
        Ok(found)
    }
}

impl Registry for StoreRegistry {
    fn enrolled(&mut self, id: GatewayId, again: bool) -> Option<&Enrolled> {
        if again || !self.known.contains_key(&id) {
            match self.look_up(id) {
                Ok(Some(found)) => drop(self.known.insert(id, found)),
                Ok(None) => drop(self.known.remove(&id)),
                Err(error) => tracing::error!(%error, "the store does not answer"),
            }
        }
        self.known.get(&id)
    }

    fn segment(&mut self, gateway: i64, id: SegmentId) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT header, kept_secret FROM segment
                 WHERE segment = ?1 AND gateway = ?2 AND header IS NOT NULL",
            )
            .ok()?;
        let found = statement.query_row(params![id.0, gateway], |r| Ok((r.get(0)?, r.get(1)?)));
        found.optional().ok()?
    }

    fn is_anothers(&mut self, gateway: i64, id: SegmentId) -> bool {
        let sql = "SELECT 1 FROM segment
                   WHERE segment = ?1 AND gateway <> ?2 AND header IS NOT NULL LIMIT 1";
        let found: Result<Option<i64>, _> = optional(&self.db, sql, params![id.0, gateway]);
        matches!(found, Ok(Some(_)))
    }
}

/// Enrols a gateway.
///
/// # Errors
/// [`StoreError`]; `Ok(false)` if the name is taken by another key.
pub fn enroll(path: &Path, id: GatewayId, key: &VerifyingKey) -> Result<bool, StoreError> {
    let db = open_for_reading(path)?;
    db.execute_batch(ADDITIONS)?;
    db.execute(
        "INSERT INTO gateway (name, signing_key, enrolled_ns) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        params![id.as_str(), key.as_bytes(), clock::now().0],
    )?;
    let sql = "SELECT 1 FROM gateway WHERE name = ?1 AND (signing_key = ?2 OR EXISTS (
                 SELECT 1 FROM gateway_key
                 WHERE gateway_key.gateway = gateway.id AND gateway_key.signing_key = ?2))";
    let found: Option<i64> = optional(&db, sql, params![id.as_str(), key.as_bytes()])?;
    Ok(found.is_some())
}

/// The same, or one more key of a gateway that is enrolled; what its others signed stays valid.
///
/// # Errors
/// [`StoreError`]; `Ok(false)` if it has too many keys.
pub fn enroll_another(path: &Path, id: GatewayId, key: &VerifyingKey) -> Result<bool, StoreError> {
    if enroll(path, id, key)? {
        return Ok(true);
    }
    let added = open_for_reading(path)?.execute(
        "INSERT INTO gateway_key (gateway, signing_key, enrolled_ns)
           SELECT id, ?2, ?3 FROM gateway WHERE name = ?1 AND
             (SELECT count(*) FROM gateway_key WHERE gateway = gateway.id) < ?4",
        params![id.as_str(), key.as_bytes(), clock::now().0, KEYS_MAX as i64 - 1],
    )?;
    Ok(added == 1)
}
