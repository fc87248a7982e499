//! Keys that open segments: the sink's recipients, the store's own key, and what is open now.

use std::collections::HashMap;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use wire::frame::Record;
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::seal::{RecipientSecret, SegmentKeys, SegmentSecret, unwrap_secret};
use wire::segment::{Header, Wrapped, read_header_payload};

use crate::keys::KeyFolder;
use crate::limits::SEGMENTS_OPEN_MAX;

/// A segment whose header was verified.
pub struct OpenSegment {
    /// Lane.
    pub lane: Lane,
    /// Its keys; `None` when no key of ours opens it.
    pub keys: Option<SegmentKeys>,
}

/// All keys of this sink.
pub struct Keys {
    recipients: Vec<RecipientSecret>,
    store: Aes256Gcm,
    /// Where a key may have come since.
    folder: Option<KeyFolder>,
    open: HashMap<(GatewayId, SegmentId), OpenSegment>,
}

impl Keys {
    /// Keys of one sink.
    #[must_use]
    pub fn new(recipients: Vec<RecipientSecret>, store_key: [u8; 32]) -> Self {
        let store = Aes256Gcm::new(&store_key.into());
        Self { recipients, store, folder: None, open: HashMap::new() }
    }

    /// The same, with a folder that is looked into for what none of them opens.
    #[must_use]
    pub fn looking_into(self, folder: KeyFolder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// A gateway's segment, if its header was seen.
    #[must_use]
    pub fn segment(&self, gateway: GatewayId, id: SegmentId) -> Option<&OpenSegment> {
        self.open.get(&(gateway, id))
    }

    /// Unwraps a segment's secret and remembers its keys; returns it as the store keeps it.
    pub fn admit(&mut self, header: &Header, core: &[u8], wrapped: &[Wrapped]) -> Option<Vec<u8>> {
        let secret = self.unwrap(header, core, wrapped).or_else(|| {
            self.look_again();
            self.unwrap(header, core, wrapped)
        });
        let kept = secret.as_ref().and_then(|secret| self.keep(header.segment, secret));
        let keys = secret.map(|secret| SegmentKeys::derive(&secret, core));
        self.remember(header, keys);
        kept
    }

    /// A segment's secret as the store keeps it; what is open stays so.
    pub fn secret_to_keep(
        &self,
        header: &Header,
        core: &[u8],
        wrapped: &[Wrapped],
    ) -> Option<Vec<u8>> {
        let secret = self.unwrap(header, core, wrapped)?;
        self.keep(header.segment, &secret)
    }

    fn unwrap(&self, header: &Header, core: &[u8], wrapped: &[Wrapped]) -> Option<SegmentSecret> {
        let mut recipients = self.recipients.iter();
        recipients.find_map(|key| unwrap_secret(header, core, wrapped, key).ok())
    }

    /// Reads the keys of the folder again: one may have followed since.
    fn look_again(&mut self) {
        let Some(folder) = &self.folder else { return };
        match folder.recipients() {
            Ok(recipients) => self.recipients = recipients,
            Err(error) => tracing::error!(%error, "recipient keys stay as they were"),
        }
    }

    /// A gateway's segment, opened again from the header and the secret that the store has of it
    /// if it is not open.
    pub fn recall(
        &mut self,
        gateway: GatewayId,
        segment: SegmentId,
        stored: impl FnOnce() -> Option<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Option<&OpenSegment> {
        if self.segment(gateway, segment).is_none() {
            let (bytes, kept) = stored()?;
            let record = Record::parse(&bytes).ok()?;
            let (header, core, wrapped) = read_header_payload(record.payload).ok()?;
            match kept.filter(|kept| !kept.is_empty()) {
                Some(kept) => self.readmit(&header, core, Some(&kept)),
                // No key of ours opened it then, or an erasure has destroyed what was kept.
                None => drop(self.admit(&header, core, &wrapped)),
            }
        }
        self.segment(gateway, segment)
    }

    /// Opens a segment again from what the store kept.
    pub fn readmit(&mut self, header: &Header, core: &[u8], kept: Option<&[u8]>) {
        let secret = kept.and_then(|kept| self.unkeep(header.segment, kept));
        let keys = secret.map(|secret| SegmentKeys::derive(&secret, core));
        self.remember(header, keys);
    }

    fn remember(&mut self, header: &Header, keys: Option<SegmentKeys>) {
        if self.open.len() >= SEGMENTS_OPEN_MAX {
            // What is dropped here is opened again from the store when a record needs it.
            self.open.clear();
        }
        let segment = OpenSegment { lane: header.lane, keys };
        self.open.insert((header.gateway, header.segment), segment);
    }

    /// A secret under the store's key: nonce 12, ciphertext 32, tag 16.
    fn keep(&self, segment: SegmentId, secret: &SegmentSecret) -> Option<Vec<u8>> {
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = secret.as_bytes().to_vec();
        self.store.encrypt_in_place(&Nonce::from(nonce), &segment.0, &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    fn unkeep(&self, segment: SegmentId, kept: &[u8]) -> Option<SegmentSecret> {
        let (nonce, sealed) = kept.split_at_checked(12)?;
        let nonce: [u8; 12] = nonce.try_into().ok()?;
        let mut secret = sealed.to_vec();
        self.store.decrypt_in_place(&Nonce::from(nonce), &segment.0, &mut secret).ok()?;
        Some(SegmentSecret::from_bytes(secret.try_into().ok()?))
    }
}
