//! Erasure: a patient's, a device's or a period's readings go, and what is left can still be
//! verified.
//!
//! Of a sealed record the signed part stays, and each of its blocks that is not erased, with its
//! salt; of an erased block the digest stays, of which nobody can tell what it was once the
//! segment's secret is destroyed. An order is written down before anything goes, outside the store,
//! too, and holds for what comes later and for a store that is put back from a backup.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::hex::{hex, unhex};
use wire::identity::{DeviceId, Lane};

use super::policy::{Candidate, Policy};
use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, Row, Turn, values};
use crate::verify::keyring::Keys;

mod orders;

mod record;

mod segments;

mod walks;

pub use orders::{carry_out, carry_out_all, list, prove, take_over, write_down};
use record::{Erasing, Which};
pub use segments::destroy_secrets;
use walks::{Scope, WALKS, Walk};

/// What is to be erased, by whom and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A device's readings; of every device without it.
    pub device: Option<String>,
    /// A patient's, by the token under which the gateway sends them, hexadecimal.
    pub patient: Option<String>,
    /// From this moment on, UTC nanoseconds; from the beginning without it.
    pub from_ns: Option<i64>,
    /// Before this moment, which is never later than the order itself; without it whatever was of
    /// before the order by its own time, or was stored before it.
    pub to_ns: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub who: String,
    /// When, UTC nanoseconds.
    pub at_ns: i64,
}

impl Order {
    /// Whose readings, in words. A patient is named by a digest under the store's key: their token
    /// may be what the hospital calls them, and these words stay.
    #[must_use]
    pub fn object(&self, store_key: &[u8; 32]) -> String {
        let device = self.device.as_ref().map(|device| format!("device {device}"));
        let patient = self.patient.as_ref().map(|token| {
            let digest = Sha256::new().chain_update(b"wardline/1/erased").chain_update(store_key);
            let digest = digest.chain_update(unhex(token).unwrap_or_default()).finalize();
            format!("patient {}", hex(&digest[..8]))
        });
        let from = self.from_ns.map(|from| format!("from {}", clock::words(from)));
        let to = format!("before {}", clock::words(self.to_ns.unwrap_or(self.at_ns)));
        [device, patient, from, Some(to)].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// What names it in a store.
    fn digest(&self) -> Result<[u8; 32], StoreError> {
        let text =
            serde_json::to_vec(self).map_err(|_| StoreError::Shape("an order is no JSON"))?;
        Ok(Sha256::digest(text).into())
    }
}

/// What has gone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Erased {
    /// Rows of readings: blocks of numerics, runs of samples, notes.
    pub rows: u64,
    /// Blocks of sealed records, copies included.
    pub blocks: u64,
    /// Rows and copies that a legal hold keeps: they go when it ends.
    pub held: u64,
    /// Rows whose sealed records no key here opens: both stay as they are.
    pub closed: u64,
}

impl Erased {
    /// Adds what another order has erased.
    pub const fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.blocks += other.blocks;
        self.held += other.held;
        self.closed += other.closed;
    }
}

/// Erases what an order means, step by step; commits go on between. With `dry`, only counts rows.
///
/// # Errors
/// The store does not answer: what has gone by then is gone and counted, and the order stands.
pub fn apply(db: &Db, opener: &mut Keys, order: &Order, dry: bool) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    let Some(scope) = Scope::read(db, order)? else { return Ok(erased) };
    let digest = order.digest()?;
    for walk in &WALKS {
        let mut after = i64::MIN;
        while let Some(last) = Scope::page(db, walk, after)? {
            let (rows, end) = scope.rows(db, walk, (after, last))?;
            if dry {
                erased.rows += rows.len() as u64;
            } else if !rows.is_empty() {
                // Only now do commits wait; a hold that has begun meanwhile counts.
                let gone = db.transaction(Turn::Commit, |db| {
                    let gone = step(db, opener, walk, &scope.rows(db, walk, (after, end))?.0)?;
                    count(db, digest, gone)?;
                    Ok(gone)
                })?;
                erased.add(gone);
            }
            after = end;
        }
    }
    Ok(erased)
}

/// Adds to what an order has erased by now.
fn count(db: &Db, digest: [u8; 32], gone: Erased) -> Result<(), StoreError> {
    let count = "UPDATE erasure SET rows_gone = rows_gone + ?2, blocks_gone = blocks_gone + ?3
                 WHERE digest = ?1";
    db.later(count, values![digest, gone.rows.cast_signed(), gone.blocks.cast_signed()])
}

/// Takes some rows, with the sealed blocks that they came in.
fn step(db: &Db, opener: &mut Keys, walk: &Walk, rows: &[Row]) -> Result<Erased, StoreError> {
    let policy = Policy::read(db, &[])?;
    let (mut erased, mut erasing) = (Erased::default(), Erasing::default());
    for row in rows {
        let (lane, eui): (u64, String) = (row.at::<i64>(6)?.cast_unsigned(), row.at(3)?);
        let which = Which {
            device: DeviceId::parse(&eui).ok_or(StoreError::Shape("no EUI of a device"))?,
            token: row.at::<Option<_>>(4)?.unwrap_or_default(),
        };
        let lane = Lane::from_number(lane).ok_or(StoreError::Shape("no lane"))?;
        let (gateway, stored_ns) = (row.at(7)?, row.at(5)?);
        if policy.is_held(&Candidate { gateway, lane, device: Some(eui), stored_ns }) {
            erased.held += 1;
        } else if erasing.add(db, opener, row.at(1)?, (row.at(2)?, which))? {
            (walk.take)(db, row)?;
            erased.rows += 1;
        } else {
            erased.closed += 1;
        }
    }
    erasing.erase(db, opener, &policy, &mut erased)?;
    Ok(erased)
}
