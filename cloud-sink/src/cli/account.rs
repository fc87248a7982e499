//! `wardline-sink account`: who has a password on the page.

use anyhow::Context;
use serde::Serialize;

use super::{ConfigArg, Failure, ListArg, table, with_entry, wrong_config};
use crate::audit::Deed;
use crate::clock;
use crate::config::Config;
use crate::keys::KeyFolder;
use crate::store::db::Db;
use crate::view::access::{
    self, Person, Role, Vault, accounts, invite, set_right, shut_out, switch,
};

/// Invites people, and changes or ends what they may do.
#[derive(Debug, clap::Subcommand)]
pub enum Account {
    /// Invites somebody: prints a link that is good once, for three days. There they choose a
    /// password and take the secret of their codes.
    Add(Add),
    /// The same for somebody who has lost password or codes.
    Reset(Named),
    /// Gives another role or ward; whoever is signed in has to come in again.
    Set(Add),
    /// Switches an account off, and ends its sessions.
    Off(Named),
    /// Switches an account on, and opens its lock.
    On(Named),
    /// Ends the sessions of a name, also of somebody who came by the hospital's sign-on.
    Out(Named),
    /// Lists all accounts.
    Ls(ListArg),
}

/// Whom, and what they may do.
#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    config: ConfigArg,
    /// Name: a-z, 0-9, '.', '_', '-', '@'.
    name: String,
    /// What they may do.
    #[arg(long, value_enum)]
    role: Role,
    /// The only ward whose gateways they see; all without.
    #[arg(long)]
    ward: Option<String>,
}

/// Whom.
#[derive(Debug, clap::Args)]
pub struct Named {
    #[command(flatten)]
    config: ConfigArg,
    /// Name.
    name: String,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    accounts: Vec<access::Account>,
}

impl Add {
    fn open(&self) -> Result<(Config, Db, Person), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let (name, ward) = (self.name.clone(), self.ward.clone());
        Ok((config, db, Person { name, role: self.role, ward }))
    }
}

impl Account {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(add) => {
                let (config, db, person) = add.open()?;
                ask(&config, &db, &person, false)
            }
            Self::Reset(Named { config, name }) => {
                let config = Config::load(&config.config).map_err(wrong_config)?;
                let db = Db::open(&config.store)?;
                let known = accounts(&db, clock::now())?.into_iter().find(|one| one.name == name);
                let known = known.with_context(|| format!("{name}: see `account ls`"))?;
                let person = Person { name, role: known.role, ward: known.ward };
                ask(&config, &db, &person, true)
            }
            Self::Set(add) => {
                let (_, db, person) = add.open()?;
                let ward = person.ward.as_deref().unwrap_or("all wards");
                let words = format!("is {} of {ward}", person.role);
                let set = |db: &Db| set_right(db, &person);
                Ok(with_entry(&db, Deed::Account, &person.name, &words, set)?)
            }
            Self::Off(named) => named.switch(false),
            Self::On(named) => named.switch(true),
            Self::Out(Named { config, name }) => {
                let config = Config::load(&config.config).map_err(wrong_config)?;
                let out = |db: &Db| shut_out(db, &name);
                let db = Db::open(&config.store)?;
                Ok(with_entry(&db, Deed::Account, &name, "sessions ended", out)?)
            }
            Self::Ls(how) => list(&how),
        }
    }
}

impl Named {
    fn switch(self, on: bool) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let words = if on { "switched on" } else { "switched off" };
        let turn = |db: &Db| switch(db, &self.name, on);
        Ok(with_entry(&db, Deed::Account, &self.name, words, turn)?)
    }
}

fn ask(config: &Config, db: &Db, person: &Person, again: bool) -> Result<(), Failure> {
    let view = config.view.as_ref();
    let view = view.context("there is no page: [view] is not in the configuration");
    let view = view.map_err(wrong_config)?;
    let store_key = KeyFolder(config.keys.clone()).store_key().map_err(wrong_config)?;
    let words = format!("invited as {}", person.role);
    let make = |db: &Db| invite(db, &Vault::new(&store_key), person, again, clock::now());
    let invitation = with_entry(db, Deed::Invite, &person.name, &words, make)?;
    // Behind the '#' it reaches no server's log.
    println!("{}/join#{invitation}", view.url);
    eprintln!("for {} ({}), once, within three days", person.name, person.role);
    Ok(())
}

fn list(how: &ListArg) -> Result<(), Failure> {
    let accounts = accounts(&how.store()?, clock::now())?;
    if how.json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, accounts })?);
        return Ok(());
    }
    let mut rows = table(["name", "role", "ward", "since", "state"]);
    for one in accounts {
        let state = match (one.is_off, one.is_locked) {
            (true, _) => "off",
            (false, true) => "locked",
            (false, false) => "on",
        };
        let ward = one.ward.unwrap_or_else(|| "all".into());
        let role = one.role.to_string();
        rows.add_row([one.name, role, ward, clock::words(one.made_ns), state.into()]);
    }
    println!("{rows}");
    Ok(())
}
