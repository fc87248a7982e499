//! From a verified batch to rows: each reading once, whoever repeats it.

use std::collections::{BTreeMap, BTreeSet};

use wire::batch::{Batch, Block, NoteKind, Table, WaveRun, wave};
use wire::decimal::Number;
use wire::identity::DeviceId;
use wire::reading::{ChannelKind, Mode};

use super::StoreError;
use super::at::At;
use super::coverage::Coverage;
use super::db::{Appended, Db, NumericRow, values};
use super::heard::RunKey;
use super::hours::Hours;
use super::notes::{insert_conflict, insert_health, insert_note};
use super::parked::Parked;
use super::runs::Runs;
use super::said::{self, Digests};
use super::series::Series;
use super::times::Times;
use crate::verify::Disposed;

/// What was learnt about devices and series, as the database has it.
#[derive(Debug, Default)]
pub(super) struct Rows {
    series: Series,
    pub(super) runs: Runs,
    pub(super) coverage: Coverage,
    pub(super) hours: Hours,
    pub(super) parked: Parked,
    times: Times,
    places: Places,
}

/// How many rows of each kind the record that is being written makes, whether they are there
/// already or not: blocks, runs of samples, notes.
#[derive(Debug, Default)]
struct Places([i64; 3]);

impl Places {
    /// The first of so many.
    fn take(&mut self, kind: usize, count: usize) -> i64 {
        let first = self.0[kind];
        self.0[kind] += count as i64;
        first
    }
}

impl Rows {
    /// Writes the rows of a batch.
    pub(super) fn insert(
        &mut self,
        db: &Db,
        evidence: i64,
        record: &Disposed,
        batch: &Batch,
        now: i64,
    ) -> Result<(), StoreError> {
        self.places = Places::default();
        let dated = self.times.date(db, evidence, record, batch, now)?;
        let mut earlier: BTreeMap<(RunKey, &[u8]), BTreeSet<i64>> = BTreeMap::new();
        let brought = self.brought(db, batch)?;
        let mut conflicts = BTreeMap::new();
        for (key, digests) in &brought {
            conflicts.insert(*key, self.conflicts(db, *key, record, digests)?);
        }
        for block in &batch.blocks {
            let device = self.series.device(db, block.source.device)?;
            let key = (device, block.source.boot.0);
            // A device that came back within the batch repeats itself under the same context;
            // under another one, it is one frame whose context changed in its middle.
            let place = (key, block.context.as_slice());
            let seen = earlier.remove(&place).unwrap_or_default();
            let none = BTreeSet::new();
            let conflicts = conflicts.get(&key).unwrap_or(&none);
            let context = self.series.context(db, &block.context)?;
            let about = (evidence, now);
            let at = At::of(record, about, batch, block, &dated);
            let at = At { device, context, seen: &seen, conflicts, ..at };
            if block.source.device == DeviceId(0) {
                insert_health(db, &mut self.hours, &at, record)?;
                continue;
            }
            self.insert_block(db, &at, key)?;
            if let Some(first) =
                conflicts.iter().find(|number| block.sequences().any(|n| n == **number))
            {
                insert_conflict(db, &at, *first)?;
            }
            earlier.insert(place, seen.iter().copied().chain(block.sequences()).collect());
        }
        // Only now, since one frame of a device may stand in two blocks of a batch.
        for (key, digests) in brought {
            let numbers: Vec<i64> = digests.iter().map(|(number, _)| *number).collect();
            let who = (record.gateway.row, record.lane as u8);
            let frame = (record.segment, record.index);
            self.runs.change(db, key)?.add(who, &numbers, frame);
            said::insert(db, evidence, key, who.1, &digests)?;
        }
        Ok(())
    }

    /// What the batch says under each number, by run.
    fn brought(&mut self, db: &Db, batch: &Batch) -> Result<BTreeMap<RunKey, Digests>, StoreError> {
        let mut brought: BTreeMap<RunKey, Digests> = BTreeMap::new();
        for block in clinical(batch) {
            let device = self.series.device(db, block.source.device)?;
            let key = (device, block.source.boot.0);
            said::add_block(brought.entry(key).or_default(), block);
        }
        brought.values_mut().for_each(said::join_parts);
        Ok(brought)
    }

    /// Numbers of a run that are stored, with other words than these.
    fn conflicts(
        &mut self,
        db: &Db,
        key: RunKey,
        record: &Disposed,
        digests: &Digests,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let lane = record.lane as u8;
        let mut conflicts = BTreeSet::new();
        let run = self.runs.of(db, key)?;
        let ends = digests.first().zip(digests.last());
        if !ends.is_some_and(|(first, last)| run.touches(lane, first.0, last.0)) {
            return Ok(conflicts);
        }
        for (number, digest) in digests {
            if run.contains(lane, *number) && said::differs(db, key, lane, *number, *digest)? {
                conflicts.insert(*number);
            }
        }
        Ok(conflicts)
    }

    fn insert_block(&mut self, db: &Db, at: &At<'_>, key: RunKey) -> Result<(), StoreError> {
        let (first, last) = (at.block.sequences().min(), at.block.sequences().max());
        let Some((first, last)) = first.zip(last) else { return Ok(()) };
        let stored = self.runs.of(db, key)?.touches(at.lane, first, last);
        let repeated = stored || at.seen.range(first..=last).next().is_some();
        for table in &at.block.tables {
            self.insert_table(db, at, table, key, repeated)?;
        }
        for run in &at.block.waves {
            self.insert_wave(db, at, run, key, repeated)?;
        }
        for note in &at.block.notes {
            let place = self.places.take(2, 1);
            if !(repeated && self.is_heard(key, at, note.sequence)) {
                insert_note(db, at, note, place)?;
                let moment = at.moment_of(note);
                match note.what {
                    NoteKind::Loss { .. } => self.coverage.touch(at.gateway, at.device, moment),
                    _ => self.cover(at, moment),
                }
            }
        }
        Ok(())
    }

    fn is_heard(&self, key: RunKey, at: &At<'_>, number: i64) -> bool {
        let stored = self.runs.known(key).is_some_and(|run| run.contains(at.lane, number));
        (stored && !at.conflicts.contains(&number)) || at.seen.contains(&number)
    }

    /// What a device says while it is under test or repair is nobody's, and missed by nobody.
    fn cover(&mut self, at: &At<'_>, moment_ns: i64) {
        if at.block.source.mode != Mode::Service {
            self.coverage.add(at.gateway, at.device, moment_ns, at.now);
            if let Some(taken) = at.taken(moment_ns) {
                self.hours.take(at.gateway, taken);
            }
        }
    }

    fn insert_table(
        &mut self,
        db: &Db,
        at: &At<'_>,
        table: &Table,
        key: RunKey,
        repeated: bool,
    ) -> Result<(), StoreError> {
        let moments = table.times.len();
        let place = self.places.take(0, table.channels);
        let fresh: Vec<usize> = (0..moments)
            .filter(|moment| !(repeated && self.is_heard(key, at, table.sequences[*moment])))
            .collect();
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { return Ok(()) };
        let (from, to) = (at.moment(table.times[*first]), at.moment(table.times[*last]));
        for moment in &fresh {
            self.cover(at, at.moment(table.times[*moment]));
        }
        let mut exceptions = table.exceptions.iter().peekable();
        let mut rows = Vec::with_capacity(table.channels * fresh.len());
        let mut all_series = Vec::with_capacity(table.channels);
        for channel in 0..table.channels {
            let info = &at.batch.shapes[table.shape][table.channel_first + channel];
            let series = self.series.of(db, at.device, &at.block.source, info)?;
            let ChannelKind::Numeric { exponent } = info.kind else { continue };
            all_series.push((series, place + channel as i64));
            for moment in &fresh {
                let position = channel * moments + moment;
                while exceptions.peek().is_some_and(|e| (e.0 as usize) < position) {
                    exceptions.next();
                }
                let special = exceptions.peek().filter(|e| e.0 as usize == position);
                let plain = (Some(table.values[position]), exponent, 0, None);
                let (mantissa, exponent, status, absent) = match special {
                    None => plain,
                    Some((_, Number::Is(d), status)) => {
                        (Some(d.mantissa), d.exponent, *status, None)
                    }
                    Some((_, Number::Not(state), status)) => {
                        (None, exponent, *status, Some(*state as u8))
                    }
                };
                let at_ns = at.moment(table.times[*moment]);
                rows.push(NumericRow { series, at_ns, mantissa, exponent, status, absent });
            }
        }
        let mut row = db.numerics(&rows)?;
        let count = fresh.len() as i64;
        let (from, to) = (from.min(to), to.max(from));
        for (series, place) in all_series {
            let (last, evidence) = (row + count - 1, at.evidence);
            let block = values![evidence, series, from, to, row, last, at.context, at.dated, place];
            db.append(Appended::Block, block)?;
            row += count;
        }
        Ok(())
    }

    fn insert_wave(
        &mut self,
        db: &Db,
        at: &At<'_>,
        run: &WaveRun,
        key: RunKey,
        repeated: bool,
    ) -> Result<(), StoreError> {
        let place = self.places.take(1, run.samples.len());
        for (start, count) in self.fresh_parts(run, key, at, repeated) {
            self.cover(at, at.moment(run.time_ticks));
            for (channel, samples) in run.samples.iter().enumerate() {
                let info = &at.batch.shapes[run.shape][run.channel_first + channel];
                let ChannelKind::Wave { rate, .. } = info.kind else { continue };
                let series = self.series.of(db, at.device, &at.block.source, info)?;
                let first = run.sample_first + start as u64;
                let since = rate.nanos_of(first) - rate.nanos_of(run.sample_first);
                let time = at.moment(run.time_ticks).saturating_add(since);
                let packed = wave::encode(&samples[start..start + count], None);
                let invalid = invalid_within(run, channel as u32, start, count);
                let run = values![
                    at.evidence,
                    series,
                    time,
                    first.cast_signed(),
                    count as i64,
                    run.status,
                    packed,
                    invalid,
                    at.context,
                    at.dated,
                    place + channel as i64,
                ];
                db.append(Appended::Wave, run)?;
            }
        }
        Ok(())
    }

    /// The stretches of a run that were not stored before: first sample and count.
    fn fresh_parts(
        &self,
        run: &WaveRun,
        key: RunKey,
        at: &At<'_>,
        repeated: bool,
    ) -> Vec<(usize, usize)> {
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        let mut start_at = 0;
        for (sequence, count) in &run.parts {
            let count = usize::try_from(*count).unwrap_or(0);
            if !(repeated && self.is_heard(key, at, *sequence)) {
                match stretches.last_mut() {
                    Some((start, length)) if *start + *length == start_at => *length += count,
                    _ => stretches.push((start_at, count)),
                }
            }
            start_at += count;
        }
        stretches.retain(|(_, count)| *count > 0);
        stretches
    }
}

/// Blocks of devices, which the gateway itself is not.
fn clinical(batch: &Batch) -> impl Iterator<Item = &Block> {
    batch.blocks.iter().filter(|block| block.source.device != DeviceId(0))
}

fn invalid_within(run: &WaveRun, channel: u32, start: usize, count: usize) -> Option<Vec<u8>> {
    let (start, end) = (start as u64, (start + count) as u64);
    let mut bytes = Vec::new();
    for (_, first, length) in run.invalid.iter().filter(|hole| hole.0 == channel) {
        let from = u64::from(*first).max(start);
        let to = (u64::from(*first) + u64::from(*length)).min(end);
        if from < to {
            bytes.extend_from_slice(&((from - start) as u32).to_le_bytes());
            bytes.extend_from_slice(&((to - from) as u32).to_le_bytes());
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}
