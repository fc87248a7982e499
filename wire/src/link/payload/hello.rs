//! A device's introduction: who it is and what its channels mean.

use super::{PayloadError, TEXT_BYTES_MAX, read_exponent};
use crate::decimal::Decimal;
use crate::identity::DeviceId;
use crate::limits::{CHANNELS_MAX, LABEL_BYTES_MAX, LINK_PAYLOAD_BYTES_MAX, LINK_TEXT_BYTES_MAX};
use crate::reading::{Channel, ChannelKind, Mode};
use crate::strict::{Reader, Room, Writer};
use crate::time::{DeviceClock, Rate};

/// One part of a device's introduction.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The device.
    pub device: DeviceId,
    /// What its times mean.
    pub clock: DeviceClock,
    /// One tick is ten to this power of nanoseconds: 0 ns, 3 us, 6 ms.
    pub tick_exponent: u8,
    /// What it is doing.
    pub mode: Mode,
    /// Parts in all; the frame's sequence is the number of this one, from 0.
    pub parts: u8,
    /// Maker, model and firmware version, as the device says them.
    pub model: &'a str,
    /// Number of the first channel in this part.
    pub channel_first: u16,
    channels: Reader<'a>,
    channel_count: usize,
}

impl<'a> Hello<'a> {
    /// # Errors
    /// [`PayloadError`] when the payload is no hello.
    pub fn read(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        reader.tuple(8)?;
        let device = DeviceId(reader.uint()?);
        let clock = DeviceClock::from_number(reader.uint()?).ok_or(PayloadError::Range)?;
        let tick_exponent = reader.number()?;
        let mode = Mode::from_number(reader.uint()?).ok_or(PayloadError::Range)?;
        let parts = reader.number()?;
        let model = reader.text(TEXT_BYTES_MAX)?;
        let channel_first: u16 = reader.number()?;
        let channel_count = reader.array()?;
        let channels = reader;
        (0..channel_count).try_for_each(|_| read_channel(&mut reader).map(drop))?;
        reader.done()?;
        let last = usize::from(channel_first) + channel_count;
        if tick_exponent > 9 || parts == 0 || last > CHANNELS_MAX {
            return Err(PayloadError::Range);
        }
        Ok(Self {
            device,
            clock,
            tick_exponent,
            mode,
            parts,
            model,
            channel_first,
            channels,
            channel_count,
        })
    }

    /// The channels of this part.
    #[must_use]
    pub const fn channels(&self) -> HelloChannels<'a> {
        HelloChannels { reader: self.channels, left: self.channel_count }
    }
}

/// Walks the channels of a hello.
#[derive(Clone, Debug)]
pub struct HelloChannels<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for HelloChannels<'a> {
    type Item = Channel<'a>;

    fn next(&mut self) -> Option<Channel<'a>> {
        self.left = self.left.checked_sub(1)?;
        read_channel(&mut self.reader).ok()
    }
}

fn read_channel<'a>(reader: &mut Reader<'a>) -> Result<Channel<'a>, PayloadError> {
    let fields = reader.array()?;
    let (code, unit) = (reader.number()?, reader.number()?);
    let (label, unit_label) = (reader.text(LABEL_BYTES_MAX)?, reader.text(LABEL_BYTES_MAX)?);
    let kind = match fields {
        5 => ChannelKind::Numeric { exponent: read_exponent(reader)? },
        10 => ChannelKind::Wave {
            rate: Rate { numerator: reader.uint()?, denominator: reader.uint()? },
            gain: Decimal { mantissa: reader.int()?, exponent: read_exponent(reader)? },
            baseline: i32::try_from(reader.int()?).map_err(|_| PayloadError::Range)?,
            bits: reader.number()?,
        },
        _ => return Err(PayloadError::Range),
    };
    if let ChannelKind::Wave { rate, gain, .. } = kind
        && (!rate.is_sane() || gain.mantissa == 0)
    {
        return Err(PayloadError::Range);
    }
    Ok(Channel { code, unit, kind, label, unit_label })
}

fn write_channel<const N: usize>(writer: &mut Writer<Room<N>>, channel: &Channel<'_>) {
    let fields = if matches!(channel.kind, ChannelKind::Numeric { .. }) { 5 } else { 10 };
    writer.array(fields).uint(channel.code.into()).uint(channel.unit.into());
    writer.text(channel.label).text(channel.unit_label);
    match channel.kind {
        ChannelKind::Numeric { exponent } => writer.int(exponent.into()),
        ChannelKind::Wave { rate, gain, baseline, bits } => writer
            .uint(rate.numerator)
            .uint(rate.denominator)
            .int(gain.mantissa)
            .int(gain.exponent.into())
            .int(baseline.into())
            .uint(bits.into()),
    };
}

/// Writes one part of a hello; `None` if the channels do not fit into one frame.
#[must_use]
pub fn write_hello(
    about: (DeviceId, DeviceClock, u8, Mode),
    parts: u8,
    model: &str,
    channel_first: u16,
    channels: &[Channel<'_>],
) -> Option<Room<LINK_PAYLOAD_BYTES_MAX>> {
    let (device, clock, tick_exponent, mode) = about;
    let mut writer = Writer::new(Room::default());
    writer.array(8).uint(device.0).uint(clock as u64).uint(tick_exponent.into());
    writer.uint(mode as u64).uint(parts.into()).text(model).uint(channel_first.into());
    writer.array(channels.len());
    channels.iter().for_each(|channel| write_channel(&mut writer, channel));
    writer.finish().filter(|payload| payload.as_slice().len() <= LINK_TEXT_BYTES_MAX)
}
