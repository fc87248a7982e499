//! Ring: what waits to become durable, in order, in a fixed store that never blocks.
//!
//! What finds no room is counted and said as a gap in its place. An alert displaces waveforms, then
//! vitals; a vital displaces waveforms. What is displaced keeps its sequence number, as a gap.

use wire::limits::LINK_TEXT_BYTES_MAX;
use wire::link::{SourceGap, write_gap};

/// What a record holds; of a lower class goes first when room is short.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Class {
    /// Waveforms.
    Wave = 0,
    /// Numerics.
    Vital = 1,
    /// Alerts.
    Alert = 2,
}

/// Why readings were lost: the device's own numbers in [`SourceGap`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Loss {
    /// There was no room.
    Overflow = 1,
    /// The sensor gave nothing.
    Sensor = 2,
    /// The moment to take them was missed.
    Late = 4,
    /// It could not be kept over a loss of power.
    Storage = 5,
}

pub(crate) const LOSSES: [Loss; 4] = [Loss::Overflow, Loss::Sensor, Loss::Late, Loss::Storage];
/// In place of a class: a gap.
const GAP: u8 = 3;
/// Class, readings, length.
const HEAD_BYTES: usize = 3;
/// Payload of a gap of up to 255 readings.
const GAP_BYTES: usize = 4;

/// One record that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Its number in this run.
    pub sequence: u32,
    /// Whether it is a gap.
    pub gap: bool,
    /// What is sent.
    pub payload: &'a [u8],
}

/// Records of one run, in `BYTES` bytes: three a record and its payload.
///
/// Invariant: `bytes[..used]` holds `count` records with the sequences `first ..`.
#[derive(Debug)]
pub struct Ring<const BYTES: usize> {
    bytes: [u8; BYTES],
    used: usize,
    first: u32,
    count: u32,
    /// Readings that were lost since the last record, by [`LOSSES`]; they become the next one.
    lost: [u64; LOSSES.len()],
}

impl<const BYTES: usize> Default for Ring<BYTES> {
    fn default() -> Self {
        Self { bytes: [0; BYTES], used: 0, first: 1, count: 0, lost: [0; LOSSES.len()] }
    }
}

impl<const BYTES: usize> Ring<BYTES> {
    /// One whose first record has this number: of a run that goes on.
    #[cfg(feature = "flash")]
    pub(crate) fn resumed(first: u32) -> Self {
        Self { first, ..Self::default() }
    }

    /// What a record is, as it can be put back.
    #[cfg(feature = "flash")]
    pub(crate) fn raw(&self, sequence: u32) -> Option<(u8, u8, &[u8])> {
        let at = self.starts().nth(sequence.wrapping_sub(self.first) as usize)?;
        let payload = &self.bytes[at + HEAD_BYTES..at + self.size(at)];
        Some((self.bytes[at], self.bytes[at + 1], payload))
    }

    /// Puts a record back; whether there was room.
    #[cfg(feature = "flash")]
    pub(crate) fn put_back(&mut self, tag: u8, readings: u8, payload: &[u8]) -> bool {
        tag <= GAP && self.put(tag, readings, payload)
    }

    /// Readings that are lost and not said yet, by cause.
    #[cfg(feature = "flash")]
    pub(crate) const fn unsaid(&self) -> [u64; LOSSES.len()] {
        self.lost
    }

    /// So many more are lost, by cause.
    #[cfg(feature = "flash")]
    pub(crate) fn lose_all(&mut self, lost: [u64; LOSSES.len()]) {
        for (readings, loss) in lost.into_iter().zip(LOSSES) {
            self.lose(readings, loss);
        }
    }

    /// Says that a record is missing here, of which nobody knows how many readings it held.
    #[cfg(feature = "flash")]
    pub(crate) fn miss(&mut self, why: Loss) -> bool {
        let gap = write_gap(SourceGap { readings: 1, cause: why as u8 });
        gap.is_some_and(|gap| self.put(GAP, 0, gap.as_slice()))
    }

    /// Takes back this record and all behind it: they are lost for this reason, and what they had
    /// said to be lost is said again.
    #[cfg(feature = "flash")]
    pub(crate) fn withdraw(&mut self, sequence: u32, why: Loss) {
        let keep = sequence.wrapping_sub(self.first) as usize;
        let Some(end) = self.starts().nth(keep) else { return };
        let mut at = end;
        while at < self.used {
            let payload = &self.bytes[at + HEAD_BYTES..at + self.size(at)];
            let gap = SourceGap::read(payload).ok().filter(|_| self.bytes[at] == GAP);
            let cause = |gap: SourceGap| LOSSES.into_iter().find(|loss| *loss as u8 == gap.cause);
            match gap.and_then(|gap| Some((gap.readings, cause(gap)?))) {
                Some((readings, cause)) => self.lose(readings, cause),
                None => self.lose(self.bytes[at + 1].into(), why),
            }
            at += self.size(at);
        }
        (self.used, self.count) = (end, keep as u32);
    }

    /// Takes a payload of so many readings; gives its number, or none if it was counted as lost.
    pub fn push(&mut self, class: Class, readings: u8, payload: &[u8]) -> Option<u32> {
        loop {
            if self.close_gaps() && self.put(class as u8, readings, payload) {
                return Some(self.next().wrapping_sub(1));
            }
            if !self.displace(class) {
                self.lose(readings.into(), Loss::Overflow);
                return None;
            }
        }
    }

    /// Counts readings that were lost; they become a gap behind what was taken so far.
    pub fn lose(&mut self, readings: u64, why: Loss) {
        for (lost, loss) in self.lost.iter_mut().zip(LOSSES) {
            if loss == why {
                *lost = lost.saturating_add(readings);
            }
        }
    }

    /// Makes records of what was lost, as far as there is room; whether nothing is left to say.
    pub fn close_gaps(&mut self) -> bool {
        for (at, loss) in LOSSES.into_iter().enumerate() {
            let gap = SourceGap { readings: self.lost[at], cause: loss as u8 };
            if gap.readings == 0 {
                continue;
            }
            let Some(payload) = write_gap(gap) else { return false };
            if !self.put(GAP, 0, payload.as_slice()) {
                return false;
            }
            self.lost[at] = 0;
        }
        true
    }

    fn put(&mut self, tag: u8, readings: u8, payload: &[u8]) -> bool {
        let end = self.used + HEAD_BYTES + payload.len();
        if end > BYTES || payload.len() > LINK_TEXT_BYTES_MAX {
            return false;
        }
        let body = self.used + HEAD_BYTES;
        self.bytes[self.used..body].copy_from_slice(&[tag, readings, payload.len() as u8]);
        self.bytes[body..end].copy_from_slice(payload);
        (self.used, self.count) = (end, self.count + 1);
        true
    }

    /// Where each record begins.
    fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        let next = |at: &usize| Some(at + self.size(*at)).filter(|next| *next < self.used);
        core::iter::successors(Some(0).filter(|_| self.count > 0), next)
    }

    fn size(&self, at: usize) -> usize {
        HEAD_BYTES + usize::from(self.bytes[at + 2])
    }

    /// Turns the oldest record of the lowest class below this one into a gap; whether it could.
    fn displace(&mut self, class: Class) -> bool {
        let below = [Class::Wave, Class::Vital].into_iter().filter(|lower| *lower < class);
        let mut found = below.filter_map(|lower| {
            // A gap of so few readings is no longer than this.
            let shrinks = |at: usize| self.size(at) > HEAD_BYTES + GAP_BYTES;
            self.starts().find(|at| self.bytes[*at] == lower as u8 && shrinks(*at))
        });
        let Some(at) = found.next() else { return false };
        let (old, readings) = (self.size(at), self.bytes[at + 1]);
        let gap = SourceGap { readings: readings.into(), cause: Loss::Overflow as u8 };
        let Some(gap) = write_gap(gap) else { return false };
        let (gap, new) = (gap.as_slice(), HEAD_BYTES + gap.as_slice().len());
        self.bytes[at..at + HEAD_BYTES].copy_from_slice(&[GAP, 0, gap.len() as u8]);
        self.bytes[at + HEAD_BYTES..at + new].copy_from_slice(gap);
        self.bytes.copy_within(at + old..self.used, at + new);
        self.used -= old - new;
        true
    }

    /// Drops what is durable: everything up to a number and with it.
    pub fn acknowledge(&mut self, sequence: u32) {
        let many = sequence.wrapping_sub(self.first).wrapping_add(1);
        if many == 0 || many > self.count {
            return;
        }
        let start = self.starts().nth(many as usize).unwrap_or(self.used);
        self.bytes.copy_within(start..self.used, 0);
        self.used -= start;
        (self.first, self.count) = (self.first.wrapping_add(many), self.count - many);
    }

    /// A record that waits.
    #[must_use]
    pub fn record(&self, sequence: u32) -> Option<Record<'_>> {
        let at = self.starts().nth(sequence.wrapping_sub(self.first) as usize)?;
        let payload = &self.bytes[at + HEAD_BYTES..at + self.size(at)];
        Some(Record { sequence, gap: self.bytes[at] == GAP, payload })
    }

    /// The number of the oldest record that waits, or of the next one.
    #[must_use]
    pub const fn first(&self) -> u32 {
        self.first
    }

    /// The number of the next record.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.first.wrapping_add(self.count)
    }

    /// How many records wait.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Payload of a record, and what is left for each of four in the smallest ring here.
    const PAYLOAD: [u8; 17] = [7; 17];

    fn gaps<const N: usize>(ring: &Ring<N>) -> Vec<(u32, u64)> {
        let records = (ring.first()..ring.next()).filter_map(|sequence| ring.record(sequence));
        let gap = |record: Record<'_>| SourceGap::read(record.payload).unwrap().readings;
        records.filter(|record| record.gap).map(|one| (one.sequence, gap(one))).collect()
    }

    #[test]
    fn what_finds_no_room_is_one_gap_in_its_place() {
        let mut ring = Ring::<80>::default();
        let taken: Vec<_> = (0..7).map(|_| ring.push(Class::Vital, 2, &PAYLOAD)).collect();
        assert_eq!(taken[..5], [Some(1), Some(2), Some(3), Some(4), None]);
        assert!(!ring.close_gaps());
        ring.acknowledge(2);
        assert_eq!(ring.push(Class::Vital, 2, &PAYLOAD), Some(6));
        assert_eq!((ring.first(), ring.next()), (3, 7));
        assert_eq!(gaps(&ring), [(5, 6)], "three times two readings");
    }

    #[test]
    fn an_alert_displaces_waves_then_vitals_and_never_another_alert() {
        let mut ring = Ring::<80>::default();
        for class in [Class::Vital, Class::Wave, Class::Alert, Class::Wave] {
            assert!(ring.push(class, 5, &PAYLOAD).is_some());
        }
        assert_eq!(ring.push(Class::Wave, 1, &PAYLOAD), None, "a wave displaces nothing");
        assert!(ring.push(Class::Vital, 5, &PAYLOAD).is_some());
        assert_eq!(gaps(&ring), [(2, 5), (4, 5), (5, 1)]);
        assert_eq!(ring.push(Class::Vital, 9, &PAYLOAD), None, "nor a vital another");
        assert!(ring.push(Class::Alert, 1, &PAYLOAD).is_some());
        assert_eq!(gaps(&ring), [(1, 5), (2, 5), (4, 5), (5, 1), (6, 5), (7, 9)]);
        let kept = (1..ring.next()).filter(|sequence| !ring.record(*sequence).unwrap().gap);
        assert_eq!(kept.collect::<Vec<_>>(), [3, 8]);
        assert_eq!(ring.push(Class::Alert, 1, &[7; 40]), None);
    }

    #[test]
    fn a_record_too_small_to_shrink_does_not_keep_the_next_one() {
        let mut ring = Ring::<40>::default();
        assert!(ring.push(Class::Wave, 1, &[7; 4]).is_some());
        assert!(ring.push(Class::Wave, 1, &[7; 30]).is_some());
        assert_eq!(ring.push(Class::Alert, 1, &[7; 20]), Some(3));
        assert_eq!(gaps(&ring), [(2, 1)]);
    }

    #[test]
    fn losses_of_each_cause_are_said_apart() {
        let mut ring = Ring::<80>::default();
        ring.lose(3, Loss::Sensor);
        ring.lose(1, Loss::Late);
        ring.lose(1, Loss::Sensor);
        assert!(ring.close_gaps());
        let read = |sequence| SourceGap::read(ring.record(sequence).unwrap().payload).unwrap();
        assert_eq!(read(1), SourceGap { readings: 4, cause: Loss::Sensor as u8 });
        assert_eq!(read(2), SourceGap { readings: 1, cause: Loss::Late as u8 });
    }

    /// Numbers without a pattern that anyone could fit a ring to.
    fn scramble(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *state >> 33
    }

    #[test]
    fn of_what_was_offered_every_reading_is_there_or_in_a_gap() {
        for seed in 0..200u64 {
            let (mut ring, mut state) = (Ring::<300>::default(), seed);
            let (mut offered, mut kept, mut lost) = (0u64, 0u64, 0u64);
            let mut drain = |ring: &mut Ring<300>, many: u32| {
                for _ in 0..many.min(ring.waiting()) {
                    let record = ring.record(ring.first()).unwrap();
                    match record.gap {
                        true => lost += SourceGap::read(record.payload).unwrap().readings,
                        false => kept += u64::from(record.payload[0]),
                    }
                    ring.acknowledge(ring.first());
                }
            };
            for _ in 0..400 {
                let (class, readings) = (scramble(&mut state) % 3, scramble(&mut state) % 9 + 1);
                let class = [Class::Wave, Class::Vital, Class::Alert][class as usize];
                let payload = [readings as u8; 60];
                let length = scramble(&mut state) % 50 + 10;
                ring.push(class, readings as u8, &payload[..length as usize]);
                offered += readings;
                drain(&mut ring, (scramble(&mut state) % 7 / 5) as u32);
            }
            while ring.waiting() > 0 {
                drain(&mut ring, 1);
                ring.close_gaps();
            }
            assert_eq!(kept + lost, offered, "seed {seed}");
            assert!(lost > 0 && kept > 0);
        }
    }
}
