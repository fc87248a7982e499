//! Which sequence numbers of a device are stored, for ever, as ranges.

use wire::identity::SegmentId;

/// One run of a device in one lane.
pub(super) type HeardKey = (i64, u32, u8);

/// Which sequence numbers of a device's run are stored, as ranges, and which frame ended the last.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) ranges: Vec<(i64, i64)>,
    pub(super) last_frame: Option<(SegmentId, u32, usize)>,
}

impl Heard {
    pub(super) fn touches(&self, first: i64, last: i64) -> bool {
        self.ranges.iter().any(|(a, b)| *a <= last && first <= *b)
    }

    pub(super) fn contains(&self, sequence: i64) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&sequence))
    }

    /// Adds what a frame brought. A gateway takes a device's frames in order, so between the last
    /// number of one frame of a lane and the first of the next nothing belongs to that lane.
    pub(super) fn add(&mut self, first: i64, last: i64, frame: (SegmentId, u32)) {
        let follows = self.last_frame.filter(|(segment, index, _)| {
            *segment == frame.0 && index + 1 == frame.1 || (*segment, *index) == frame
        });
        let start = match follows.and_then(|(.., at)| self.ranges.get(at)) {
            Some((_, end)) if *end < first => end + 1,
            _ => first,
        };
        let (mut start, mut end) = (start, last);
        self.ranges.retain(|(a, b)| {
            let joins = *a <= end + 1 && start <= b + 1;
            if joins {
                start = start.min(*a);
                end = end.max(*b);
            }
            !joins
        });
        let at = self.ranges.partition_point(|(a, _)| *a < start);
        self.ranges.insert(at, (start, end));
        self.last_frame = Some((frame.0, frame.1, at));
    }
}
