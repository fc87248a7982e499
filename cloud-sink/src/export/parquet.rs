//! Parquet: one row a numeric, one row a run of samples, one row a note.

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::Writing;
use super::columns::{Notes, Numerics, Waves};
use super::parts::{Folder, Part};
use super::read::Kind;
use super::reading::Reading;

/// Rows of one batch, and samples of one.
const BATCH_ROWS: usize = 32 * 1024;
const BATCH_SAMPLES: usize = 512 * 1024;
/// Rows of one group: what a writer holds in memory.
const GROUP_ROWS: usize = 256 * 1024;

/// How all files are written.
#[must_use]
pub fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by(format!("wardline-sink {}", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Writes parts of one kind each.
#[derive(Default)]
pub struct Parquet {
    part: Option<(Kind, ArrowWriter<Part>)>,
    numerics: Numerics,
    waves: Waves,
    notes: Notes,
}

impl std::io::Write for Part {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Parquet {
    fn write(&mut self, kind: Kind) -> anyhow::Result<()> {
        let batch = match kind {
            Kind::Numerics => self.numerics.take()?,
            Kind::Waves => self.waves.take()?,
            Kind::Notes => self.notes.take()?,
        };
        if let Some((_, writer)) = &mut self.part {
            writer.write(&batch)?;
        }
        Ok(())
    }
}

impl Writing for Parquet {
    fn begin(&mut self, folder: &Folder, kind: Kind) -> anyhow::Result<()> {
        let (name, schema) = match kind {
            Kind::Numerics => ("numerics", Numerics::schema()),
            Kind::Waves => ("waves", Waves::schema()),
            Kind::Notes => ("notes", Notes::schema()),
        };
        let part = folder.part(kind, name, "parquet")?;
        self.part = Some((kind, ArrowWriter::try_new(part, schema, Some(properties()))?));
        Ok(())
    }

    fn add(&mut self, reading: Reading) -> anyhow::Result<bool> {
        match reading {
            Reading::Numeric(numeric) => {
                self.numerics.push(&numeric);
                if self.numerics.len() >= BATCH_ROWS {
                    self.write(Kind::Numerics)?;
                }
            }
            Reading::Wave(wave) => {
                self.waves.push(&wave);
                if self.waves.samples() >= BATCH_SAMPLES {
                    self.write(Kind::Waves)?;
                }
            }
            Reading::Note(note) => {
                self.notes.push(&note);
                if self.notes.len() >= BATCH_ROWS {
                    self.write(Kind::Notes)?;
                }
            }
        }
        Ok(true)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(kind) = self.part.as_ref().map(|(kind, _)| *kind) else { return Ok(()) };
        self.write(kind)?;
        let Some((_, writer)) = self.part.take() else { return Ok(()) };
        writer.into_inner()?.finish()
    }
}
