//! Where sending stands in each lane: what is live and what is backlog, and which goes first.

use wire::identity::Lane;

use super::Records;
use crate::buffer::{Position, RecordAt};

/// The classes in their order; `true` is live.
pub(super) const CLASSES: [(Lane, bool); 8] = [
    (Lane::Alert, true),
    (Lane::Vital, true),
    (Lane::Health, true),
    (Lane::Alert, false),
    (Lane::Vital, false),
    (Lane::Wave, true),
    (Lane::Wave, false),
    (Lane::Health, false),
];

/// One a lane: backlog from `old` up to `split`, live from `live` on, after a header that the first
/// of them may need.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    old: Position,
    split: Position,
    header: Option<Position>,
    header_taken: bool,
    live: Position,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursors([Cursor; 4]);

impl Cursors {
    /// Everything there is now is backlog, but for the newest record of each lane: what people see
    /// first after an outage is the present.
    pub(super) fn begin(records: &impl Records) -> Self {
        Self(Lane::ALL.map(|lane| {
            let edge = records.edge(lane);
            let newest = Position { index: edge.index.saturating_sub(1), ..edge };
            let header = (newest.index > 0).then_some(Position { index: 0, ..edge });
            Cursor {
                old: Position::default(),
                split: newest,
                header,
                header_taken: false,
                live: newest,
            }
        }))
    }

    /// The next record of a class; each goes once in a round.
    pub(super) fn take(
        &mut self,
        lane: Lane,
        live: bool,
        records: &mut impl Records,
    ) -> Option<RecordAt> {
        let cursor = &mut self.0[lane as usize];
        if live { cursor.take_live(lane, records) } else { cursor.take_old(lane, records) }
    }
}

impl Cursor {
    fn take_live(&mut self, lane: Lane, records: &mut impl Records) -> Option<RecordAt> {
        if let Some(header) = self.header.filter(|_| !self.header_taken) {
            self.header_taken = true;
            let record = records.next(lane, header).filter(|record| record.position == header);
            if record.is_some() {
                return record;
            }
        }
        let record = records.next(lane, self.live)?;
        self.live = after(record.position);
        Some(record)
    }

    fn take_old(&mut self, lane: Lane, records: &mut impl Records) -> Option<RecordAt> {
        while self.old < self.split {
            let record = records.next(lane, self.old)?;
            self.old = after(record.position).min(self.split);
            if record.position < self.split && Some(record.position) != self.header {
                return Some(record);
            }
        }
        None
    }
}

fn after(position: Position) -> Position {
    Position { index: position.index + 1, ..position }
}
