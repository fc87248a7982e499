//! `wardline-sink restored`: after a store was put back from a backup.

use std::fs::{self, File};
use std::io::Write;

use anyhow::Context;
use ed25519_dalek::VerifyingKey;
use wire::identity::StoreEpoch;
use wire::keyring::{FleetPart, Keyring, Roots, join, root_parts};

use super::{ConfigArg, Failure};
use crate::keys::{KeyFolder, random};
use crate::store::commit;

/// Tells all gateways, once the sink runs again, that the store is an older one: they offer again
/// what they hold, and take no earlier receipt for true. Stop the sink first.
#[derive(Debug, clap::Args)]
pub struct Restored {
    #[command(flatten)]
    config: ConfigArg,
}

impl Restored {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let keys = KeyFolder(config.keys.clone());
        let epoch = StoreEpoch(random()?[..16].try_into().unwrap_or_default());
        // Whichever of the two is written alone: gateways take no receipt until both are.
        let version = renew_keyring(&keys, epoch)?;
        commit::begin_life(&config.store, epoch)?;
        println!("the store begins a new life, in version {version} of the keyring");
        println!("next: wardline-sink run; what gateways no longer hold stays missing by number");
        Ok(())
    }
}

/// Signs the keyring again with the store's new life; its new version.
fn renew_keyring(keys: &KeyFolder, store_epoch: StoreEpoch) -> anyhow::Result<u64> {
    let document = keys.read("keyring.cbor")?;
    let root: [u8; 32] = keys.read("root.pub")?.try_into().ok().context("root.pub is no key")?;
    let roots = Roots { keys: vec![VerifyingKey::from_bytes(&root)?], needed: 1 };
    let keyring = Keyring::verify(&document, &roots).context("keyring.cbor")?;
    let version = keyring.fleet.version + 1;
    let fleet = FleetPart { version, store_epoch, ..keyring.fleet };
    let renewed = join(root_parts(&document)?, fleet.sign(&keys.signing("fleet.key")?));
    let (place, path) = (keys.path("keyring.cbor.new"), keys.path("keyring.cbor"));
    let mut file = File::create(&place).with_context(|| place.display().to_string())?;
    file.write_all(&renewed)?;
    file.sync_all()?;
    fs::rename(&place, &path)?;
    File::open(&keys.0)?.sync_all()?;
    Ok(version)
}
