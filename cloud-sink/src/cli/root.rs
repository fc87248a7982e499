//! `wardline-sink root`: the offline root. `key`, `recovery` and `sign` need no network and no
//! sink.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde::de::DeserializeOwned;
use wire::signed::signing_key_id;
use wire::words;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::keys::{KeyFolder, hex, random, write_secret};
use crate::store::db::Db;
use crate::trust::keyring;
use crate::trust::root::{Change, Part, Recovery, Request, install, recovery_of, request};

/// What the offline root keys sign: a new fleet key, recovery keys, other roots, a later end.
#[derive(Debug, clap::Subcommand)]
pub enum Root {
    /// Makes a root key, offline; prints its public half for `root request --root`.
    Key(Key),
    /// Makes recovery keys, offline; writes their public halves for `root request --recovery`.
    Recovery(MakeRecovery),
    /// Asks the root for a new part: on the sink.
    Request(Ask),
    /// Signs a request with one root key: offline. Shows first what is signed.
    Sign(Sign),
    /// Puts together what enough holders have signed, and takes it: on the sink.
    Install(Install),
}

/// Where to write.
#[derive(Debug, clap::Args)]
pub struct Key {
    /// The key's file; it is made with mode 0600 and belongs in a safe.
    #[arg(long, value_name = "FILE", default_value = "root.key")]
    output: PathBuf,
}

/// Where to write.
#[derive(Debug, clap::Args)]
pub struct MakeRecovery {
    /// Folder for the private halves, which belong in a safe, and `recovery.json`.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
}

/// What shall be different.
#[derive(Debug, clap::Args)]
pub struct Ask {
    #[command(flatten)]
    config: ConfigArg,
    /// A new fleet key, made here.
    #[arg(long)]
    fleet: bool,
    /// Other recovery keys: the file of `root recovery`.
    #[arg(long, value_name = "FILE")]
    recovery: Option<PathBuf>,
    /// A root key from now on, as `root key` has printed it; once for each.
    #[arg(long, value_name = "KEY", requires = "needed")]
    root: Vec<String>,
    /// How many of those must sign.
    #[arg(long, value_name = "NUMBER", requires = "root")]
    needed: Option<u8>,
    /// Days until the keyring ends; collecting goes on after it.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Where to write the request.
    #[arg(long, value_name = "FILE", default_value = "root.request")]
    output: PathBuf,
}

/// Which, and with which key.
#[derive(Debug, clap::Args)]
pub struct Sign {
    /// What `root request` wrote.
    request: PathBuf,
    /// The root key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write what was signed.
    #[arg(long, value_name = "FILE", default_value = "root.part")]
    output: PathBuf,
}

/// What was signed.
#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    config: ConfigArg,
    /// What `root sign` wrote, one a holder.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

impl Root {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Key(key) => key.run()?,
            Self::Recovery(recovery) => recovery.run()?,
            Self::Request(ask) => return ask.run(),
            Self::Sign(sign) => sign.run()?,
            Self::Install(install) => return install.run(),
        }
        Ok(())
    }
}

impl Key {
    fn run(self) -> anyhow::Result<()> {
        let seed = random()?;
        write_secret(&self.output, &seed).with_context(|| self.output.display().to_string())?;
        let public = SigningKey::from_bytes(&seed).verifying_key();
        println!("{}", hex(public.as_bytes()));
        eprintln!("in words: {}", words::of_key(signing_key_id(&public)));
        Ok(())
    }
}

impl MakeRecovery {
    fn run(self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        let made = keyring::make_recipients(&KeyFolder(self.folder.clone()))?;
        let path = self.folder.join("recovery.json");
        fs::write(&path, serde_json::to_string_pretty(&recovery_of(&made))?)?;
        println!("public halves in {}; the rest belongs in a safe", path.display());
        Ok(())
    }
}

impl Ask {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let recovery = self.recovery.as_deref().map(read::<Vec<Recovery>>).transpose()?;
        let roots = self.needed.map(|needed| (self.root, needed));
        let change = Change { fleet: self.fleet, recovery, roots, days: self.days };
        let keys = KeyFolder(config.keys);
        let request = keyring::locked(&keys, || request(&keys, change))?;
        fs::write(&self.output, serde_json::to_string_pretty(&request)?)?;
        request.words()?.iter().for_each(|line| println!("{line}"));
        println!("next, offline: wardline-sink root sign {} --key KEY", self.output.display());
        Ok(())
    }
}

impl Sign {
    fn run(self) -> anyhow::Result<()> {
        let request: Request = read(&self.request)?;
        let seed = fs::read(&self.key).with_context(|| self.key.display().to_string())?;
        let seed: Result<[u8; 32], _> = seed.try_into();
        let seed = seed.ok().with_context(|| format!("{}: is no key", self.key.display()))?;
        request.words()?.iter().for_each(|line| println!("{line}"));
        let part = request.sign(&SigningKey::from_bytes(&seed))?;
        fs::write(&self.output, serde_json::to_string_pretty(&part)?)?;
        println!("signed; next, on the sink: wardline-sink root install {}", self.output.display());
        Ok(())
    }
}

impl Install {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let db = Db::open(&config.store)?;
        let parts = self.parts.iter().map(|path| read::<Part>(path));
        let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
        write_down(&db, Deed::Keys, "root", "a new part of the root is installed")?;
        let keys = KeyFolder(config.keys);
        let (root, fleet) = keyring::locked(&keys, || install(&keys, &parts))?;
        println!("keyring {root}.{fleet}; a running sink publishes it within seconds");
        Ok(())
    }
}
