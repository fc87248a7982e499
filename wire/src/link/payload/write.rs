//! Writes the payload of a data frame; says when the next entry no longer fits.

use super::{TEXT_BYTES_MAX, Value};
use crate::decimal::Number;
use crate::limits::{LINK_PAYLOAD_BYTES_MAX, LINK_TEXT_BYTES_MAX};
use crate::reading::{Alert, Event, Status};
use crate::strict::{Put, Room, Writer};

/// One data frame in the making.
#[derive(Debug)]
pub struct DataWriter {
    time_ticks: i64,
    entries: usize,
    body: Room<LINK_PAYLOAD_BYTES_MAX>,
}

/// Array head and time take at most this much, bytes.
const HEAD_BYTES_MAX: usize = 11;

impl DataWriter {
    /// Begins a frame of this time, in ticks of the device.
    #[must_use]
    pub fn new(time_ticks: i64) -> Self {
        Self { time_ticks, entries: 0, body: Room::default() }
    }

    /// Another time than at the beginning: that of the first sample may be known only at the end.
    pub const fn set_time(&mut self, time_ticks: i64) {
        self.time_ticks = time_ticks;
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    fn entry(&mut self, write: impl FnOnce(&mut Writer<Room<LINK_PAYLOAD_BYTES_MAX>>)) -> bool {
        let mut writer = Writer::new(Room::default());
        write(&mut writer);
        let Some(room) = writer.finish() else {
            return false;
        };
        let length = self.body.as_slice().len() + room.as_slice().len();
        let fits = self.entries < 23
            && length + HEAD_BYTES_MAX <= LINK_TEXT_BYTES_MAX
            && self.body.put(room.as_slice());
        self.entries += usize::from(fits);
        fits
    }

    /// Numerics of neighbouring channels; `false` if they do not fit any more.
    pub fn numerics(&mut self, channel_first: u16, values: &[Value]) -> bool {
        self.entry(|writer| {
            writer.array(3).uint(0).uint(channel_first.into()).array(values.len());
            for value in values {
                match value {
                    Ok(mantissa) => writer.int(*mantissa),
                    Err((Number::Not(state), status)) => {
                        writer.array(2).uint(*state as u64).uint((*status).into())
                    }
                    Err((Number::Is(decimal), status)) => writer
                        .array(3)
                        .int(decimal.mantissa)
                        .int(decimal.exponent.into())
                        .uint((*status).into()),
                };
            }
        })
    }

    /// Samples of neighbouring channels, the same count of each; `false` if they do not fit.
    pub fn wave(
        &mut self,
        channel_first: u16,
        sample_first: u64,
        status: Status,
        channels: &[&[Option<i32>]],
    ) -> bool {
        let mut bytes = Room::<LINK_PAYLOAD_BYTES_MAX>::default();
        let fitted = channels.iter().all(|samples| put_samples(&mut bytes, samples));
        let count = channels.first().map_or(0, |samples| samples.len());
        fitted
            && self.entry(|writer| {
                writer.array(7).uint(1).uint(channel_first.into()).uint(channels.len() as u64);
                writer.uint(sample_first).uint(status.into()).uint(count as u64);
                writer.bytes(bytes.as_slice());
            })
    }

    /// An alert; `false` if it does not fit, or its text is longer than the other side takes.
    pub fn alert(&mut self, alert: &Alert<'_>) -> bool {
        if alert.text.len() > TEXT_BYTES_MAX {
            return false;
        }
        self.entry(|writer| {
            writer.array(7).uint(2).uint(alert.code.into()).uint(alert.source.into());
            writer.uint(alert.phase.into()).uint(alert.state.into()).uint(alert.priority.into());
            writer.text(alert.text);
        })
    }

    /// An event; `false` if it does not fit.
    pub fn event(&mut self, event: Event) -> bool {
        self.entry(|writer| {
            writer.array(3).uint(3).uint(event.code.into()).int(event.value);
        })
    }

    /// A change of context; `false` if it does not fit.
    pub fn context(&mut self, token: &[u8]) -> bool {
        self.entry(|writer| {
            writer.array(2).uint(4).bytes(token);
        })
    }

    /// The payload.
    #[must_use]
    pub fn finish(self) -> Room<LINK_PAYLOAD_BYTES_MAX> {
        let mut writer = Writer::new(Room::default());
        writer.array(self.entries + 1).int(self.time_ticks).item(self.body.as_slice());
        writer.finish().unwrap_or_default()
    }
}

fn put_samples(bytes: &mut Room<LINK_PAYLOAD_BYTES_MAX>, samples: &[Option<i32>]) -> bool {
    let mut last = 0;
    samples.iter().all(|sample| {
        let value = match sample {
            None => 0,
            Some(sample) => {
                let difference = i64::from(*sample) - i64::from(last);
                last = *sample;
                ((difference << 1) ^ (difference >> 63)).cast_unsigned() + 1
            }
        };
        put_varint(bytes, value)
    })
}

#[allow(clippy::cast_possible_truncation, reason = "seven bits are masked")]
fn put_varint(bytes: &mut Room<LINK_PAYLOAD_BYTES_MAX>, mut value: u64) -> bool {
    let mut coded = [0; 10];
    let mut length = 0;
    loop {
        coded[length] = (value & 0x7f) as u8 | if value > 0x7f { 0x80 } else { 0 };
        length += 1;
        value >>= 7;
        if value == 0 {
            return bytes.put(&coded[..length]);
        }
    }
}
