//! Sampler: when to read a sensor, how late that was, and what to say when there is nothing.
//!
//! The turn in which a chip is set up says nothing of it: what stands in its registers then may be
//! no measurement. Samples of waveforms are counted by time: what was not said between the last one
//! that was and the next is declared, and keeps its numbers.

use wire::decimal::{Absent, Number};
use wire::link::{DataWriter, Value};
use wire::reading::{Channel, ChannelKind, STATUS_INVALID};

use crate::ring::{Class, Loss, Ring};
use crate::sensor::{Fault, Readings, Sensor, Turn};
use crate::timeline::Timeline;

/// The times at which one sensor is read. All moments are milliseconds that may wrap.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    due: u32,
    period: u32,
    channel_first: u16,
    is_ready: bool,
    /// None before the first turn.
    samples: Option<Timeline>,
    /// Turns since numerics were due.
    turns: u32,
    /// How late the latest reading was, and the worst one.
    pub late: (u32, u32),
    /// Readings whose moment had passed when their turn came.
    pub missed: u32,
}

impl Sampler {
    /// Reads a sensor from now on, whose channels begin with this number.
    #[must_use]
    pub fn new<B, S: Sensor<B>>(sensor: &S, channel_first: u16, now: u32) -> Self {
        Self {
            due: now,
            period: sensor.period().max(1),
            channel_first,
            is_ready: false,
            samples: None,
            turns: 0,
            late: (0, 0),
            missed: 0,
        }
    }

    /// The same less often, of a sensor that gives numbers alone.
    #[must_use]
    pub fn every(self, period: u32) -> Self {
        Self { period: period.max(1), ..self }
    }

    /// Milliseconds until it is time.
    #[must_use]
    pub fn due_in(&self, now: u32) -> u32 {
        u32::try_from(self.due.wrapping_sub(now).cast_signed()).unwrap_or(0)
    }

    /// Whether it is time.
    #[must_use]
    pub const fn is_due(&self, now: u32) -> bool {
        now.wrapping_sub(self.due).cast_signed() >= 0
    }

    /// Notes how late it is; whole periods that have passed are missed. How many were.
    fn begin(&mut self, now: u32) -> u32 {
        let late = now.wrapping_sub(self.due);
        let missed = late / self.period;
        let late = late % self.period;
        self.late = (late, self.late.1.max(late));
        self.missed = self.missed.saturating_add(missed);
        let turns = missed.wrapping_add(1);
        self.due = self.due.wrapping_add(turns.wrapping_mul(self.period));
        missed
    }

    /// Reads the sensor into the ring: numbers, or a status in place of each; the number of the
    /// record, if it was taken.
    ///
    /// `ticks` is the same moment as `now`, without a wrap.
    pub async fn sample<B, S: Sensor<B>, const BYTES: usize>(
        &mut self,
        (now, ticks): (u32, i64),
        (sensor, bus): (&mut S, &mut B),
        ring: &mut Ring<BYTES>,
    ) -> (Option<u32>, Result<(), Fault>) {
        let channels = sensor.channels();
        let mut samples = self.samples.unwrap_or_else(|| Timeline::new(channels, ticks));
        let missed = self.begin(now);
        if missed > 0 && sensor.forgets_when_late() {
            samples.breaks();
        }
        let (numerics, waves) = (numerics_of(channels), waves_of(channels));
        let rounds = self.numerics_due(missed, sensor.turns_a_numeric());
        ring.lose(u64::from(rounds.saturating_sub(1)) * numerics, Loss::Late);
        let mut writer = DataWriter::new(ticks);
        let mut readings = Readings::new(&mut writer, self.channel_first, (samples, ticks));
        let was_ready = self.is_ready;
        let result =
            if was_ready { sensor.read(bus, &mut readings).await } else { sensor.start(bus).await };
        self.is_ready = result.is_ok();
        let turn = readings.turn();
        if was_ready && self.is_ready {
            let mut timeline = turn.timeline;
            // A hole that does not end is declared while it grows.
            ring.lose(timeline.skip_old_hole(ticks) * waves, Loss::Late);
            self.samples = Some(timeline);
            return (say(turn, writer, (numerics, waves), ring), result);
        }
        samples.breaks();
        ring.lose(samples.skip_to(ticks) * waves, Loss::Sensor);
        self.samples = Some(samples);
        if rounds == 0 {
            return (None, result);
        }
        let mut writer = DataWriter::new(ticks);
        let kinds = channels.iter().map(|channel| channel.kind);
        let count = say_absent(&mut writer, self.channel_first, kinds);
        ring.lose(numerics - u64::from(count), Loss::Sensor);
        (push(ring, Class::Vital, count, writer), result)
    }

    /// How often numerics were due with this turn and those that were missed before it.
    fn numerics_due(&mut self, missed: u32, every: u32) -> u32 {
        let turns = self.turns.saturating_add(missed).saturating_add(1);
        self.turns = turns % every.max(1);
        turns / every.max(1)
    }
}

/// Puts what a turn brought into the ring, behind what is missing before it.
fn say<const BYTES: usize>(
    turn: Turn,
    mut writer: DataWriter,
    (numerics, waves): (u64, u64),
    ring: &mut Ring<BYTES>,
) -> Option<u32> {
    ring.lose(turn.missing * waves, Loss::Sensor);
    ring.lose(turn.refused.into(), Loss::Overflow);
    if let Some(at) = turn.samples_at {
        writer.set_time(at);
    }
    let class = if numerics == 0 { Class::Wave } else { Class::Vital };
    push(ring, class, turn.count, writer)
}

fn push<const BYTES: usize>(
    ring: &mut Ring<BYTES>,
    class: Class,
    count: u8,
    writer: DataWriter,
) -> Option<u32> {
    if writer.is_empty() {
        return None;
    }
    ring.push(class, count, writer.finish().as_slice())
}

fn numerics_of(channels: &[Channel<'_>]) -> u64 {
    let is_numeric = |of: &&Channel<'_>| matches!(of.kind, ChannelKind::Numeric { .. });
    channels.iter().filter(is_numeric).count() as u64
}

fn waves_of(channels: &[Channel<'_>]) -> u64 {
    channels.len() as u64 - numerics_of(channels)
}

/// In place of each numeric: that there is none. How many.
fn say_absent(
    writer: &mut DataWriter,
    channel_first: u16,
    kinds: impl Iterator<Item = ChannelKind>,
) -> u8 {
    let none: Value = Err((Number::Not(Absent::Missing), STATUS_INVALID));
    let numerics = (channel_first..).zip(kinds);
    let numerics = numerics.filter(|(_, kind)| matches!(kind, ChannelKind::Numeric { .. }));
    numerics.filter(|(channel, _)| writer.numerics(*channel, &[none])).count() as u8
}
