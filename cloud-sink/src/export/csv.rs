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
use wire::decimal::Decimal;
use wire::identity::DeviceId;
use wire::reading::{STATUS_INVALID, Status};

use crate::signal::{self, Signal, validity};
use crate::store::db::{Db, values};

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
}

/// Writes every signal of a device into a folder.
///
/// # Errors
/// The device is unknown, the folder cannot be written, or a stored block is damaged.
pub fn export(db: &Db, device: DeviceId, folder: &Path) -> anyhow::Result<Written> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // One reading transaction, so that what is exported was stored together.
    db.snapshot(|db| export_snapshot(db, device, folder))
}

fn export_snapshot(db: &Db, device: DeviceId, folder: &Path) -> anyhow::Result<Written> {
    let known = db.row("SELECT id FROM device WHERE eui = ?1", values![&device.to_string()])?;
    let row = known.with_context(|| format!("device {device} is not in this store"))?.at(0)?;
    let mut written = Written::default();
    let mut names = HashSet::new();
    for signal in signal::of_device(db, row)? {
        let path = folder.join(file_name(&signal, &mut names));
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        write_head(&mut out, device, &signal)?;
        written.rows += if signal.is_wave {
            write_waves(db, &mut out, &signal)?
        } else {
            write_numerics(db, &mut out, &signal)?
        };
        out.flush()?;
        written.files += 1;
    }
    let notes = write_notes(db, row, device, folder)?;
    written.files += u64::from(notes > 0);
    written.rows += notes;
    Ok(written)
}

fn file_name(signal: &Signal, names: &mut HashSet<String>) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let stem: String = signal.label.chars().map(plain).collect();
    let mut name = format!("{stem}.csv");
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        name = format!("{stem}-{number}.csv");
        number += 1;
    }
    name
}

fn write_head(out: &mut impl Write, device: DeviceId, signal: &Signal) -> std::io::Result<()> {
    writeln!(out, "# Wardline export. Informational: not an alarm system.")?;
    writeln!(out, "# device: {device}")?;
    writeln!(out, "# signal: {}", signal.label)?;
    writeln!(out, "# code: {}", signal.code)?;
    writeln!(out, "# unit: {}", signal.unit)?;
    match signal.mode {
        0 => {}
        1 => writeln!(out, "# mode: demo, not clinical")?,
        _ => writeln!(out, "# mode: service, not clinical")?,
    }
    if signal.is_wave {
        writeln!(out, "# gain: {}", signal.gain)?;
        writeln!(out, "# baseline: {}", signal.baseline)?;
        writeln!(out, "# rate: {}/{}", signal.rate.numerator, signal.rate.denominator)?;
        writeln!(out, "# bits: {}", signal.bits)?;
    }
    writeln!(out, "time_unix_ns,value,unit,validity")
}

/// Cells with commas or quotes are quoted.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn write_numerics(db: &Db, out: &mut impl Write, signal: &Signal) -> anyhow::Result<u64> {
    let sql = "SELECT numeric.at_ns, numeric.mantissa, numeric.exponent, numeric.status,
                 numeric.absent
               FROM block JOIN numeric ON numeric.id BETWEEN block.first_row AND block.last_row
               WHERE block.series = ?1 ORDER BY numeric.at_ns, numeric.id";
    let unit = cell(&signal.unit);
    let mut count = 0;
    db.each(sql, values![signal.id], |row| {
        let (at, mantissa): (i64, Option<i64>) = (row.at(0)?, row.at(1)?);
        let (exponent, status): (i8, Status) = (row.at(2)?, row.at(3)?);
        let validity = validity(status, row.at::<Option<i64>>(4)?.map(i64::cast_unsigned));
        match mantissa.filter(|_| status & STATUS_INVALID == 0) {
            Some(mantissa) => {
                let value = Decimal { mantissa, exponent };
                writeln!(out, "{at},{value},{unit},{validity}")?;
            }
            None => writeln!(out, "{at},,{unit},{validity}")?,
        }
        count += 1;
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(count)
}

fn write_waves(db: &Db, out: &mut impl Write, signal: &Signal) -> anyhow::Result<u64> {
    let sql = "SELECT at_ns, sample_first, count, status, samples, invalid FROM wave
               WHERE series = ?1 ORDER BY at_ns, id";
    let unit = cell(&signal.unit);
    let mut written = 0;
    db.each(sql, values![signal.id], |row| {
        let Some(run) = signal::run(&row)? else {
            bail!("a stored waveform block of {} is damaged; verify the evidence", signal.label);
        };
        for (n, sample) in run.samples.iter().enumerate() {
            let time = run.time_of(n, signal.rate);
            match sample {
                Some(sample) => {
                    writeln!(out, "{time},{sample},{unit},{}", validity(run.status, None))?;
                }
                None => writeln!(out, "{time},,{unit},invalid")?,
            }
        }
        written += run.samples.len() as u64;
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(written)
}

fn write_notes(db: &Db, device: i64, id: DeviceId, folder: &Path) -> anyhow::Result<u64> {
    let any = "SELECT EXISTS (SELECT 1 FROM note WHERE device = ?1)";
    if !db.one::<bool>(any, values![device])? {
        return Ok(0);
    }
    let mut out = BufWriter::new(File::create(folder.join("alerts.csv"))?);
    writeln!(out, "# Wardline export. Informational: not an alarm system.")?;
    writeln!(out, "# device: {id}")?;
    writeln!(out, "time_unix_ns,kind,code,source,phase,state,priority,value,text")?;
    let sql = "SELECT at_ns, kind, code, source, phase, state, priority, value, text FROM note
               WHERE device = ?1 ORDER BY at_ns, id";
    let mut count = 0;
    db.each(sql, values![device], |row| {
        let number = |at: usize| {
            row.at::<Option<i64>>(at).map(|n| n.map(|n| n.to_string()).unwrap_or_default())
        };
        let (at, kind): (i64, String) = (row.at(0)?, row.at(1)?);
        write!(out, "{at},{kind}")?;
        for column in 2..8 {
            write!(out, ",{}", number(column)?)?;
        }
        let text: Option<String> = row.at(8)?;
        writeln!(out, ",{}", cell(&text.unwrap_or_default()))?;
        count += 1;
        Ok::<_, anyhow::Error>(())
    })?;
    out.flush()?;
    Ok(count)
}
