//! `wardline erase`: for a gateway that is given away, repaired or stolen from the next room.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use wire::audit::AuditKind;
use wire::card::Veil;
use wire::identity::Lane;
use wire::signed::{Purpose, sign};

use super::{ConfigArg, EXIT_TRY_AGAIN, Failure};
use crate::buffer::disk::{Folder, sync_parent};
use crate::buffer::{AppendError, Buffer, Erased, Writer};
use crate::clock::{Clock, boot_id};
use crate::config::Config;
use crate::local::STATUS;
use crate::seal::keyring::{Custody, CustodyError, KeyFiles, load_signing_key, veil_to_look};
use crate::seal::sealer::Seal;
use wire::hex::hex;

/// Makes everything that is buffered here unreadable for good: the one key under which it lies on
/// the medium is destroyed. What had no receipt is declared in gaps that the sink gets with the
/// next run; a signed proof is written. Stop the agent first.
#[derive(Debug, clap::Args)]
pub struct Erase {
    #[command(flatten)]
    config: ConfigArg,
    /// Why: it stands in the proof.
    #[arg(long)]
    reason: String,
    /// Where to write the proof.
    #[arg(long, value_name = "FILE", default_value = "erasure.proof")]
    proof: PathBuf,
    /// Erases without asking back.
    #[arg(long)]
    yes: bool,
    /// Erases although the sink cannot be told what is gone: the proof alone says it then.
    #[arg(long)]
    even_undeclared: bool,
}

/// Segments are counted for so long; of the rest only bounds are declared. Everything has to be
/// unreadable within five seconds.
const COUNT_FOR: Duration = Duration::from_secs(2);

/// What says who was measured, what senders said, and by which key patients are named.
const BESIDE: [&str; 7] = [
    "patients",
    "patients.2",
    "hl7",
    "devices",
    "devices.2",
    "keys/patients.key",
    "keys/patients.key.2",
];

/// What is signed.
#[derive(Serialize)]
struct Proof<'a> {
    schema: u32,
    gateway: &'a str,
    /// When, UTC nanoseconds, if the gateway knows the time.
    at_ns: Option<i64>,
    reason: &'a str,
    lanes: Vec<ErasedLane>,
    /// What could not be declared as a gap, and why.
    undeclared: Option<String>,
    /// Files that could not be removed, or are not ours to remove: a sealed credential.
    left: Vec<String>,
}

#[derive(Serialize)]
struct ErasedLane {
    lane: &'static str,
    segments: u64,
    readings_min: u64,
    readings_max: u64,
}

impl Erase {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        if UnixStream::connect(config.state.join(STATUS)).is_ok() {
            let words = "the agent runs and would go on writing: `systemctl stop wardline` first";
            return Err(Failure(EXIT_TRY_AGAIN, anyhow::anyhow!(words)));
        }
        let files = config.key_files();
        let veil = veil_to_look(&files)?;
        if let Err(error @ CustodyError::Credential(_)) = load_signing_key(&files.signing()) {
            return Err(error.into());
        }
        if !self.yes && !agrees(&config)? {
            return Err(anyhow::anyhow!("nothing was erased").into());
        }
        let custody = Custody::open(&files)?;
        let signer = custody.signing.clone();
        let shown = || self.proof.display().to_string();
        // Opened before anything is gone: an erasure without its proof is none.
        let mut file = fs::File::create_new(&self.proof).with_context(shown)?;
        let proof = match self.erase(&config, custody, veil) {
            Ok(proof) => proof,
            Err(error) => {
                fs::remove_file(&self.proof).with_context(shown)?;
                return Err(error.into());
            }
        };
        file.write_all(sign_proof(&proof, &signer)?.as_bytes()).with_context(shown)?;
        file.sync_all().with_context(shown)?;
        super::write_down(&config, AuditKind::Erase, "buffer", &told(&proof));
        println!("erased; proof in {}", self.proof.display());
        for left in &proof.left {
            println!("LEFT  {left}: overwrite it by hand");
        }
        if let Some(why) = &proof.undeclared {
            let words = format!("the sink is NOT told, only the proof says what is gone: {why}");
            return Err(anyhow::anyhow!(words).into());
        }
        println!("with the next run the sink is told which readings are gone");
        if proof.left.is_empty() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("something is left").into())
        }
    }

    fn erase<'a>(
        &'a self,
        config: &'a Config,
        custody: Custody,
        veil: Veil,
    ) -> anyhow::Result<Proof<'a>> {
        let folder = config.state.join("buffer");
        let disk = Folder::open(&folder).context("buffer folder")?.under(veil.only_to_read());
        let files = config.key_files();
        // Asked now: what remembers a credential goes with the medium's key.
        let sealed = files.local().sealed();
        let mut clock = Clock::new();
        let (now, begun) = (clock.state(), clock.now());
        let sealer = Seal::new(custody.signing, custody.keyring, config.suite);
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let writer = Writer { gateway: config.gateway, boot: boot_id(), software };
        let (mut buffer, _) = Buffer::recover(disk, sealer, writer, config.quota, &now)?;
        let may_count = || clock.now().duration_since(begun) < COUNT_FOR;
        let destroy = |undeclared: Option<&AppendError>| match undeclared {
            Some(error) if !self.even_undeclared => Err(io::Error::other(format!(
                "nothing was erased: what would be gone cannot be declared ({error}). Bring a \
                 keyring with `wardline provision --grant`, or say --even-undeclared"
            ))),
            _ => destroy_keys(&files),
        };
        let (erased, failed) = buffer.erase(&now, may_count, destroy)?;
        let beside = BESIDE.iter().map(|name| config.state.join(name));
        let left = beside.filter(|path| remove_all(path).is_err()).chain(sealed);
        let left: Vec<_> = left.map(|path| path.display().to_string()).collect();
        let lanes = Lane::ALL.into_iter().zip(erased);
        let lanes = lanes.map(|(lane, Erased { segments, readings })| ErasedLane {
            lane: lane.name(),
            segments,
            readings_min: readings.0,
            readings_max: readings.1,
        });
        Ok(Proof {
            schema: 1,
            gateway: config.gateway.as_str(),
            at_ns: now.utc.map(|utc| utc.0),
            reason: &self.reason,
            lanes: lanes.collect(),
            undeclared: failed.map(|error| error.to_string()),
            left,
        })
    }
}

/// What stands in the audit trail: how much, and why.
fn told(proof: &Proof<'_>) -> String {
    let sum = |of: fn(&ErasedLane) -> u64| proof.lanes.iter().map(of).fold(0, u64::saturating_add);
    let (least, most) = (sum(|lane| lane.readings_min), sum(|lane| lane.readings_max));
    format!("{least} to {most} readings without a receipt are gone: {}", proof.reason)
}

fn agrees(config: &Config) -> anyhow::Result<bool> {
    print!(
        "everything buffered in {} will be gone. Type the gateway's name: ",
        config.state.display()
    );
    io::stdout().flush()?;
    let mut said = String::new();
    io::stdin().read_line(&mut said)?;
    Ok(said.trim() == config.gateway.as_str())
}

fn sign_proof(proof: &Proof<'_>, key: &SigningKey) -> anyhow::Result<String> {
    let text = serde_json::to_string(proof)?;
    let signed = hex(&sign(key, Purpose::Erasure, text.clone().into_bytes()));
    let key = hex(key.verifying_key().as_bytes());
    Ok(serde_json::to_string_pretty(&serde_json::json!({
        "schema": 1, "proof": text, "signed": signed, "signing_key": key,
    }))?)
}

/// Overwrites every copy of the medium's key, those that were set aside or never finished, too, and
/// takes them away. What a flash medium keeps behind its own back stays there: an encrypted
/// partition is for that.
fn destroy_keys(files: &KeyFiles) -> io::Result<()> {
    let local = files.local().file;
    let name = local.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for entry in fs::read_dir(&files.folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&name) {
            destroy(&entry.path())?;
        }
    }
    sync_parent(&local)
}

fn destroy(path: &Path) -> io::Result<()> {
    let length = usize::try_from(fs::metadata(path)?.len()).unwrap_or(0);
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    let mut over = vec![0; length];
    for pass in [0xFF, 0x00] {
        over.fill(pass);
        io::Seek::rewind(&mut file)?;
        file.write_all(&over)?;
        file.sync_all()?;
    }
    fs::remove_file(path)
}

/// Removes a file or a folder with everything in it; what is not there is gone.
fn remove_all(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { destroy(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
