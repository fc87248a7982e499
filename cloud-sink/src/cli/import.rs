//! `wardline-sink import`: a dead gateway, a living card.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::card::{self, FileName, Veil};
use wire::frame::Record;
use wire::segment::read_header_payload;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::ingest::{Found, Ingest, Tally};
use crate::keys::{KeyFolder, hex};
use crate::store::db::Db;

/// Takes what is on a gateway's card, by the way that everything takes: verified, stored, signed for.
/// What is here already is not stored twice.
#[derive(Debug, clap::Args)]
pub struct Import {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway's state folder on the card, or its buffer folder.
    folder: PathBuf,
    /// The key of the card; `keys/local.key` of the state folder without it.
    #[arg(long, value_name = "FILE")]
    local_key: Option<PathBuf>,
    /// Where to write the receipts, hexadecimal, one a line.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    schema: u32,
    files: usize,
    /// Records that lie under the card's key, which is not there.
    veiled: usize,
    #[serde(flatten)]
    tally: Tally,
    receipts: usize,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let keys = KeyFolder(config.keys.clone());
        let (buffer, veil) = self.card()?;
        let object = buffer.display().to_string();
        write_down(&Db::open(&config.store)?, Deed::Import, "", &format!("of the card {object}"))?;
        let mut ingest = Ingest::open(&config.store, &keys, &keys)?;
        let (mut files, mut veiled) = (0, 0);
        for (name, path) in segments(&buffer)? {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            let read = card::records(&veil, name.segment, &bytes);
            files += 1;
            veiled += read.veiled;
            ingest.take(found(&name, read.records))?;
        }
        let (tally, receipts) = ingest.end();
        if let Some(path) = &self.receipts {
            let lines = receipts.iter().map(|receipt| hex(&receipt.bytes) + "\n");
            fs::write(path, lines.collect::<String>())
                .with_context(|| path.display().to_string())?;
        }
        self.say(&Answer { schema: 1, files, veiled, tally, receipts: receipts.len() })
    }

    /// The folder of segments, and the veil that they lie under.
    fn card(&self) -> anyhow::Result<(PathBuf, Veil)> {
        let below = self.folder.join("buffer");
        let buffer = if below.is_dir() { below } else { self.folder.clone() };
        let beside = buffer.parent().map(|state| state.join("keys/local.key"));
        let Some(path) = self.local_key.clone().or(beside.filter(|path| path.exists())) else {
            return Ok((buffer, Veil::default()));
        };
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let kept = bytes.split_at_checked(32).filter(|(sum, key)| Sha256::digest(key)[..] == **sum);
        let key = kept.and_then(|(_, key)| <[u8; 32]>::try_from(key).ok());
        let key = key.with_context(|| format!("{}: is no key of a card", path.display()))?;
        Ok((buffer, Veil::of(key)))
    }

    fn say(&self, answer: &Answer) -> Result<(), Failure> {
        if self.json {
            println!("{}", serde_json::to_string(answer)?);
            return Ok(());
        }
        let Answer { files, veiled, tally, receipts, .. } = answer;
        let Tally { stored, held, refused, unsigned } = tally;
        println!("{files} files: {stored} records are stored, {held} held, {refused} refused");
        println!("{receipts} receipts signed");
        if *unsigned > 0 {
            println!(
                "{unsigned} by no gateway that is enrolled here: `wardline-sink enroll` it first"
            );
        }
        if *veiled > 0 {
            println!("{veiled} lie under the card's key, which is not there: --local-key");
        }
        Ok(())
    }
}

/// Segment files, oldest first.
fn segments(buffer: &Path) -> anyhow::Result<Vec<(FileName, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(buffer).with_context(|| buffer.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| FileName::parse(name.to_str()?));
        found.extend(name.map(|name| (name, path)));
    }
    if found.is_empty() {
        bail!("{}: holds no segment of a gateway", buffer.display());
    }
    found.sort();
    Ok(found)
}

/// The records of a file that was not abandoned before them; whose they are says the header.
fn found(name: &FileName, records: Vec<(u32, Vec<u8>)>) -> Vec<Found> {
    let header = records.first().filter(|(index, _)| *index == 0).and_then(|(_, bytes)| {
        let record = Record::parse(bytes).ok()?;
        Some(read_header_payload(record.payload).ok()?.0.gateway)
    });
    let Some(gateway) = header else {
        tracing::warn!(segment = %name.segment, "a segment without its header is not taken");
        return Vec::new();
    };
    let is_good = |index: u32| name.cut.is_none_or(|cut| index <= cut);
    let good = records.into_iter().filter(|(index, _)| is_good(*index));
    good.map(|(_, bytes)| Found { gateway, lane: name.lane, bytes }).collect()
}
