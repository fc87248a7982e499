//! When to close a batch, and what goes into it: link frames become columns here.

use std::sync::Arc;
use std::time::Duration;

use wire::batch::{ChannelInfo, Note, NoteKind, Table, WaveRun, encode};
use wire::decimal::Number;
use wire::identity::Lane;
use wire::limits::TABLE_VALUES_MAX;
use wire::link::{Entries, Entry, NumericEntry, PayloadError, SourceGap, WaveEntry};
use wire::reading::ChannelKind;
use wire::time::{ClockState, MonotonicNanos};

mod context;
mod growing;
mod itself;
mod runs;

use crate::intake::patients::Patients;
use crate::intake::{Device, Slot};
use crate::limits::{BATCH_BLOCKS_MAX, BATCH_PAYLOAD_BYTES_MAX};
use context::{Contexts, Speaker};
use growing::{Growing, Placed, Spot, continues, extend};

/// Cause of a loss that the gateway declares: the frame contradicts the device's hello.
const LOSS_UNREADABLE: u8 = 64;
/// Most bytes that an exception, or a stretch of invalid samples, takes in a batch.
const EXCEPTION_BYTES: usize = 24;

/// How long readings of a lane wait for others, at most.
pub type Intervals = [Duration; 4];

/// One link frame with its speaker.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Speaker.
    pub device: &'a Arc<Device>,
    /// Its sequence number.
    pub sequence: i64,
    /// Whether it declares a gap.
    pub gap: bool,
    /// What it says.
    pub payload: &'a [u8],
    /// When it came.
    pub received: MonotonicNanos,
    /// How long before that its readings were taken, nanoseconds.
    pub age_ns: u64,
}

/// A batch that is closed and may be sealed.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Lane.
    pub lane: Lane,
    /// Encoded batch.
    pub plaintext: Vec<u8>,
    /// Readings inside.
    pub readings: u64,
    /// Clock when it was opened.
    pub clock: ClockState,
}

/// Collects what devices say, one growing batch a lane.
pub struct Batcher {
    intervals: Intervals,
    growing: [Option<Growing>; 4],
    contexts: Contexts,
    patients: Patients,
    /// Changes of context in the present frame, two numbers each.
    changes_of_frame: i64,
    closed: Vec<Closed>,
    lost: Vec<(Lane, u64)>,
    order: u64,
}

impl Batcher {
    /// An empty one.
    #[must_use]
    pub fn new(intervals: Intervals) -> Self {
        Self {
            intervals,
            growing: [const { None }; 4],
            contexts: Contexts::default(),
            patients: Patients::default(),
            changes_of_frame: 0,
            closed: Vec::new(),
            lost: Vec::new(),
            order: 0,
        }
    }

    /// The same, replacing the identifiers of patients.
    #[must_use]
    pub fn naming(self, patients: Patients) -> Self {
        Self { patients, ..self }
    }

    /// Takes one link frame; what it fills up is closed and waits in [`Batcher::take_closed`].
    ///
    /// `order` numbers the frames of all devices in the order of their arrival. Returns how many
    /// readings this one brought.
    ///
    /// # Errors
    /// [`PayloadError`] if a channel is used as what it is not; the frame is then not taken.
    pub fn take(
        &mut self,
        said: &Said<'_>,
        clock: &ClockState,
        order: u64,
    ) -> Result<u64, PayloadError> {
        (self.order, self.changes_of_frame) = (order, 0);
        self.close_full(said);
        if said.gap {
            let SourceGap { readings, cause } = SourceGap::read(said.payload)?;
            let what = NoteKind::Loss { readings, cause };
            return Ok(self.note(Lane::Vital, said, None, what, clock));
        }
        let entries = Entries::read(said.payload)?;
        if entries.clone().any(|entry| !fits(said.device, &entry)) {
            return Err(PayloadError::Range);
        }
        let time = entries.time_ticks;
        let mut readings = 0;
        for entry in entries {
            readings += match entry {
                Entry::Numerics(entry) => self.numerics(said, time, &entry, clock),
                Entry::Wave(entry) => self.wave(said, time, &entry, clock),
                Entry::Alert(alert) => {
                    let what = NoteKind::Alert {
                        code: alert.code,
                        source: alert.source,
                        levels: [alert.phase, alert.state, alert.priority],
                        text: alert.text.to_owned(),
                    };
                    self.note(Lane::Alert, said, Some(time), what, clock)
                }
                Entry::Event(event) => {
                    let what = NoteKind::Event { code: event.code, value: event.value };
                    self.note(Lane::Vital, said, Some(time), what, clock)
                }
                Entry::Context(token) => self.change_context(said, time, token, clock),
            };
        }
        Ok(readings)
    }

    /// Declares a frame that cannot be taken: its readings are missing and no longer counted.
    pub fn lose(&mut self, said: &Said<'_>, clock: &ClockState) {
        let what = NoteKind::Loss { readings: 1, cause: LOSS_UNREADABLE };
        self.note(Lane::Vital, said, None, what, clock);
    }

    /// Closes every batch whose readings have waited long enough, or all.
    pub fn close_due(&mut self, now: MonotonicNanos, all: bool) {
        for lane in Lane::ALL {
            if all || self.due(lane).is_some_and(|due| due <= now) {
                self.close(lane);
            }
        }
    }

    /// When the next batch is due.
    #[must_use]
    pub fn next_due(&self) -> Option<MonotonicNanos> {
        Lane::ALL.into_iter().filter_map(|lane| self.due(lane)).min()
    }

    /// Whether every reading that was taken is in a closed batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.growing.iter().all(Option::is_none)
    }

    /// The oldest frame of a device that stands in a batch that is not closed yet.
    ///
    /// The gateway's own report is no device's frame; nobody waits for its acknowledgement.
    #[must_use]
    pub fn oldest_order(&self) -> Option<u64> {
        let clinical = [Lane::Alert, Lane::Vital, Lane::Wave];
        let growing = clinical.into_iter().filter_map(|lane| self.growing[lane as usize].as_ref());
        growing.map(|growing| growing.order_first).min()
    }

    /// The batches that were closed, in order.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// Whether readings wait to be declared.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Readings that could not be put into a batch, by lane: to be declared.
    pub fn take_lost(&mut self) -> Vec<(Lane, u64)> {
        std::mem::take(&mut self.lost)
    }

    /// What was said so far waits no longer than this for others: somebody waits for the answer.
    pub fn hurry(&mut self, received: MonotonicNanos, within: Option<Duration>) {
        let Some(within) = within else { return };
        let until = MonotonicNanos(received.0.saturating_add(within.as_nanos() as u64));
        for growing in self.growing.iter_mut().flatten() {
            growing.hurry = Some(growing.hurry.map_or(until, |known| known.min(until)));
        }
    }

    fn due(&self, lane: Lane) -> Option<MonotonicNanos> {
        let growing = self.growing[lane as usize].as_ref()?;
        let interval = self.intervals[lane as usize].as_nanos() as u64;
        let due = MonotonicNanos(growing.batch.clock.monotonic.0 + interval);
        Some(growing.hurry.map_or(due, |hurry| hurry.min(due)))
    }

    /// Closes what has no room for another frame. Only between frames: one frame of a device never
    /// stands in two batches of a lane, since the sink knows it by lane and sequence.
    fn close_full(&mut self, said: &Said<'_>) {
        for lane in Lane::ALL {
            let full = self.growing[lane as usize].as_ref().is_some_and(|growing| {
                growing.bytes_with(said) > BATCH_PAYLOAD_BYTES_MAX
                    || growing.batch.blocks.len() >= BATCH_BLOCKS_MAX
                    || growing.readings as usize >= TABLE_VALUES_MAX / 2
            });
            if full {
                self.close(lane);
            }
        }
    }

    /// Closes a lane's batch, whatever it waits for.
    pub fn close(&mut self, lane: Lane) {
        let Some(growing) = self.growing[lane as usize].take() else { return };
        let clock = growing.batch.clock;
        let readings = growing.readings;
        let batch = growing.finish();
        match encode(&batch) {
            Ok(plaintext) => self.closed.push(Closed { lane, plaintext, readings, clock }),
            Err(error) => {
                tracing::error!(lane = %lane, %error, readings, "a batch cannot be encoded");
                self.lost.push((lane, readings));
            }
        }
    }

    fn block(
        &mut self,
        lane: Lane,
        said: &Said<'_>,
        time: Option<i64>,
        clock: &ClockState,
    ) -> Spot<'_> {
        let context = self.contexts.of(Speaker::of(said.device));
        let order = self.order;
        let growing =
            self.growing[lane as usize].get_or_insert_with(|| Growing::new(*clock, order));
        growing.spot(said, time, context)
    }

    fn note(
        &mut self,
        lane: Lane,
        said: &Said<'_>,
        time: Option<i64>,
        what: NoteKind,
        clock: &ClockState,
    ) -> u64 {
        let spot = self.block(lane, said, time, clock);
        *spot.payload_bytes += said.payload.len() + 24;
        *spot.readings += 1;
        let base = spot.block.time_ticks;
        let time_ticks = time.map_or(0, |time| time.wrapping_sub(base));
        spot.block.notes.push(Note { time_ticks, sequence: said.sequence, what });
        1
    }

    fn numerics(
        &mut self,
        said: &Said<'_>,
        time: i64,
        entry: &NumericEntry<'_>,
        clock: &ClockState,
    ) -> u64 {
        let Some(Slot::Numeric(first)) = slot(said.device, entry.channel_first) else { return 0 };
        let mut spot = self.block(Lane::Vital, said, Some(time), clock);
        let shape = spot.shape(&said.device.numerics);
        *spot.payload_bytes += said.payload.len() + 24;
        *spot.readings += entry.count as u64;
        let same =
            |t: &Table| (t.shape, t.channel_first, t.channels) == (shape, first, entry.count);
        let at = spot.block.tables.iter().position(same).unwrap_or_else(|| {
            let (channels, tables) = (entry.count, &mut spot.block.tables);
            tables.push(Table {
                shape,
                channel_first: first,
                channels,
                times: Vec::new(),
                sequences: Vec::new(),
                values: Vec::new(),
                exceptions: Vec::new(),
            });
            spot.block.tables.len() - 1
        });
        let table = &mut spot.block.tables[at];
        table.times.push(time.wrapping_sub(spot.block.time_ticks));
        table.sequences.push(said.sequence);
        let before = table.exceptions.len();
        for (value, channel) in entry.values().zip(&said.device.numerics[first..]) {
            let position = table.values.len() as u32;
            table.values.push(mantissa(value, channel).unwrap_or_else(|(number, status)| {
                table.exceptions.push((position, number, status));
                0
            }));
        }
        *spot.payload_bytes += (table.exceptions.len() - before) * EXCEPTION_BYTES;
        entry.count as u64
    }

    fn wave(
        &mut self,
        said: &Said<'_>,
        time: i64,
        entry: &WaveEntry<'_>,
        clock: &ClockState,
    ) -> u64 {
        let Some(Slot::Wave(first)) = slot(said.device, entry.channel_first) else { return 0 };
        let ChannelKind::Wave { rate, .. } = said.device.waves[first].kind else { return 0 };
        let mut spot = self.block(Lane::Wave, said, Some(time), clock);
        let shape = spot.shape(&said.device.waves);
        *spot.payload_bytes +=
            (said.payload.len() + 24).max(entry.count * usize::from(entry.channels) * 2);
        *spot.readings += u64::from(entry.channels);
        let offset = time.wrapping_sub(spot.block.time_ticks);
        let tick = 10i64.pow(said.device.source.tick_exponent.into());
        let place = Placed { shape, first, offset, rate, tick };
        let runs = &mut spot.block.waves;
        if !runs.last().is_some_and(|run| continues(run, entry, &place)) {
            runs.push(WaveRun {
                shape,
                channel_first: first,
                time_ticks: offset,
                sample_first: entry.sample_first,
                status: entry.status,
                parts: Vec::new(),
                samples: vec![Vec::new(); entry.channels.into()],
                invalid: Vec::new(),
            });
        }
        if let Some(run) = runs.last_mut() {
            let before = run.invalid.len();
            extend(run, said.sequence, entry);
            *spot.payload_bytes += (run.invalid.len() - before) * EXCEPTION_BYTES;
        }
        entry.channels.into()
    }
}

fn slot(device: &Device, channel: u16) -> Option<Slot> {
    device.slots.get(usize::from(channel)).copied()
}

/// Whether an entry uses the device's channels as what they were declared.
fn fits(device: &Device, entry: &Entry<'_>) -> bool {
    match entry {
        Entry::Numerics(entry) => {
            let first = usize::from(entry.channel_first);
            let range = device.slots.get(first..first + entry.count);
            entry.count > 0
                && range.is_some_and(|r| r.iter().all(|slot| matches!(slot, Slot::Numeric(_))))
        }
        Entry::Wave(entry) => {
            let first = usize::from(entry.channel_first);
            let range = device.slots.get(first..first + usize::from(entry.channels));
            range.is_some_and(|r| r.iter().all(|slot| matches!(slot, Slot::Wave(_))))
        }
        Entry::Alert(_) | Entry::Event(_) | Entry::Context(_) => true,
    }
}

/// The mantissa in the channel's exponent, or what must be said beside the column.
fn mantissa(
    value: wire::link::Value,
    channel: &ChannelInfo,
) -> Result<i64, (Number, wire::reading::Status)> {
    match (value, channel.kind) {
        (Err((Number::Is(decimal), 0)), ChannelKind::Numeric { exponent })
            if decimal.exponent == exponent =>
        {
            Ok(decimal.mantissa)
        }
        (other, _) => other,
    }
}
