//! `ward board`: from a thermometer's pins to the store.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cloud_sink::store::db::{Db, Location, Value};
use rig::board::{Board, Taken, mantissa_of};
use rig::site::{Intake, Plan, Programs, Site};
use serde::Serialize;

/// Runs real firmware on an emulated board before a real gateway: temperatures are set, and exactly
/// these must be in the sink's store.
#[derive(Debug, clap::Args)]
pub struct BoardCommand {
    /// The firmware, an ELF file.
    #[arg(long, value_name = "FILE")]
    firmware: PathBuf,
    /// One line of JSON at the end.
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    /// Temperatures that were set.
    temperatures: usize,
    /// Readings that the firmware took, and that are stored.
    taken: usize,
    stored: usize,
    /// Furthest that two stored times are off, one against the other, milliseconds.
    times_off_ms: i64,
    /// What does not agree, in words.
    wrong: Vec<String>,
}

/// Thousandths of a °C.
const TEMPERATURES: [i64; 4] = [36_600, 39_250, -12_345, 0];
/// Readings of each.
const READINGS_EACH: usize = 3;
/// The firmware's own name for itself.
const DEVICE: &str = "025741FFFE696501";
/// Reading of ten-thousandths.
const EXPONENT: i64 = -4;
const SOCKET: &str = "board.sock";
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(200);
/// A reading is dated by the gateway at its reception: what the line and two cores take for it.
const TIMES_OFF_MAX_MS: i64 = 500;

/// A stored reading.
struct Stored {
    at_ns: i64,
    mantissa: Option<i64>,
    exponent: i64,
}

impl BoardCommand {
    /// Runs it; whether everything agrees.
    ///
    /// # Errors
    /// The site or the emulator fails.
    pub async fn run(self) -> Result<bool> {
        let plan = Plan { broker: None, intakes: vec![Intake::Unix(SOCKET.into())], flush: None };
        let mut site = Site::prepare(Programs::build()?, &plan).await?;
        site.start_all(Duration::from_secs(15)).await?;
        let link = site.intake_folder().join(SOCKET);
        let mut board = Board::start(&self.firmware, site.folder(), &link).await?;
        let mut taken = Vec::new();
        board.feel(TEMPERATURES[0]).await?;
        board.go_on().await?;
        for temperature in TEMPERATURES {
            board.feel(temperature).await?;
            watch(&mut board, temperature, &mut taken).await?;
        }
        let stored = wait_for(&site.location()?, taken.len()).await;
        let stored = stored.with_context(|| site.last_words())?;
        taken.extend(board.kill().await?);
        let report = judge(&taken, &stored);
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{} readings taken, {} stored", report.taken, report.stored);
        }
        report.wrong.iter().for_each(|wrong| eprintln!("ward: {wrong}"));
        Ok(report.wrong.is_empty())
    }
}

/// Watches until a temperature was read often enough.
async fn watch(board: &mut Board, temperature: i64, taken: &mut Vec<Taken>) -> Result<()> {
    let (wanted, until) = (Some(mantissa_of(temperature)), Instant::now() + PATIENCE);
    let mut seen = 0;
    while seen < READINGS_EACH {
        let new = board.take().await?;
        seen += new.iter().filter(|one| one.mantissa == wanted).count();
        taken.extend(new);
        if Instant::now() > until {
            bail!("{temperature} thousandths of a degree were set, and not read: {taken:?}");
        }
    }
    Ok(())
}

/// Waits until so many readings are stored.
async fn wait_for(store: &Location, count: usize) -> Result<Vec<Stored>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let stored = read(store)?;
        if stored.len() >= count {
            return Ok(stored);
        }
        if Instant::now() > until {
            bail!("{count} readings were taken, and {} are stored", stored.len());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn read(store: &Location) -> Result<Vec<Stored>> {
    let sql = "SELECT at_ns, mantissa, exponent FROM reading WHERE device = ?1 ORDER BY at_ns";
    let rows = Db::open(store)?.rows(sql, &[Value::from(DEVICE)])?;
    let stored = rows
        .iter()
        .map(|row| Ok(Stored { at_ns: row.at(0)?, mantissa: row.at(1)?, exponent: row.at(2)? }));
    stored.collect()
}

/// Compares what the firmware took with what is stored, reading by reading.
fn judge(taken: &[Taken], stored: &[Stored]) -> Report {
    let mut wrong = Vec::new();
    let pairs = || taken.iter().zip(stored);
    for (taken, stored) in pairs() {
        if (taken.mantissa, EXPONENT) != (stored.mantissa, stored.exponent) {
            let words = format!("{:?}e{}", stored.mantissa, stored.exponent);
            wrong.push(format!("number {} is stored as {words}: {taken:?}", taken.sequence));
        }
    }
    if stored.len() > taken.len() {
        wrong.push(format!("{} stored of {} taken", stored.len(), taken.len()));
    }
    let starts = pairs().map(|(taken, stored)| stored.at_ns / 1_000_000 - taken.ticks);
    let (first, last) = (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0));
    let times_off_ms = last - first;
    if times_off_ms > TIMES_OFF_MAX_MS {
        wrong.push(format!("times are off by {times_off_ms} ms"));
    }
    let (taken, stored) = (taken.len(), stored.len());
    Report { schema: 1, temperatures: TEMPERATURES.len(), taken, stored, times_off_ms, wrong }
}
