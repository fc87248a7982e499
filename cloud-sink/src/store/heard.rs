//! Which sequence numbers of a device are stored, for ever, as few ranges.
//!
//! A device numbers its frames over all lanes, so one lane's numbers have holes. Two ranges of a
//! lane are joined only where the hole is known to hold nothing of that lane: the frames of the
//! lane's chain that bring its two sides follow each other, and the same gateway has brought every
//! number of the hole in other lanes. A gateway takes a device's frames in order, so nothing of the
//! hole can still come in this lane.

use wire::identity::SegmentId;

/// One run of a device.
pub(super) type RunKey = (i64, u32);

/// What one gateway has brought of a run in one lane.
///
/// Invariant: ranges ascend and neither touch nor overlap.
#[derive(Debug, Default)]
pub(super) struct LaneHeard {
    pub(super) gateway: i64,
    pub(super) lane: u8,
    pub(super) ranges: Vec<(i64, i64)>,
    holes: Vec<(i64, i64)>,
    last: Option<(SegmentId, u32, i64)>,
}

/// Holes that wait to be filled by other lanes; older ones stay holes.
const HOLES_MAX: usize = 256;

impl LaneHeard {
    fn covers(&self, first: i64, last: i64) -> bool {
        self.ranges.iter().any(|(a, b)| *a <= first && last <= *b)
    }

    fn insert(&mut self, first: i64, last: i64) {
        let (mut first, mut last) = (first, last);
        self.ranges.retain(|(a, b)| {
            let joins = *a <= last + 1 && first <= b + 1;
            if joins {
                first = first.min(*a);
                last = last.max(*b);
            }
            !joins
        });
        let at = self.ranges.partition_point(|(a, _)| *a < first);
        self.ranges.insert(at, (first, last));
    }

    /// Adds the numbers of one frame, ascending.
    fn add(&mut self, numbers: &[i64], frame: (SegmentId, u32)) {
        let mut before = self.last.filter(|(segment, index, _)| {
            *segment == frame.0 && (index + 1 == frame.1 || *index == frame.1)
        });
        for number in numbers {
            if let Some((_, _, last)) = before
                && last + 1 < *number
            {
                self.holes.push((last + 1, number - 1));
            }
            self.insert(*number, *number);
            before = Some((frame.0, frame.1, *number));
        }
        self.last = before;
        let surplus = self.holes.len().saturating_sub(HOLES_MAX);
        self.holes.drain(..surplus);
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
        self.lanes.iter().any(|heard| heard.lane == lane && heard.covers(number, number))
    }

    /// Whether any number of a span is stored in a lane.
    pub(super) fn touches(&self, lane: u8, first: i64, last: i64) -> bool {
        let touches =
            |heard: &LaneHeard| heard.ranges.iter().any(|(a, b)| *a <= last && first <= *b);
        self.lanes.iter().any(|heard| heard.lane == lane && touches(heard))
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
        self.lane(gateway, lane).add(numbers, frame);
        for at in 0..self.lanes.len() {
            if self.lanes[at].gateway == gateway {
                self.join(at);
            }
        }
    }

    fn join(&mut self, at: usize) {
        let (gateway, lane) = (self.lanes[at].gateway, self.lanes[at].lane);
        let holes = std::mem::take(&mut self.lanes[at].holes);
        for (first, last) in holes {
            let filled = (first..=last).all(|number| {
                let mut others =
                    self.lanes.iter().filter(|h| h.gateway == gateway && h.lane != lane);
                others.any(|heard| heard.covers(number, number))
            });
            if filled {
                self.lanes[at].insert(first, last);
            } else {
                self.lanes[at].holes.push((first, last));
            }
        }
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
    fn a_number_that_another_gateway_may_still_bring_is_not_taken_for_heard() {
        let mut run = Run::default();
        let segment = SegmentId([1; 16]);
        run.add((1, 1), &[61, 62], (segment, 1));
        run.add((1, 1), &[64], (segment, 2));
        assert!(!run.contains(1, 63));
    }
}
