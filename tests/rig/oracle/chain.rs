//! O4: every fork and every missing predecessor that the evidence shows is in the ledger, and no
//! other. The evidence is read again from its bytes; the product's columns are not asked.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use cloud_sink::ledger::Ledger;
use rusqlite::Connection;
use wire::frame::{Record, RecordKind, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{Lane, RecordHash};
use wire::segment::read_header_payload;

/// What a record says of its place in a chain.
struct Link {
    lane: u8,
    hash: RecordHash,
    previous: Option<RecordHash>,
    /// The last record of the hole that it stands for.
    bridges: Option<RecordHash>,
}

fn link(bytes: &[u8]) -> Option<Link> {
    let record = Record::parse(bytes).ok()?;
    let hash = record.hash();
    let (lane, previous, bridges) = match record.kind {
        RecordKind::Header => {
            let (header, _, _) = read_header_payload(record.payload).ok()?;
            (header.lane, header.continues.map(|continues| continues.hash), None)
        }
        RecordKind::Frame => {
            let (core, _, _) = read_frame_payload(record.payload).ok()?;
            (core.lane, Some(core.previous), None)
        }
        RecordKind::Gap => {
            let gap = Gap::decode(record.payload).ok()?;
            (gap.lane, Some(gap.previous), gap.hole.after)
        }
    };
    Some(Link { lane: lane as u8, hash, previous, bridges })
}

/// Forked and waiting records of one lane.
type Counts = (u64, u64);

fn count(links: &[Link]) -> BTreeMap<u8, Counts> {
    let hashes: BTreeSet<_> = links.iter().map(|link| link.hash.0).collect();
    let bridged: BTreeSet<_> = links.iter().filter_map(|link| Some(link.bridges?.0)).collect();
    let mut successors: BTreeMap<(u8, [u8; 32]), u64> = BTreeMap::new();
    for link in links {
        if let Some(previous) = link.previous {
            *successors.entry((link.lane, previous.0)).or_default() += 1;
        }
    }
    let mut lanes: BTreeMap<u8, Counts> = BTreeMap::new();
    for link in links {
        let (forked, waiting) = lanes.entry(link.lane).or_default();
        let Some(previous) = link.previous else { continue };
        if successors[&(link.lane, previous.0)] > 1 {
            *forked += 1;
        } else if !hashes.contains(&previous.0) && !bridged.contains(&previous.0) {
            *waiting += 1;
        }
    }
    lanes
}

fn read(db: &Connection) -> Result<Vec<Link>> {
    let mut statement = db.prepare("SELECT bytes FROM evidence WHERE disposition <> 3")?;
    let evidence: Vec<Vec<u8>> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(evidence.iter().filter_map(|bytes| link(bytes)).collect())
}

/// Lanes of which the evidence shows a fork.
///
/// # Errors
/// The store cannot be read.
pub fn forked_lanes(db: &Connection) -> Result<Vec<u8>> {
    let lanes = count(&read(db)?);
    Ok(lanes.into_iter().filter(|(_, (forked, _))| *forked > 0).map(|(lane, _)| lane).collect())
}

/// Compares what the evidence shows with what the ledger says.
///
/// # Errors
/// The store cannot be read.
pub fn compare(db: &Connection, ledger: &Ledger) -> Result<Vec<String>> {
    let shown = count(&read(db)?);
    let mut wrong = Vec::new();
    for books in &ledger.lanes {
        let lane = Lane::from_name(&books.lane).map_or(u8::MAX, |lane| lane as u8);
        let (forked, waiting) = shown.get(&lane).copied().unwrap_or_default();
        if (books.forked, books.waiting) != (forked, waiting) {
            wrong.push(format!(
                "lane {}: the evidence shows {forked} forked and {waiting} waiting, the ledger {} \
                 and {}",
                books.lane, books.forked, books.waiting
            ));
        }
    }
    Ok(wrong)
}
