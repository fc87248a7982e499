//! One CSV file a signal: time in UTC nanoseconds, value, unit, validity.
//!
//! Waves keep the device's raw integers; gain, baseline and rate stand in the head, so that
//! physical = (value - baseline) / gain. Numerics keep the device's digits. A value that is
//! invalid or absent is empty.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use rusqlite::{Connection, Row};
use wire::batch::wave;
use wire::decimal::{Absent, Decimal};
use wire::identity::DeviceId;
use wire::reading::{STATUS_INVALID, STATUS_QUESTIONABLE, Status};
use wire::time::Rate;

use crate::codes;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
}

struct Series {
    id: i64,
    code: u32,
    label: String,
    unit: String,
    wave: bool,
    rate: Rate,
    gain: Decimal,
    baseline: i32,
    bits: u8,
    mode: u8,
}

/// Writes every signal of a device into a folder.
///
/// # Errors
/// The device is unknown, the folder cannot be written, or a stored block is damaged.
pub fn export(db: &Connection, device: DeviceId, folder: &Path) -> anyhow::Result<Written> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // One reading transaction, so that what is exported was stored together.
    let snapshot = db.unchecked_transaction()?;
    let row: i64 = db
        .query_row("SELECT id FROM device WHERE eui = ?1", [device.to_string()], |row| row.get(0))
        .with_context(|| format!("device {device} is not in this store"))?;
    let mut written = Written::default();
    let mut names = HashSet::new();
    for series in all_series(db, row)? {
        let path = folder.join(file_name(&series, &mut names));
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        write_head(&mut out, device, &series)?;
        written.rows += if series.wave {
            write_waves(db, &mut out, &series)?
        } else {
            write_numerics(db, &mut out, &series)?
        };
        out.flush()?;
        written.files += 1;
    }
    let notes = write_notes(db, row, device, folder)?;
    written.files += u64::from(notes > 0);
    written.rows += notes;
    snapshot.finish()?;
    Ok(written)
}

fn all_series(db: &Connection, device: i64) -> anyhow::Result<Vec<Series>> {
    let mut statement = db.prepare(
        "SELECT id, code, unit, label, unit_label, wave, rate_numerator, rate_denominator,
           gain_mantissa, gain_exponent, baseline, bits, mode
         FROM series WHERE device = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([device], series_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn series_of(row: &Row<'_>) -> Result<Series, rusqlite::Error> {
    let code: u32 = row.get(1)?;
    let (label, unit_label): (String, String) = (row.get(3)?, row.get(4)?);
    let name = codes::code(code).map(|known| known.refid.clone());
    let fallback = name.unwrap_or_else(|| format!("MDC_{code}"));
    Ok(Series {
        id: row.get(0)?,
        code,
        label: if label.is_empty() { fallback } else { label },
        unit: if unit_label.is_empty() { codes::unit(row.get(2)?) } else { unit_label },
        wave: row.get(5)?,
        rate: Rate {
            numerator: row.get::<_, i64>(6)?.cast_unsigned(),
            denominator: row.get::<_, i64>(7)?.cast_unsigned(),
        },
        gain: Decimal { mantissa: row.get(8)?, exponent: row.get(9)? },
        baseline: row.get(10)?,
        bits: row.get(11)?,
        mode: row.get(12)?,
    })
}

fn file_name(series: &Series, names: &mut HashSet<String>) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let stem: String = series.label.chars().map(plain).collect();
    let mut name = format!("{stem}.csv");
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        name = format!("{stem}-{number}.csv");
        number += 1;
    }
    name
}

fn write_head(out: &mut impl Write, device: DeviceId, series: &Series) -> std::io::Result<()> {
    writeln!(out, "# Wardline export. Informational: not an alarm system.")?;
    writeln!(out, "# device: {device}")?;
    writeln!(out, "# signal: {}", series.label)?;
    writeln!(out, "# code: {}", series.code)?;
    writeln!(out, "# unit: {}", series.unit)?;
    match series.mode {
        0 => {}
        1 => writeln!(out, "# mode: demo, not clinical")?,
        _ => writeln!(out, "# mode: service, not clinical")?,
    }
    if series.wave {
        writeln!(out, "# gain: {}", series.gain)?;
        writeln!(out, "# baseline: {}", series.baseline)?;
        writeln!(out, "# rate: {}/{}", series.rate.numerator, series.rate.denominator)?;
        writeln!(out, "# bits: {}", series.bits)?;
    }
    writeln!(out, "time_unix_ns,value,unit,validity")
}

fn validity(status: Status, absent: Option<u64>) -> &'static str {
    match absent.and_then(Absent::from_number) {
        Some(state) => state.name(),
        None if status & STATUS_INVALID != 0 => "invalid",
        None if status & STATUS_QUESTIONABLE != 0 => "questionable",
        None => "valid",
    }
}

/// Cells with commas or quotes are quoted.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn write_numerics(db: &Connection, out: &mut impl Write, series: &Series) -> anyhow::Result<u64> {
    let mut statement = db.prepare(
        "SELECT numeric.at_ns, numeric.mantissa, numeric.exponent, numeric.status, numeric.absent
         FROM block JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
         WHERE block.series = ?1 ORDER BY numeric.at_ns, numeric.id",
    )?;
    let unit = cell(&series.unit);
    let mut rows = statement.query([series.id])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (at, mantissa): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        let (exponent, status): (i8, Status) = (row.get(2)?, row.get(3)?);
        let validity = validity(status, row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned));
        match mantissa.filter(|_| status & STATUS_INVALID == 0) {
            Some(mantissa) => {
                let value = Decimal { mantissa, exponent };
                writeln!(out, "{at},{value},{unit},{validity}")?;
            }
            None => writeln!(out, "{at},,{unit},{validity}")?,
        }
        count += 1;
    }
    Ok(count)
}

fn write_waves(db: &Connection, out: &mut impl Write, series: &Series) -> anyhow::Result<u64> {
    let mut statement = db.prepare(
        "SELECT at_ns, sample_first, count, status, samples, invalid FROM wave
         WHERE series = ?1 ORDER BY at_ns, id",
    )?;
    let unit = cell(&series.unit);
    let mut rows = statement.query([series.id])?;
    let mut written = 0;
    while let Some(row) = rows.next()? {
        let (at, first): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (count, status): (i64, Status) = (row.get(2)?, row.get(3)?);
        let (count, first) = (usize::try_from(count)?, first.cast_unsigned());
        let packed: Vec<u8> = row.get(4)?;
        let Ok(samples) = wave::decode(&packed, count, None) else {
            bail!("a stored waveform block of {} is damaged; verify the evidence", series.label);
        };
        let valid = valid_samples(count, row.get::<_, Option<Vec<u8>>>(5)?.as_deref());
        let start = series.rate.nanos_of(first);
        for (offset, sample) in samples.iter().enumerate() {
            let time = at + series.rate.nanos_of(first + offset as u64) - start;
            if valid[offset] && status & STATUS_INVALID == 0 {
                writeln!(out, "{time},{sample},{unit},{}", validity(status, None))?;
            } else {
                writeln!(out, "{time},,{unit},invalid")?;
            }
        }
        written += count as u64;
    }
    Ok(written)
}

fn valid_samples(count: usize, invalid: Option<&[u8]>) -> Vec<bool> {
    let mut valid = vec![true; count];
    for hole in invalid.unwrap_or_default().chunks_exact(8) {
        let word = |at: usize| {
            u32::from_le_bytes([hole[at], hole[at + 1], hole[at + 2], hole[at + 3]]) as usize
        };
        valid.iter_mut().skip(word(0)).take(word(4)).for_each(|valid| *valid = false);
    }
    valid
}

fn write_notes(db: &Connection, device: i64, id: DeviceId, folder: &Path) -> anyhow::Result<u64> {
    let any = "SELECT EXISTS (SELECT 1 FROM note WHERE device = ?1)";
    if !db.query_row(any, [device], |row| row.get::<_, bool>(0))? {
        return Ok(0);
    }
    let mut out = BufWriter::new(File::create(folder.join("alerts.csv"))?);
    writeln!(out, "# Wardline export. Informational: not an alarm system.")?;
    writeln!(out, "# device: {id}")?;
    writeln!(out, "time_unix_ns,kind,code,source,phase,state,priority,value,text")?;
    let mut statement = db.prepare(
        "SELECT at_ns, kind, code, source, phase, state, priority, value, text FROM note
         WHERE device = ?1 ORDER BY at_ns, id",
    )?;
    let mut rows = statement.query([device])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let number = |at: usize| {
            row.get::<_, Option<i64>>(at).map(|n| n.map(|n| n.to_string()).unwrap_or_default())
        };
        let (at, kind): (i64, String) = (row.get(0)?, row.get(1)?);
        write!(out, "{at},{kind}")?;
        for column in 2..8 {
            write!(out, ",{}", number(column)?)?;
        }
        let text: Option<String> = row.get(8)?;
        writeln!(out, ",{}", cell(&text.unwrap_or_default()))?;
        count += 1;
    }
    out.flush()?;
    Ok(count)
}
