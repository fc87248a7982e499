//! The rules of sending, without I/O: events and the time go in, orders come out.
//!
//! Order of sending: live alerts, live vitals, old alerts, old vitals, live waves, old waves, with
//! health between; backlog always gets a tenth. Live is what was accepted since the link came up.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use wire::identity::{Lane, SegmentId};

use crate::buffer::{Position, RecordAt};
use crate::limits::{
    CONNECT_DEADLINE, PUBLISHES_MAX, RECEIPT_DEADLINE, RECONNECT_WAIT, ROUND_WAIT,
    STALLS_BEFORE_REBUILD, WINDOW_ALERT_RESERVE_BYTES,
};

/// What the machine asks of the log.
pub trait Records {
    /// The next record at or after a position that no receipt covers.
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt>;
    /// Where the next record of a lane will be.
    fn edge(&self, lane: Lane) -> Position;
}

/// What happened outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The broker has taken us.
    Up,
    /// The connection ended or could not be made.
    Down,
    /// One publish was acknowledged, which frees a place and means nothing else.
    PubAck,
}

/// What is to be done outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Make a connection.
    Connect,
    /// Drop the connection, whatever it says about itself.
    Drop,
    /// Publish a record.
    Publish(Lane, RecordAt),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    Down { retry_at: Instant },
    Connecting { since: Instant },
    Up { since: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    lane: Lane,
    record: RecordAt,
    sent_at: Instant,
}

/// Where sending stands in a lane: backlog from `old` up to `split`, live from `live` on.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    old: Position,
    split: Position,
    live: Position,
}

/// The classes in their order; `true` is live.
const CLASSES: [(Lane, bool); 8] = [
    (Lane::Alert, true),
    (Lane::Vital, true),
    (Lane::Health, true),
    (Lane::Alert, false),
    (Lane::Vital, false),
    (Lane::Wave, true),
    (Lane::Wave, false),
    (Lane::Health, false),
];

/// Figures for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Connections made.
    pub connects: u64,
    /// Times the client was rebuilt because receipts stalled.
    pub rebuilds: u64,
    /// Records published.
    pub published: u64,
    /// Of these, not for the first time on their connection.
    pub repeated: u64,
}

/// The machine.
///
/// Invariant: `window_used` is the sum of the bytes of `flights`.
pub struct Uplink {
    link: Link,
    attempt: u32,
    window_bytes: usize,
    window_used: usize,
    flights: BTreeMap<(SegmentId, u32), Flight>,
    again: VecDeque<(Lane, RecordAt)>,
    cursors: [Cursor; 4],
    publishes: usize,
    /// Bytes that live records owe the backlog: a tenth of theirs, less what it has had.
    old_credit: i64,
    progress_at: Instant,
    round_at: Instant,
    round_due: Option<Instant>,
    stalls: u32,
    random: u64,
    figures: Figures,
}

impl Uplink {
    /// A machine that has not connected yet; `random` spreads the reconnects.
    #[must_use]
    pub fn new(now: Instant, window_bytes: usize, random: u64) -> Self {
        Self {
            link: Link::Down { retry_at: now },
            attempt: 0,
            window_bytes,
            window_used: 0,
            flights: BTreeMap::new(),
            again: VecDeque::new(),
            cursors: [Cursor::default(); 4],
            publishes: 0,
            old_credit: 0,
            progress_at: now,
            round_at: now,
            round_due: None,
            stalls: 0,
            random: random | 1,
            figures: Figures::default(),
        }
    }

    /// Figures since the start.
    #[must_use]
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    /// Whether the broker has taken us.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Instant, event: Event, records: &impl Records) {
        match event {
            Event::Up => {
                self.link = Link::Up { since: now };
                self.publishes = 0;
                (self.progress_at, self.round_at) = (now, now);
                self.figures.connects += 1;
                self.begin_round(records);
            }
            Event::Down => self.fall(now),
            Event::PubAck => self.publishes = self.publishes.saturating_sub(1),
        }
    }

    /// Takes notice that a receipt covers records of a segment, whatever their disposition.
    pub fn receipted(&mut self, now: Instant, segment: SegmentId, first: u32, last: u32) {
        let covered: Vec<(SegmentId, u32)> =
            self.flights.range((segment, first)..=(segment, last)).map(|(key, _)| *key).collect();
        for key in covered {
            self.land(key);
        }
        self.again.retain(|(_, record)| {
            record.segment != segment || !(first..=last).contains(&record.position.index)
        });
        // Whatever still waits for its PUBACK has not been receipted either.
        self.publishes = self.publishes.min(self.flights.len());
        self.progress_at = now;
        (self.stalls, self.attempt) = (0, 0);
    }

    /// Sends a record again, before the backlog: the sink wants it.
    pub fn repeat(&mut self, lane: Lane, record: RecordAt) {
        if !self.again.iter().any(|(_, waiting)| *waiting == record) {
            self.again.push_front((lane, record));
        }
    }

    /// A sink says that it is there: what was sent before may never have reached it.
    ///
    /// Anybody on the broker can repeat its words, so they start a round once in a while only.
    pub fn sink_came(&mut self, now: Instant) {
        if self.is_up() {
            self.round_due = Some(now.max(self.round_at + ROUND_WAIT));
        }
    }

    /// Offers everything again that no receipt covers.
    pub fn begin_round(&mut self, records: &impl Records) {
        self.flights.clear();
        self.again.clear();
        (self.window_used, self.old_credit, self.round_due) = (0, 0, None);
        for lane in Lane::ALL {
            let edge = records.edge(lane);
            self.cursors[lane as usize] =
                Cursor { old: Position::default(), split: edge, live: edge };
        }
    }

    /// The next order, or `None` when there is nothing to do before [`Uplink::wake_at`].
    pub fn poll(&mut self, now: Instant, records: &mut impl Records) -> Option<Order> {
        match self.link {
            Link::Down { retry_at } if retry_at <= now => {
                self.link = Link::Connecting { since: now };
                Some(Order::Connect)
            }
            Link::Down { .. } => None,
            Link::Connecting { since } if now.duration_since(since) > CONNECT_DEADLINE => {
                self.fall(now);
                Some(Order::Drop)
            }
            Link::Connecting { .. } => None,
            Link::Up { .. } => {
                if self.round_due.is_some_and(|due| due <= now) {
                    self.round_at = now;
                    self.begin_round(records);
                }
                self.send(now, records)
            }
        }
    }

    /// Looks after deadlines; to be asked before [`Uplink::poll`], also while nothing can be sent.
    pub fn watch_over(&mut self, now: Instant) -> Option<Order> {
        if self.is_up() { self.watch(now) } else { None }
    }

    /// A record is gone: nobody waits for its receipt any more.
    pub fn forget(&mut self, segment: SegmentId, index: u32) {
        self.land((segment, index));
    }

    /// When to poll again if nothing happens.
    #[must_use]
    pub fn wake_at(&self, now: Instant) -> Instant {
        match self.link {
            Link::Down { retry_at } => retry_at,
            Link::Connecting { since } => since + CONNECT_DEADLINE + Duration::from_millis(1),
            Link::Up { .. } => {
                let oldest = self.flights.values().map(|flight| flight.sent_at).min();
                let late = oldest.unwrap_or(now) + RECEIPT_DEADLINE + Duration::from_millis(1);
                self.round_due.map_or(late, |due| due.min(late))
            }
        }
    }

    fn fall(&mut self, now: Instant) {
        self.flights.clear();
        self.again.clear();
        (self.window_used, self.publishes) = (0, 0);
        let (first, longest) = RECONNECT_WAIT;
        // A broker that takes us and drops us at once is spared as one that refuses.
        if let Link::Up { since } = self.link
            && now.duration_since(since) > longest
        {
            self.attempt = 0;
        }
        let most = first.saturating_mul(1 << self.attempt.min(10)).min(longest);
        self.attempt = self.attempt.saturating_add(1);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let wait = most.mul_f64((self.random >> 11) as f64 / (1u64 << 53) as f64);
        self.link = Link::Down { retry_at: now + wait };
    }

    /// Sends again what no receipt has covered in time; rebuilds when nothing comes at all.
    fn watch(&mut self, now: Instant) -> Option<Order> {
        let overdue = |flight: &Flight| now.duration_since(flight.sent_at) > RECEIPT_DEADLINE;
        let mut late: Vec<_> = self
            .flights
            .iter()
            .filter(|(_, flight)| overdue(flight))
            .map(|(key, flight)| (flight.sent_at, flight.lane as u8, flight.record.position, *key))
            .collect();
        late.sort_unstable();
        // A broker that withholds its acknowledgements stops us as one that withholds receipts.
        if late.is_empty() && self.publishes < PUBLISHES_MAX {
            return None;
        }
        for (_, _, _, key) in late {
            if let Some(flight) = self.land(key) {
                self.again.push_back((flight.lane, flight.record));
            }
        }
        self.figures.repeated += self.again.len() as u64;
        if now.duration_since(self.progress_at) <= RECEIPT_DEADLINE {
            return None;
        }
        self.stalls += 1;
        self.progress_at = now;
        if self.stalls.is_multiple_of(STALLS_BEFORE_REBUILD) {
            tracing::warn!(stalls = self.stalls, "receipts stalled: client rebuilt");
            self.figures.rebuilds += 1;
            self.fall(now);
            return Some(Order::Drop);
        }
        None
    }

    fn land(&mut self, key: (SegmentId, u32)) -> Option<Flight> {
        let flight = self.flights.remove(&key)?;
        self.window_used -= flight.record.bytes as usize;
        Some(flight)
    }

    fn send(&mut self, now: Instant, records: &mut impl Records) -> Option<Order> {
        // After a stall a single record probes the way until a receipt comes.
        let probing = self.stalls > 0 && !self.flights.is_empty();
        if self.publishes >= PUBLISHES_MAX || probing {
            return None;
        }
        let (lane, record) = self.choose(records)?;
        let key = (record.segment, record.position.index);
        self.land(key);
        self.flights.insert(key, Flight { lane, record, sent_at: now });
        self.window_used += record.bytes as usize;
        self.publishes += 1;
        self.figures.published += 1;
        Some(Order::Publish(lane, record))
    }

    fn choose(&mut self, records: &mut impl Records) -> Option<(Lane, RecordAt)> {
        let room = self.window_bytes.saturating_sub(self.window_used);
        let open = room > WINDOW_ALERT_RESERVE_BYTES;
        if let (true, Some(again)) = (open, self.again.pop_front()) {
            return Some(again);
        }
        let owed = open && self.old_credit > 0;
        let backlog = CLASSES.iter().filter(|(_, live)| owed && !live);
        for &(lane, live) in backlog.chain(&CLASSES) {
            let reserve = (lane, live) == (Lane::Alert, true) && room > 0;
            if !open && !reserve {
                continue;
            }
            if let Some(record) = self.take(lane, live, records) {
                let bytes = i64::from(record.bytes);
                if live {
                    self.old_credit += bytes / 10;
                } else if owed {
                    self.old_credit -= bytes;
                }
                return Some((lane, record));
            }
        }
        self.old_credit = 0;
        None
    }

    fn take(&mut self, lane: Lane, live: bool, records: &mut impl Records) -> Option<RecordAt> {
        let cursor = &mut self.cursors[lane as usize];
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

#[cfg(test)]
mod tests;
