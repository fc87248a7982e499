//! Records on their way to the client, in the order that the rules of sending say.

use wire::identity::Lane;
use wire::topic::{Level, Topic};

use super::{Line, Log};
use crate::buffer::RecordAt;
use crate::buffer::disk::Disk;
use crate::seal::Sealer;
use crate::uplink::Hands;
use crate::uplink::machine::Order;

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// Hands records to the client as long as it takes some.
    pub(super) fn send(&mut self) {
        let now = self.clock.now();
        let clock = self.clock.state();
        if let Some(order) = self.uplink.watch_over(now) {
            self.unsent = None;
            self.carry_out(order, &clock);
        }
        if let Some((lane, record)) = self.unsent.take()
            && !self.publish(lane, record, &clock)
        {
            return;
        }
        loop {
            let mut log = Log { buffer: &mut self.buffer, clock };
            let Some(order) = self.uplink.poll(now, &mut log) else {
                if self.buffer.backlog_bytes() > 0 {
                    self.uplink.left_behind(now);
                }
                return;
            };
            if !self.carry_out(order, &clock) {
                return;
            }
        }
    }

    /// Carries out an order; `false` if the client takes nothing now.
    fn carry_out(&mut self, order: Order, clock: &wire::time::ClockState) -> bool {
        match order {
            Order::Connect => self.hands.connect(),
            Order::Drop => self.hands.drop_connection(),
            Order::Publish(lane, record) => return self.publish(lane, record, clock),
        }
        true
    }

    /// Hands a record to the client; keeps it for the next turn if the client is full.
    fn publish(&mut self, lane: Lane, record: RecordAt, clock: &wire::time::ClockState) -> bool {
        let Some(bytes) = self.buffer.read(record.position, clock) else {
            // It is declared or evicted; waiting for its receipt would look like a stalled sink.
            self.uplink.forget(record.segment, record.position.index);
            return true;
        };
        let gateway = self.trust.gateway;
        let topic = Topic { gateway, level: Level::Lane(lane) }.to_string();
        let taken = self.hands.publish(&topic, bytes);
        if taken {
            self.probes.gave(&record, self.clock.now());
        } else {
            self.unsent = Some((lane, record));
        }
        taken
    }
}
