//! Where sending stands in each lane: what is live and what is backlog, and which goes first.

use wire::identity::Lane;

use super::Records;
use crate::buffer::{Position, RecordAt};

/// How old a record is, from the present connection's view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Age {
    /// Accepted since the link came up.
    Live,
    /// The last one before that, and the header that it needs.
    Newest,
    /// Backlog.
    Old,
}

/// The classes in their order.
///
/// Old alerts are few, and on a thin link they go before the newest of what is large.
pub(super) const CLASSES: [(Lane, Age); 12] = [
    (Lane::Alert, Age::Live),
    (Lane::Alert, Age::Newest),
    (Lane::Vital, Age::Live),
    (Lane::Health, Age::Live),
    (Lane::Alert, Age::Old),
    (Lane::Vital, Age::Newest),
    (Lane::Health, Age::Newest),
    (Lane::Vital, Age::Old),
    (Lane::Wave, Age::Live),
    (Lane::Wave, Age::Newest),
    (Lane::Wave, Age::Old),
    (Lane::Health, Age::Old),
];

/// One a lane: backlog from `old` up to `split`, then one record, live from `live` on.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    old: Position,
    split: Position,
    /// The header of the newest record, and that one, as long as they are to be sent.
    newest: [Option<Position>; 2],
    header: Option<Position>,
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
            let at = edge.index.checked_sub(1).map(|index| Position { index, ..edge });
            let header = at.filter(|at| at.index > 0).map(|at| Position { index: 0, ..at });
            Cursor {
                old: Position::default(),
                split: at.unwrap_or(edge),
                newest: [header, at],
                header,
                live: edge,
            }
        }))
    }

    /// The next record of a class; each goes once in a round.
    pub(super) fn take(
        &mut self,
        lane: Lane,
        age: Age,
        records: &mut impl Records,
    ) -> Option<RecordAt> {
        let cursor = &mut self.0[lane as usize];
        match age {
            Age::Live => cursor.take_live(lane, records),
            Age::Newest => cursor.take_newest(lane, records),
            Age::Old => cursor.take_old(lane, records),
        }
    }
}

impl Cursor {
    fn take_live(&mut self, lane: Lane, records: &mut impl Records) -> Option<RecordAt> {
        let record = records.next(lane, self.live)?;
        self.live = after(record.position);
        Some(record)
    }

    fn take_newest(&mut self, lane: Lane, records: &mut impl Records) -> Option<RecordAt> {
        let mut left = self.newest.iter_mut().filter_map(Option::take);
        left.find_map(|at| records.next(lane, at).filter(|record| record.position == at))
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
