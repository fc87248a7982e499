//! About: who a device is, as it tells a gateway in one hello or several.

use wire::identity::DeviceId;
use wire::limits::LINK_PAYLOAD_BYTES_MAX;
use wire::link::{Standing, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};

use wire::strict::Room;
use wire::time::DeviceClock;

/// What a record takes beside its values: the ring's three bytes, and heads of lists, time, place.
const RECORD_BYTES_MIN: u64 = 9;

/// A device.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its EUI-64.
    pub device: DeviceId,
    /// Maker, model and version.
    pub model: &'a str,
    /// Version of its firmware, at most 32 bytes.
    pub firmware: &'a str,
    /// Whether each boot's number is one more than that of the boot before.
    pub is_counted: bool,
    /// What it is doing.
    pub mode: Mode,
    /// Its channels, in order.
    pub channels: &'a [Channel<'a>],
}

/// One tick of a reading's time is ten to this power of nanoseconds: a millisecond.
const TICK_EXPONENT: u8 = 6;
/// One millisecond.
const RESOLUTION_NS: u64 = 1_000_000;

impl About<'_> {
    /// What it says before its hello.
    pub(crate) fn standing(
        &self,
        now_ticks: i64,
        oldest: u32,
        capacity: u64,
    ) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
        let Self { device, is_counted, firmware, .. } = *self;
        let resolution_ns = RESOLUTION_NS;
        Standing { device, now_ticks, oldest, capacity, is_counted, resolution_ns, firmware }
            .write()
    }

    /// How many readings one byte of a record holds at most: numerics of all channels in one
    /// moment, or samples of a byte each. As a fraction.
    pub(crate) fn readings_by_bytes(&self) -> (u64, u64) {
        let is_wave = |channel: &Channel<'_>| matches!(channel.kind, ChannelKind::Wave { .. });
        if self.channels.iter().any(is_wave) {
            return (1, 1);
        }
        let channels = self.channels.len() as u64;
        (channels, RECORD_BYTES_MIN + channels)
    }

    /// How many readings one record holds at most.
    pub(crate) fn readings_a_record(&self) -> u64 {
        match self.readings_by_bytes() {
            (1, 1) => LINK_PAYLOAD_BYTES_MAX as u64,
            (channels, _) => channels,
        }
    }

    fn write(&self, parts: u8, from: usize, to: usize) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
        let about = (self.device, DeviceClock::Tick, TICK_EXPONENT, self.mode);
        write_hello(about, parts, self.model, from as u16, &self.channels[from..to])
    }

    /// How many channels go into the part that begins with this one; none if not even that one.
    fn reach(&self, from: usize) -> Option<usize> {
        let fits = |to: &usize| self.write(u8::MAX, from, *to).is_some();
        (from + 1..=self.channels.len()).take_while(fits).last()
    }

    /// Where each part begins and ends; a device without channels has one part.
    fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let span = |from: usize| Some((from, self.reach(from)?));
        let first = span(0).or(Some((0, 0)));
        core::iter::successors(first, move |(_, end)| span(*end))
    }

    /// Parts of the hello.
    #[must_use]
    pub fn parts(&self) -> u8 {
        self.spans().count() as u8
    }

    /// One part of the hello, if it is one; a channel that fits no frame ends the list.
    #[must_use]
    pub fn part(&self, number: u8) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
        let (from, to) = self.spans().nth(number.into())?;
        self.write(self.parts(), from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::link::Hello;
    use wire::reading::ChannelKind;

    #[test]
    fn many_channels_are_said_in_parts_each_once_and_in_order() {
        let kind = ChannelKind::Numeric { exponent: -1 };
        let label = "a label of some length";
        let channels = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|code| Channel {
            code,
            unit: 0,
            kind,
            label,
            unit_label: "",
        });
        let (device, mode) = (DeviceId(7), Mode::Demo);
        let about = About {
            device,
            model: "x",
            firmware: "1",
            is_counted: true,
            mode,
            channels: &channels,
        };
        assert!(about.parts() > 1);
        let mut next = 0;
        for number in 0..about.parts() {
            let part = about.part(number).unwrap();
            let hello = Hello::read(part.as_slice()).unwrap();
            assert_eq!((hello.parts, usize::from(hello.channel_first)), (about.parts(), next));
            hello.channels().for_each(|channel| {
                assert_eq!(channel, channels[next]);
                next += 1;
            });
        }
        assert_eq!(next, channels.len());
        assert_eq!(About { channels: &[], ..about }.parts(), 1);
    }
}
