//! What comes back from the broker: connections, receipts, keyrings.

use std::time::Instant;

use wire::audit::AuditKind;
use wire::keyring::Keyring;
use wire::receipt::Receipt;
use wire::time::MonotonicNanos;

use super::{Line, Log};
use crate::buffer::Settled;
use crate::buffer::disk::Disk;
use crate::health::Alarm;
use crate::seal::Sealer;
use crate::uplink::Hands;
use crate::uplink::driver::{FromBroker, MessageKind, broker_takes_frames, record_bytes_max};
use crate::uplink::machine::Event;

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// Takes what came from the broker on a connection.
    pub fn hear_broker(&mut self, generation: u64, event: FromBroker) {
        if !self.hands.is_current(generation) {
            return;
        }
        let now = self.clock.now();
        let clock = self.clock.state();
        let log = Log { buffer: &mut self.buffer, clock };
        match event {
            FromBroker::Up { packet_bytes_max } => {
                if !broker_takes_frames(packet_bytes_max) {
                    tracing::error!(
                        packet_bytes_max,
                        "the broker's packet limit is below a frame: raise it"
                    );
                }
                tracing::info!("connected");
                self.health.alarm(Alarm::Link, Vec::new());
                self.unsent = None;
                let record_bytes_max = record_bytes_max(packet_bytes_max);
                self.uplink.handle(now, Event::Up { record_bytes_max }, &log);
            }
            FromBroker::Down(reason) => self.not_connected(Event::Down, &reason),
            FromBroker::Absent(reason) => self.not_connected(Event::Absent, &reason),
            FromBroker::PubAck => self.uplink.handle(now, Event::PubAck, &log),
            FromBroker::Moved { waiting } => {
                self.uplink.handle(now, Event::Moved { waiting }, &log);
            }
            FromBroker::Message { kind: MessageKind::Receipt, bytes } => self.receipt(&bytes),
            FromBroker::Message { kind: MessageKind::Keyring, bytes } => self.keyring(&bytes),
            FromBroker::Message { kind: MessageKind::Command, .. } => {
                tracing::warn!("a command came; this version knows none");
                let words = "refused: this version knows none".to_owned();
                self.write_down(AuditKind::Command, "", words);
            }
        }
    }

    fn not_connected(&mut self, event: Event, reason: &str) {
        tracing::warn!(reason, "not connected");
        self.health.alarm(Alarm::Link, vec![format!("no connection, buffering: {reason}")]);
        self.unsent = None;
        let (now, clock) = (self.clock.now(), self.clock.state());
        self.uplink.handle(now, event, &Log { buffer: &mut self.buffer, clock });
    }

    fn receipt(&mut self, bytes: &[u8]) {
        let receipt = match Receipt::verify(bytes, self.trust.receipt_keys()) {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::error!(%error, "a receipt was refused");
                return self.refuse_receipt(format!("a receipt was refused: {error}"));
            }
        };
        let ours = receipt.gateway == self.trust.gateway
            && Some(receipt.store_epoch) == self.trust.present_epoch();
        if !ours {
            let words = "a receipt for another gateway, or another life of the store".to_owned();
            return self.refuse_receipt(words);
        }
        // The monotonic clock first: what lies between the two makes the way longer, not shorter.
        let clock = self.clock.state();
        let now = self.clock.now();
        self.buffer.saw_receipt(receipt.commit);
        let mut sent = None;
        for (segment, ranges) in &receipt.segments {
            for range in ranges {
                match self.buffer.settle(*segment, range, &clock) {
                    Ok(Settled::Ours) => {
                        let last = self.uplink.receipted(now, *segment, range.first, range.last);
                        sent = sent.max(last);
                        self.probes.receipted(*segment, range, now);
                    }
                    Ok(Settled::Foreign) => {
                        tracing::debug!(%segment, "a receipt names what we do not hold");
                    }
                    Err(error) => tracing::warn!(%error, "a segment stays although receipted"),
                }
            }
        }
        for segment in &receipt.headers_wanted {
            if let Some((lane, header)) = self.buffer.header_of(*segment) {
                self.uplink.repeat(lane, header);
            }
        }
        self.learn_time(&receipt, sent, (now, clock.monotonic));
        self.health.receipted(clock.monotonic);
    }

    fn refuse_receipt(&mut self, words: String) {
        self.health.refused_receipt();
        self.write_down(AuditKind::Integrity, "receipt", words);
    }

    /// Takes the time that a receipt says: it lies between the sending of what had never been sent
    /// before, so that no older receipt can be for it, and now.
    fn learn_time(
        &mut self,
        receipt: &Receipt,
        sent: Option<Instant>,
        (came, monotonic): (Instant, MonotonicNanos),
    ) {
        let Some(sent) = sent else { return };
        self.clock.learn(receipt.sink_time, (sent, came), monotonic);
        if let (Some(floor), Some(keyring)) = (&self.trust.floor, &self.trust.keyring) {
            floor.signed(receipt.sink_time, keyring.root.expires);
        }
    }

    fn keyring(&mut self, bytes: &[u8]) {
        let keyring = match Keyring::verify(bytes, &self.trust.roots) {
            Ok(keyring) => keyring,
            Err(error) => {
                tracing::error!(%error, "a keyring was refused");
                return self.refuse_keyring(error.to_string());
            }
        };
        match &self.trust.keyring {
            // The same keyring again: a sink has come (back), and what it was sent may be gone.
            Some(known) if keyring.versions() == known.versions() => {
                return self.uplink.sink_came(self.clock.now());
            }
            Some(known) if !keyring.is_newer_than(known) => {
                let (known, came) = (known.versions(), keyring.versions());
                tracing::error!(?known, ?came, "an old keyring was refused");
                let words = format!(
                    "version {}.{} is older than {}.{}, which is in force",
                    came.0, came.1, known.0, known.1
                );
                return self.refuse_keyring(words);
            }
            Some(_) | None => {}
        }
        self.take_keyring(keyring, Some(bytes.to_vec()));
        self.keep_keyring();
        self.keys_changed();
    }

    fn refuse_keyring(&mut self, words: String) {
        self.health.refused_keyring();
        self.write_down(AuditKind::KeyringRefused, "keyring", words);
    }

    /// Puts a keyring in force; `unkept` if it is not on the medium yet.
    pub(super) fn take_keyring(&mut self, keyring: Keyring, unkept: Option<Vec<u8>>) {
        let (root, fleet) = keyring.versions();
        self.buffer.sealer_mut().renew(keyring.clone());
        self.trust.keyring = Some(keyring);
        self.trust.unkept = unkept;
        tracing::info!("newer keyring in force");
        let words = format!("version {root}.{fleet} is in force");
        self.write_down(AuditKind::Keys, "keyring", words);
    }

    /// Makes a newer keyring lasting, and before that offers again what a restored store has lost:
    /// after a crash in between, the store's new life is noticed once more.
    pub(super) fn keep_keyring(&mut self) {
        let Some(bytes) = self.trust.unkept.take() else { return };
        if self.trust.store_epoch != self.trust.present_epoch() {
            tracing::warn!("the store began a new life: everything held is offered again");
            if let Err(error) = self.buffer.offer_again() {
                tracing::error!(%error, "some segments could not be offered again; trying again");
                self.trust.unkept = Some(bytes);
                return;
            }
            self.trust.store_epoch = self.trust.present_epoch();
            let clock = self.clock.state();
            self.uplink.begin_round(&Log { buffer: &mut self.buffer, clock });
        }
        if let Err(error) = crate::seal::keyring::store(&self.trust.keyring_path, &bytes) {
            tracing::error!(%error, "a newer keyring could not be kept; trying again");
            self.trust.unkept = Some(bytes);
            return;
        }
        self.follow_roots(&bytes);
    }

    /// Pins the roots that a keyring leads to, once it is on the medium: in the other order a power
    /// cut would leave roots that have signed nothing which is here.
    fn follow_roots(&mut self, document: &[u8]) {
        let Ok(after) = self.trust.roots.after(document) else { return };
        if after == self.trust.roots {
            return;
        }
        let path = self.trust.keyring_path.with_file_name("roots");
        match crate::seal::keyring::store(&path, &after.to_bytes()) {
            Ok(()) => {
                tracing::warn!(needed = after.needed, keys = after.keys.len(), "other roots");
                self.trust.roots = after;
            }
            Err(error) => tracing::error!(%error, "other roots cannot be kept yet"),
        }
    }
}
