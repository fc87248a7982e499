//! `wardline log export`: the sealed records of a folder, one a line of JSON; needs no key.

use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use wire::audit::AuditKind;
use wire::frame::RecordKind;
use wire::hex::hex;

use super::each_segment;
use crate::audit;
use crate::buffer::segment::read_place;
use crate::cli::{ConfigArg, Failure, deed, write_down};
use crate::config::Config;
use crate::local::STATUS;

/// Writes the sealed records of a buffer folder as lines of JSON, to be checked elsewhere.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Folder of segment files. If it is that of the gateway of --config, or an agent runs beside
    /// it, the gateway's audit trail says that they were written out.
    folder: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
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
        self.write_down(&format!("{records} sealed records were written out"));
        Ok(())
    }

    /// Writes it down where the folder is a living gateway's; a copy of one stays as it is.
    fn write_down(&self, words: &str) {
        let place = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
        let is_ours = |config: &Config| place(&config.state.join("buffer")) == place(&self.folder);
        if let Some(config) = self.config.load_to_ask().ok().filter(is_ours) {
            return write_down(&config, AuditKind::Export, "records", words);
        }
        let state = std::path::absolute(&self.folder).ok();
        let Some(state) = state.as_deref().and_then(Path::parent) else { return };
        if UnixStream::connect(state.join(STATUS)).is_ok()
            && let Err(error) = audit::leave(state, &deed(AuditKind::Export, "records", words))
        {
            eprintln!("not in the audit trail: {error}");
        }
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
