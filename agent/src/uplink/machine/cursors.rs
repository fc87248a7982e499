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

/// One a lane: backlog from `old` up to `split`, live from `live` on.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    old: Position,
    split: Position,
    live: Position,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursors([Cursor; 4]);

impl Cursors {
    /// Everything there is now is backlog.
    pub(super) fn begin(records: &impl Records) -> Self {
        Self(Lane::ALL.map(|lane| {
            let edge = records.edge(lane);
            Cursor { old: Position::default(), split: edge, live: edge }
        }))
    }

    /// The next record of a class.
    pub(super) fn take(
        &mut self,
        lane: Lane,
        live: bool,
        records: &mut impl Records,
    ) -> Option<RecordAt> {
        let cursor = &mut self.0[lane as usize];
        let from = if live { cursor.live } else { cursor.old };
        if !live && from >= cursor.split {
            return None;
        }
        let record = records.next(lane, from)?;
        let after = Position { index: record.position.index + 1, ..record.position };
        if live {
            cursor.live = after;
        } else if record.position >= cursor.split {
            cursor.old = cursor.split;
            return None;
        } else {
            cursor.old = after;
        }
        Some(record)
    }
}
