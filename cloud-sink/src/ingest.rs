//! Ingest: records that come by hand, from a card or out of a dead sink's store, take the same way
//! as those that come by the broker: verification, one transaction, receipt.

use std::collections::VecDeque;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use wire::identity::{GatewayId, Lane};
use wire::receipt::Disposition;

use crate::clock;
use crate::keys::KeyFolder;
use crate::limits::GROUP_RECORDS_MAX;
use crate::receipt::{self, Outgoing};
use crate::store::commit::SqlStore;
use crate::store::db::Location;
use crate::store::query::StoreRegistry;
use crate::store::{Committed, Store};
use crate::verify::dispose::Verifier;
use crate::verify::keyring::Keys;

/// A record as it lay somewhere.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose it says it is.
    pub gateway: GatewayId,
    /// Of which lane.
    pub lane: Lane,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Tally {
    /// Stored, now or before.
    pub stored: u64,
    /// Kept and not opened.
    pub held: u64,
    /// Not taken.
    pub refused: u64,
    /// Signed by no gateway that is enrolled here: not even kept.
    pub unsigned: u64,
    /// For which there was no room.
    pub unkept: u64,
}

/// Takes records into a store.
pub struct Ingest {
    verifier: Verifier<StoreRegistry>,
    store: SqlStore,
    key: SigningKey,
    tally: Tally,
    receipts: Vec<Outgoing>,
}

impl Ingest {
    /// Into the store of a site, opened with the recipient keys of a folder.
    ///
    /// # Errors
    /// A key is missing, or the store does not answer.
    pub fn open(
        location: &Location,
        keys: &KeyFolder,
        recipients: &KeyFolder,
    ) -> anyhow::Result<Self> {
        let own = Keys::new(recipients.recipients()?, keys.store_key()?);
        Ok(Self {
            verifier: Verifier::new(StoreRegistry::open(location)?, own),
            store: SqlStore::open(location)?,
            key: keys.signing("receipt.key")?,
            tally: Tally::default(),
            receipts: Vec::new(),
        })
    }

    /// Takes some records; their segments' headers come first.
    ///
    /// # Errors
    /// The store does not answer: nothing of the last group is stored then.
    pub fn take(&mut self, records: impl IntoIterator<Item = Found>) -> anyhow::Result<()> {
        let mut waiting: VecDeque<Found> = records.into_iter().collect();
        while !waiting.is_empty() {
            let count = waiting.len().min(GROUP_RECORDS_MAX);
            let mut group = Vec::with_capacity(count);
            for Found { gateway, lane, bytes } in waiting.drain(..count) {
                match self.verifier.dispose(gateway, lane, bytes) {
                    Ok(disposed) => group.push(disposed),
                    Err(reason) => {
                        tracing::warn!(%gateway, %lane, %reason, "not kept");
                        self.tally.unsigned += 1;
                    }
                }
            }
            let committed = self.store.commit(&group).context("nothing of this group is stored")?;
            let counted = self.count(&committed);
            self.tally.unkept += (group.len() as u64).saturating_sub(counted);
            let signed = receipt::sign(&committed, self.store.epoch(), clock::now(), &self.key);
            self.receipts.extend(signed);
            let parked = committed.parked.into_iter();
            waiting.extend(parked.map(|(gateway, lane, bytes)| Found { gateway, lane, bytes }));
        }
        Ok(())
    }

    fn count(&mut self, committed: &Committed) -> u64 {
        let mut all = 0;
        let ranges = committed.gateways.iter().flat_map(|gateway| &gateway.segments);
        for range in ranges.flat_map(|(_, ranges)| ranges) {
            let count = u64::from(range.last - range.first) + 1;
            all += count;
            *match range.disposition {
                Disposition::Stored => &mut self.tally.stored,
                Disposition::Held => &mut self.tally.held,
                Disposition::Refused => &mut self.tally.refused,
            } += count;
        }
        all
    }

    /// What became of all of them, and what was signed for.
    #[must_use]
    pub fn end(self) -> (Tally, Vec<Outgoing>) {
        (self.tally, self.receipts)
    }
}
