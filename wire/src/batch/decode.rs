//! Bytes to batch; bounded, strict, and total over any bytes.

use alloc::string::String;
use alloc::vec::Vec;

use super::columns::{Width, unpack};
use super::{
    Batch, BatchError, Block, ChannelInfo, Note, NoteKind, SECTION_ALERT, SECTION_CONTEXT,
    SECTION_EVENT, SECTION_HEALTH, SECTION_LOSS, SECTION_TABLE, SECTION_WAVE, Source, Table,
    WaveRun, time_base, wave,
};
use crate::FORMAT_VERSION;
use crate::decimal::{Absent, Decimal, Number};
use crate::identity::{DeviceId, SourceBoot};
use crate::limits::{
    BATCH_BYTES_MAX, BLOCKS_MAX, CHANNELS_MAX, LABEL_BYTES_MAX, TABLE_VALUES_MAX, WAVE_SAMPLES_MAX,
};
use crate::reading::{ChannelKind, Mode};
use crate::segment::read_clock;
use crate::strict::Reader;
use crate::time::{ClockState, DeviceClock, Rate};

/// Decodes a plaintext.
///
/// # Errors
/// [`BatchError`]; nothing of the batch is used then.
pub fn decode(bytes: &[u8]) -> Result<Batch, BatchError> {
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(BatchError::Limit);
    }
    let mut outer = Reader::new(bytes);
    let count = outer.array()?.checked_sub(1).ok_or(BatchError::Inconsistent)?;
    if count > BLOCKS_MAX {
        return Err(BatchError::Limit);
    }
    let (clock, shapes, widths) = decode_head(outer.bytes()?)?;
    let mut budget = Budget { values: TABLE_VALUES_MAX, samples: WAVE_SAMPLES_MAX };
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        let context = Context { clock: &clock, shapes: &shapes, widths: &widths };
        blocks.push(decode_block(outer.bytes()?, &context, &mut budget)?);
    }
    outer.done()?;
    Ok(Batch { clock, shapes, blocks })
}

/// What a batch may still make the reader allocate.
struct Budget {
    values: usize,
    samples: usize,
}

fn spend(budget: &mut usize, amount: Option<usize>) -> Result<usize, BatchError> {
    let amount = amount.ok_or(BatchError::Limit)?;
    *budget = budget.checked_sub(amount).ok_or(BatchError::Limit)?;
    Ok(amount)
}

struct Context<'a> {
    clock: &'a ClockState,
    shapes: &'a [Vec<ChannelInfo>],
    widths: &'a [Vec<Width>],
}

type Head = (ClockState, Vec<Vec<ChannelInfo>>, Vec<Vec<Width>>);

fn decode_head(bytes: &[u8]) -> Result<Head, BatchError> {
    let mut r = Reader::new(bytes);
    let fields = r.array()?.checked_sub(2).ok_or(BatchError::Inconsistent)?;
    if r.uint()? != u64::from(FORMAT_VERSION) {
        return Err(BatchError::Inconsistent);
    }
    let clock = read_clock(&mut r)?;
    let mut shapes = Vec::new();
    let mut widths = Vec::new();
    for _ in 0..fields {
        let (shape, width) = decode_shape(&mut r)?;
        shapes.push(shape);
        widths.push(width);
    }
    r.done()?;
    Ok((clock, shapes, widths))
}

fn decode_shape(r: &mut Reader<'_>) -> Result<(Vec<ChannelInfo>, Vec<Width>), BatchError> {
    let fields = r.array()?;
    let codes = differences(r)?;
    let units = differences(r)?;
    let (small, kinds) = (r.bytes()?, r.bytes()?);
    let count = codes.len();
    let agree = units.len() == count && small.len() == 2 * count && kinds.len() == count;
    if !agree || count > CHANNELS_MAX || !(5..=6).contains(&fields) {
        return Err(BatchError::Inconsistent);
    }
    let widths: Vec<Width> = small[..count].iter().map(|byte| Width(*byte)).collect();
    if !widths.iter().all(|width| width.is_valid()) {
        return Err(BatchError::Inconsistent);
    }
    let waves = kinds.iter().filter(|kind| **kind == 1).count();
    r.tuple(waves)?;
    let number = |value: i64| u32::try_from(value).map_err(|_| BatchError::Inconsistent);
    let mut channels = Vec::with_capacity(count);
    for at in 0..count {
        let kind = match kinds[at] {
            0 => ChannelKind::Numeric { exponent: small[count + at].cast_signed() },
            1 => decode_wave_kind(r)?,
            _ => return Err(BatchError::Inconsistent),
        };
        let (label, unit_label) = (String::new(), String::new());
        let (code, unit) = (number(codes[at])?, number(units[at])?);
        channels.push(ChannelInfo { code, unit, kind, label, unit_label });
    }
    if fields == 6 && !r.null() {
        r.tuple(count * 2)?;
        for channel in &mut channels {
            channel.label = r.text(LABEL_BYTES_MAX)?.into();
            channel.unit_label = r.text(LABEL_BYTES_MAX)?.into();
        }
    }
    Ok((channels, widths))
}

fn decode_wave_kind(r: &mut Reader<'_>) -> Result<ChannelKind, BatchError> {
    r.tuple(6)?;
    let rate = Rate { numerator: r.uint()?, denominator: r.uint()? };
    if rate.numerator == 0 || rate.denominator == 0 {
        return Err(BatchError::Inconsistent);
    }
    let gain = Decimal { mantissa: r.int()?, exponent: exponent(r)? };
    let baseline = i32::try_from(r.int()?).map_err(|_| BatchError::Inconsistent)?;
    Ok(ChannelKind::Wave { rate, gain, baseline, bits: r.number()? })
}

fn exponent(r: &mut Reader<'_>) -> Result<i8, BatchError> {
    i8::try_from(r.int()?).map_err(|_| BatchError::Inconsistent)
}

fn differences(r: &mut Reader<'_>) -> Result<Vec<i64>, BatchError> {
    let count = r.array()?;
    let mut values = Vec::with_capacity(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.wrapping_add(r.int()?);
        values.push(last);
    }
    Ok(values)
}

fn progression(r: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, BatchError> {
    if r.next_is_int() {
        let only = r.int()?;
        return if count == 1 { Ok(alloc::vec![only]) } else { Err(BatchError::Inconsistent) };
    }
    let values = differences(r)?;
    match *values.as_slice() {
        [first, next] if count >= 2 => {
            let step = next.wrapping_sub(first);
            let steps = core::iter::successors(Some(first), |value| Some(value.wrapping_add(step)));
            Ok(steps.take(count).collect())
        }
        _ if values.len() == count && count > 2 => Ok(values),
        _ => Err(BatchError::Inconsistent),
    }
}

fn decode_block(
    bytes: &[u8],
    context: &Context<'_>,
    budget: &mut Budget,
) -> Result<Block, BatchError> {
    let mut r = Reader::new(bytes);
    let sections = r.array()?.checked_sub(5).ok_or(BatchError::Inconsistent)?;
    let (device, boot) = (DeviceId(r.uint()?), SourceBoot(r.number()?));
    let source = decode_source(device, boot, r.uint()?)?;
    let received_ms = r.int()?;
    let time_ticks = r.int()?.wrapping_add(time_base(context.clock, &source));
    let mut block = Block {
        source,
        context: Vec::new(),
        received_ms,
        time_ticks,
        tables: Vec::new(),
        waves: Vec::new(),
        notes: Vec::new(),
    };
    for _ in 0..sections {
        let fields = r.array()?;
        match r.uint()? {
            SECTION_CONTEXT if fields == 2 && block.context.is_empty() => {
                block.context = r.bytes()?.to_vec();
            }
            SECTION_TABLE => block.tables.push(decode_table(&mut r, fields, context, budget)?),
            SECTION_WAVE => block.waves.push(decode_wave(&mut r, fields, context, budget)?),
            kind => block.notes.push(decode_note(&mut r, kind, fields)?),
        }
    }
    r.done()?;
    Ok(block)
}

fn decode_source(device: DeviceId, boot: SourceBoot, flags: u64) -> Result<Source, BatchError> {
    let clock = DeviceClock::from_number(flags & 7).ok_or(BatchError::Inconsistent)?;
    let mode = Mode::from_number(flags >> 7).ok_or(BatchError::Inconsistent)?;
    let tick_exponent = (flags >> 3 & 15) as u8;
    if tick_exponent > 9 {
        return Err(BatchError::Inconsistent);
    }
    Ok(Source { device, boot, clock, tick_exponent, mode })
}

fn decode_table(
    r: &mut Reader<'_>,
    fields: usize,
    context: &Context<'_>,
    budget: &mut Budget,
) -> Result<Table, BatchError> {
    let (shape, channel_first): (usize, usize) = (r.number()?, r.number()?);
    let (channels, moments): (usize, usize) = (r.number()?, r.number()?);
    let total = spend(&mut budget.values, channels.checked_mul(moments))?;
    let widths = context.widths.get(shape).ok_or(BatchError::Inconsistent)?;
    let end = channel_first.checked_add(channels).ok_or(BatchError::Limit)?;
    let widths = widths.get(channel_first..end).ok_or(BatchError::Inconsistent)?;
    if total == 0 || !(8..=9).contains(&fields) {
        return Err(BatchError::Inconsistent);
    }
    let numeric = |channel: &ChannelInfo| matches!(channel.kind, ChannelKind::Numeric { .. });
    if !context.shapes[shape][channel_first..end].iter().all(numeric) {
        return Err(BatchError::Inconsistent);
    }
    let times = progression(r, moments)?;
    let sequences = progression(r, moments)?;
    let values = unpack(r.bytes()?, moments, widths).ok_or(BatchError::Column)?;
    let mut exceptions = Vec::new();
    if fields == 9 {
        let count = r.array()?;
        for _ in 0..count {
            let exception = decode_exception(r, total)?;
            if exceptions.last().is_some_and(|last: &(u32, _, _)| last.0 >= exception.0) {
                return Err(BatchError::Inconsistent);
            }
            exceptions.push(exception);
        }
    }
    Ok(Table { shape, channel_first, channels, times, sequences, values, exceptions })
}

fn decode_exception(r: &mut Reader<'_>, total: usize) -> Result<(u32, Number, u16), BatchError> {
    let fields = r.array()?;
    let position: u32 = r.number()?;
    if position as usize >= total {
        return Err(BatchError::Inconsistent);
    }
    let number = match fields {
        3 => Number::Not(Absent::from_number(r.uint()?).ok_or(BatchError::Inconsistent)?),
        4 => Number::Is(Decimal { mantissa: r.int()?, exponent: exponent(r)? }),
        _ => return Err(BatchError::Inconsistent),
    };
    Ok((position, number, r.number()?))
}

fn decode_wave(
    r: &mut Reader<'_>,
    fields: usize,
    context: &Context<'_>,
    budget: &mut Budget,
) -> Result<WaveRun, BatchError> {
    let (shape, channel_first, part_count): (usize, usize, usize) =
        (r.number()?, r.number()?, r.number()?);
    spend(&mut budget.samples, Some(part_count))?;
    let (time_ticks, sample_first, status) = (r.int()?, r.uint()?, r.number()?);
    let sequences = progression(r, part_count)?;
    let counts = progression(r, part_count)?;
    let total =
        counts.iter().try_fold(0usize, |sum, count| sum.checked_add(usize::try_from(*count).ok()?));
    let mut left = fields.checked_sub(9).ok_or(BatchError::Inconsistent)?;
    let mut samples: Vec<Vec<i32>> = Vec::new();
    while left > 0 && !next_is_array(r) {
        let count = spend(&mut budget.samples, total)?;
        let previous = samples.last().map(Vec::as_slice);
        samples.push(wave::decode(r.bytes()?, count, previous).map_err(BatchError::Wave)?);
        left -= 1;
    }
    let shape_channels = context.shapes.get(shape).ok_or(BatchError::Inconsistent)?;
    let end = samples.len().checked_add(channel_first).ok_or(BatchError::Limit)?;
    let range = shape_channels.get(channel_first..end).ok_or(BatchError::Inconsistent)?;
    let wave = |channel: &ChannelInfo| matches!(channel.kind, ChannelKind::Wave { .. });
    if samples.is_empty() || left > 1 || !range.iter().all(wave) {
        return Err(BatchError::Inconsistent);
    }
    let count = samples[0].len();
    let invalid = if left == 1 { decode_invalid(r, samples.len(), count)? } else { Vec::new() };
    let parts = sequences.into_iter().zip(counts).collect();
    Ok(WaveRun { shape, channel_first, time_ticks, sample_first, status, parts, samples, invalid })
}

fn next_is_array(r: &Reader<'_>) -> bool {
    let mut ahead = *r;
    ahead.array().is_ok()
}

fn decode_invalid(
    r: &mut Reader<'_>,
    channels: usize,
    samples: usize,
) -> Result<Vec<(u32, u32, u32)>, BatchError> {
    let count = r.array()?;
    let mut invalid = Vec::with_capacity(count);
    for _ in 0..count {
        r.tuple(3)?;
        let (channel, first, length): (u32, u32, u32) = (r.number()?, r.number()?, r.number()?);
        let end = u64::from(first) + u64::from(length);
        if channel as usize >= channels || end > samples as u64 {
            return Err(BatchError::Inconsistent);
        }
        invalid.push((channel, first, length));
    }
    Ok(invalid)
}

fn decode_note(r: &mut Reader<'_>, kind: u64, fields: usize) -> Result<Note, BatchError> {
    let (time_ticks, sequence) = (r.int()?, r.int()?);
    let what = match (kind, fields) {
        (SECTION_ALERT, 9) => NoteKind::Alert {
            code: r.number()?,
            source: r.number()?,
            levels: [r.number()?, r.number()?, r.number()?],
            text: r.text(96)?.into(),
        },
        (SECTION_EVENT, 5) => NoteKind::Event { code: r.number()?, value: r.int()? },
        (SECTION_LOSS, 5) => NoteKind::Loss { readings: r.uint()?, cause: r.number()? },
        (SECTION_HEALTH, 4) => NoteKind::Health(r.bytes()?.to_vec()),
        _ => return Err(BatchError::Inconsistent),
    };
    Ok(Note { time_ticks, sequence, what })
}
