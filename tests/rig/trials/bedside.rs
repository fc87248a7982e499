//! The line between device and gateway: repeats, and acknowledgements that are not ours.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agent::intake::Registry;
use agent::intake::link::Session;
use firmware_shim::about::About;
use firmware_shim::ring::Class;
use firmware_shim::sender::Sender;
use tokio::sync::mpsc;
use wire::identity::DeviceId;
use wire::link::{DataWriter, ENCODED_BYTES_MAX, Frame, Kind, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{DeviceClock, MonotonicNanos};

use super::demand;

const BOOT: u32 = 7;

fn encoded(kind: Kind, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot: BOOT, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

fn hello() -> Vec<u8> {
    let kind = ChannelKind::Numeric { exponent: 0 };
    let channel = Channel { code: 147_842, unit: 264_864, kind, label: "", unit_label: "" };
    let about = (DeviceId(1), DeviceClock::None, 6, Mode::Demo);
    let payload = write_hello(about, 1, "trial", 0, &[channel]);
    encoded(Kind::Hello, 0, payload.expect("a short hello fits").as_slice())
}

fn data(sequence: u32) -> Vec<u8> {
    let mut writer = DataWriter::new(0);
    assert!(writer.numerics(0, &[Ok(60)]), "one value fits a frame");
    encoded(Kind::Data, sequence, writer.finish().as_slice())
}

/// A frame that a device says twice on one line is taken once.
pub(super) fn repeated_frame() -> Result<(), String> {
    let (line, mut chunks) = mpsc::channel(16);
    let mut session = Session::new(Registry::default());
    let words = [hello(), data(1), data(2), data(1), data(2), data(3)].concat();
    let pushed = session.push(&words, MonotonicNanos(0), &line);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(_)) = pin!(pushed).poll(&mut context) else {
        return Err("the session waits".into());
    };
    let mut taken = Vec::new();
    while let Ok(chunk) = chunks.try_recv() {
        taken.extend(chunk.frames.iter().map(|frame| frame.sequence));
    }
    demand(taken == [1, 2, 3], format!("taken: {taken:?}"))
}

/// An acknowledgement of an earlier run of the device frees nothing.
pub(super) fn other_boot() -> Result<(), String> {
    let (device, mode) = (DeviceId(1), Mode::Demo);
    let (model, firmware, is_counted) = ("trial", "1", true);
    let about = About { device, model, firmware, is_counted, mode, channels: &[] };
    let mut sender: Sender<'_, 256> = Sender::new(about, BOOT, 0);
    for sequence in 1..=4 {
        let taken = sender.ring.push(Class::Vital, 1, &[0; 9]);
        demand(taken == Some(sequence), format!("taken: {taken:?}"))?;
    }
    let mut out = [0u8; 8 * ENCODED_BYTES_MAX];
    let mut wire = &mut out[..];
    while sender.send(&mut wire, 0).map_err(|error| format!("{error:?}"))? {}
    let acknowledged = |boot: u32| {
        let mut bytes = [0; ENCODED_BYTES_MAX];
        let length = Frame { kind: Kind::Ack, boot, sequence: 4, payload: &[] }.encode(&mut bytes);
        bytes[..length].to_vec()
    };
    sender.hear(&acknowledged(BOOT - 1), 1);
    demand(sender.ring.waiting() == 4, "another boot's acknowledgement counts")?;
    sender.hear(&acknowledged(BOOT), 1);
    demand(sender.ring.waiting() == 0, "our own acknowledgement does not count")
}
