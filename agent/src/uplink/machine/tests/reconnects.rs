//! When a broker is called: spread, spared, and soon after a link is back.

use std::collections::BTreeMap;

use super::*;

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
