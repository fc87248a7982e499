//! `wardline-sink restored`: after a store was put back from a backup.

use wire::identity::StoreEpoch;
use wire::keyring::FleetPart;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::keys::{KeyFolder, random};
use crate::retention::erase::{self, Erased};
use crate::store::commit;
use crate::store::db::Db;
use crate::trust::keyring;

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
        let words = "put back from a backup: another life begins";
        let db = Db::open(&config.store)?;
        write_down(&db, Deed::Restored, "", words)?;
        // Before anything is answered from it: what was erased since the backup goes again.
        let again = erase::carry_out_all(&db, &keys, clock::now())?;
        if again != Erased::default() {
            println!("erased again: {} rows, {} sealed blocks", again.rows, again.blocks);
        }
        let epoch = StoreEpoch(random()?[..16].try_into().unwrap_or_default());
        // Whichever of the two is written alone: gateways take no receipt until both are.
        let renewed = |fleet| FleetPart { store_epoch: epoch, ..fleet };
        let version = keyring::locked(&keys, || keyring::renew(&keys, renewed))?;
        commit::begin_life(&config.store, epoch)?;
        println!("the store begins a new life, in version {version} of the keyring");
        println!("next: wardline-sink run; what gateways no longer hold stays missing by number");
        Ok(())
    }
}
