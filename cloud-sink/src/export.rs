//! Export: portability. What leaves says that Wardline is informational.
//!
//! store -> read (pages) -> writing (a format) -> parts (files that are whole or not there)

pub mod columns;

pub mod csv;

pub mod fhir;

pub mod hl7;

pub mod parquet;

pub mod parts;

pub mod read;

pub mod reading;

use parts::Folder;
use read::{Kind, Reader};
use reading::Reading;

/// Rows of one part of numbers or notes, and runs of one of samples.
const PART_ROWS: u64 = 1_000_000;
const PART_RUNS: u64 = 100_000;

/// A format.
pub trait Writing {
    /// Begins the next part of a kind.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()>;
    /// Adds one reading to it; whether it is in there, or left out by the rules of the format.
    ///
    /// # Errors
    /// The disk fails.
    fn add(&mut self, reading: Reading) -> anyhow::Result<bool>;
    /// Ends the part: it is durable.
    ///
    /// # Errors
    /// The disk fails.
    fn end(&mut self) -> anyhow::Result<()>;
    /// Whether it has files for a kind.
    fn has(&self, _kind: Kind) -> bool {
        true
    }
}

/// Writes everything from where the folder stands; `said` hears how many rows are there.
///
/// # Errors
/// The store or the disk fails; the next call goes on behind the last whole part.
pub fn write(
    reader: &mut Reader<'_>,
    folder: &mut Folder,
    format: &mut dyn Writing,
    said: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    for kind in Kind::ALL {
        if !format.has(kind) {
            continue;
        }
        let rows_max = if kind == Kind::Waves { PART_RUNS } else { PART_ROWS };
        while let Some((rows, left_out, after)) =
            write_part(reader, folder, format, (kind, rows_max), said)?
        {
            folder.state.left_out += left_out;
            folder.reached(kind, after, rows, rows > 0)?;
        }
    }
    folder.done()
}

/// Writes one part; its rows, what was left out, and the last row that was read; none at the end.
fn write_part(
    reader: &mut Reader<'_>,
    folder: &Folder,
    format: &mut dyn Writing,
    (kind, rows_max): (Kind, u64),
    said: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<(u64, u64, i64)>> {
    let (mut after, until) = (folder.state.after[kind as usize], folder.state.until[kind as usize]);
    let (begin, mut rows, mut left_out) = (after, 0, 0);
    while rows < rows_max {
        let page = reader.page(kind, (after, until), |reading| {
            if rows == 0 {
                format.begin(folder, kind)?;
            }
            rows += 1;
            left_out += u64::from(!format.add(reading)?);
            Ok(())
        })?;
        let Some(end) = page else { break };
        after = end;
        said(folder.state.rows + rows);
    }
    if rows > 0 {
        format.end()?;
    }
    Ok((after > begin).then_some((rows, left_out, after)))
}
