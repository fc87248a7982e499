//! The rules of sending, one by one, on an invented log.

use std::collections::BTreeSet;

use super::*;
use crate::limits::PACE_BYTES;

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
fn reconnects_are_spread_over_a_growing_wait() {
    let now = Instant::now();
    let mut log = Invented { records: [0; 4], bytes: 1, ..Invented::default() };
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
fn a_broker_that_takes_us_and_drops_us_is_not_rushed() {
    let mut now = Instant::now();
    let mut log = Invented { records: [0; 4], bytes: 1, ..Invented::default() };
    let mut waits = Duration::ZERO;
    let mut uplink = Uplink::new(now, 1024, 7);
    for _ in 0..40 {
        waits += uplink.wake_at(now).saturating_duration_since(now);
        now = now.max(uplink.wake_at(now));
        assert_eq!(uplink.poll(now, &mut log), Some(Order::Connect));
        uplink.handle(now, UP, &log);
        uplink.handle(now, Event::Down, &log);
    }
    assert!(waits > Duration::from_secs(200), "{waits:?} for forty connections");

    uplink.handle(now, UP, &log);
    now += RECONNECT_WAIT.1 + Duration::from_secs(1);
    uplink.handle(now, Event::Down, &log);
    let wait = uplink.wake_at(now).saturating_duration_since(now);
    assert!(wait <= RECONNECT_WAIT.0, "a connection that held begins anew: {wait:?}");
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

/// Machines of one site whose broker restarts.
const FLEET: u64 = 1000;
/// Connections a second that they try at most, from the first second on.
const ATTEMPTS_A_SECOND: usize = 400;

#[test]
fn a_thousand_gateways_do_not_storm_a_broker_that_comes_back() {
    let begin = Instant::now();
    let away = Duration::from_secs(60);
    let mut log = Invented { records: [0; 4], bytes: 1, ..Invented::default() };
    let mut fleet: Vec<Uplink> = (1..=FLEET)
        .map(|number| {
            let mut uplink = Uplink::new(begin, 1024, number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            uplink.handle(begin, UP, &log);
            uplink.handle(begin, Event::Down, &log);
            uplink
        })
        .collect();
    let mut attempts: BTreeMap<u64, usize> = BTreeMap::new();
    for ms in 0..120_000 {
        let now = begin + Duration::from_millis(ms);
        for uplink in &mut fleet {
            if !uplink.is_up() && uplink.poll(now, &mut log) == Some(Order::Connect) {
                *attempts.entry(ms / 1000).or_default() += 1;
                let back = now.duration_since(begin) >= away;
                uplink.handle(now, if back { UP } else { Event::Down }, &log);
            }
        }
    }

    let most = attempts.values().max().copied().unwrap_or(0);
    assert!(most <= ATTEMPTS_A_SECOND, "{attempts:?}");
    let after: usize = attempts.range(60..).map(|(_, count)| *count).sum();
    assert!(fleet.iter().all(Uplink::is_up), "all are back");
    assert_eq!(after, FLEET as usize, "each with one attempt");
    let late = attempts.keys().next_back().copied();
    assert!(late <= Some(60 + RECONNECT_WAIT.1.as_secs()), "{late:?}");
}

/// Attempts of one link's gateways in a second at most, while nobody answers and when somebody
/// does: each waits 0.7 s at least.
const ABSENT_ATTEMPTS_A_SECOND: usize = 1429;

#[test]
fn gateways_whose_link_is_away_try_it_every_second_and_are_back_within_two() {
    let begin = Instant::now();
    let mut log = Invented { bytes: 1, ..Invented::default() };
    let (away, tenth) = (Duration::from_secs(600), Duration::from_millis(100));
    let mut fleet: Vec<Uplink> =
        (1..=FLEET).map(|number| Uplink::new(begin, 1024, number * 0x9e37_79b9)).collect();
    let mut now = begin;
    while now < begin + away + Duration::from_secs(2) {
        let back = now.duration_since(begin) >= away;
        let mut attempts = 0;
        for uplink in &mut fleet {
            if uplink.poll(now, &mut log) == Some(Order::Connect) {
                attempts += 1;
                uplink.handle(now, if back { UP } else { Event::Absent }, &log);
            }
        }
        now += tenth;
        let settled = now.duration_since(begin) > Duration::from_secs(10);
        assert!(!settled || attempts * 10 <= ABSENT_ATTEMPTS_A_SECOND * 2, "{attempts} in 0.1 s");
    }
    assert!(fleet.iter().all(Uplink::is_up));
}

/// A sink that stores one record after the other, at the end of a way.
struct Far {
    way: Duration,
    a_record: Duration,
}

/// Draws a backlog for ten seconds, with a live record every second: old records stored a second,
/// and the longest that a live one took, from the third on.
fn drained(far: &Far) -> (usize, Duration) {
    const BYTES: u32 = 16 * 1024;
    const LIVE: (Duration, u32) = (Duration::from_secs(1), 10);
    let begin = Instant::now();
    let mut log = Invented { records: [0, 0, 1_000_000, 0], bytes: BYTES, ..Invented::default() };
    let mut uplink = Uplink::new(begin, crate::limits::WINDOW_BYTES_MAX, 7);
    assert_eq!(uplink.poll(begin, &mut log), Some(Order::Connect));
    uplink.handle(begin, UP, &log);
    let (mut now, mut free_at, mut slowest, mut old) = (begin, begin, Duration::ZERO, 0);
    let mut under_way: VecDeque<(Instant, Instant, Lane, u32)> = VecDeque::new();
    while now < begin + LIVE.0 * LIVE.1 {
        now += Duration::from_millis(1);
        let live = now.duration_since(begin).as_secs() as u32;
        log.records[Lane::Vital as usize] = live;
        while let Some((_, sent_at, lane, index)) = under_way.pop_front_if(|(due, ..)| *due <= now)
        {
            uplink.handle(now, Event::PubAck, &log);
            uplink.receipted(now, SegmentId([lane as u8; 16]), index, index);
            match lane {
                Lane::Vital if index > 2 => slowest = slowest.max(now.duration_since(sent_at)),
                Lane::Vital => {}
                _ => old += 1,
            }
        }
        while let Some(Order::Publish(lane, record)) = uplink.poll(now, &mut log) {
            free_at = free_at.max(now + far.way / 2) + far.a_record;
            under_way.push_back((free_at + far.way / 2, now, lane, record.position.index));
        }
    }
    (old / LIVE.1 as usize, slowest)
}

#[test]
fn live_records_do_not_wait_behind_a_backlog_that_the_sink_cannot_take_faster() {
    let a_record = Duration::from_millis(8);
    for way in [2, 30, 300].map(Duration::from_millis) {
        let (old, slowest) = drained(&Far { way, a_record });

        assert!(slowest < way + Duration::from_millis(150), "{slowest:?} over {way:?}");
        assert!(old > 60, "{old} a second of 125 over {way:?}");
    }
}

#[test]
fn a_way_that_becomes_longer_does_not_leave_the_backlog_at_its_least() {
    let mut window = window::Window::new(crate::limits::WINDOW_BYTES_MAX);
    let record =
        RecordAt { position: Position::default(), segment: SegmentId([0; 16]), bytes: 8192 };
    let flight = Flight::new(Lane::Wave, record, false, Instant::now());
    let receipts = |window: &mut window::Window, ms| {
        for _ in 0..300 {
            window.receipted(&flight, Duration::from_millis(ms));
        }
        let mut out = 0;
        while out < 100 && window.takes_backlog() {
            window.sent(&flight);
            out += 1;
        }
        out
    };
    assert_eq!(receipts(&mut window, 20), 100, "a quick way takes much");
    window.clear();
    assert_eq!(receipts(&mut window, 120), 100, "a longer one takes as much in the end");
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
