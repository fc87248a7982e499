//! Sampler: when to read a sensor, how late that was, and what to say when there is nothing.

use wire::decimal::{Absent, Number};
use wire::link::{DataWriter, Value};
use wire::reading::{ChannelKind, STATUS_INVALID};

use crate::ring::{Class, Loss, Ring};
use crate::sensor::{Fault, Readings, Sensor};

/// The times at which one sensor is read. All moments are milliseconds that may wrap.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    due: u32,
    period: u32,
    channel_first: u16,
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
        Self { due: now, period, channel_first, is_ready: false, late: (0, 0), missed: 0 }
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
        let missed = u64::from(self.begin(now)) * channels.len() as u64;
        ring.lose(missed, Loss::Late);
        let mut writer = DataWriter::new(ticks);
        let mut readings = Readings::new(&mut writer, self.channel_first);
        let result = self.read(sensor, bus, &mut readings).await;
        let (mut count, refused) = readings.counts();
        ring.lose(refused.into(), Loss::Overflow);
        if result.is_err() {
            self.is_ready = false;
            writer = DataWriter::new(ticks);
            count = say_absent(&mut writer, self.channel_first, channels.iter().map(|c| c.kind));
            // What has no status, waveforms above all, is lost.
            ring.lose((channels.len() as u64).saturating_sub(count.into()), Loss::Sensor);
        }
        if writer.is_empty() {
            return (None, result);
        }
        (ring.push(Class::Vital, count, writer.finish().as_slice()), result)
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
