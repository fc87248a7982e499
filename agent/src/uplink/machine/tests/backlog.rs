//! How much of a backlog is out while live records come.

use super::*;

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
    let mut window = Window::new(crate::limits::WINDOW_BYTES_MAX);
    let record =
        RecordAt { position: Position::default(), segment: SegmentId([0; 16]), bytes: 8192 };
    let flight = Flight::new(Lane::Wave, record, Age::Old, Instant::now());
    let receipts = |window: &mut Window, ms| {
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
