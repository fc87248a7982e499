//! A batch while it grows: blocks by device and context, rows that become columns at the end.

use std::collections::HashMap;
use std::sync::Arc;

use wire::batch::{Batch, Block, ChannelInfo, NoteKind, WaveRun};
use wire::link::WaveEntry;
use wire::time::{ClockState, DeviceClock, MonotonicNanos, Rate};

use super::Said;
use crate::intake::Device;

pub(super) struct Growing {
    pub(super) batch: Batch,
    pub(super) shapes: Vec<Arc<Vec<ChannelInfo>>>,
    pub(super) devices: Vec<Arc<Device>>,
    pub(super) by_device: HashMap<(usize, Vec<u8>), usize>,
    pub(super) payload_bytes: usize,
    pub(super) readings: u64,
    pub(super) order_first: u64,
    /// It is closed by then, whatever its lane's interval.
    pub(super) hurry: Option<MonotonicNanos>,
}

/// A block that is being filled, and the books of its batch.
pub(super) struct Spot<'a> {
    pub(super) block: &'a mut Block,
    pub(super) shapes: &'a mut Vec<Arc<Vec<ChannelInfo>>>,
    pub(super) payload_bytes: &'a mut usize,
    pub(super) readings: &'a mut u64,
}

impl Spot<'_> {
    pub(super) fn shape(&mut self, list: &Arc<Vec<ChannelInfo>>) -> usize {
        if let Some(at) = self.shapes.iter().position(|shape| Arc::ptr_eq(shape, list)) {
            return at;
        }
        *self.payload_bytes += bytes_of(list);
        self.shapes.push(list.clone());
        self.shapes.len() - 1
    }
}

/// Bytes that a list of channels takes in a batch, at most.
fn bytes_of(list: &[ChannelInfo]) -> usize {
    list.iter().map(|channel| 16 + channel.label.len() + channel.unit_label.len()).sum()
}

/// Milliseconds by which a frame's moment may differ from what its block says of it.
const DISAGREES_MS: i128 = 1_000;

/// Whether a block dates a time as it was taken. Of a device that counts, something may be learnt
/// between two frames, and a civil clock may be set; one that says no time has that of its block.
fn agrees(block: &Block, time: Option<i64>, received_ms: i64) -> bool {
    if block.source.clock == DeviceClock::None && time.is_some() {
        return has_losses_alone(block) || received_ms == block.received_ms;
    }
    let is_mapped = matches!(block.source.clock, DeviceClock::Tick | DeviceClock::Local);
    let Some(time) = time.filter(|_| is_mapped) else { return true };
    let ticks = i128::from(time) - i128::from(block.time_ticks);
    let since_ms = ticks * 10i128.pow(block.source.tick_exponent.into()) / 1_000_000;
    let apart = i128::from(received_ms) - i128::from(block.received_ms) - since_ms;
    has_losses_alone(block) || apart.abs() <= DISAGREES_MS
}

impl Growing {
    pub(super) fn new(clock: ClockState, order_first: u64) -> Self {
        Self {
            batch: Batch { clock, shapes: Vec::new(), blocks: Vec::new() },
            shapes: Vec::new(),
            devices: Vec::new(),
            by_device: HashMap::new(),
            payload_bytes: 256,
            readings: 0,
            order_first,
            hurry: None,
        }
    }

    /// Bytes that the batch has once so many of a device's are in it, at most.
    pub(super) fn bytes_with(&self, said: &Said<'_>) -> usize {
        let lists = [&said.device.numerics, &said.device.waves].into_iter();
        let new = lists.filter(|list| !self.shapes.iter().any(|known| Arc::ptr_eq(known, list)));
        self.payload_bytes + 2 * said.payload.len() + new.map(|list| bytes_of(list)).sum::<usize>()
    }

    /// The block of a device; `time` is what the device says, and none for a loss.
    pub(super) fn spot(&mut self, said: &Said<'_>, time: Option<i64>, context: &[u8]) -> Spot<'_> {
        // The pointer names the device: `devices` keeps it alive as long as the batch grows.
        let key = (Arc::as_ptr(said.device) as usize, context.to_vec());
        let blocks = &mut self.batch.blocks;
        let (clock, devices) = (&self.batch.clock, &mut self.devices);
        let payload_bytes = &mut self.payload_bytes;
        let taken_ns = said.received.0.cast_signed() - said.age_ns.cast_signed();
        let received_ms = (taken_ns - clock.monotonic.0.cast_signed()).div_euclid(1_000_000);
        let known = self.by_device.get(&key).copied();
        let known = known.filter(|at| agrees(&blocks[*at], time, received_ms));
        let at = known.unwrap_or_else(|| {
            *payload_bytes += 64 + context.len();
            devices.push(said.device.clone());
            blocks.push(Block {
                source: said.device.source,
                context: context.to_vec(),
                received_ms,
                time_ticks: time.unwrap_or(0),
                tables: Vec::new(),
                waves: Vec::new(),
                notes: Vec::new(),
            });
            self.by_device.insert(key, blocks.len() - 1);
            blocks.len() - 1
        });
        let block = &mut blocks[at];
        // Until the first reading, nothing says what the device's time is at reception.
        if let Some(time) = time.filter(|_| has_losses_alone(block)) {
            (block.received_ms, block.time_ticks) = (received_ms, time);
        }
        Spot { block, shapes: &mut self.shapes, payload_bytes, readings: &mut self.readings }
    }

    /// Turns rows into columns.
    pub(super) fn finish(mut self) -> Batch {
        self.batch.shapes = self.shapes.iter().map(|shape| shape.as_ref().clone()).collect();
        for table in self.batch.blocks.iter_mut().flat_map(|block| &mut block.tables) {
            let (moments, channels) = (table.times.len(), table.channels);
            if moments > 1 {
                let rows = std::mem::take(&mut table.values);
                table.values.reserve_exact(rows.len());
                for channel in 0..channels {
                    table.values.extend(rows.iter().skip(channel).step_by(channels));
                }
                for exception in &mut table.exceptions {
                    let (moment, channel) =
                        (exception.0 as usize / channels, exception.0 as usize % channels);
                    exception.0 = (channel * moments + moment) as u32;
                }
                table.exceptions.sort_unstable_by_key(|exception| exception.0);
            }
        }
        self.batch
    }
}

fn has_losses_alone(block: &Block) -> bool {
    let is_loss = |what: &NoteKind| matches!(what, NoteKind::Loss { .. });
    block.tables.is_empty()
        && block.waves.is_empty()
        && block.notes.iter().all(|note| is_loss(&note.what))
}

pub(super) struct Placed {
    pub(super) shape: usize,
    pub(super) first: usize,
    pub(super) offset: i64,
    pub(super) rate: Rate,
    pub(super) tick: i64,
}

/// Whether an entry goes on where a run ends, in sample numbers and in time.
pub(super) fn continues(run: &WaveRun, entry: &WaveEntry<'_>, place: &Placed) -> bool {
    let count = run.samples.first().map_or(0, Vec::len) as u64;
    let next = run.sample_first + count;
    let since = place.rate.nanos_of(next) - place.rate.nanos_of(run.sample_first);
    let expected = run.time_ticks + since / place.tick;
    let tolerance = (place.rate.nanos_of(1) / 2 / place.tick).max(1);
    (run.shape, run.channel_first, run.status) == (place.shape, place.first, entry.status)
        && run.samples.len() == usize::from(entry.channels)
        && next == entry.sample_first
        && (place.offset - expected).abs() <= tolerance
}

pub(super) fn extend(run: &mut WaveRun, sequence: i64, entry: &WaveEntry<'_>) {
    run.parts.push((sequence, entry.count as i64));
    let mut samples = entry.samples();
    for (channel, list) in run.samples.iter_mut().enumerate() {
        let mut last = list.last().copied().unwrap_or(0);
        for sample in samples.by_ref().take(entry.count) {
            let at = list.len() as u32;
            match sample {
                Some(sample) => last = sample,
                None => mark_invalid(&mut run.invalid, channel as u32, at),
            }
            list.push(last);
        }
    }
}

fn mark_invalid(invalid: &mut Vec<(u32, u32, u32)>, channel: u32, at: u32) {
    let open = invalid.iter_mut().rev().find(|hole| hole.0 == channel);
    match open {
        Some(hole) if hole.1 + hole.2 == at => hole.2 += 1,
        _ => invalid.push((channel, at, 1)),
    }
}
