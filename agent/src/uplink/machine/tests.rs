//! The rules of sending, one by one, on an invented log.

use super::*;

/// A log that is a list of lanes with so many records each.
struct Invented {
    records: [u32; 4],
    bytes: u32,
}

impl Records for Invented {
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt> {
        (from.index < self.records[lane as usize]).then_some(RecordAt {
            position: Position { ordinal: 0, index: from.index },
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
    uplink.handle(now, Event::Up, records);
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

#[test]
fn live_goes_before_backlog_and_backlog_still_gets_a_tenth() {
    let now = Instant::now();
    let mut log = Invented { records: [0, 40, 0, 0], bytes: 1000 };
    let mut uplink = up(&mut log, now);
    log.records = [1, 80, 0, 0];

    let sent = sent(&mut uplink, now, &mut log);

    assert_eq!(sent[0], (Lane::Alert, 0));
    let is_live = |(lane, index): &&(Lane, u32)| *lane == Lane::Vital && *index >= 40;
    let live = sent[1..45].iter().filter(is_live).count();
    assert!((39..=41).contains(&live), "{sent:?}");
    assert_eq!(sent.len(), 81);
}

#[test]
fn a_puback_is_no_progress_and_a_stalled_receipt_rebuilds_the_client() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, 3, 0, 0], bytes: 1000 };
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
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 60_000 };
    let mut uplink = up(&mut log, now);
    let first = sent(&mut uplink, now, &mut log).len();
    assert!(first < 20, "{first}");
    assert_eq!(sent(&mut uplink, now, &mut log), []);

    uplink.receipted(now, SegmentId([Lane::Vital as u8; 16]), 0, 4);

    assert_eq!(sent(&mut uplink, now, &mut log).len(), 5);
}

#[test]
fn reconnects_are_spread_over_a_growing_wait() {
    let now = Instant::now();
    let mut log = Invented { records: [0; 4], bytes: 1 };
    let mut waits = Vec::new();
    for random in 1..200 {
        let mut uplink = Uplink::new(now, 1024, random * 0x9e37_79b9);
        for _ in 0..6 {
            uplink.handle(now, Event::Down, &log);
        }
        waits.push(uplink.wake_at(now).duration_since(now));
        assert_eq!(uplink.poll(now, &mut log).is_some(), waits.last() == Some(&Duration::ZERO));
    }
    let (least, most) = (waits.iter().min(), waits.iter().max());
    assert!(most.unwrap() > &Duration::from_secs(12) && least.unwrap() < &Duration::from_secs(2));
}

#[test]
fn a_broker_that_withholds_pubacks_does_not_stop_what_is_receipted() {
    let now = Instant::now();
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 10 };
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
fn a_broker_that_takes_us_and_drops_us_is_not_rushed() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0; 4], bytes: 1 };
    let mut waits = Duration::ZERO;
    let mut uplink = Uplink::new(now, 1024, 7);
    for _ in 0..40 {
        waits += uplink.wake_at(now).saturating_duration_since(now);
        now = now.max(uplink.wake_at(now));
        assert_eq!(uplink.poll(now, &mut log), Some(Order::Connect));
        uplink.handle(now, Event::Up, &log);
        uplink.handle(now, Event::Down, &log);
    }
    assert!(waits > Duration::from_secs(200), "{waits:?} for forty connections");

    uplink.handle(now, Event::Up, &log);
    now += RECONNECT_WAIT.1 + Duration::from_secs(1);
    uplink.handle(now, Event::Down, &log);
    let wait = uplink.wake_at(now).saturating_duration_since(now);
    assert!(wait <= RECONNECT_WAIT.0, "a connection that held begins anew: {wait:?}");
}

#[test]
fn a_broker_that_acknowledges_nothing_at_all_does_not_stop_us_for_ever() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 10 };
    let mut uplink = up(&mut log, now);
    let mut dropped = 0;
    for _ in 0..10 {
        while let Some(Order::Publish(..)) = uplink.poll(now, &mut log) {}
        now += RECEIPT_DEADLINE + Duration::from_secs(1);
        dropped += usize::from(uplink.watch_over(now) == Some(Order::Drop));
    }
    assert!(dropped > 0);
}
