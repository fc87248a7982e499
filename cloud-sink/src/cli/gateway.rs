//! `wardline-sink gateway`: which gateways there are, where each stands, and which are believed.

use serde::Serialize;

use super::{ConfigArg, Failure, ListArg, table, with_entry, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::inventory::{self, Enrolled};
use crate::keys::KeyFolder;
use crate::store::db::Db;
use crate::trust::certificates;
use crate::trust::desk::in_transaction;
use crate::trust::registry;

/// Lists gateways, says in which ward each stands, and which of them are not believed any more.
#[derive(Debug, clap::Subcommand)]
pub enum Gateway {
    /// Lists all gateways.
    Ls(ListArg),
    /// Says in which ward a gateway stands; without a ward, in none.
    Ward(Ward),
    /// Revokes a gateway: what it sends from now on is held for a person, whatever its clock says.
    Revoke(Revoke),
    /// Takes a revocation back: it was a mistake.
    Restore(Named),
    /// Lets go what is held of a suspect speaker: it is verified and stored.
    Release(Named),
    /// Puts one gateway in another's place: its ward and its devices move, the old one is revoked.
    Replace(Replace),
}

/// Which, and where.
#[derive(Debug, clap::Args)]
pub struct Ward {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway.
    gateway: String,
    /// The ward.
    ward: Option<String>,
}

/// Which, and why.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway.
    gateway: String,
    /// Why: it stands in the incident and in the audit trail.
    #[arg(long)]
    reason: String,
}

/// Which.
#[derive(Debug, clap::Args)]
pub struct Named {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway.
    gateway: String,
}

/// Which, by which.
#[derive(Debug, clap::Args)]
pub struct Replace {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway that goes.
    old: String,
    /// The gateway that comes; it is enrolled already.
    new: String,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    gateways: Vec<Enrolled>,
}

impl Gateway {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(how) => list(&how),
            Self::Ward(ward) => ward.run(),
            Self::Revoke(revoke) => revoke.run(),
            Self::Restore(named) => named.restore(),
            Self::Release(named) => named.release(),
            Self::Replace(replace) => replace.run(),
        }
    }
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let gateways = inventory::gateways(&how.store()?)?;
    if how.json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, gateways })?);
        return Ok(());
    }
    let mut rows = table(["gateway", "ward", "enrolled", "revoked"]);
    for Enrolled { name, ward, enrolled_ns, revoked } in gateways {
        let (ward, revoked) = (ward.unwrap_or_default(), revoked.unwrap_or_default());
        rows.add_row([name, ward, clock::words(enrolled_ns), revoked]);
    }
    println!("{rows}");
    Ok(())
}

impl Ward {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let words = format!("stands in {}", self.ward.as_deref().unwrap_or("no ward"));
        let place = |db: &Db| inventory::place(db, &self.gateway, self.ward.as_deref());
        Ok(with_entry(&db, Deed::Inventory, &self.gateway, &words, place)?)
    }
}

/// The broker refuses whose certificates stand on the list, once it has read it.
fn tell_broker(keys: &KeyFolder, db: &Db) -> anyhow::Result<()> {
    certificates::list_revoked(keys, db, clock::now())?;
    println!(
        "next: kill -HUP of mosquitto, or its restart: it then reads the list of certificates"
    );
    Ok(())
}

impl Revoke {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let name = &self.gateway;
        write_down(&db, Deed::Revoke, name, &format!("revoked: {}", self.reason))?;
        let why = (self.reason.as_str(), None);
        let revoked = in_transaction(&db, |db| Ok(registry::revoke(db, name, why, clock::now())?));
        if let Err(error) = revoked {
            // The list may not have been written then.
            certificates::list_revoked(&KeyFolder(config.keys), &db, clock::now())?;
            return Err(error.into());
        }
        println!("{name} is revoked: what it sends from now on is held for a person");
        println!("what was receipted stays valid; see `wardline-sink gateway release`");
        tell_broker(&KeyFolder(config.keys), &db)?;
        Ok(())
    }
}

impl Named {
    fn restore(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let name = &self.gateway;
        write_down(&db, Deed::Revoke, name, "the revocation is taken back")?;
        let count = in_transaction(&db, |db| Ok(registry::restore(db, name)?))?;
        println!("{name} is believed again; {count} records that were held are let go");
        tell_broker(&KeyFolder(config.keys), &db)?;
        Ok(())
    }

    fn release(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let name = &self.gateway;
        write_down(&db, Deed::Release, name, "held records are let go")?;
        let count = in_transaction(&db, |db| Ok(registry::release(db, name)?))?;
        println!("{count} records of {name} are verified once more and stored within a minute");
        Ok(())
    }
}

impl Replace {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let (old, new) = (&self.old, &self.new);
        write_down(&db, Deed::Revoke, old, &format!("replaced by {new}"))?;
        let moved = in_transaction(&db, |db| Ok(registry::replace(db, old, new, clock::now())?))?;
        println!("{new} stands in the place of {old}, which is revoked; {moved} devices move");
        tell_broker(&KeyFolder(config.keys), &db)?;
        Ok(())
    }
}
