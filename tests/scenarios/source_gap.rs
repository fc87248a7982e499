//! What a device says it has lost: dated by the gateway, and no date for what it says next.

use wire::time::DeviceClock;

use crate::device::{clocked, moment, numerics};
use crate::gateway::clock;
use crate::site::{Site, site};

/// Tells of a loss and of readings in this order, and gives what the store says of both, in
/// nanoseconds since the gateway heard them.
fn told(source: DeviceClock, loss_first: bool) -> (Vec<i64>, Vec<i64>) {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let device = clocked(1, source);
    let begun = clock(0).utc.unwrap().0;
    if loss_first {
        gateway.hear_loss(&device, 1, 5);
    }
    gateway.hear(&device, 2, &numerics(2));
    gateway.hear(&device, 3, &numerics(3));
    if !loss_first {
        gateway.hear_loss(&device, 4, 5);
    }
    gateway.flush();
    gateway.hear_loss(&device, 5, 1);
    gateway.flush();
    sink.take(&gateway.records());
    let (readings, losses) = sink.moments();
    let since = |moments: Vec<i64>| moments.into_iter().map(|at| at - begun).collect();
    (since(readings), since(losses))
}

#[test]
fn a_loss_that_comes_again_among_others_is_stored_once() {
    let Site { mut gateway, mut sink, folder: _folder, .. } = site();
    let device = clocked(1, DeviceClock::Tick);
    gateway.hear(&device, 4, &numerics(4));
    gateway.hear_loss(&device, 5, 3);
    gateway.flush();
    // The device has not heard that it was taken.
    gateway.hear_loss(&device, 5, 3);
    gateway.hear(&device, 6, &numerics(6));
    gateway.flush();
    gateway.hear_loss(&device, 5, 3);
    gateway.flush();
    sink.take_each(&gateway.records());
    let rows = sink.rows();
    assert_eq!((rows["numeric"], rows["note"]), (4, 1), "{rows:?}");
}

#[test]
fn a_loss_dates_no_reading_and_is_dated_when_it_was_heard() {
    const SECOND: i64 = 1_000_000_000;
    let at = |sequence| (moment(sequence) - moment(0)) * 1_000_000;
    for source in [DeviceClock::Tick, DeviceClock::None, DeviceClock::UtcSynchronised] {
        let base = if source == DeviceClock::UtcSynchronised { at(2) } else { 0 };
        let next = base + at(3) - at(2);
        for loss_first in [true, false] {
            let (readings, losses) = told(source, loss_first);
            assert_eq!(readings, [base, base, next, next], "{source:?}, {loss_first}");
            assert_eq!(losses, [0, SECOND], "{source:?}, {loss_first}");
        }
    }
}
