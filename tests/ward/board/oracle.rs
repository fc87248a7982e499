//! What the firmware took, beside what the sink has stored and what was declared.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use cloud_sink::store::db::{Db, Location, Value};
use rig::board::Taken;
use rig::site::Site;
use serde::Serialize;
use wire::identity::DeviceId;

/// The firmware's own name for itself.
pub const DEVICE: DeviceId = DeviceId(0x0257_41FF_FE69_6501);
/// Readings of ten-thousandths.
const EXPONENT: i64 = -4;
/// Of the number that stands for a run's end, the gateway's word.
const RUN_ENDED: i64 = 1 << 32;
/// Code of the event by which a gateway labels a run.
const PROOF: i64 = 0xF0F1_0001;
/// Temperature and number.
const VALUES: i64 = 2;
/// Stored times of a run are off by this at most, one against the other, milliseconds: what the
/// line, the emulator and two cores take.
const OFF_MAX_MS: i64 = 250;
/// The same on a cable that damages bytes, where the first frames may have to be sent again.
const OFF_MAX_NOISY_MS: i64 = 2_000;
/// Words about what is wrong, at most.
const WRONG_MAX: usize = 10;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: u32,
    pub seed: u64,
    /// Runs of the board, and those that were killed before everything of them was stored.
    pub boots: usize,
    pub cut_short: usize,
    /// Readings that the firmware took, that are stored, and that went with a dead board.
    pub taken: usize,
    pub stored: usize,
    pub missing: usize,
    /// Values that were declared as lost with their run.
    pub declared: i64,
    /// Furthest that two stored times of a run are off, milliseconds.
    pub times_off_ms: i64,
    /// What does not agree, in words.
    pub wrong: Vec<String>,
}

/// A stored value: mantissa, exponent.
type Number = (Option<i64>, i64);

/// What the sink has of the board.
pub struct Stored {
    /// By the firmware's own number: UTC nanoseconds, and the values of that moment.
    readings: BTreeMap<i64, (i64, Vec<Number>)>,
    rows: usize,
    /// Moments of which it is stored that there was no number.
    absent: usize,
    /// Values declared as lost with runs that ended, and which ended.
    declared: i64,
    ended: BTreeSet<i64>,
    /// Runs of which something is stored.
    heard: BTreeSet<i64>,
}

impl Stored {
    /// Reads it.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn read(store: &Location) -> Result<Self> {
        let (db, name) = (Db::open(store)?, DEVICE.to_string());
        let device = [Value::from(&name)];
        let mut moments: BTreeMap<i64, Vec<Number>> = BTreeMap::new();
        let sql = "SELECT at_ns, mantissa, exponent FROM reading WHERE device = ?1 AND label = ''";
        for row in db.rows(sql, &device)? {
            moments.entry(row.at(0)?).or_default().push((row.at(1)?, row.at(2)?));
        }
        let sql = "SELECT at_ns, mantissa FROM reading WHERE device = ?1 AND label = 'number'
                     AND mantissa IS NOT NULL";
        let (mut readings, mut rows) = (BTreeMap::new(), 0);
        for row in db.rows(sql, &device)? {
            let (at, number): (i64, i64) = (row.at(0)?, row.at(1)?);
            readings.insert(number, (at, moments.get(&at).cloned().unwrap_or_default()));
            rows += 1;
        }
        let sql = "SELECT count(*) FROM reading WHERE device = ?1 AND label = 'number'
                     AND mantissa IS NULL";
        let absent = db.one::<i64>(sql, &device)? as usize;
        let sql = "SELECT CAST(sum(value) AS BIGINT) FROM note
                     JOIN device ON device.id = note.device
                   WHERE eui = ?1 AND kind = 'loss' AND code = 65";
        let declared = db.one::<Option<i64>>(sql, &device)?.unwrap_or(0);
        let boots = |last: i64| {
            let sql = "SELECT DISTINCT boot FROM said JOIN device ON device.id = said.device
                       WHERE eui = ?1 AND last >= ?2";
            let rows = db.rows(sql, &[Value::from(&name), Value::Int(last)])?;
            rows.iter().map(|row| Ok(row.at(0)?)).collect::<Result<BTreeSet<i64>>>()
        };
        let (ended, heard) = (boots(RUN_ENDED)?, boots(0)?);
        Ok(Self { readings, rows, absent, declared, ended, heard })
    }

    /// How many readings are stored of these.
    pub fn count_of(&self, taken: &[Taken]) -> usize {
        taken.iter().filter(|one| self.has(one)).count()
    }

    /// Whether any of these is stored.
    pub fn has_any(&self, taken: &[Taken]) -> bool {
        taken.iter().any(|one| one.number.is_some() && self.has(one))
    }

    /// What has no number is counted, and not known again.
    fn has(&self, taken: &Taken) -> bool {
        taken.number.is_none_or(|number| self.readings.contains_key(&number))
    }
}

/// How each run of the board is labelled: 1 if it had proven itself by its key.
///
/// # Errors
/// The store does not answer.
pub fn stored_labels(site: &Site) -> Result<Vec<i64>> {
    let sql = "SELECT value FROM note JOIN device ON device.id = note.device
               WHERE eui = ?1 AND kind = 'event' AND code = ?2";
    let name = DEVICE.to_string();
    let asked = [Value::from(&name), Value::Int(PROOF)];
    let rows = Db::open(&site.location()?)?.rows(sql, &asked)?;
    rows.iter().map(|row| Ok(row.at(0)?)).collect()
}

/// Compares.
pub fn judge(seed: u64, taken: &[Taken], stored: &Stored, is_noisy: bool) -> Report {
    let mut boots: BTreeMap<u32, Vec<&Taken>> = BTreeMap::new();
    taken.iter().for_each(|one| boots.entry(one.boot).or_default().push(one));
    let mut wrong = Vec::new();
    let (mut missing, mut cut_short, mut times_off_ms) = (0, 0, 0);
    let last = boots.keys().next_back().copied();
    for (boot, taken) in &boots {
        let gone = taken.iter().filter(|one| !stored.has(one)).count();
        let is_suffix = taken.iter().rev().take(gone).all(|one| !stored.has(one));
        if !is_suffix {
            wrong.push(format!("run {boot}: {gone} of {} are missing in between", taken.len()));
        }
        if gone > 0 && Some(*boot) == last {
            wrong.push(format!("run {boot}: {gone} are missing of a board that still runs"));
        }
        (missing, cut_short) = (missing + gone, cut_short + usize::from(gone > 0));
        times_off_ms = times_off_ms.max(times_off(taken, stored));
        wrong.extend(taken.iter().filter_map(|one| altered(one, stored)));
    }
    let most = if is_noisy { OFF_MAX_NOISY_MS } else { OFF_MAX_MS };
    if times_off_ms > most {
        wrong.push(format!("times of a run are off by {times_off_ms} ms"));
    }
    let absent = taken.iter().filter(|one| one.number.is_none()).count();
    if stored.absent == 0 || stored.absent > absent {
        wrong.push(format!("{} of {absent} readings without a number are stored", stored.absent));
    }
    twice(taken, stored, &mut wrong);
    undeclared(&boots, stored, &mut wrong);
    wrong.truncate(WRONG_MAX);
    Report {
        schema: 1,
        seed,
        boots: boots.len(),
        cut_short,
        taken: taken.len(),
        stored: stored.rows,
        missing,
        declared: stored.declared,
        times_off_ms,
        wrong,
    }
}

/// What is stored of a reading, if that is something else.
fn altered(taken: &Taken, stored: &Stored) -> Option<String> {
    let (_, values) = stored.readings.get(&taken.number?)?;
    let is_there = values.contains(&(taken.mantissa, EXPONENT));
    (!is_there).then(|| format!("{taken:?} is stored as {values:?}"))
}

/// How far stored times of a run are off, against the board's own.
fn times_off(taken: &[&Taken], stored: &Stored) -> i64 {
    let start = |one: &&Taken| {
        let (at, _) = stored.readings.get(&one.number?)?;
        Some(at / 1_000_000 - one.ticks)
    };
    let starts: Vec<i64> = taken.iter().filter_map(start).collect();
    let ends = starts.iter().min().zip(starts.iter().max());
    ends.map_or(0, |(first, last)| last - first)
}

/// Nothing is stored twice, and nothing that nobody took: the plug may be pulled between taking a
/// reading and saying so, of one reading a run.
fn twice(taken: &[Taken], stored: &Stored, wrong: &mut Vec<String>) {
    if stored.rows != stored.readings.len() {
        let double = stored.rows - stored.readings.len();
        wrong.push(format!("{double} readings are stored twice"));
    }
    let known: BTreeSet<i64> = taken.iter().filter_map(|one| one.number).collect();
    let next = |number: &i64| known.contains(&(number - 1)) || number % 1_000_000 == 1;
    let strange = stored.readings.keys().filter(|number| !known.contains(number) && !next(number));
    wrong.extend(strange.map(|number| format!("nobody took number {number}")));
}

/// What went with a dead board is declared: in its own run or an earlier one, with as much for each
/// run in between.
fn undeclared(boots: &BTreeMap<u32, Vec<&Taken>>, stored: &Stored, wrong: &mut Vec<String>) {
    let mut owed: BTreeMap<i64, i64> = BTreeMap::new();
    for (boot, taken) in boots {
        let gone = taken.iter().filter(|one| !stored.has(one)).count() as i64;
        let under = stored.heard.range(..=i64::from(*boot)).next_back().copied().unwrap_or(0);
        *owed.entry(under).or_default() += gone * VALUES;
    }
    let all: i64 = owed.values().sum();
    if all > stored.declared {
        wrong.push(format!("{all} values are gone, {} were declared", stored.declared));
    }
    let last = boots.keys().next_back().copied().map(i64::from);
    for (run, values) in owed.into_iter().filter(|(run, values)| *values > 0 && Some(*run) != last)
    {
        if !stored.ended.contains(&run) {
            wrong.push(format!(
                "{values} values are gone with run {run}, whose end nobody declared"
            ));
        }
    }
}
