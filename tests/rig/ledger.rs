//! The ledger: what devices said against what the store holds, value by value.
//!
//! It believes no counter of the product. It reads what `wardline-sink export` wrote and compares
//! time, value, unit and validity of each row with what the device wrote down when it spoke.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wire::decimal::{Decimal, Number};
use wire::reading::{ChannelKind, STATUS_INVALID, STATUS_QUESTIONABLE, Status};

use crate::device::{Said, SaidAlert, SaidChannel, Values};

mod table;

use table::Table;

/// The result.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    /// Values that devices said: numerics and samples.
    pub produced: u64,
    /// Values of those that the store holds as they were said.
    pub stored: u64,
    /// Alerts that devices said.
    pub alerts: u64,
    /// What was said and is not in the store, alerts included.
    pub lost: u64,
    /// Rows of the store beyond the first for one thing said.
    pub duplicates_stored: u64,
    /// Rows that differ from what was said, or that nobody said.
    pub altered: u64,
    /// The first differences in words, for whoever has to find them.
    pub differences: Vec<String>,
}

/// Differences that are put into words.
const DIFFERENCES_MAX: usize = 10;

/// What distinguishes one exported file from another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Signal {
    /// The label; our devices give each channel one.
    name: String,
    unit: String,
    wave: Option<Calibration>,
}

/// How a wave's integers are meant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Calibration {
    gain: String,
    baseline: i32,
    rate: (u64, u64),
    bits: u8,
}

impl Ledger {
    /// Whether the store holds exactly what was said.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicates_stored, self.altered) == (0, 0, 0)
    }

    /// Compares one device with the folder that its export wrote.
    ///
    /// # Errors
    /// The export cannot be read; a missing file is a loss and no error.
    pub fn compare(&mut self, said: &Said, export: &Path) -> Result<()> {
        let mut signals: BTreeMap<Signal, Vec<&SaidChannel>> = BTreeMap::new();
        for channel in said.channels.iter().filter(|channel| !channel.values.is_empty()) {
            signals.entry(Signal::said(channel)).or_default().push(channel);
            self.produced += channel.values.len();
        }
        let mut files: BTreeMap<Signal, PathBuf> = BTreeMap::new();
        for entry in export.read_dir().with_context(|| export.display().to_string())? {
            let path = entry?.path();
            let csv = path.extension().is_some_and(|extension| extension == "csv");
            if !csv || path.ends_with(ALERTS) {
                continue;
            }
            let signal = Signal::exported(&Table::open(&path)?);
            let signal = signal.with_context(|| path.display().to_string())?;
            if let Some(twice) = files.insert(signal, path) {
                self.note_foreign(&twice)?;
            }
        }
        for (signal, channels) in signals {
            match files.remove(&signal) {
                Some(path) => self.compare_signal(&signal, &channels, &path)?,
                None => {
                    let counts = channels.iter().map(|channel| channel.values.len());
                    self.differ(|| format!("{}: no file for {signal:?}", said.device));
                    self.lost += counts.sum::<u64>();
                }
            }
        }
        for path in files.into_values() {
            self.note_foreign(&path)?;
        }
        self.compare_alerts(&said.alerts, &export.join(ALERTS))
    }

    /// A file of values that nobody said.
    fn note_foreign(&mut self, path: &Path) -> Result<()> {
        let mut table = Table::open(path)?;
        let mut count = 0;
        while table.next_row()?.is_some() {
            count += 1;
        }
        self.altered += count;
        self.differ(|| format!("{}: {count} values that nobody said", path.display()));
        Ok(())
    }

    /// Walks both sides by time; both are sorted.
    fn compare_signal(
        &mut self,
        signal: &Signal,
        channels: &[&SaidChannel],
        path: &Path,
    ) -> Result<()> {
        let mut table = Table::open(path)?;
        let mut said = channels.iter().flat_map(|channel| said_values(channel)).peekable();
        let mut last = None;
        let mut wanted = String::new();
        let name = path.file_name().unwrap_or_default().display();
        while let Some(row) = table.next_row()? {
            while let Some(missing) = said.next_if(|value| value.time_ns < row.time_ns) {
                self.lost += 1;
                self.differ(|| format!("{name}: the value of {} is missing", missing.time_ns));
            }
            let Some(value) = said.next_if(|value| value.time_ns == row.time_ns) else {
                let twice = last == Some(row.time_ns);
                self.duplicates_stored += u64::from(twice);
                self.altered += u64::from(!twice);
                self.differ(|| format!("{name}: {row:?} {}", if twice { "again" } else { "?" }));
                continue;
            };
            last = Some(row.time_ns);
            let validity = value.write(&mut wanted);
            if (row.value, row.unit, row.validity) == (&wanted, &signal.unit, validity) {
                self.stored += 1;
            } else {
                self.altered += 1;
                self.differ(|| format!("{name}: {row:?} instead of {wanted} {validity}"));
            }
        }
        for missing in said {
            self.lost += 1;
            self.differ(|| format!("{name}: the value of {} is missing", missing.time_ns));
        }
        Ok(())
    }

    fn compare_alerts(&mut self, said: &[SaidAlert], path: &Path) -> Result<()> {
        self.alerts += said.len() as u64;
        let mut left: BTreeMap<&SaidAlert, i64> = BTreeMap::new();
        said.iter().for_each(|alert| *left.entry(alert).or_default() += 1);
        let stored = if path.exists() { table::read_alerts(path)? } else { Vec::new() };
        for alert in &stored {
            match left.get_mut(alert) {
                Some(count) if *count > 0 => *count -= 1,
                Some(_) => {
                    self.duplicates_stored += 1;
                    self.differ(|| format!("{alert:?} again"));
                }
                None => {
                    self.altered += 1;
                    self.differ(|| format!("nobody said {alert:?}"));
                }
            }
        }
        for (alert, count) in left.into_iter().filter(|(_, count)| *count > 0) {
            self.lost += count.unsigned_abs();
            self.differ(|| format!("missing: {alert:?}"));
        }
        Ok(())
    }

    fn differ(&mut self, words: impl FnOnce() -> String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(words());
        }
    }
}

/// Where alerts are exported to.
const ALERTS: &str = "alerts.csv";

impl Signal {
    fn said(channel: &SaidChannel) -> Self {
        let info = &channel.info;
        let name = info.label.clone();
        let wave = match info.kind {
            ChannelKind::Numeric { .. } => None,
            ChannelKind::Wave { rate, gain, baseline, bits } => {
                let rate = reduced(rate.numerator, rate.denominator);
                let gain = plain_decimal(&gain.to_string());
                Some(Calibration { gain, baseline, rate, bits })
            }
        };
        Self { name, unit: info.unit_label.clone(), wave }
    }

    fn exported(table: &Table) -> Option<Self> {
        let wave = match table.comment("gain") {
            None => None,
            Some(gain) => {
                let (numerator, denominator) = table.comment("rate")?.split_once('/')?;
                let rate = reduced(numerator.parse().ok()?, denominator.parse().ok()?);
                let baseline = table.comment("baseline")?.parse().ok()?;
                let bits = table.comment("bits")?.parse().ok()?;
                Some(Calibration { gain: plain_decimal(gain), baseline, rate, bits })
            }
        };
        let name = table.comment("signal")?.to_owned();
        Some(Self { name, unit: table.comment("unit")?.to_owned(), wave })
    }
}

/// One value as it was said.
struct Value {
    time_ns: i64,
    what: Number,
    status: Status,
}

impl Value {
    /// Writes the text that an export shall have, and returns the validity.
    fn write(&self, text: &mut String) -> &'static str {
        text.clear();
        let decimal = match self.what {
            Number::Not(state) => return state.name(),
            Number::Is(_) if self.status & STATUS_INVALID != 0 => return "invalid",
            Number::Is(decimal) => decimal,
        };
        // Writing into a string does not fail.
        let _: std::fmt::Result = write!(text, "{decimal}");
        if self.status & STATUS_QUESTIONABLE != 0 { "questionable" } else { "valid" }
    }
}

/// The values of a channel, by time; of one that only counted none, so that all rows are foreign.
fn said_values(channel: &SaidChannel) -> Box<dyn Iterator<Item = Value> + '_> {
    match &channel.values {
        Values::Numerics(values) => Box::new(values.iter().map(|(time_ns, what, status)| Value {
            time_ns: *time_ns,
            what: *what,
            status: *status,
        })),
        Values::Waves(stretches) => {
            let Some(rate) = channel.rate() else { return Box::new(std::iter::empty()) };
            Box::new(stretches.iter().flat_map(move |stretch| {
                stretch.samples.iter().enumerate().map(move |(at, sample)| {
                    let time_ns = stretch.origin_ns + rate.nanos_of(stretch.first + at as u64);
                    let decimal = |mantissa| Decimal { mantissa, exponent: 0 };
                    let what = Number::Is(decimal(sample.unwrap_or(0).into()));
                    let status = if sample.is_none() { STATUS_INVALID } else { stretch.status };
                    Value { time_ns, what, status }
                })
            }))
        }
        Values::Counted(_) => Box::new(std::iter::empty()),
    }
}

fn reduced(numerator: u64, denominator: u64) -> (u64, u64) {
    let (mut a, mut b) = (numerator, denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (numerator / a.max(1), denominator / a.max(1))
}

/// Without the zeros that do not change a value.
fn plain_decimal(text: &str) -> String {
    let text = text.trim();
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }.into()
}

#[cfg(test)]
mod tests;
