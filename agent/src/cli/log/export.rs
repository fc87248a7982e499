//! `wardline log export`: the sealed records of a folder, one a line of JSON; needs no key.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use wire::frame::RecordKind;
use wire::hex::hex;

use super::each_segment;
use crate::buffer::segment::read_place;
use crate::cli::Failure;

/// Writes the sealed records of a buffer folder as lines of JSON, to be checked elsewhere.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Folder of segment files.
    folder: PathBuf,
    /// Where they are written; the standard output without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// One record.
#[derive(Serialize)]
struct Line {
    schema: u32,
    lane: String,
    segment: String,
    index: u32,
    /// `header`, `frame` or `gap`.
    kind: &'static str,
    /// The whole record, hexadecimal.
    bytes: String,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let records = match &self.output {
            None => write_all(&self.folder, &mut std::io::stdout().lock())?,
            Some(path) => {
                let shown = || path.display().to_string();
                let file = std::fs::File::create_new(path).with_context(shown)?;
                let mut out = BufWriter::new(file);
                let records = write_all(&self.folder, &mut out)?;
                let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                file.sync_all().with_context(shown)?;
                records
            }
        };
        eprintln!("{records} sealed records");
        Ok(())
    }
}

fn write_all(folder: &Path, out: &mut impl Write) -> anyhow::Result<u64> {
    let mut records = 0;
    each_segment(folder, |_, parsed, file, found| {
        let mut write = |index, kind, bytes: &[u8]| {
            let (lane, segment) = (parsed.lane.to_string(), parsed.segment.to_string());
            let line = Line { schema: 1, lane, segment, index, kind, bytes: hex(bytes) };
            serde_json::to_writer(&mut *out, &line)?;
            records += 1;
            out.write_all(b"\n").map_err(anyhow::Error::from)
        };
        if let Some((_, bytes, _)) = &found.header {
            write(0, "header", bytes)?;
        }
        for place in &found.places {
            let bytes = read_place(file, parsed.segment, place)?;
            let bytes = bytes.context("a record vanished while it was read")?;
            let kind = if place.kind == RecordKind::Gap { "gap" } else { "frame" };
            write(place.index, kind, &bytes)?;
        }
        Ok(())
    })?;
    Ok(records)
}
