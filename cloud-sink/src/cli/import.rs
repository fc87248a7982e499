//! `wardline-sink import`: a dead gateway, a living card.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::card::{self, FileName, Veil};
use wire::frame::Record;
use wire::identity::GatewayId;
use wire::segment::read_header_payload;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::ingest::{Found, Ingest, Tally};
use crate::keys::{KeyFolder, hex};
use crate::retention::erase;
use crate::store::db::Db;

/// Takes what is on a gateway's card, by the way that everything takes: verified, stored, signed
/// for. What is here already is not stored twice.
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
    #[serde(flatten)]
    left: Left,
    #[serde(flatten)]
    tally: Tally,
    receipts: usize,
}

/// What could not be taken.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Left {
    /// Records that lie under the card's key, which is not there.
    veiled: usize,
    /// Places where a record begins and does not check.
    spoilt: usize,
    /// Indexes between records that are there, and have none.
    missing: u64,
    /// Files of which no record is one: the key is another card's.
    unreadable: usize,
    /// Records for which there was no room: run it again when others have been opened.
    unkept: u64,
}

/// Exit code if something on the card was not taken.
const EXIT_LEFT: u8 = 3;

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let keys = KeyFolder(config.keys.clone());
        let (buffer, veil) = self.card()?;
        let object = buffer.display().to_string();
        write_down(&Db::open(&config.store)?, Deed::Import, "", &format!("of the card {object}"))?;
        let mut ingest = Ingest::open(&config.store, &keys, &keys)?;
        let (mut files, mut left, mut owner) = (0, Left::default(), None);
        for (name, path) in segments(&buffer)? {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            let read = card::records(&veil, name.segment, &bytes);
            files += 1;
            left.veiled += read.veiled;
            left.spoilt += read.spoilt;
            let good: Vec<_> = read.records.into_iter().filter(|one| is_good(&name, one)).collect();
            left.missing += missing(&good);
            if good.iter().all(|(_, bytes)| Record::parse(bytes).is_err()) {
                left.unreadable += usize::from(!good.is_empty());
                continue;
            }
            // The sink may know a header that this card has lost: then it is the others' gateway's.
            owner = gateway_of(&good).or(owner);
            let Some(gateway) = owner else {
                left.missing += 1;
                continue;
            };
            let lane = name.lane;
            ingest.take(good.into_iter().map(|(_, bytes)| Found { gateway, lane, bytes }))?;
        }
        let (tally, receipts) = ingest.end();
        left.unkept = tally.unkept;
        erase::carry_out_all(&Db::open(&config.store)?, &keys, clock::now())?;
        if let Some(path) = &self.receipts {
            let lines = receipts.iter().map(|receipt| hex(&receipt.bytes) + "\n");
            fs::write(path, lines.collect::<String>())
                .with_context(|| path.display().to_string())?;
        }
        self.say(&Answer { schema: 1, files, left, tally, receipts: receipts.len() })
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
            return end(&answer.left, answer.tally.unsigned);
        }
        let Answer { files, left, tally, receipts, .. } = answer;
        let Tally { stored, held, refused, unsigned, .. } = tally;
        println!("{files} files: {stored} records are stored, {held} held, {refused} refused");
        println!("{receipts} receipts signed");
        end(left, *unsigned)
    }
}

/// Says what was not taken, if anything: the card is still needed then.
fn end(left: &Left, unsigned: u64) -> Result<(), Failure> {
    let Left { veiled, spoilt, missing, unreadable, unkept } = left;
    let words = [
        (*veiled as u64, "records lie under the card's key, which is not there: --local-key"),
        (*unreadable as u64, "files mean nothing: the key is another card's: --local-key"),
        (*spoilt as u64, "records are damaged"),
        (*missing, "records are missing between others"),
        (*unkept, "records found no room: run it again when others have been opened"),
        (unsigned, "records are by no gateway that is enrolled here: enrol it first"),
    ];
    let words: Vec<_> = words.iter().filter(|(count, _)| *count > 0).collect();
    if words.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = words.iter().map(|(count, words)| format!("{count} {words}")).collect();
    let words = format!("do not erase the card: {}", words.join("; "));
    Err(Failure(EXIT_LEFT, anyhow::anyhow!(words)))
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

/// Whether a record is not behind the place at which its file was abandoned.
fn is_good(name: &FileName, (index, _): &(u32, Vec<u8>)) -> bool {
    name.cut.is_none_or(|cut| *index <= cut)
}

/// Indexes between records that have none.
fn missing(records: &[(u32, Vec<u8>)]) -> u64 {
    records.windows(2).map(|pair| u64::from(pair[1].0 - pair[0].0) - 1).sum()
}

/// Whose records they are, as their header says.
fn gateway_of(records: &[(u32, Vec<u8>)]) -> Option<GatewayId> {
    let (_, bytes) = records.first().filter(|(index, _)| *index == 0)?;
    let record = Record::parse(bytes).ok()?;
    Some(read_header_payload(record.payload).ok()?.0.gateway)
}
