//! The rules of sending: what goes first, and how often a broker is tried.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use agent::buffer::{Position, RecordAt};
use agent::uplink::machine::{Event, Order, Records, Uplink};
use wire::identity::{Lane, SegmentId};

use super::demand;

/// Records of each lane, all of one size, one segment a lane, and which are receipted.
#[derive(Default)]
struct Invented {
    records: [u32; 4],
    receipted: BTreeSet<(usize, u32)>,
}

impl Records for Invented {
    fn next(&mut self, lane: Lane, from: Position) -> Option<RecordAt> {
        let mut open = (from.index..self.records[lane as usize])
            .filter(|index| !self.receipted.contains(&(lane as usize, *index)));
        open.next().map(|index| RecordAt {
            position: Position { ordinal: 1, index },
            segment: SegmentId([lane as u8; 16]),
            bytes: 1000,
        })
    }

    fn edge(&self, lane: Lane) -> Position {
        Position { ordinal: 1, index: self.records[lane as usize] }
    }
}

/// Old records of the vital lane that wait.
const BACKLOG: u32 = 4000;
/// Gateways that lose the same broker at the same moment.
const GATEWAYS: u64 = 1000;
/// Connection attempts in any second after their first, all of them together, at most.
const ATTEMPTS_A_SECOND_MAX: u64 = 400;

/// A new alert is the next thing that is sent, whatever waits.
pub(super) fn live_alert_first() -> Result<(), String> {
    let now = Instant::now();
    let mut log = Invented { records: [0, BACKLOG, 0, 0], ..Invented::default() };
    let mut uplink = Uplink::new(now, 4 << 20, 1);
    demand(uplink.poll(now, &mut log) == Some(Order::Connect), "no connection is wanted")?;
    uplink.handle(now, Event::Up { record_bytes_max: u32::MAX }, &log);
    for _ in 0..20 {
        let Some(Order::Publish(lane, record)) = uplink.poll(now, &mut log) else {
            return Err("the backlog is not sent".into());
        };
        let index = record.position.index;
        log.receipted.insert((lane as usize, index));
        uplink.handle(now, Event::PubAck, &log);
        uplink.receipted(now, record.segment, index, index);
    }
    log.records[Lane::Alert as usize] = 1;
    match uplink.poll(now, &mut log) {
        Some(Order::Publish(Lane::Alert, _)) => Ok(()),
        other => Err(format!("an alert waits behind {other:?}")),
    }
}

/// A record that a broker does not take waits for another one, and the rest goes on.
pub(super) fn over_the_limit() -> Result<(), String> {
    let now = Instant::now();
    let mut log = Invented { records: [0, 3, 0, 0], ..Invented::default() };
    let mut uplink = Uplink::new(now, 4 << 20, 1);
    demand(uplink.poll(now, &mut log) == Some(Order::Connect), "no connection is wanted")?;
    uplink.handle(now, Event::Up { record_bytes_max: 999 }, &log);
    match uplink.poll(now, &mut log) {
        None => demand(uplink.parked() == 3, "what does not fit is not counted"),
        Some(order) => Err(format!("a broker that takes 999 bytes is sent {order:?}")),
    }
}

/// A broker that restarts is not overrun by those that lost it.
pub(super) fn reconnects() -> Result<(), String> {
    let start = Instant::now();
    let mut log = Invented { records: [0; 4], ..Invented::default() };
    let mut gateways: Vec<Uplink> =
        (0..GATEWAYS).map(|seed| Uplink::new(start, 1 << 20, seed * 0x9E37_79B9 + 1)).collect();
    for second in 0..60u64 {
        let mut attempts = 0;
        for tenth in 0..10 {
            let now = start + Duration::from_millis(second * 1000 + tenth * 100);
            for uplink in &mut gateways {
                if uplink.poll(now, &mut log) == Some(Order::Connect) {
                    attempts += 1;
                    uplink.handle(now, Event::Down, &log);
                }
            }
        }
        // A machine that begins tries at once.
        demand(
            second == 0 || attempts <= ATTEMPTS_A_SECOND_MAX,
            format!("{attempts} attempts in second {second}"),
        )?;
    }
    Ok(())
}
