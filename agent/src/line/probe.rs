//! A probe: one marked reading that a person sends along the whole way, and when each hop was done.
//!
//! It comes from a device of its own, in service mode, so that it never looks like a patient's.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use wire::batch::{ChannelInfo, Source};
use wire::decimal::{Decimal, Number};
use wire::identity::{DeviceId, GatewayId, Lane, SegmentId, SourceBoot};
use wire::link::DataWriter;
use wire::reading::{ChannelKind, Mode};
use wire::receipt::{Disposition, Range, Reason};
use wire::time::{ClockState, DeviceClock};

use super::Line;
use crate::buffer::RecordAt;
use crate::buffer::disk::Disk;
use crate::intake::{Device, Slot};
use crate::seal::Sealer;
use crate::seal::batcher::Said;
use crate::uplink::Hands;

/// Probes that may wait for the one that is on its way.
const WAITING_MAX: usize = 4;

/// A hop that is done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hop {
    /// Version of this structure.
    pub schema: u32,
    /// `durable`, `given`, `receipted`.
    pub hop: String,
    /// Since the hop before, microseconds.
    pub micros: u64,
    /// What became of it; with the last hop only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fate: Option<String>,
}

/// Where probes are asked for: hops are told there.
pub type Asking = mpsc::Sender<mpsc::UnboundedSender<Hop>>;

/// Looks after probes.
pub struct Probes {
    asked: Option<mpsc::Receiver<mpsc::UnboundedSender<Hop>>>,
    device: Arc<Device>,
    sequence: u32,
    next: Option<mpsc::UnboundedSender<Hop>>,
    current: Option<Probe>,
}

/// A probe on its way.
struct Probe {
    told: mpsc::UnboundedSender<Hop>,
    since: Instant,
    place: Option<(SegmentId, u32)>,
    is_given: bool,
}

impl Probe {
    fn tell(&mut self, hop: &str, now: Instant, fate: Option<String>) {
        let micros = u64::try_from((now - self.since).as_micros()).unwrap_or(u64::MAX);
        self.since = now;
        // Whoever asked may have gone.
        let _: Result<_, _> = self.told.send(Hop { schema: 1, hop: hop.into(), micros, fate });
    }
}

impl Probes {
    /// Of a gateway; nobody asks for any.
    pub(super) fn none(gateway: GatewayId) -> Self {
        let device = Arc::new(device_of(gateway));
        Self { asked: None, device, sequence: 0, next: None, current: None }
    }

    /// Waits until somebody asks; for ever if nobody can.
    pub(super) async fn asked(&mut self) {
        match &mut self.asked {
            Some(asked) if self.next.is_none() => match asked.recv().await {
                Some(told) => self.next = Some(told),
                None => std::future::pending().await,
            },
            _ => std::future::pending().await,
        }
    }

    /// A record was handed to the client.
    pub(super) fn gave(&mut self, record: &RecordAt, now: Instant) {
        let place = (record.segment, record.position.index);
        // A record that waits long for its receipt is sent again; that is no hop.
        let is_first = |probe: &&mut Probe| probe.place == Some(place) && !probe.is_given;
        if let Some(probe) = self.current.as_mut().filter(is_first) {
            probe.is_given = true;
            probe.tell("given", now, None);
        }
    }

    /// A receipt of ours covers records of a segment.
    pub(super) fn receipted(&mut self, segment: SegmentId, range: &Range, now: Instant) {
        let is_it = |probe: &Probe| {
            probe.place.is_some_and(|(of, index)| {
                of == segment && (range.first..=range.last).contains(&index)
            })
        };
        if let Some(mut probe) = self.current.take_if(|probe| is_it(probe)) {
            probe.tell("receipted", now, Some(fate(range)));
        }
    }
}

fn fate(range: &Range) -> String {
    let word = match range.disposition {
        Disposition::Stored => "stored",
        Disposition::Held => "held",
        Disposition::Refused => "refused",
    };
    if range.reason == Reason::None {
        word.into()
    } else {
        format!("{word}: {}", range.reason.name())
    }
}

/// What stands for a device: a locally administered identity, the same at each start.
fn device_of(gateway: GatewayId) -> Device {
    let digest =
        Sha256::digest(["wardline test-send ".as_bytes(), gateway.as_str().as_bytes()].concat());
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    id[0] = id[0] & 0xFC | 2;
    let mut boot = [0; 4];
    // Without random numbers it is one of the runs before; then the reading is a double.
    let _: Result<_, _> = getrandom::fill(&mut boot);
    let source = Source {
        device: DeviceId(u64::from_be_bytes(id)),
        boot: SourceBoot(u32::from_be_bytes(boot)),
        clock: DeviceClock::None,
        tick_exponent: 0,
        mode: Mode::Service,
    };
    let channel = ChannelInfo {
        code: 0,
        unit: 0,
        kind: ChannelKind::Numeric { exponent: 0 },
        label: "test-send".into(),
        unit_label: String::new(),
    };
    let model = "wardline test-send".into();
    let (slots, numerics) = (vec![Slot::Numeric(0)], Arc::new(vec![channel]));
    Device { model, slots, numerics, ..Device::silent(source) }
}

impl<D: Disk, S: Sealer, H: Hands> Line<D, S, H> {
    /// The way to ask for probes.
    pub fn take_probes(&mut self) -> Asking {
        let (asking, asked) = mpsc::channel(WAITING_MAX);
        self.probes.asked = Some(asked);
        asking
    }

    /// Puts the probe that was asked for at the end of the vital lane's batch, the last of this
    /// turn.
    pub(super) fn begin_probe(&mut self, clock: &ClockState) {
        let is_busy = self.probes.current.as_ref().is_some_and(|probe| !probe.told.is_closed());
        if self.held_back || is_busy {
            return;
        }
        let Some(told) = self.probes.next.take().filter(|told| !told.is_closed()) else { return };
        self.probes.sequence += 1;
        let mut data = DataWriter::new(0);
        let value = Number::Is(Decimal { mantissa: self.probes.sequence.into(), exponent: 0 });
        data.numerics(0, &[Err((value, 0))]);
        let payload = data.finish();
        let said = Said {
            device: &self.probes.device,
            sequence: self.probes.sequence.into(),
            gap: false,
            payload: payload.as_slice(),
            received: clock.monotonic,
            age_ns: 0,
        };
        match self.batcher.take(&said, clock, self.order) {
            Ok(_) => self.batcher.close(Lane::Vital),
            Err(error) => tracing::error!(%error, "a probe contradicts itself"),
        }
        let since = self.clock.now();
        self.probes.current = Some(Probe { told, since, place: None, is_given: false });
    }

    /// What was begun in this turn is durable now: the head of its lane. If it is not, others will
    /// stand before it: its reading is kept and sent as any other, but no longer followed.
    pub(super) fn probe_is_durable(&mut self) {
        let Some(probe) = self.probes.current.as_mut().filter(|probe| probe.place.is_none()) else {
            return;
        };
        match self.buffer.lane_health(Lane::Vital).head {
            Some((segment, index, _)) if !self.held_back => {
                probe.place = Some((segment, index));
                probe.tell("durable", self.clock.now(), None);
            }
            _ => self.probes.current = None,
        }
    }
}
