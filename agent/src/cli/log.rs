//! `wardline log verify`: checks a buffer folder with public keys only; works on a card image.
//! `wardline log ls` lists what is there, `wardline log export` takes it away.

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use wire::card::Veil;
use wire::frame::{Record, RecordKind};
use wire::gap::Gap;
use wire::identity::{Lane, RecordHash};
use wire::seal::{verify_frame, verify_header};
use wire::segment::Header;
use wire::signed::{Purpose, verify};

mod export;

mod ls;

use super::Failure;
use crate::buffer::disk::{Disk, Folder, FolderFile};
use crate::buffer::segment::{FileName, Scan, read_place, scan};
use crate::seal::keyring::{KeyFiles, veil_to_look};
use export::Export;
use ls::Ls;
pub(super) use ls::list;

/// What can be done with a log.
#[derive(Debug, clap::Subcommand)]
pub enum Log {
    /// Lists the segments of a folder, one a line.
    Ls(Ls),
    /// Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails.
    Verify(Verify),
    /// Writes the sealed records as lines of JSON.
    Export(Export),
}

/// Checks a buffer folder.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// Folder of segment files.
    folder: PathBuf,
    /// The gateway's public key, 64 hexadecimal digits; without it signatures are not checked.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    segments: u64,
    frames: u64,
    gaps: u64,
    gap_readings: u64,
    readings: u64,
    breaks: u64,
    holes: u64,
    quarantined: u64,
    signatures_checked: bool,
    first_bad: Option<String>,
    #[serde(skip)]
    all_bad: Vec<String>,
}

/// Bad places that are named one by one.
const NAMED_MAX: usize = 100;

impl Report {
    fn bad(&mut self, what: String) {
        self.breaks += 1;
        self.first_bad.get_or_insert_with(|| what.clone());
        if self.all_bad.len() < NAMED_MAX {
            self.all_bad.push(what);
        }
    }
}

impl Log {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(list) => list.run(),
            Self::Verify(verify) => verify.run(),
            Self::Export(export) => export.run(),
        }
    }
}

impl Verify {
    fn run(self) -> Result<(), Failure> {
        let key = self.key.as_deref().map(parse_key).transpose()?;
        let folder = Folder::existing(&self.folder)
            .map(|folder| folder.under(veil(&self.folder)))
            .with_context(|| format!("{} cannot be opened", self.folder.display()))?;
        let mut report =
            Report { schema: 1, signatures_checked: key.is_some(), ..Report::default() };
        let mut heads: BTreeMap<Lane, (RecordHash, u32)> = BTreeMap::new();
        for (name, _) in folder.list()? {
            if name.strip_suffix(".bad").and_then(FileName::parse).is_some() {
                report.quarantined += 1;
            }
            let Some(parsed) = FileName::parse(&name) else { continue };
            let (file, found) = match open(&folder, &name, &parsed) {
                Ok(read) => read,
                Err(error) => {
                    report.bad(format!("{name}: {error}"));
                    continue;
                }
            };
            report.segments += 1;
            check_segment(&file, &name, &parsed, &found, key.as_ref(), &mut heads, &mut report)?;
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            for bad in &report.all_bad {
                println!("bad: {bad}");
            }
            println!(
                "{} segments, {} frames, {} readings, {} gaps ({} readings), {} holes, {} breaks, \
                 {} files in quarantine",
                report.segments,
                report.frames,
                report.readings,
                report.gaps,
                report.gap_readings,
                report.holes,
                report.breaks,
                report.quarantined
            );
        }
        match report.first_bad {
            None => Ok(()),
            Some(bad) => Err(anyhow::anyhow!("first bad: {bad}").into()),
        }
    }
}

/// The veil of the medium that a buffer folder is on; none if its key is not to be had, and if it
/// lies in a credential that is not given here, that is said.
fn veil(buffer: &Path) -> Veil {
    let files = KeyFiles::beside(buffer).map(|files| files.given(super::credentials()));
    let veil = files.map_or(Ok(Veil::default()), |files| veil_to_look(&files));
    veil.unwrap_or_else(|error| {
        eprintln!("{error}");
        Veil::default()
    })
}

fn open(folder: &Folder, name: &str, parsed: &FileName) -> std::io::Result<(FolderFile, Scan)> {
    let file = folder.open(name)?;
    let mut found = scan(&file, parsed.segment)?;
    if let Some(cut) = parsed.cut {
        found.cut_at(cut);
    }
    Ok((file, found))
}

/// Reads each segment once. An agent that runs meanwhile renames some and uses the files of others
/// again: it is looked for more until everything there was read.
fn each_segment(
    path: &Path,
    mut take: impl FnMut(&str, &FileName, &FolderFile, &Scan) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder =
        Folder::existing(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let folder = folder.under(veil(path));
    let listed = |folder: &Folder| -> std::io::Result<Vec<(String, FileName)>> {
        let names = folder.list()?.into_iter();
        Ok(names.filter_map(|(name, _)| FileName::parse(&name).map(|of| (name, of))).collect())
    };
    // Whoever reads more slowly than the agent writes comes to an end, too.
    let newest = listed(&folder)?.iter().map(|(_, parsed)| parsed.ordinal).max();
    let mut taken = HashSet::new();
    loop {
        let (before, mut is_whole) = (taken.len(), true);
        for (name, parsed) in listed(&folder)? {
            if Some(parsed.ordinal) > newest || taken.contains(&parsed.segment) {
                continue;
            }
            match open(&folder, &name, &parsed) {
                Ok((file, _)) if !folder.is_at(&name, &file) => is_whole = false,
                Ok((file, found)) => {
                    taken.insert(parsed.segment);
                    let whole = take(&name, &parsed, &file, &found);
                    match whole {
                        Err(error) if !folder.is_at(&name, &file) => {
                            eprintln!("{name}: used again while it was read: {error:#}");
                        }
                        whole => whole?,
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => is_whole = false,
                Err(error) => return Err(error).context(name),
            }
        }
        if is_whole && taken.len() == before {
            return Ok(());
        }
    }
}

fn parse_key(text: &str) -> anyhow::Result<VerifyingKey> {
    let bytes: Option<Vec<u8>> = (text.len() == 64)
        .then(|| (0..32).map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()))
        .and_then(Iterator::collect);
    let bytes = bytes.context("--key holds 64 hexadecimal digits")?;
    VerifyingKey::try_from(bytes.as_slice()).context("--key is no Ed25519 public key")
}

fn check_segment(
    file: &FolderFile,
    name: &str,
    parsed: &FileName,
    found: &Scan,
    key: Option<&VerifyingKey>,
    heads: &mut BTreeMap<Lane, (RecordHash, u32)>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some((header, bytes, hash)) = &found.header else {
        report.bad(format!("{name}: both headers are damaged"));
        return Ok(());
    };
    check_header(header, bytes, key, heads.get(&parsed.lane), name, report);
    if !found.header_twice {
        report.bad(format!("{name}: one of the two headers is damaged"));
    }
    for (first, last) in &found.holes {
        report.holes += 1;
        report.bad(format!("{name}: records {first} to {last} are damaged or missing"));
    }
    if found.torn_tail {
        let next = found.places.last().map_or(1, |place| place.index + 1);
        report.bad(format!("{name}: record {next} is torn or damaged"));
    }
    let mut previous = Some(*hash);
    let mut expected = 1;
    for place in &found.places {
        let linked = place.index != expected || previous == Some(place.previous);
        if !linked {
            report.bad(format!("{name}: record {} does not follow its predecessor", place.index));
        }
        let bytes = read_place(file, parsed.segment, place)?;
        let bytes = bytes.context("a record vanished while it was read")?;
        if let Err(reason) = check_record(&bytes, key, report) {
            report.bad(format!("{name}: record {}: {reason}", place.index));
        }
        report.readings += place.sequences.1 - place.sequences.0;
        (previous, expected) = (Some(place.hash), place.index + 1);
    }
    let last = found.places.last().map_or((*hash, 0), |place| (place.hash, place.index));
    heads.insert(parsed.lane, last);
    Ok(())
}

fn check_header(
    header: &Header,
    bytes: &[u8],
    key: Option<&VerifyingKey>,
    head: Option<&(RecordHash, u32)>,
    name: &str,
    report: &mut Report,
) {
    if let (Some(key), Ok(record)) = (key, Record::parse(bytes))
        && let Err(error) = verify_header(&record, key)
    {
        report.bad(format!("{name}: header: {error}"));
    }
    // The first segment of a folder may continue one that was trimmed.
    let continued = header.continues.map(|continues| (continues.hash, continues.index));
    if let Some(head) = head
        && continued != Some(*head)
    {
        report.bad(format!("{name}: the header does not continue the segment before"));
    }
}

fn check_record(
    bytes: &[u8],
    key: Option<&VerifyingKey>,
    report: &mut Report,
) -> Result<(), String> {
    let record = Record::parse(bytes).map_err(|error| error.to_string())?;
    if record.kind == RecordKind::Gap {
        let gap = Gap::decode(record.payload).map_err(|error| error.to_string())?;
        report.gaps += 1;
        report.gap_readings += gap.hole.readings.1;
    } else {
        report.frames += 1;
    }
    let Some(key) = key else { return Ok(()) };
    if record.kind == RecordKind::Gap {
        verify(key, Purpose::Record, record.signed).map(drop).map_err(|error| error.to_string())
    } else {
        verify_frame(&record, key).map(drop).map_err(|error| error.to_string())
    }
}
