//! Whom the gateway believes, and what is done about keys that are missing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::VerifyingKey;
use wire::audit::AuditKind;
use wire::identity::{GatewayId, StoreEpoch};
use wire::keyring::{Keyring, Roots};
use wire::time::{ClockState, UnixNanos};

use super::Line;
use crate::buffer::disk::Disk;
use crate::clock::floor::Floor;
use crate::config::Broker;
use crate::health::{Alarm, Ends, KeyStatus};
use crate::seal::Sealer;
use crate::seal::keyring::{Custody, KeyFiles};
use crate::seal::place::{Place, Seen};
use crate::uplink::{Hands, tls};

/// Whom the gateway believes.
pub struct Trust {
    /// Our name.
    pub gateway: GatewayId,
    /// Pinned at provisioning.
    pub roots: Roots,
    /// In force; `None` if there is none, and then nothing can be sealed.
    pub keyring: Option<Keyring>,
    /// Where a newer keyring is kept.
    pub keyring_path: PathBuf,
    /// The store's life to which everything held was offered; `None` if nobody remembers.
    pub store_epoch: Option<StoreEpoch>,
    /// A keyring in force that is not on the medium yet.
    pub unkept: Option<Vec<u8>>,
    /// The time floor, which signed time raises.
    pub floor: Option<Arc<Floor>>,
    watch: Option<Watch>,
}

/// Looks after the key folder.
struct Watch {
    files: KeyFiles,
    certificate: PathBuf,
    tls: Place,
    signing: VerifyingKey,
    provisional: bool,
    mended: Vec<String>,
    /// Something was missing at the last look.
    amiss: bool,
    keys_at: Instant,
    dates_at: Instant,
}

/// Between two looks at keys that are missing: somebody may have brought them.
const KEYS_LOOK: Duration = Duration::from_secs(2);
/// Between two looks at the dates on which things expire, and at where the keys lie.
const DATES_LOOK: Duration = Duration::from_secs(60);
/// An alarm is raised this long before something expires, days.
const EXPIRY_DAYS: i64 = 30;
const DAY_NS: i64 = 86_400_000_000_000;

impl Trust {
    /// Trust in what these roots have signed.
    #[must_use]
    pub fn new(
        gateway: GatewayId,
        roots: Roots,
        keyring: impl Into<Option<Keyring>>,
        keyring_path: PathBuf,
    ) -> Self {
        let keyring = keyring.into();
        let store_epoch = keyring.as_ref().map(|keyring| keyring.fleet.store_epoch);
        let (unkept, floor, watch) = (None, None, None);
        Self { gateway, roots, keyring, keyring_path, store_epoch, unkept, floor, watch }
    }

    /// The same for what a key folder gave; the folder and our certificate with its key are looked
    /// after.
    #[must_use]
    pub fn watching(
        gateway: GatewayId,
        custody: Custody,
        files: KeyFiles,
        broker: &Broker,
        now: Instant,
    ) -> Self {
        let watch = Watch {
            certificate: broker.certificate.clone(),
            tls: broker.key.clone(),
            signing: custody.signing.verifying_key(),
            provisional: custody.provisional,
            mended: custody.mended,
            amiss: true,
            keys_at: now,
            dates_at: now,
            files: files.clone(),
        };
        let trust = Self::new(gateway, custody.roots, custody.keyring, files.keyring());
        Self { watch: Some(watch), ..trust }
    }

    /// The store's life that the keyring in force names.
    pub(super) fn present_epoch(&self) -> Option<StoreEpoch> {
        self.keyring.as_ref().map(|keyring| keyring.fleet.store_epoch)
    }

    pub(super) fn receipt_keys(&self) -> &[VerifyingKey] {
        self.keyring.as_ref().map_or(&[], |keyring| &keyring.fleet.receipt_keys)
    }
}

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// Looks whether missing keys have come and whether something expires; nothing of it stops
    /// collecting.
    pub(super) fn look_after_trust(&mut self, clock: &ClockState) {
        let now = self.clock.now();
        self.health.keyring(self.trust.keyring.as_ref().map_or((0, 0), Keyring::versions));
        let Some(mut watch) = self.trust.watch.take() else { return };
        if watch.amiss && watch.keys_at <= now {
            watch.keys_at = now + KEYS_LOOK;
            self.look_after_keys(&mut watch);
        }
        if watch.dates_at <= now {
            watch.dates_at = now + DATES_LOOK;
            self.look_at_places(&watch);
            self.look_at_dates(&watch, clock);
        }
        self.trust.watch = Some(watch);
    }

    fn look_after_keys(&mut self, watch: &mut Watch) {
        let found = match Custody::open(&watch.files) {
            Ok(found) => found,
            Err(error) => {
                self.health.alarm(Alarm::Keys, vec![error.to_string()]);
                return;
            }
        };
        watch.mended.extend(found.mended);
        self.trust.roots = found.roots;
        if let (None, Some(keyring)) = (&self.trust.keyring, found.keyring) {
            self.take_keyring(keyring, None);
        }
        let mut missing = found.missing;
        if found.signing.verifying_key() != watch.signing {
            missing.push("the signing key on the disk is another one: restart the agent".into());
        } else if watch.provisional && !found.provisional {
            watch.provisional = false;
            tracing::info!("the provisional key is enrolled");
            let words = "the provisional signing key is enrolled".to_owned();
            self.write_down(AuditKind::Keys, "signing key", words);
            // The sink takes now what it did not take before.
            self.uplink.sink_came(self.clock.now());
        }
        watch.amiss = !missing.is_empty();
        self.health.alarm(Alarm::Keys, missing);
        self.health.alarm(Alarm::Mended, watch.mended.clone());
    }

    fn look_at_places(&mut self, watch: &Watch) {
        let seen = [
            watch.files.signing().look("not enrolled"),
            watch.tls.look("not enrolled"),
            watch.files.local().look("records lie on the medium without it"),
        ];
        let exposed = seen.iter().filter_map(|seen| seen.exposed.clone()).collect();
        self.health.alarm(Alarm::Exposed, exposed);
        self.health.keys(seen.map(|Seen { key, place, .. }| KeyStatus { key, place }).into());
    }

    fn look_at_dates(&mut self, watch: &Watch, clock: &ClockState) {
        let Some(now) = clock.utc else { return };
        let ends = Ends {
            keyring: self.trust.keyring.as_ref().map(|keyring| keyring.root.expires),
            certificate: tls::expires(&watch.certificate),
        };
        self.health.ends(ends);
        let keyring = ends.keyring.and_then(|end| {
            expiry_words("the keyring", end, now, "have the offline root sign a new one")
        });
        self.health.alarm(Alarm::Keyring, keyring.into_iter().collect());
        let certificate = ends.certificate.and_then(|end| {
            expiry_words(
                "the certificate",
                end,
                now,
                "`wardline provision --renew`, or enrol again",
            )
        });
        self.health.alarm(Alarm::Certificate, certificate.into_iter().collect());
    }

    /// The keys changed: the folder is looked at once more in the next turn.
    pub(super) fn keys_changed(&mut self) {
        let now = self.clock.now();
        if let Some(watch) = &mut self.trust.watch {
            (watch.amiss, watch.keys_at, watch.dates_at) = (true, now, now);
        }
    }
}

/// What to say of something that ends soon or has ended.
fn expiry_words(what: &str, end: UnixNanos, now: UnixNanos, cure: &str) -> Option<String> {
    let days = end.0.saturating_sub(now.0).div_euclid(DAY_NS);
    match days {
        ..0 => Some(format!("{what} has expired; collecting goes on; {cure}")),
        0..EXPIRY_DAYS => Some(format!("{what} expires in {days} days; {cure}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_announced_thirty_days_before() {
        let words =
            |days: i64| expiry_words("it", UnixNanos(days * DAY_NS + 1), UnixNanos(0), "renew");

        assert_eq!(words(30), None);
        assert_eq!(words(29).unwrap(), "it expires in 29 days; renew");
        assert_eq!(words(0).unwrap(), "it expires in 0 days; renew");
        assert!(words(-1).unwrap().contains("has expired; collecting goes on"));
    }
}
