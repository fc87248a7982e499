//! Sampler: when to read a sensor, how late that was, and what to say when there is nothing.

use wire::decimal::{Absent, Number};
use wire::link::{DataWriter, Value};
use wire::reading::{Channel, ChannelKind, STATUS_INVALID};
use wire::time::Rate;

use crate::ring::{Class, Loss, Ring};
use crate::sensor::{Fault, Readings, Sensor, Turn};

/// The times at which one sensor is read. All moments are milliseconds that may wrap.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    due: u32,
    period: u32,
    channel_first: u16,
    /// Number of the next sample of each waveform, also of those that are missing.
    sample_next: u64,
    is_ready: bool,
    /// How late the latest reading was, and the worst one.
    pub late: (u32, u32),
    /// Readings whose moment had passed when their turn came.
    pub missed: u32,
}

impl Sampler {
    /// Reads a sensor from now on, whose channels begin with this number.
    #[must_use]
    pub fn new<B, S: Sensor<B>>(sensor: &S, channel_first: u16, now: u32) -> Self {
        let period = sensor.period().max(1);
        let (sample_next, is_ready, late, missed) = (0, false, (0, 0), 0);
        Self { due: now, period, channel_first, sample_next, is_ready, late, missed }
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
        self.due = self.due.wrapping_add((missed + 1).wrapping_mul(self.period));
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
        let missed = self.begin(now);
        let (numerics, waves) = (numerics_of(channels), waves_of(channels));
        ring.lose(u64::from(missed) * numerics, Loss::Late);
        let skipped = sensor.samples_missed(missed);
        ring.lose(u64::from(skipped) * waves, Loss::Late);
        self.sample_next += u64::from(skipped);
        let mut writer = DataWriter::new(ticks);
        let mut readings = Readings::new(&mut writer, self.channel_first, self.sample_next);
        let result = self.read(sensor, bus, &mut readings).await;
        let turn = readings.turn();
        if result.is_err() {
            self.is_ready = false;
            // Samples stay where they are in time: those of this turn are missing.
            let samples = samples_a_turn(channels, self.period).max(turn.samples);
            ring.lose(u64::from(samples + turn.lost_samples) * waves, Loss::Sensor);
            self.sample_next += u64::from(samples + turn.lost_samples);
            writer = DataWriter::new(ticks);
            let kinds = channels.iter().map(|channel| channel.kind);
            let count = say_absent(&mut writer, self.channel_first, kinds);
            ring.lose(numerics - u64::from(count), Loss::Sensor);
            return (push(ring, Class::Vital, count, writer), result);
        }
        let Turn { count, refused, samples, lost_samples } = turn;
        ring.lose(refused.into(), Loss::Overflow);
        self.sample_next += u64::from(samples);
        writer.set_time(ticks - span_ms(channels, samples));
        let class = if numerics == 0 { Class::Wave } else { Class::Vital };
        let taken = push(ring, class, count, writer);
        ring.lose(u64::from(lost_samples) * waves, Loss::Sensor);
        self.sample_next += u64::from(lost_samples);
        (taken, result)
    }

    async fn read<B, S: Sensor<B>>(
        &mut self,
        sensor: &mut S,
        bus: &mut B,
        readings: &mut Readings<'_>,
    ) -> Result<(), Fault> {
        if !self.is_ready {
            sensor.start(bus).await?;
            self.is_ready = true;
        }
        sensor.read(bus, readings).await
    }
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

/// The rate of a sensor's waveforms, if it has any.
fn rate_of(channels: &[Channel<'_>]) -> Option<Rate> {
    channels.iter().find_map(|channel| match channel.kind {
        ChannelKind::Wave { rate, .. } => Some(rate),
        ChannelKind::Numeric { .. } => None,
    })
}

/// Samples that a turn brings at most, rounded up: rather one too many is said to be missing.
fn samples_a_turn(channels: &[Channel<'_>], period_ms: u32) -> u32 {
    let Some(rate) = rate_of(channels) else { return 0 };
    (u64::from(period_ms) * rate.numerator).div_ceil(1000 * rate.denominator) as u32
}

/// From the first of so many samples to the moment behind the last one, milliseconds.
fn span_ms(channels: &[Channel<'_>], samples: u32) -> i64 {
    let Some(rate) = rate_of(channels) else { return 0 };
    (u64::from(samples) * 1000 * rate.denominator / rate.numerator).cast_signed()
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
