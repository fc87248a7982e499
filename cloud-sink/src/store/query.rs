//! Questions to the store: who is enrolled, which segments are known.

use std::collections::HashMap;

use ed25519_dalek::VerifyingKey;
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};

use super::StoreError;
use super::db::{Db, Location, Row, values};
use crate::clock;
use crate::limits::KEYS_MAX;
use crate::verify::Enrolled;
use crate::verify::dispose::Registry;

/// Answers verification from the store.
pub struct StoreRegistry {
    db: Db,
    known: HashMap<GatewayId, Enrolled>,
}

impl StoreRegistry {
    /// Opens the store for questions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(Self { db: Db::open(location)?, known: HashMap::new() })
    }

    fn look_up(&self, id: GatewayId) -> Result<Option<Enrolled>, StoreError> {
        let sql = "SELECT gateway.id, gateway_key.signing_key FROM gateway
                     JOIN gateway_key ON gateway_key.gateway = gateway.id
                   WHERE gateway.name = ?1
                   UNION SELECT id, signing_key FROM gateway WHERE name = ?1";
        let mut found: Option<Enrolled> = None;
        for row in self.db.rows(sql, values![id.as_str()])? {
            let (row, key): (i64, [u8; 32]) = (row.at(0)?, row.at(1)?);
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
    /// Held records behind `after` that a person let go, oldest first; with `all` those, too, that
    /// a newer program, another key or a header that has come since may open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reopen(&self, after: i64, all: bool) -> Result<Vec<Reopened>, StoreError> {
        let sql = "SELECT evidence.id, gateway.name, segment.lane, evidence.bytes
                   FROM evidence JOIN segment ON segment.id = evidence.segment
                     JOIN gateway ON gateway.id = segment.gateway
                   WHERE evidence.disposition <> 1 AND evidence.disposition = ?1
                     AND (evidence.reason = 0 OR CAST(?7 AS BIGINT) = 1 AND (
                       evidence.reason IN (?2, ?3)
                       OR evidence.reason = ?4 AND segment.header IS NOT NULL))
                     AND evidence.id > ?5
                   ORDER BY evidence.id LIMIT ?6";
        let wanted = values![
            Disposition::Held as u8,
            Reason::Version as u8,
            Reason::NoKey as u8,
            Reason::NoHeader as u8,
            after,
            REOPENED_AT_ONCE,
            i64::from(all)
        ];
        let mut found = Vec::new();
        for row in self.db.rows(sql, wanted)? {
            let (name, lane): (String, u8) = (row.at(1)?, row.at(2)?);
            let lane = Lane::from_number(lane.into());
            let (Ok(gateway), Some(lane)) = (GatewayId::new(&name), lane) else {
                continue;
            };
            found.push(Reopened { row: row.at(0)?, gateway, lane, bytes: row.at(3)? });
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
        let sql = "SELECT header, kept_secret FROM segment
                   WHERE segment = ?1 AND gateway = ?2 AND header IS NOT NULL";
        let row = self.answer(sql, id, gateway)?;
        Some((row.at(0).ok()?, row.at(1).ok()?))
    }

    fn is_anothers(&mut self, gateway: i64, id: SegmentId) -> bool {
        let sql = "SELECT 1 FROM segment
                   WHERE segment = ?1 AND gateway <> ?2 AND header IS NOT NULL LIMIT 1";
        self.answer(sql, id, gateway).is_some()
    }
}

impl StoreRegistry {
    /// What is known of a segment and a gateway; nothing if the store does not answer, so that the
    /// record is kept and waits.
    fn answer(&self, sql: &'static str, segment: SegmentId, gateway: i64) -> Option<Row> {
        match self.db.row(sql, values![segment.0, gateway]) {
            Ok(row) => row,
            Err(error) => {
                tracing::error!(%error, "the store does not answer");
                None
            }
        }
    }
}

/// How a key stands to a gateway's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enrolment {
    /// It is one of its keys, or the first.
    Known,
    /// The gateway has others.
    Another,
}

/// Enrols a gateway under its first key.
///
/// # Errors
/// [`StoreError`].
pub fn enroll_key(db: &Db, id: GatewayId, key: &VerifyingKey) -> Result<Enrolment, StoreError> {
    let insert = "INSERT INTO gateway (name, signing_key, enrolled_ns) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING";
    let key = key.to_bytes();
    db.execute(insert, values![id.as_str(), key, clock::now().0])?;
    let sql = "SELECT 1 FROM gateway WHERE name = ?1 AND (signing_key = ?2 OR EXISTS (
                 SELECT 1 FROM gateway_key
                 WHERE gateway_key.gateway = gateway.id AND gateway_key.signing_key = ?2))";
    let is_known = db.row(sql, values![id.as_str(), key])?.is_some();
    Ok(if is_known { Enrolment::Known } else { Enrolment::Another })
}

/// Enrols a gateway under its first key, in a store that nobody else changes.
///
/// # Errors
/// [`StoreError`]; `Ok(false)` if the name is taken by another key.
pub fn enroll(location: &Location, id: GatewayId, key: &VerifyingKey) -> Result<bool, StoreError> {
    Ok(enroll_key(&Db::open(location)?, id, key)? == Enrolment::Known)
}

/// Adds a key to a gateway that is enrolled, inside a transaction of commits; what its others
/// signed stays valid. `false` if it has too many.
///
/// # Errors
/// [`StoreError`].
pub fn add_key(db: &Db, id: GatewayId, key: &VerifyingKey) -> Result<bool, StoreError> {
    let sql = "SELECT id, (SELECT count(*) FROM gateway_key WHERE gateway = gateway.id)
               FROM gateway WHERE name = ?1";
    let row = db.row(sql, values![id.as_str()])?.ok_or(StoreError::Shape("no gateway"))?;
    let (gateway, keys): (i64, u64) = (row.at(0)?, row.at(1)?);
    if keys + 1 >= KEYS_MAX as u64 {
        return Ok(false);
    }
    let insert = "INSERT INTO gateway_key (gateway, signing_key, enrolled_ns)
                  VALUES (?1, ?2, ?3)";
    db.execute(insert, values![gateway, key.to_bytes(), clock::now().0])?;
    // A new card counts its reports anew.
    db.execute("UPDATE heartbeat SET sequence = -1 WHERE gateway = ?1", values![gateway])?;
    Ok(true)
}

/// The keys of a gateway that no successor has spoken after: the answer that names one may be lost.
///
/// # Errors
/// [`StoreError`].
pub fn keys_that_speak(db: &Db, id: GatewayId) -> Result<Vec<VerifyingKey>, StoreError> {
    let sql = "SELECT signing_key FROM (
                 SELECT gateway.id, gateway_key.signing_key FROM gateway
                   JOIN gateway_key ON gateway_key.gateway = gateway.id WHERE name = ?1
                 UNION SELECT id, signing_key FROM gateway WHERE name = ?1) AS own
               WHERE NOT EXISTS (SELECT 1 FROM key_end WHERE key_end.gateway = own.id
                 AND key_end.signing_key = own.signing_key AND key_end.start_count IS NOT NULL)";
    let rows = db.rows(sql, values![id.as_str()])?;
    let keys = rows.iter().map(|row| row.at::<[u8; 32]>(0));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    Ok(keys.iter().filter_map(|key| VerifyingKey::from_bytes(key).ok()).collect())
}
