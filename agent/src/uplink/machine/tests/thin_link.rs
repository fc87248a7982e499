//! Links that carry little: given little, not torn down while bytes leave, dropped in the end.

use super::*;
use crate::limits::CONNECT_DEADLINE;

/// Lets a link carry one record after the other, `seconds` each, with the receipt as long after it;
/// how often the connection was dropped, and how many records went more than once.
fn carried(seconds: u64, carries: u32) -> (u64, u64) {
    let mut now = Instant::now();
    let mut log = Invented { records: [0, carries, 0, 0], bytes: 2000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    let mut on_link = VecDeque::new();
    let mut landed = VecDeque::new();
    let (mut there, mut back, mut done) = (0, 0, 0);
    let tick = |seconds_spent: &mut u64| {
        *seconds_spent = (*seconds_spent + 1) % seconds;
        *seconds_spent == 0
    };
    for _ in 0..10_000 {
        now += Duration::from_secs(1);
        if let Some(Order::Drop) = uplink.watch_over(now) {
            break;
        }
        while let Some(order) = uplink.poll(now, &mut log) {
            let Order::Publish(_, record) = order else { continue };
            on_link.push_back(record.position.index);
        }
        if !landed.is_empty() && tick(&mut back) {
            let index = landed.pop_front().unwrap();
            uplink.receipted(now, SegmentId([Lane::Vital as u8; 16]), index, index);
            done += 1;
        }
        if !on_link.is_empty() && tick(&mut there) {
            landed.push_back(on_link.pop_front().unwrap());
            uplink.handle(now, Event::PubAck, &log);
        }
        let waiting = !on_link.is_empty();
        uplink.handle(now, Event::Moved { waiting }, &log);
        if done >= carries {
            break;
        }
    }
    (uplink.figures().rebuilds, uplink.figures().published - u64::from(carries))
}

#[test]
fn a_thin_link_is_not_torn_down_while_bytes_go_on_leaving() {
    assert_eq!(carried(16, 30), (0, 0), "2,000 bytes at 1 kbit/s");
    assert_eq!(carried(1, 30), (0, 0), "at 16 kbit/s");
}

#[test]
fn a_link_over_which_it_took_long_to_connect_may_be_quiet_for_as_long() {
    let begin = Instant::now();
    let slow = Duration::from_secs(24);
    for (took, wants) in [(slow, RECEIPT_DEADLINE + slow), (Duration::ZERO, RECEIPT_DEADLINE)] {
        let mut log = Invented { records: [0, 1, 0, 0], bytes: 2000, ..Invented::default() };
        let mut uplink = Uplink::new(begin, 1024 * 1024, 7);
        assert_eq!(uplink.poll(begin, &mut log), Some(Order::Connect));
        let up = begin + took;
        uplink.handle(up, UP, &log);
        assert!(uplink.poll(up, &mut log).is_some());

        assert_eq!(uplink.watch_over(up + wants), None);
        let seconds = (1..90).map(|second| up + wants + Duration::from_secs(second));
        let dropped = seconds.map(|now| (now, uplink.watch_over(now))).find(|(_, o)| o.is_some());
        let after = dropped.map(|(now, _)| now.duration_since(up));
        let twice = wants * 2 + Duration::from_secs(2);
        assert!(after.is_some_and(|after| after <= twice), "{after:?}");
    }
}

#[test]
fn a_link_that_trickles_without_a_receipt_is_dropped_all_the_same() {
    let begin = Instant::now();
    let mut log = Invented { records: [0, 400, 0, 0], bytes: 2000, ..Invented::default() };
    let mut uplink = up(&mut log, begin);
    let mut now = begin;
    let dropped = loop {
        assert!(now < begin + THIN_LINK_DEADLINE * 5, "it was never dropped");
        now += Duration::from_secs(1);
        uplink.handle(now, Event::Moved { waiting: true }, &log);
        if let Some(Order::Drop) = uplink.watch_over(now) {
            break now.duration_since(begin);
        }
        while uplink.poll(now, &mut log).is_some() {}
        assert!(uplink.wake_at(now) > now, "it would spin");
    };
    let twice = (THIN_LINK_DEADLINE + Duration::from_secs(2)) * 2;
    assert!(dropped > THIN_LINK_DEADLINE && dropped < twice, "{dropped:?}");
}

#[test]
fn a_handshake_over_a_thin_link_is_not_cut_off_and_one_into_a_black_hole_is() {
    let begin = Instant::now();
    let mut log = Invented { records: [0; 4], bytes: 1, ..Invented::default() };
    for (moves, wants) in [(true, THIN_LINK_DEADLINE), (false, CONNECT_DEADLINE)] {
        let mut uplink = Uplink::new(begin, 1024, 7);
        assert_eq!(uplink.poll(begin, &mut log), Some(Order::Connect));
        let mut now = begin;
        while uplink.poll(now, &mut log) != Some(Order::Drop) {
            assert!(now < begin + THIN_LINK_DEADLINE * 5, "it was never dropped");
            now += Duration::from_secs(1);
            if moves {
                uplink.handle(now, Event::Moved { waiting: true }, &log);
            }
        }
        let took = now.duration_since(begin);
        assert!(took > wants && took <= wants + Duration::from_secs(2), "{moves} {took:?}");
    }
}

#[test]
fn a_thin_link_is_given_little_at_a_time_and_a_quick_one_the_whole_window() {
    let mut now = Instant::now();
    let mut log = Invented { bytes: 1000, ..Invented::default() };
    let mut uplink = up(&mut log, now);
    log.records[Lane::Vital as usize] = 4000;
    let mut out = 0;
    let mut fill = |uplink: &mut Uplink, now, log: &mut Invented| {
        while uplink.poll(now, log).is_some() {
            out += 1;
        }
        std::mem::take(&mut out)
    };
    let at_first = fill(&mut uplink, now, &mut log);
    assert_eq!(at_first, PACE_BYTES.1.div_ceil(1000));

    for _ in 0..6 {
        now += Duration::from_secs(9);
        uplink.handle(now, Event::PubAck, &log);
        uplink.handle(now, Event::Moved { waiting: true }, &log);
    }
    assert_eq!(fill(&mut uplink, now, &mut log), 0, "three are out and that is enough");

    for _ in 0..5 {
        for _ in 0..48 {
            uplink.handle(now, Event::PubAck, &log);
        }
        assert!(fill(&mut uplink, now, &mut log) > 0);
    }
    for _ in 0..48 {
        uplink.handle(now, Event::PubAck, &log);
    }
    assert_eq!(fill(&mut uplink, now, &mut log), crate::limits::PUBLISHES_MAX);
}
