//! The rules of sending, one by one, on an invented log.

use std::collections::BTreeSet;

use super::*;
use crate::limits::{PACE_BYTES, THIN_LINK_DEADLINE};

mod backlog;
mod reconnects;
mod thin_link;

/// A broker without a limit has taken us.
const UP: Event = Event::Up { record_bytes_max: u32::MAX };

/// A log that is a list of lanes with so many records each.
#[derive(Default)]
struct Invented {
    records: [u32; 4],
    bytes: u32,
    receipted: BTreeSet<(usize, u32)>,
}

impl Records for Invented {
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt> {
        let mut open = (from.index..self.records[lane as usize])
            .filter(|index| !self.receipted.contains(&(lane as usize, *index)));
        open.next().map(|index| RecordAt {
            position: Position { ordinal: 0, index },
            segment: SegmentId([lane as u8; 16]),
            bytes: self.bytes,
        })
    }

    fn edge(&self, lane: Lane) -> Position {
        Position { ordinal: 0, index: self.records[lane as usize] }
    }
}

fn up(records: &mut Invented, now: Instant) -> Uplink {
    let mut uplink = Uplink::new(now, 1024 * 1024, 7);
    assert_eq!(uplink.poll(now, records), Some(Order::Connect));
    uplink.handle(now, UP, records);
    uplink
}

fn sent(uplink: &mut Uplink, now: Instant, records: &mut Invented) -> Vec<(Lane, u32)> {
    let mut sent = Vec::new();
    while let Some(Order::Publish(lane, record)) = uplink.poll(now, records) {
        sent.push((lane, record.position.index));
        uplink.handle(now, Event::PubAck, records);
    }
    sent
}

/// What is sent when the sink stores at once and says so.
fn stored(uplink: &mut Uplink, now: Instant, records: &mut Invented) -> Vec<(Lane, u32)> {
    let mut sent = Vec::new();
    while let Some(Order::Publish(lane, record)) = uplink.poll(now, records) {
        let index = record.position.index;
        sent.push((lane, index));
        records.receipted.insert((lane as usize, index));
        uplink.handle(now, Event::PubAck, records);
        uplink.receipted(now, SegmentId([lane as u8; 16]), index, index);
    }
    sent
}

#[test]
fn live_goes_before_backlog_and_backlog_still_gets_a_tenth() {
    let now = Instant::now();
    let mut log = Invented { records: [0, 40, 0, 0], bytes: 1000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    log.records = [1, 80, 0, 0];

    let sent = stored(&mut uplink, now, &mut log);

    assert_eq!(sent[0], (Lane::Alert, 0));
    let at = |index| sent.iter().position(|sent| *sent == (Lane::Vital, index));
    assert!(at(0) < at(39) && at(39) < at(6), "the newest before the old ones: {sent:?}");
    let is_live = |(lane, index): &&(Lane, u32)| *lane == Lane::Vital && *index >= 40;
    let live = sent[1..45].iter().filter(is_live).count();
    assert!((39..=41).contains(&live), "{sent:?}");
    assert_eq!(sent.len(), 81);
}

#[test]
fn nothing_is_put_behind_an_alert_before_the_first_receipt_of_a_connection() {
    let now = Instant::now();
    let mut log = Invented { records: [2, 9, 3, 1], bytes: 1000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    let alerts = [0, 1].map(|index| (Lane::Alert, index));

    let mut first = sent(&mut uplink, now, &mut log);
    first.sort_unstable();
    assert_eq!(first, alerts);
    uplink.receipted(now, SegmentId([Lane::Alert as u8; 16]), 0, 0);
    assert_eq!(sent(&mut uplink, now, &mut log).len(), 13, "the rest follows");

    log.records[Lane::Alert as usize] = 3;
    log.records[Lane::Vital as usize] = 10;
    let live = sent(&mut uplink, now, &mut log);
    assert_eq!(live, [(Lane::Alert, 2), (Lane::Vital, 9)], "later it does not wait");
}

#[test]
fn an_alert_whose_receipt_is_late_holds_nobody_up() {
    let now = Instant::now();
    let mut log = Invented { records: [1, 9, 0, 0], bytes: 1000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    assert_eq!(sent(&mut uplink, now, &mut log), [(Lane::Alert, 0)]);

    let late = now + RECEIPT_DEADLINE + Duration::from_secs(1);
    assert_eq!(uplink.watch_over(late), None);
    let again = sent(&mut uplink, late, &mut log);
    assert_eq!(again[0], (Lane::Alert, 0), "it goes again: {again:?}");
    assert_eq!(again.len(), 10, "and the others with it");
}

#[test]
fn a_puback_is_no_progress_and_a_stalled_receipt_rebuilds_the_client() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, 3, 0, 0], bytes: 1000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    assert_eq!(sent(&mut uplink, now, &mut log).len(), 3);

    let mut dropped = false;
    for _ in 0..8 {
        now += RECEIPT_DEADLINE + Duration::from_secs(1);
        match uplink.watch_over(now).or_else(|| uplink.poll(now, &mut log)) {
            Some(Order::Drop) => {
                dropped = true;
                break;
            }
            Some(Order::Publish(..)) => uplink.handle(now, Event::PubAck, &log),
            _ => {}
        }
    }

    assert!(dropped);
    assert_eq!(uplink.figures().rebuilds, 1);
}

#[test]
fn only_a_receipt_frees_the_window() {
    let now = Instant::now();
    let mut log = Invented { bytes: 60_000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    log.records[Lane::Vital as usize] = 400;
    let first = sent(&mut uplink, now, &mut log).len();
    assert!(first < 20, "{first}");
    assert_eq!(sent(&mut uplink, now, &mut log), []);

    uplink.receipted(now, SegmentId([Lane::Vital as u8; 16]), 0, 4);

    assert_eq!(sent(&mut uplink, now, &mut log).len(), 5);
}

#[test]
fn a_broker_that_withholds_pubacks_does_not_stop_what_is_receipted() {
    let now = Instant::now();
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 10, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    let mut sent = 0;
    while let Some(Order::Publish(lane, record)) = uplink.poll(now, &mut log) {
        sent += 1;
        let index = record.position.index;
        uplink.receipted(now, SegmentId([lane as u8; 16]), index, index);
    }
    assert_eq!(sent, 400);
}

#[test]
fn a_broker_that_acknowledges_nothing_at_all_does_not_stop_us_for_ever() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 10, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    let mut dropped = 0;
    for _ in 0..10 {
        while let Some(Order::Publish(..)) = uplink.poll(now, &mut log) {}
        now += RECEIPT_DEADLINE + Duration::from_secs(1);
        dropped += usize::from(uplink.watch_over(now) == Some(Order::Drop));
    }
    assert!(dropped > 0);
}

#[test]
fn a_record_over_the_brokers_limit_is_parked_and_goes_to_a_broker_that_takes_it() {
    let now = Instant::now();
    let mut log = Invented { records: [0, 3, 0, 0], bytes: 60_000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    uplink.handle(now, Event::Down, &log);
    uplink.handle(now, Event::Up { record_bytes_max: 59_999 }, &log);
    let (lane, position) = (Lane::Vital, Position { ordinal: 0, index: 0 });
    let record = log.next(lane, position).unwrap();
    uplink.repeat(lane, record);

    assert_eq!(sent(&mut uplink, now, &mut log), []);
    log.records[Lane::Vital as usize] = 4;
    assert_eq!(sent(&mut uplink, now, &mut log), []);
    assert_eq!(uplink.parked(), 5, "three, one of them asked for, and one that is live");
    assert_eq!(uplink.watch_over(now + RECEIPT_DEADLINE * 9), None, "nobody waits for a receipt");

    uplink.handle(now, Event::Down, &log);
    uplink.handle(now, Event::Up { record_bytes_max: 60_000 }, &log);
    assert_eq!(stored(&mut uplink, now, &mut log).len(), 4);
    assert_eq!(uplink.parked(), 0);
}

#[test]
fn a_small_record_does_not_wait_for_a_parked_one() {
    struct Mixed;
    impl Records for Mixed {
        fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt> {
            let bytes = if from.index.is_multiple_of(2) { 5000 } else { 100 };
            (lane == Lane::Vital && from.index < 6).then_some(RecordAt {
                position: Position { ordinal: 0, index: from.index },
                segment: SegmentId([1; 16]),
                bytes,
            })
        }
        fn edge(&self, _: Lane) -> Position {
            Position { ordinal: 0, index: 6 }
        }
    }
    let now = Instant::now();
    let mut uplink = Uplink::new(now, 1024 * 1024, 7);
    uplink.handle(now, Event::Up { record_bytes_max: 1000 }, &Mixed);
    let mut sent = Vec::new();

    while let Some(Order::Publish(_, record)) = uplink.poll(now, &mut Mixed) {
        sent.push(record.position.index);
    }

    assert_eq!((sent, uplink.parked()), (vec![5, 1, 3], 3));
}

#[test]
fn receipts_that_stay_out_on_a_busy_healthy_link_are_noticed_as_on_an_idle_one() {
    let begin = Instant::now();
    let mut log = Invented { records: [0, 1, 0, 0], bytes: 2000, ..Invented::default() };
    let mut uplink = up(&mut log, begin);
    let mut now = begin;
    let dropped = loop {
        assert!(now < begin + THIN_LINK_DEADLINE * 5, "it was never dropped");
        while let Some(Order::Publish(..)) = uplink.poll(now, &mut log) {
            uplink.handle(now, Event::PubAck, &log);
        }
        now += Duration::from_secs(1);
        log.records[Lane::Vital as usize] += 1;
        uplink.handle(now, Event::Moved { waiting: false }, &log);
        if let Some(Order::Drop) = uplink.watch_over(now) {
            break now.duration_since(begin);
        }
    };
    assert!(dropped < RECEIPT_DEADLINE * 3, "{dropped:?}");
}

#[test]
fn a_client_that_takes_nothing_more_is_rebuilt_although_nothing_is_out() {
    let begin = Instant::now();
    let mut log = Invented { records: [0, 9, 0, 0], bytes: 100, ..Invented::default() };
    let mut uplink = up(&mut log, begin);
    assert_eq!(sent(&mut uplink, begin, &mut log).len(), 9);

    // Its queue is full: the driver asks for nothing more, and only the watchdog is heard.
    let seconds = (1..60).map(|second| begin + Duration::from_secs(second));
    let dropped = seconds.map(|now| uplink.watch_over(now)).find(Option::is_some);

    assert_eq!(dropped, Some(Some(Order::Drop)));
}

#[test]
fn what_could_not_be_read_once_is_offered_again() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, 1, 0, 0], bytes: 10, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    let Some(Order::Publish(_, record)) = uplink.poll(now, &mut log) else { panic!("nothing") };
    uplink.forget(record.segment, record.position.index);
    let mut offered = 0;
    for _ in 0..60 {
        now += Duration::from_secs(1);
        match uplink.poll(now, &mut log) {
            Some(Order::Publish(..)) => {
                offered += 1;
                uplink.forget(record.segment, record.position.index);
            }
            _ => uplink.left_behind(now),
        }
    }
    assert!((1..6).contains(&offered), "offered {offered} times in a minute");
}
