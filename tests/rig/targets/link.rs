//! What a device says, from the bytes on its line to the batch that is sealed.

use std::sync::Arc;
use std::time::Duration;

use agent::intake::admission::Proof;
use agent::intake::{Device, Introduction, Registry};
use agent::seal::batcher::{Batcher, Said};
use wire::batch;
use wire::link::{
    Deframer, ENCODED_BYTES_MAX, Entries, Entry, Frame, Hello, Kind, SourceGap, Standing,
};
use wire::time::{ClockState, MonotonicNanos, TimeSource};

const CLOCK: ClockState = ClockState {
    epoch: 0,
    monotonic: MonotonicNanos(1_000_000_000),
    utc: None,
    error_us: 0,
    source: TimeSource::None,
};

/// The gateway's side of one line.
struct Listener {
    introduction: Introduction,
    registry: Registry,
    device: Option<Arc<Device>>,
    batcher: Batcher,
    order: u64,
}

/// A stream of link frames: as it comes, and as one frame's payload of each kind.
///
/// Whatever a device says, each batch that is closed can be decoded by the sink.
pub fn link(bytes: &[u8]) {
    let mut listener = Listener::new();
    let mut deframer = Deframer::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (taken, frame) = deframer.push(rest);
        assert!(taken > 0, "the deframer stands still");
        rest = &rest[taken..];
        if let Some(Ok(frame)) = frame {
            encode_again(&frame);
            listener.hear(frame.kind, frame.boot, frame.sequence, frame.payload);
        }
    }
    for kind in [Kind::Hello, Kind::Data, Kind::Gap] {
        listener.hear(kind, 1, 0, bytes);
    }
    listener.close();
}

fn encode_again(frame: &Frame<'_>) {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = frame.encode(&mut out);
    let mut deframer = Deframer::default();
    // A delimiter stands on both sides.
    let (first, nothing) = deframer.push(&out[..length]);
    assert_eq!((first, nothing.is_none()), (1, true));
    let (taken, again) = deframer.push(&out[first..length]);
    assert_eq!(first + taken, length);
    let again = again.expect("a frame ends").expect("we encoded it ourselves");
    assert_eq!((again.boot, again.sequence), (frame.boot, frame.sequence));
    assert_eq!(again.payload, frame.payload);
}

impl Listener {
    fn new() -> Self {
        Self {
            introduction: Introduction::default(),
            registry: Registry::default(),
            device: None,
            batcher: Batcher::new([Duration::from_secs(1); 4]),
            order: 0,
        }
    }

    fn hear(&mut self, kind: Kind, boot: u32, sequence: u32, payload: &[u8]) {
        walk(payload);
        if kind == Kind::Hello
            && let Ok(hello) = Hello::read(payload)
        {
            let part = sequence;
            let device =
                self.introduction.take(boot, part, (&hello, Proof::Unasked), &self.registry);
            self.device = device.map(Arc::new).or(self.device.take());
        }
        let gap = kind == Kind::Gap;
        let Some(device) = self.device.as_ref().filter(|_| gap || kind == Kind::Data) else {
            return;
        };
        let received = CLOCK.monotonic;
        let sequence = sequence.into();
        let said = Said { device, sequence, gap, payload, received, age_ns: 0 };
        self.order += 1;
        if self.batcher.take(&said, &CLOCK, self.order).is_err() {
            self.batcher.lose(&said, &CLOCK);
        }
    }

    fn close(&mut self) {
        self.batcher.close_due(CLOCK.monotonic, true);
        for closed in self.batcher.take_closed() {
            let decoded = batch::decode(&closed.plaintext);
            assert!(decoded.is_ok(), "the sink refuses what the gateway seals: {decoded:?}");
        }
    }
}

/// Everything that a payload may be, to its end.
fn walk(payload: &[u8]) {
    if let Ok(hello) = Hello::read(payload) {
        assert!(hello.channels().count() <= payload.len());
    }
    if let Ok(standing) = Standing::read(payload) {
        assert!(standing.firmware.len() <= 32 && standing.write().is_some());
    }
    if let Ok(entries) = Entries::read(payload) {
        for entry in entries {
            let count = match entry {
                Entry::Numerics(entry) => entry.values().count(),
                Entry::Wave(entry) => entry.samples().count(),
                Entry::Alert(_) | Entry::Event(_) | Entry::Context(_) => 0,
            };
            assert!(count <= 64 * 1024, "{count} values in one link frame");
        }
    }
    let _: Result<SourceGap, _> = SourceGap::read(payload);
}
