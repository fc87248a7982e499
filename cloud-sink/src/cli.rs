//! The commands of `wardline-sink`, one file each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::audit::{Act, Deed, TERMINAL};
use crate::clock;
use crate::config::Config;
use crate::store::StoreError;
use crate::store::db::Db;

mod account;
mod audit;
mod availability;
mod device;
mod dispose;
mod enroll;
mod erase;
mod evidence;
mod export;
mod feeds;
mod gateway;
mod hold;
mod import;
mod incidents;
mod init;
mod keys;
mod link;
mod maintenance;
mod migrate;
mod notify;
mod pages;
mod recover;
mod restored;
mod root;
mod run;
mod status;

/// Cloud sink: verifies what gateways send, stores it, and signs for it. Informational, not an
/// alarm system.
#[derive(Debug, Parser)]
#[command(name = "wardline-sink", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes CA, keys, keyring, store and the broker's configuration for a new site.
    Init(init::Init),
    /// Answers a gateway's request: certificate, roots and keyring.
    Enroll(enroll::Enroll),
    /// Receives, verifies, stores and signs until it is stopped.
    Run(run::Run),
    /// Shows the ledger: what is present, double, missing, linked, forked, held, refused.
    Status(status::Status),
    /// Shows what needs a person and what to do; takes an incident or closes it.
    Incidents(incidents::Incidents),
    /// Shows how much of a month gateways and their feeds were up, and how long readings took.
    Availability(availability::Availability),
    /// Makes a link to the page that lets one person in, once, within ten minutes.
    Link(link::Link),
    /// Invites people, and changes or ends what they may do.
    #[command(subcommand)]
    Account(account::Account),
    /// Lists gateways, and says in which ward each stands.
    #[command(subcommand)]
    Gateway(gateway::Gateway),
    /// Shows the site's keys, lets new ones follow, and destroys what nothing waits for.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// What the offline root keys sign: a new fleet key, recovery keys, other roots, a later end.
    #[command(subcommand)]
    Root(root::Root),
    /// Lists devices, and says what each is: UDI, serial number, model, maker, place.
    #[command(subcommand)]
    Device(device::Device),
    /// Keeps notifications back while somebody works on gateways.
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    /// Sends a test message to every receiver of notifications.
    Notify(notify::Notify),
    /// Keeps what the rules of retention would dispose of.
    #[command(subcommand)]
    Hold(hold::Hold),
    /// Disposes of what the rules of retention no longer keep.
    Dispose(dispose::Dispose),
    /// Erases a patient's, a device's or a period's readings, with a signed proof.
    Erase(erase::Erase),
    /// Shows who did what, and checks that nothing of it was changed.
    Audit(audit::Audit),
    /// Writes a device's readings into files.
    Export(export::Export),
    /// Writes one file about a device and time that anybody can check with public keys alone.
    Evidence(evidence::Evidence),
    /// Lists feeds to other systems: how far behind each is, what it gave and what was refused.
    Feeds(feeds::Feeds),
    /// Takes what is on a dead gateway's card: verified, stored, signed for.
    Import(import::Import),
    /// Opens the evidence of a dead sink with the offline recovery keys, and stores it here.
    Recover(recover::Recover),
    /// After a store was put back from a backup: tells the gateways.
    Restored(restored::Restored),
    /// Moves the store somewhere else.
    Migrate(migrate::Migrate),
    /// Prints completions for a shell.
    Completions(pages::Completions),
    /// Writes the manual, one page a command.
    Man(pages::Man),
    /// Prints the JSON Schema of the configuration, for editors.
    Schema(pages::Schema),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArg {
    /// Configuration file.
    #[arg(long, value_name = "FILE", default_value = "sink.toml")]
    config: PathBuf,
}

impl ConfigArg {
    fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.config).map_err(wrong_config)
    }
}

/// How to list.
#[derive(Debug, clap::Args)]
pub struct ListArg {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

impl ListArg {
    fn store(&self) -> Result<Db, Failure> {
        Ok(Db::open(&self.config.load()?.store)?)
    }
}

/// Why a command failed: the exit code and what to say.
struct Failure(u8, anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(1, error.into())
    }
}

/// Exit code of a wrong configuration, as in sysexits.
const EXIT_CONFIG: u8 = 78;

fn wrong_config(error: impl Into<anyhow::Error>) -> Failure {
    Failure(EXIT_CONFIG, error.into())
}

/// Writes down what somebody did on this terminal, before it is done.
fn write_down(db: &Db, what: Deed, object: &str, words: &str) -> Result<(), StoreError> {
    crate::audit::write(
        db,
        &Act { who: &user(), role: TERMINAL, what, object, words },
        clock::now(),
    )
}

/// Changes something and writes it down, both or neither.
fn with_entry<T, E: From<StoreError>>(
    db: &Db,
    what: Deed,
    object: &str,
    words: &str,
    change: impl FnOnce(&Db) -> Result<T, E>,
) -> Result<T, E> {
    let act = Act { who: &user(), role: TERMINAL, what, object, words };
    crate::audit::with(db, &act, clock::now(), change)
}

fn user() -> String {
    let user = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    user.unwrap_or_else(|| "?".into())
}

/// A table without lines, under a header.
fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table
}

impl Cli {
    /// Carries the command out.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Init(command) => command.run(),
            Command::Enroll(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Incidents(command) => command.run(),
            Command::Availability(command) => command.run(),
            Command::Link(command) => command.run(),
            Command::Account(command) => command.run(),
            Command::Gateway(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Root(command) => command.run(),
            Command::Device(command) => command.run(),
            Command::Maintenance(command) => command.run(),
            Command::Notify(command) => command.run(),
            Command::Hold(command) => command.run(),
            Command::Dispose(command) => command.run(),
            Command::Erase(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Evidence(command) => command.run(),
            Command::Feeds(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Recover(command) => command.run(),
            Command::Restored(command) => command.run(),
            Command::Migrate(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Schema(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure(code, error)) => {
                eprintln!("wardline-sink: {error:#}");
                ExitCode::from(code)
            }
        }
    }
}
