//! `wardline log ls`: the segments of a buffer folder, one a line; needs no key.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use wire::frame::RecordKind;

use super::each_segment;
use crate::buffer::segment::{FileName, Scan};
use crate::cli::Failure;

/// Lists the segments of a buffer folder.
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Folder of segment files.
    folder: PathBuf,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    segments: Vec<Segment>,
}

/// One segment file.
#[derive(Serialize)]
struct Segment {
    file: String,
    /// `waiting`, `receipted`, or `damaged` if neither header is whole.
    state: &'static str,
    lane: String,
    segment: String,
    /// Starts of the agent on this medium when it was opened.
    start: Option<u64>,
    /// When it was opened, UTC nanoseconds, if the gateway knew.
    opened_ns: Option<i64>,
    frames: u64,
    gaps: u64,
    /// Readings inside its frames.
    readings: u64,
    /// Lane sequences of the first reading and of the one after the last.
    sequences: Option<(u64, u64)>,
    bytes: u64,
}

impl Ls {
    pub(super) fn run(self) -> Result<(), Failure> {
        let listing = read(&self.folder)?;
        if self.json {
            println!("{}", serde_json::to_string(&listing)?);
        } else {
            show(&listing);
        }
        Ok(())
    }
}

/// The segments of a folder as one line of JSON.
pub(in crate::cli) fn list(folder: &Path) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&read(folder)?)?)
}

fn read(path: &Path) -> anyhow::Result<Listing> {
    let mut listing = Listing { schema: 1, segments: Vec::new() };
    each_segment(path, |name, parsed, _, found| {
        listing.segments.push(segment(name.to_owned(), parsed, found));
        Ok(())
    })?;
    Ok(listing)
}

fn segment(name: String, parsed: &FileName, found: &Scan) -> Segment {
    let header = found.header.as_ref().map(|(header, _, _)| header);
    let count = |kind| found.places.iter().filter(|place| place.kind == kind).count() as u64;
    let spans = found.places.iter().map(|place| place.sequences);
    let first = spans.clone().find(|(from, to)| from < to).map(|(from, _)| from);
    let last = spans.clone().rfind(|(from, to)| from < to).map(|(_, to)| to);
    Segment {
        state: match header {
            None => "damaged",
            Some(_) if parsed.done => "receipted",
            Some(_) => "waiting",
        },
        lane: parsed.lane.to_string(),
        segment: parsed.segment.to_string(),
        start: header.map(|header| header.start_count),
        opened_ns: header.and_then(|header| header.clock.utc).map(|utc| utc.0),
        frames: count(RecordKind::Frame),
        gaps: count(RecordKind::Gap),
        readings: spans.map(|(from, to)| to - from).sum(),
        sequences: first.zip(last),
        bytes: found.end,
        file: name,
    }
}

fn show(listing: &Listing) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["lane", "opened", "state", "frames", "gaps", "readings", "bytes", "file"]);
    for one in &listing.segments {
        let opened = one.opened_ns.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
        table.add_row([
            one.lane.clone(),
            opened.map_or_else(|| "no clock".into(), |opened| format!("{opened:.0}")),
            one.state.to_owned(),
            one.frames.to_string(),
            one.gaps.to_string(),
            one.readings.to_string(),
            one.bytes.to_string(),
            one.file.clone(),
        ]);
    }
    println!("{table}");
    let sum = |of: fn(&Segment) -> u64| listing.segments.iter().map(of).sum::<u64>();
    println!(
        "{} segments, {} frames, {} readings, {} gaps",
        listing.segments.len(),
        sum(|one| one.frames),
        sum(|one| one.readings),
        sum(|one| one.gaps)
    );
}
