//! `wardline erase`: for a gateway that is given away, repaired or stolen from the next room.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use wire::identity::Lane;
use wire::signed::{Purpose, sign};
use zeroize::Zeroize;

use super::{ConfigArg, EXIT_TRY_AGAIN, Failure};
use crate::buffer::disk::{Folder, sync_parent};
use crate::buffer::{Buffer, Erased, Writer};
use crate::clock::{Clock, boot_id};
use crate::config::Config;
use crate::enrol::hex;
use crate::local::STATUS;
use crate::seal::keyring::{Custody, KeyFiles, veil_beside};
use crate::seal::sealer::Seal;

/// Makes everything that is buffered here unreadable for good: the one key under which it lies on
/// the medium is destroyed. What had no receipt is declared in gaps that the sink gets with the next
/// run; a signed proof is written. Stop the agent first.
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
}

/// Segments are counted for so long; of the rest only bounds are declared. Everything has to be
/// unreadable within five seconds.
const COUNT_FOR: Duration = Duration::from_secs(2);

/// Folders whose files say who was measured, or what senders said.
const BESIDE: [&str; 3] = ["patients", "hl7", "devices"];

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
        if !self.yes && !agrees(&config)? {
            return Err(anyhow::anyhow!("nothing was erased").into());
        }
        let custody = Custody::open(&KeyFiles::below(&config.state))?;
        let signer = custody.signing.clone();
        let proof = self.erase(&config, custody)?;
        let signed = sign_proof(&proof, &signer)?;
        fs::write(&self.proof, signed).with_context(|| self.proof.display().to_string())?;
        println!("erased; proof in {}", self.proof.display());
        println!("with the next run the sink is told which readings are gone");
        Ok(())
    }

    fn erase<'a>(&'a self, config: &'a Config, custody: Custody) -> anyhow::Result<Proof<'a>> {
        let folder = config.state.join("buffer");
        let veil = veil_beside(&folder).only_to_read();
        let disk = Folder::open(&folder).context("buffer folder")?.under(veil);
        let mut clock = Clock::new();
        let (now, begun) = (clock.state(), clock.now());
        let sealer = Seal::new(custody.signing, custody.keyring, config.suite);
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let writer = Writer { gateway: config.gateway, boot: boot_id(), software };
        let (mut buffer, _) = Buffer::recover(disk, sealer, writer, config.quota, &now)?;
        let may_count = || clock.now().duration_since(begun) < COUNT_FOR;
        let destroy = || destroy_key(&KeyFiles::below(&config.state));
        let (erased, failed) = buffer.erase(&now, may_count, destroy)?;
        for folder in BESIDE.map(|name| config.state.join(name)) {
            if let Err(error) = remove_files(&folder) {
                eprintln!("{}: {error}; delete it by hand", folder.display());
            }
        }
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
        })
    }
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

/// Overwrites both copies of the medium's key and takes them away. What a flash medium keeps behind
/// its own back stays there: a TPM or an encrypted partition is for that.
fn destroy_key(files: &KeyFiles) -> io::Result<()> {
    let first = files.local();
    let mut second = first.clone().into_os_string();
    second.push(".2");
    for path in [first, PathBuf::from(second)] {
        let length = match fs::metadata(&path) {
            Ok(about) => usize::try_from(about.len()).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut file = fs::OpenOptions::new().write(true).open(&path)?;
        let mut over = vec![0; length];
        for pass in [0xFF, 0x00] {
            over.fill(pass);
            io::Seek::rewind(&mut file)?;
            file.write_all(&over)?;
            file.sync_all()?;
        }
        over.zeroize();
        fs::remove_file(&path)?;
        sync_parent(&path)?;
    }
    Ok(())
}

fn remove_files(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
