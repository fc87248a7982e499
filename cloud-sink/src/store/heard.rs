//! Which sequence numbers of a device are stored, for ever, as few ranges.
//!
//! A device numbers its frames over all lanes, so one lane's numbers have holes. Two ranges of a
//! lane are joined only where the hole is known to hold nothing of that lane: the frames of the
//! lane's chain that bring its two sides follow each other, and the same gateway has brought every
//! number of the hole in other lanes. A gateway takes a device's frames in order, so nothing of the
//! hole can still come in this lane.

use std::collections::{BTreeMap, BTreeSet};

use wire::identity::SegmentId;

/// One run of a device.
pub(super) type RunKey = (i64, u32);

/// What one gateway has brought of a run in one lane.
///
/// Invariant: ranges, first to last, neither touch nor overlap; neither do holes.
#[derive(Debug, Default)]
pub(super) struct LaneHeard {
    pub(super) gateway: i64,
    pub(super) lane: u8,
    ranges: BTreeMap<i64, i64>,
    /// Beginnings of ranges that came, went or grew since they were saved.
    changed: BTreeSet<i64>,
    holes: BTreeMap<i64, i64>,
    last: Option<(SegmentId, u32, i64)>,
}

/// Holes that wait to be filled by other lanes; older ones stay holes.
///
/// A device that says a second's vitals in one frame leaves so many in 18 hours of a backlog, whose
/// waves come after all its vitals.
const HOLES_MAX: usize = 65_536;

impl LaneHeard {
    /// A range as it was saved.
    pub(super) fn load(&mut self, first: i64, last: i64) {
        self.ranges.insert(first, last);
    }

    /// Ranges to be saved, with their ends, and beginnings of those that are no more.
    pub(super) fn take_changed(&mut self) -> impl Iterator<Item = (i64, Option<i64>)> + '_ {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|first| (first, self.ranges.get(&first).copied()))
    }

    /// The end of the range that covers a number.
    fn end_of(&self, number: i64) -> Option<i64> {
        let (_, last) = self.ranges.range(..=number).next_back()?;
        (number <= *last).then_some(*last)
    }

    fn touches(&self, first: i64, last: i64) -> bool {
        self.ranges.range(..=last).next_back().is_some_and(|(_, end)| first <= *end)
    }

    fn insert(&mut self, first: i64, last: i64) {
        if self.end_of(first).is_some_and(|end| last <= end) {
            return;
        }
        let (mut first, mut last) = (first, last);
        while let Some((a, b)) = self.ranges.range(..=last.saturating_add(1)).next_back()
            && first <= b.saturating_add(1)
        {
            let (a, b) = (*a, *b);
            self.ranges.remove(&a);
            self.changed.insert(a);
            (first, last) = (first.min(a), last.max(b));
        }
        self.ranges.insert(first, last);
        self.changed.insert(first);
    }

    /// Adds the numbers of one frame, ascending; the first number, or of the hole before it.
    fn add(&mut self, numbers: &[i64], frame: (SegmentId, u32)) -> Option<i64> {
        let mut before = self.last.filter(|(segment, index, _)| {
            *segment == frame.0 && (index + 1 == frame.1 || *index == frame.1)
        });
        let from = *numbers.first()?;
        let from = before.map_or(from, |(_, _, last)| from.min(last + 1));
        for number in numbers {
            if let Some((_, _, last)) = before
                && last + 1 < *number
            {
                self.holes.insert(last + 1, number - 1);
            }
            self.insert(*number, *number);
            before = Some((frame.0, frame.1, *number));
        }
        self.last = before;
        while self.holes.len() > HOLES_MAX {
            self.holes.pop_first();
        }
        Some(from)
    }

    fn holes_within(&self, first: i64, last: i64) -> Vec<(i64, i64)> {
        let until = self.holes.range(..=last).rev();
        until.take_while(|(_, end)| first <= **end).map(|(a, b)| (*a, *b)).collect()
    }

    fn close_hole(&mut self, first: i64, last: i64) {
        self.holes.remove(&first);
        self.insert(first, last);
    }
}

/// What was heard of a run.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) lanes: Vec<LaneHeard>,
}

impl Run {
    /// Whether a number of a lane is stored, whoever brought it.
    pub(super) fn contains(&self, lane: u8, number: i64) -> bool {
        self.lanes.iter().any(|heard| heard.lane == lane && heard.end_of(number).is_some())
    }

    /// Whether any number of a span is stored in a lane.
    pub(super) fn touches(&self, lane: u8, first: i64, last: i64) -> bool {
        self.lanes.iter().any(|heard| heard.lane == lane && heard.touches(first, last))
    }

    /// Ranges and holes in memory.
    pub(super) fn size(&self) -> usize {
        self.lanes.iter().map(|heard| heard.ranges.len() + heard.holes.len()).sum()
    }

    pub(super) fn lane(&mut self, gateway: i64, lane: u8) -> &mut LaneHeard {
        let mine = |heard: &LaneHeard| (heard.gateway, heard.lane) == (gateway, lane);
        let at = self.lanes.iter().position(mine).unwrap_or_else(|| {
            self.lanes.push(LaneHeard { gateway, lane, ..LaneHeard::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// Adds what a frame brought, then joins what is known to be whole.
    pub(super) fn add(
        &mut self,
        (gateway, lane): (i64, u8),
        numbers: &[i64],
        frame: (SegmentId, u32),
    ) {
        let from = self.lane(gateway, lane).add(numbers, frame);
        let (Some(from), Some(to)) = (from, numbers.last()) else { return };
        for at in 0..self.lanes.len() {
            if self.lanes[at].gateway == gateway {
                self.join(at, from, *to);
            }
        }
    }

    /// Joins over those holes of a lane that what came between two numbers has filled.
    fn join(&mut self, at: usize, from: i64, to: i64) {
        for (first, last) in self.lanes[at].holes_within(from, to) {
            if self.is_filled(at, first, last) {
                self.lanes[at].close_hole(first, last);
            }
        }
    }

    /// Whether other lanes of the same gateway have brought every number of a hole.
    fn is_filled(&self, at: usize, first: i64, last: i64) -> bool {
        let (gateway, lane) = (self.lanes[at].gateway, self.lanes[at].lane);
        let mut next = first;
        while next <= last {
            let mut others = self.lanes.iter().filter(|h| h.gateway == gateway && h.lane != lane);
            let Some(end) = others.find_map(|heard| heard.end_of(next)) else { return false };
            next = end + 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_share_a_numbering_end_as_one_range_each() {
        let mut run = Run::default();
        let segments = [SegmentId([1; 16]), SegmentId([2; 16])];
        for second in 0..50u32 {
            let start = i64::from(second) * 11 + 1;
            let waves: Vec<i64> = (start + 1..start + 11).collect();
            run.add((1, 1), &[start], (segments[0], second + 1));
            run.add((1, 2), &waves, (segments[1], second + 1));
        }
        assert!(run.lanes.iter().all(|lane| lane.ranges.len() <= 2), "{run:?}");
        assert!(run.contains(1, 1) && run.contains(2, 2));
    }

    #[test]
    fn lanes_of_a_backlog_that_come_one_after_the_other_end_as_one_range_each() {
        let mut run = Run::default();
        let segments = [SegmentId([1; 16]), SegmentId([2; 16])];
        let start = |second: u32| i64::from(second) * 11 + 1;
        for second in 0..5000u32 {
            run.add((1, 1), &[start(second)], (segments[0], second + 1));
        }
        assert_eq!(run.lanes[0].ranges.len(), 5000);
        for second in 0..5000u32 {
            let waves: Vec<i64> = (start(second) + 1..start(second) + 11).collect();
            run.add((1, 2), &waves, (segments[1], second + 1));
        }
        let ranges: Vec<usize> = run.lanes.iter().map(|lane| lane.ranges.len()).collect();
        assert!(ranges.iter().all(|ranges| *ranges <= 2), "{ranges:?}");
    }

    #[test]
    fn what_changed_is_what_makes_a_saved_copy_equal() {
        let mut heard = LaneHeard::default();
        let mut saved = BTreeMap::new();
        let mut number = 7;
        for step in 0..2000i64 {
            number = (number * 31 + step) % 997;
            heard.insert(number, number + step % 3);
            if step % 7 == 0 {
                for (first, last) in heard.take_changed().collect::<Vec<_>>() {
                    match last {
                        Some(last) => saved.insert(first, last),
                        None => saved.remove(&first),
                    };
                }
                assert_eq!(saved, heard.ranges);
            }
        }
    }

    #[test]
    fn a_number_that_another_gateway_may_still_bring_is_not_taken_for_heard() {
        let mut run = Run::default();
        let segment = SegmentId([1; 16]);
        run.add((1, 1), &[61, 62], (segment, 1));
        run.add((1, 1), &[64], (segment, 2));
        assert!(!run.contains(1, 63));
    }
}
