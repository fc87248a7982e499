//! The rules of sending, without I/O: events and the time go in, orders come out.
//!
//! Order of sending: live alerts, live vitals, old alerts, old vitals, live waves, old waves, with
//! health between; backlog always gets a tenth. Live is what was accepted since the link came up;
//! the record before it goes next, after old alerts. Nothing goes beside an alert before the first
//! receipt of a connection has come, or is late.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::identity::{Lane, SegmentId};

use crate::buffer::{Position, RecordAt};
use crate::limits::{RECEIPT_DEADLINE, RECONNECT_WAIT, ROUND_WAIT, STALLS_BEFORE_REBUILD};

mod back_off;
mod cursors;
mod due;
mod events;
mod figures;
mod first;
mod flight;
mod idle;
mod pace;
mod window;

pub use events::{Event, Order};
pub use figures::Figures;

use back_off::BackOff;
use cursors::{Age, CLASSES, Cursors};
use first::FirstReceipt;
use flight::{Flight, Flights};
use idle::Idle;
use pace::Pace;
use window::Window;

/// What the machine asks of the log.
pub trait Records {
    /// The next record at or after a position that no receipt covers.
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt>;
    /// Where the next record of a lane will be.
    fn edge(&self, lane: Lane) -> Position;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    Down { retry_at: Instant },
    Connecting { since: Instant },
    Up { since: Instant },
}

/// The machine.
pub struct Uplink {
    link: Link,
    back_off: BackOff,
    first: FirstReceipt,
    window: Window,
    flights: Flights,
    again: VecDeque<(Lane, RecordAt)>,
    cursors: Cursors,
    pace: Pace,
    record_bytes_max: u32,
    parked: u64,
    /// Bytes that live records owe the backlog: a tenth of theirs, less what it has had.
    old_credit: i64,
    progress_at: Instant,
    moved_at: Instant,
    /// The deadline of receipts here: longer by what a connection, leaving or coming back took.
    patience: Duration,
    round_at: Instant,
    round_due: Option<Instant>,
    stalls: u32,
    idle: Idle,
    figures: Figures,
}

impl Uplink {
    /// A machine without a connection; `random` spreads the reconnects.
    #[must_use]
    pub fn new(now: Instant, window_bytes: usize, random: u64) -> Self {
        Self {
            link: Link::Down { retry_at: now },
            back_off: BackOff::new(random),
            first: FirstReceipt::begin(),
            window: Window::new(window_bytes),
            flights: Flights::new(),
            again: VecDeque::new(),
            cursors: Cursors::default(),
            pace: Pace::new(window_bytes),
            record_bytes_max: u32::MAX,
            parked: 0,
            old_credit: 0,
            progress_at: now,
            moved_at: now,
            patience: RECEIPT_DEADLINE,
            round_at: now,
            round_due: None,
            stalls: 0,
            idle: Idle::default(),
            figures: Figures::default(),
        }
    }

    /// Figures since the start.
    #[must_use]
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    /// Records that wait for a broker that takes larger ones.
    #[must_use]
    pub const fn parked(&self) -> u64 {
        self.parked
    }

    /// Whether the broker has taken us.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Instant, event: Event, records: &impl Records) {
        match event {
            Event::Up { record_bytes_max } => {
                if let Link::Connecting { since } = self.link {
                    self.patience = RECEIPT_DEADLINE + now.duration_since(since);
                }
                self.link = Link::Up { since: now };
                self.record_bytes_max = record_bytes_max;
                self.pace.begin();
                self.first = FirstReceipt::begin();
                self.window.begin();
                (self.progress_at, self.round_at) = (now, now);
                self.figures.connects += 1;
                self.begin_round(records);
            }
            Event::Absent if !self.is_up() => {
                self.link = Link::Down { retry_at: now + self.back_off.absent_wait() };
            }
            Event::Absent | Event::Down => self.fall(now),
            Event::PubAck => self.pace.acknowledged(now),
            Event::Moved { waiting } => {
                self.moved_at = now;
                if !waiting {
                    self.all_left(now);
                }
            }
        }
    }

    /// Takes notice that a receipt covers records of a segment, whatever their disposition; when
    /// the last of those was sent that had never been sent before.
    pub fn receipted(
        &mut self,
        now: Instant,
        segment: SegmentId,
        first: u32,
        last: u32,
    ) -> Option<Instant> {
        let covered: Vec<(SegmentId, u32)> =
            self.flights.range((segment, first)..=(segment, last)).map(|(key, _)| *key).collect();
        let landed: Vec<_> = covered.into_iter().filter_map(|key| self.land(key)).collect();
        for flight in &landed {
            self.first.came();
            self.window.receipted(flight, now.duration_since(flight.sent_at));
        }
        if let Some(sent_at) = landed.iter().map(|flight| flight.sent_at).min() {
            self.patience = RECEIPT_DEADLINE + now.duration_since(sent_at);
        }
        self.again.retain(|(_, record)| {
            record.segment != segment || !(first..=last).contains(&record.position.index)
        });
        // Whatever still waits for its PUBACK has not been receipted either.
        self.pace.at_most(now, self.flights.len());
        self.progress_at = now;
        self.stalls = 0;
        self.back_off.begin_anew();
        self.idle = Idle::default();
        landed.iter().filter(|flight| flight.age == Age::Live).map(|flight| flight.sent_at).max()
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

    /// The log holds what no receipt covers, and there is nothing to send: what could not be read
    /// once may be readable by now, so that everything is offered again after a while.
    pub fn left_behind(&mut self, now: Instant) {
        let quiet = self.is_up() && self.flights.is_empty() && self.again.is_empty();
        if self.idle.is_over(now, quiet) {
            self.sink_came(now);
        }
    }

    /// Offers everything again that no receipt covers.
    pub fn begin_round(&mut self, records: &impl Records) {
        self.flights.clear();
        self.again.clear();
        self.window.clear();
        (self.old_credit, self.round_due, self.parked) = (0, None, 0);
        self.cursors = Cursors::begin(records);
    }

    /// The next order, or `None` when there is nothing to do before [`Uplink::wake_at`].
    pub fn poll(&mut self, now: Instant, records: &mut impl Records) -> Option<Order> {
        match self.link {
            Link::Down { retry_at } if retry_at <= now => {
                self.link = Link::Connecting { since: now };
                Some(Order::Connect)
            }
            Link::Down { .. } => None,
            Link::Connecting { since } if now > self.connect_until(since) => {
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

    fn fall(&mut self, now: Instant) {
        self.flights.clear();
        self.again.clear();
        self.window.clear();
        // A broker that takes us and drops us at once is spared as one that refuses.
        if let Link::Up { since } = self.link
            && now.duration_since(since) > RECONNECT_WAIT.1
        {
            self.back_off.begin_anew();
        }
        self.link = Link::Down { retry_at: now + self.back_off.wait() };
    }

    /// Sends again what no receipt has covered in time; rebuilds when nothing comes at all.
    fn watch(&mut self, now: Instant) -> Option<Order> {
        let late = flight::late(&self.flights, |flight| now > self.late_at(flight));
        // A broker that withholds its acknowledgements stops us as one that withholds receipts.
        // So does a client that takes nothing more: what is to go again then cannot even leave.
        let blocked = self.stalls > 0 && self.flights.is_empty() && !self.again.is_empty();
        if late.is_empty() && !blocked && !self.pace.is_stuck(now, self.moved_at, self.patience) {
            return None;
        }
        if !late.is_empty() && self.first.is_late(self.flights.values()) {
            // Their turn comes before the way is called stalled.
            self.progress_at = now;
        }
        for key in late {
            if let Some(flight) = self.land(key) {
                self.again.push_back((flight.lane, flight.record));
            }
        }
        self.figures.repeated += self.again.len() as u64;
        if now.duration_since(self.progress_at) <= self.patience {
            return None;
        }
        self.stalls += 1;
        tracing::debug!(stalls = self.stalls, patience = ?self.patience, "no receipt in time");
        self.progress_at = now;
        if self.stalls.is_multiple_of(STALLS_BEFORE_REBUILD) {
            tracing::warn!(stalls = self.stalls, "receipts stalled: client rebuilt");
            self.figures.rebuilds += 1;
            self.fall(now);
            return Some(Order::Drop);
        }
        None
    }

    /// The peer's kernel has everything that was sent so far.
    fn all_left(&mut self, now: Instant) {
        for flight in self.flights.values_mut().filter(|flight| flight.left_at.is_none()) {
            flight.left_at = Some(now);
            let took = now.duration_since(flight.sent_at);
            self.patience = self.patience.max(RECEIPT_DEADLINE + took);
        }
    }

    fn land(&mut self, key: (SegmentId, u32)) -> Option<Flight> {
        let flight = self.flights.remove(&key)?;
        self.window.landed(&flight);
        Some(flight)
    }

    fn send(&mut self, now: Instant, records: &mut impl Records) -> Option<Order> {
        // After a stall a single record probes the way until a receipt comes.
        let probing = self.stalls > 0 && !self.flights.is_empty();
        if self.pace.is_full() || probing {
            return None;
        }
        let (lane, record, age) = self.choose(records)?;
        let key = (record.segment, record.position.index);
        self.land(key);
        let flight = Flight::new(lane, record, age, now);
        self.window.sent(&flight);
        self.flights.insert(key, flight);
        self.pace.gave(now, record.bytes as usize);
        self.figures.published += 1;
        Some(Order::Publish(lane, record))
    }

    /// The next record, and how old it is.
    fn choose(&mut self, records: &mut impl Records) -> Option<(Lane, RecordAt, Age)> {
        let open = self.window.is_open();
        let alerts_only = self.first.alerts_only(self.flights.values());
        let repeats = open && !alerts_only;
        while repeats && let Some((lane, record)) = self.again.pop_front() {
            if self.fits(record) {
                return Some((lane, record, Age::Old));
            }
        }
        let takes_backlog = self.window.takes_backlog();
        let owed = takes_backlog && self.old_credit > 0;
        let backlog = CLASSES.iter().filter(|(_, age)| owed && *age == Age::Old);
        let may_go = |(lane, _): &&(Lane, Age)| !alerts_only || *lane == Lane::Alert;
        for &(lane, age) in backlog.chain(&CLASSES).filter(may_go) {
            let live = age != Age::Old;
            let reserve = live && lane == Lane::Alert && self.window.takes_alerts();
            if !(reserve || if live { open } else { takes_backlog }) {
                continue;
            }
            let mut next = self.cursors.take(lane, age, records);
            while next.is_some_and(|record| !self.fits(record)) {
                next = self.cursors.take(lane, age, records);
            }
            if let Some(record) = next {
                let bytes = i64::from(record.bytes);
                if live {
                    self.old_credit += bytes / 10;
                } else if owed {
                    self.old_credit -= bytes;
                }
                return Some((lane, record, age));
            }
        }
        self.old_credit = 0;
        None
    }

    /// Whether this broker takes a record; if not, it is parked until another connection.
    fn fits(&mut self, record: RecordAt) -> bool {
        let fits = record.bytes <= self.record_bytes_max;
        if !fits && self.parked == 0 {
            let limit = self.record_bytes_max;
            tracing::error!(bytes = record.bytes, limit, "the broker takes no record so large");
        }
        self.parked += u64::from(!fits);
        fits
    }
}

#[cfg(test)]
mod tests;
