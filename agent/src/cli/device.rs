//! `wardline device`: the devices of this gateway, and their keys.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use wire::identity::DeviceId;
use wire::link::LinkKey;

use super::{ConfigArg, EXIT_UNREACHABLE, Failure, printable, status};
use crate::health::DeviceStatus;
use crate::intake::admission;

/// What can be done with devices.
#[derive(Debug, clap::Subcommand)]
pub enum Device {
    /// Lists devices: those that have spoken since the agent was started, and those that have a
    /// key.
    Ls(Ls),
    /// Gives a device a key, so that it must prove itself; makes one and prints it, or takes one.
    Add(Add),
    /// Forgets a device's key.
    Remove(Remove),
}

/// Lists devices.
#[derive(Debug, clap::Args)]
pub struct Ls {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// Gives a device a key.
#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    config: ConfigArg,
    /// Its EUI-64, 16 hexadecimal digits.
    #[arg(value_parser = parse_device)]
    device: DeviceId,
    /// The key that it has: 64 hexadecimal digits in a file. Without this a new one is printed,
    /// once, to be written into the device.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Takes the place of a key that is there.
    #[arg(long)]
    replace: bool,
}

/// Forgets a device's key.
#[derive(Debug, clap::Args)]
pub struct Remove {
    #[command(flatten)]
    config: ConfigArg,
    /// Its EUI-64, 16 hexadecimal digits.
    #[arg(value_parser = parse_device)]
    device: DeviceId,
}

pub(super) fn parse_device(text: &str) -> Result<DeviceId, String> {
    DeviceId::parse(text).ok_or_else(|| "an EUI-64 has 16 hexadecimal digits".into())
}

/// What the agent's status says of devices.
#[derive(serde::Deserialize, serde::Serialize)]
struct Listing {
    schema: u32,
    devices: Vec<DeviceStatus>,
    /// Devices that have a key and have not spoken.
    #[serde(default)]
    silent: Vec<String>,
}

impl Device {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Add(add) => add.run(),
            Self::Remove(remove) => remove.run(),
        }
    }
}

impl Ls {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let unreachable = |error| Failure(EXIT_UNREACHABLE, error);
        let text = status::ask(&config).map_err(unreachable)?;
        let mut listing: Listing = serde_json::from_str(&text).context("no status yet")?;
        let with_key = with_key(&admission::folder(&config.state));
        let has_spoken = |device: &String| listing.devices.iter().any(|of| of.device == *device);
        listing.silent = with_key.into_iter().filter(|device| !has_spoken(device)).collect();
        if self.json {
            println!("{}", serde_json::to_string(&listing)?);
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header([
            "device",
            "model",
            "firmware",
            "link",
            "port",
            "silent, s",
            "readings",
            "broken frames",
        ]);
        for device in listing.devices {
            let (silent, accepted) = (device.age_s.to_string(), device.accepted.to_string());
            let errors = device.link_errors.to_string();
            let (model, firmware) = (printable(&device.model), printable(&device.firmware));
            let (proof, port) = (device.proof, printable(&device.port));
            table.add_row([device.device, model, firmware, proof, port, silent, accepted, errors]);
        }
        for device in listing.silent {
            table.add_row([&device, "", "", "has a key", "", "never spoke", "0", "0"]);
        }
        println!("{table}");
        Ok(())
    }
}

/// The devices that have a key.
fn with_key(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut devices: Vec<_> = names.filter(|name| DeviceId::parse(name).is_some()).collect();
    devices.sort_unstable();
    devices
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let (folder, device) = (admission::folder(&config.state), self.device);
        if !self.replace && with_key(&folder).contains(&device.to_string()) {
            return Err(anyhow!("device {device} has a key; --replace takes its place").into());
        }
        let given = self.key_file.as_deref().map(read_key).transpose()?;
        if let Some(other) = given.and_then(|key| holder_of(&folder, key, device)) {
            let words = "one key in two devices proves neither; give each its own";
            return Err(anyhow!("device {other} has this key: {words}").into());
        }
        let mut made = [0; LinkKey::BYTES];
        if given.is_none() {
            getrandom::fill(&mut made).context("the kernel gives no random bytes")?;
        }
        admission::add(&folder, device, given.as_ref().unwrap_or(&made))?;
        if given.is_none() {
            println!("{}", made.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            eprintln!("Write this key into device {device}; it is not shown again.");
        }
        eprintln!(
            "Device {device} is taken when it proves that it has its key; no restart needed."
        );
        Ok(())
    }
}

/// Another device that has a key.
fn holder_of(folder: &Path, key: [u8; LinkKey::BYTES], device: DeviceId) -> Option<DeviceId> {
    let mut others = with_key(folder).into_iter().filter_map(|name| DeviceId::parse(&name));
    let key = LinkKey::new(key);
    let has_it = |other: &DeviceId| {
        *other != device && admission::load(folder, *other).is_ok_and(|theirs| theirs == key)
    };
    others.find(has_it)
}

fn read_key(path: &Path) -> anyhow::Result<[u8; LinkKey::BYTES]> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| name.to_string())?;
    let text = text.trim();
    if text.len() != 2 * LinkKey::BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        bail!("{name}: a key has {} hexadecimal digits", 2 * LinkKey::BYTES);
    }
    let mut key = [0; LinkKey::BYTES];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16)?;
    }
    Ok(key)
}

impl Remove {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        if !admission::remove(&admission::folder(&config.state), self.device)? {
            return Err(anyhow!("device {} has no key here", self.device).into());
        }
        let what = if config.strangers { "is taken without proof" } else { "is no longer taken" };
        eprintln!("Device {} {what}; no restart needed.", self.device);
        Ok(())
    }
}
