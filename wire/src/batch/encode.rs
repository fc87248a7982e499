//! Batch to bytes.

use alloc::vec;
use alloc::vec::Vec;

use super::columns::{Width, pack};
use super::{
    Batch, BatchError, Block, ChannelInfo, Note, NoteKind, SECTION_ALERT, SECTION_CONTEXT,
    SECTION_EVENT, SECTION_HEALTH, SECTION_LOSS, SECTION_TABLE, SECTION_WAVE, Table, WaveRun,
    source_flags, time_base, wave,
};
use crate::FORMAT_VERSION;
use crate::decimal::Number;
use crate::limits::{BATCH_BYTES_MAX, BLOCKS_MAX};
use crate::reading::ChannelKind;
use crate::segment::write_clock;
use crate::strict::Writer;

type Out = Writer<Vec<u8>>;

/// Encodes a batch; returns its plaintext and where each block stands in it.
///
/// # Errors
/// [`BatchError::TooLarge`] if it does not fit a frame: split it.
pub fn encode(batch: &Batch) -> Result<Vec<u8>, BatchError> {
    let widths = widths(batch);
    let head = encode_head(batch, &widths);
    let mut out = Writer::new(Vec::with_capacity(4096));
    out.array(batch.blocks.len() + 1).bytes(&head);
    for block in &batch.blocks {
        out.bytes(&encode_block(batch, block, &widths));
    }
    let bytes = out.finish().unwrap_or_default();
    if bytes.len() > BATCH_BYTES_MAX || batch.blocks.len() > BLOCKS_MAX {
        return Err(BatchError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

fn widths(batch: &Batch) -> Vec<Vec<Width>> {
    let mut widths: Vec<Vec<Width>> =
        batch.shapes.iter().map(|shape| vec![Width::default(); shape.len()]).collect();
    for table in batch.blocks.iter().flat_map(|block| &block.tables) {
        let moments = table.times.len().max(1);
        let shape = &mut widths[table.shape][table.channel_first..];
        for (column, width) in table.values.chunks_exact(moments).zip(shape) {
            width.admit(column[0]);
        }
    }
    widths
}

fn encode_head(batch: &Batch, widths: &[Vec<Width>]) -> Vec<u8> {
    let mut out = Writer::new(Vec::with_capacity(256));
    out.array(2 + batch.shapes.len()).uint(FORMAT_VERSION.into());
    write_clock(&mut out, &batch.clock);
    for (shape, widths) in batch.shapes.iter().zip(widths) {
        encode_shape(&mut out, shape, widths);
    }
    out.finish().unwrap_or_default()
}

fn kind_number(channel: &ChannelInfo) -> (u64, i64) {
    match channel.kind {
        ChannelKind::Numeric { exponent } => (0, i64::from(exponent)),
        ChannelKind::Wave { .. } => (1, 0),
    }
}

/// A shape: how many channels, then columns; kinds and units as differences, labels if any.
fn encode_shape(out: &mut Out, shape: &[ChannelInfo], widths: &[Width]) {
    let waves: Vec<_> = shape.iter().filter(|channel| kind_number(channel).0 == 1).collect();
    let labelled = shape.iter().any(|c| !c.label.is_empty() || !c.unit_label.is_empty());
    out.array(5 + usize::from(labelled) + usize::from(!waves.is_empty() && !labelled));
    differences(out, shape.iter().map(|channel| i64::from(channel.code)));
    differences(out, shape.iter().map(|channel| i64::from(channel.unit)));
    let (kinds, exponents): (Vec<u8>, Vec<u8>) = shape
        .iter()
        .map(kind_number)
        .map(|(kind, exponent)| (kind as u8, (exponent as i8).cast_unsigned()))
        .unzip();
    let mut small = widths.iter().map(|width| width.0).collect::<Vec<_>>();
    small.extend(exponents);
    out.bytes(&small).bytes(&kinds);
    out.array(waves.len());
    for channel in &waves {
        encode_wave_kind(out, channel);
    }
    if labelled {
        out.array(shape.len() * 2);
        for channel in shape {
            out.text(&channel.label).text(&channel.unit_label);
        }
    } else if !waves.is_empty() {
        out.null();
    }
}

fn encode_wave_kind(out: &mut Out, channel: &ChannelInfo) {
    if let ChannelKind::Wave { rate, gain, baseline, bits } = channel.kind {
        out.array(6).uint(rate.numerator).uint(rate.denominator);
        out.int(gain.mantissa).int(gain.exponent.into()).int(baseline.into()).uint(bits.into());
    }
}

fn differences(out: &mut Out, values: impl ExactSizeIterator<Item = i64>) {
    out.array(values.len());
    let mut last = 0;
    for value in values {
        out.int(value.wrapping_sub(last));
        last = value;
    }
}

/// One number alone; an array of two for a constant step; else the first and all differences.
fn progression(out: &mut Out, values: &[i64]) {
    let steps = || values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    match values {
        [only] => {
            out.int(*only);
        }
        [first, second, ..] if steps().all(|step| step == second.wrapping_sub(*first)) => {
            out.array(2).int(*first).int(second.wrapping_sub(*first));
        }
        _ => differences(out, values.iter().copied()),
    }
}

fn encode_block(batch: &Batch, block: &Block, widths: &[Vec<Width>]) -> Vec<u8> {
    let mut out = Writer::new(Vec::with_capacity(512));
    let context = usize::from(!block.context.is_empty());
    let sections = block.tables.len() + block.waves.len() + block.notes.len() + context;
    out.array(5 + sections).uint(block.source.device.0).uint(block.source.boot.0.into());
    out.uint(source_flags(&block.source)).int(block.received_ms);
    out.int(block.time_ticks.wrapping_sub(time_base(&batch.clock, &block.source)));
    if context == 1 {
        out.array(2).uint(SECTION_CONTEXT).bytes(&block.context);
    }
    block.tables.iter().for_each(|table| encode_table(&mut out, table, widths));
    block.waves.iter().for_each(|run| encode_wave(&mut out, run));
    block.notes.iter().for_each(|note| encode_note(&mut out, note));
    out.finish().unwrap_or_default()
}

fn encode_table(out: &mut Out, table: &Table, widths: &[Vec<Width>]) {
    let range = table.channel_first..table.channel_first + table.channels;
    let packed = pack(&table.values, &widths[table.shape][range]);
    out.array(8 + usize::from(!table.exceptions.is_empty())).uint(SECTION_TABLE);
    out.uint(table.shape as u64).uint(table.channel_first as u64).uint(table.channels as u64);
    out.uint(table.times.len() as u64);
    progression(out, &table.times);
    progression(out, &table.sequences);
    out.bytes(&packed);
    if table.exceptions.is_empty() {
        return;
    }
    out.array(table.exceptions.len());
    for (position, number, status) in &table.exceptions {
        match number {
            Number::Not(state) => {
                out.array(3).uint((*position).into()).uint(*state as u64);
            }
            Number::Is(decimal) => {
                out.array(4).uint((*position).into());
                out.int(decimal.mantissa).int(decimal.exponent.into());
            }
        }
        out.uint((*status).into());
    }
}

fn encode_wave(out: &mut Out, run: &WaveRun) {
    let (sequences, counts): (Vec<i64>, Vec<i64>) = run.parts.iter().copied().unzip();
    out.array(9 + usize::from(!run.invalid.is_empty()) + run.samples.len()).uint(SECTION_WAVE);
    out.uint(run.shape as u64).uint(run.channel_first as u64).uint(run.parts.len() as u64);
    out.int(run.time_ticks).uint(run.sample_first).uint(run.status.into());
    progression(out, &sequences);
    progression(out, &counts);
    let mut previous: Option<&[i32]> = None;
    for samples in &run.samples {
        out.bytes(&wave::encode(samples, previous));
        previous = Some(samples);
    }
    if !run.invalid.is_empty() {
        out.array(run.invalid.len());
        for (channel, first, count) in &run.invalid {
            out.array(3).uint((*channel).into()).uint((*first).into()).uint((*count).into());
        }
    }
}

fn encode_note(out: &mut Out, note: &Note) {
    let mut head = |fields, kind| {
        out.array(fields).uint(kind).int(note.time_ticks).int(note.sequence);
    };
    match &note.what {
        NoteKind::Alert { code, source, levels, text } => {
            head(9, SECTION_ALERT);
            out.uint((*code).into()).uint((*source).into());
            levels.iter().for_each(|level| {
                out.uint((*level).into());
            });
            out.text(text);
        }
        NoteKind::Event { code, value } => {
            head(5, SECTION_EVENT);
            out.uint((*code).into()).int(*value);
        }
        NoteKind::Loss { readings, cause } => {
            head(5, SECTION_LOSS);
            out.uint(*readings).uint((*cause).into());
        }
        NoteKind::Health(report) => {
            head(4, SECTION_HEALTH);
            out.bytes(report);
        }
    }
}
