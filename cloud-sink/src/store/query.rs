//! Questions to the store: who is enrolled, which segments are known.

use std::path::Path;

use ed25519_dalek::VerifyingKey;
use rusqlite::{Connection, OptionalExtension, params};
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};

use super::StoreError;
use super::sqlite::{open_for_reading, optional};
use crate::clock;
use crate::verify::Gateway;
use crate::verify::dispose::Registry;

/// Answers verification from the store.
pub struct StoreRegistry {
    db: Connection,
    known: Vec<Gateway>,
}

impl StoreRegistry {
    /// Opens the store for questions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: open_for_reading(path)?, known: Vec::new() })
    }

    fn look_up(&self, id: GatewayId) -> Result<Option<Gateway>, rusqlite::Error> {
        let found = self
            .db
            .prepare_cached("SELECT id, signing_key FROM gateway WHERE name = ?1")?
            .query_row([id.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))
            .optional()?;
        Ok(found.and_then(|(row, key)| {
            VerifyingKey::from_bytes(&key).ok().map(|key| Gateway { row, id, key })
        }))
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
    fn gateway(&mut self, id: GatewayId) -> Option<Gateway> {
        if let Some(known) = self.known.iter().find(|gateway| gateway.id == id) {
            return Some(known.clone());
        }
        match self.look_up(id) {
            Ok(found) => {
                self.known.extend(found.clone());
                found
            }
            Err(error) => {
                tracing::error!(%error, "the store does not answer");
                None
            }
        }
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

/// Enrols a gateway, or takes a changed key of one whose name is known only with `replace`.
///
/// # Errors
/// [`StoreError`]; `Ok(false)` if the name is taken by another key.
pub fn enroll(path: &Path, id: GatewayId, key: &VerifyingKey) -> Result<bool, StoreError> {
    let db = open_for_reading(path)?;
    db.execute(
        "INSERT INTO gateway (name, signing_key, enrolled_ns) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        params![id.as_str(), key.as_bytes(), clock::now().0],
    )?;
    let kept: Option<[u8; 32]> =
        optional(&db, "SELECT signing_key FROM gateway WHERE name = ?1", [id.as_str()])?;
    Ok(kept.as_ref() == Some(key.as_bytes()))
}
