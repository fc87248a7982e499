//! P7 on the line itself: ten million bytes of noise into each side, and the first whole frame
//! behind a delimiter is heard.

use std::path::Path;

use agent::intake::Registry;
use agent::intake::admission::{self, Admission};
use agent::intake::link::Session;
use firmware_shim::about::About;
use firmware_shim::ring::Class;
use firmware_shim::sender::Sender;
use rig::random::Random;
use tempfile::tempdir;
use tokio::sync::mpsc;
use wire::identity::DeviceId;
use wire::link::{DataWriter, Deframer, ENCODED_BYTES_MAX, Frame, Kind, Standing, write_hello};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::{DeviceClock, MonotonicNanos};

const BYTES: usize = 10_000_000;
const BOOT: u32 = 7;
const DEVICE: DeviceId = DeviceId(7);

fn encoded(kind: Kind, boot: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

/// Frames that may stand in noise, whole or not.
fn frames() -> Vec<Vec<u8>> {
    let kind = ChannelKind::Numeric { exponent: -1 };
    let channel = Channel { code: 150_344, unit: 268_192, kind, label: "x", unit_label: "y" };
    let hello = write_hello((DEVICE, DeviceClock::Tick, 6, Mode::Demo), 1, "x", 0, &[channel]);
    let standing = Standing {
        device: DEVICE,
        now_ticks: 9,
        oldest: 1,
        capacity: 9,
        is_counted: true,
        resolution_ns: 1,
        firmware: "1",
    };
    let mut writer = DataWriter::new(5);
    assert!(writer.numerics(0, &[Ok(5)]) && writer.wave(0, 0, 0, &[&[Some(1), None]]));
    vec![
        encoded(Kind::Hello, BOOT, 0, hello.unwrap().as_slice()),
        encoded(Kind::Standing, BOOT, 1, standing.write().unwrap().as_slice()),
        encoded(Kind::Data, BOOT, 1, writer.finish().as_slice()),
        encoded(Kind::Gap, BOOT, 2, &[0x82, 1, 1]),
        encoded(Kind::Sealed, BOOT, 1, &[0; 40]),
        encoded(Kind::Ack, BOOT, 1, &[]),
        encoded(Kind::Query, BOOT, 0, &[0x82, 2, 0x4c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ]
}

/// Some hundred bytes: random ones, and frames of which some bytes are others.
fn noise(random: &mut Random, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(8) {
        if random.once_in(2) {
            bytes.extend((0..random.below(400)).map(|_| random.below(256) as u8));
            continue;
        }
        let mut frame = random.pick(frames).cloned().unwrap_or_default();
        for _ in 0..=random.below(4) {
            let at = random.below(frame.len() as u64) as usize;
            frame[at] = random.below(256) as u8;
        }
        bytes.extend(frame);
    }
    bytes
}

#[test]
fn a_deframer_finds_the_first_whole_frame_behind_ten_million_bytes_of_noise() {
    let (mut random, frames) = (Random::new(1), frames());
    let (mut deframer, mut passed, mut turn) = (Deframer::default(), 0, 0);
    while passed < BYTES {
        let mut bytes = noise(&mut random, &frames);
        passed += bytes.len();
        turn += 1;
        // A frame begins with a delimiter, which ends whatever was there.
        bytes.extend(encoded(Kind::Gap, 99, turn, &[0x82, 1, 1]));
        let (mut rest, mut last) = (&bytes[..], None);
        while !rest.is_empty() {
            let (taken, frame) = deframer.push(rest);
            assert!(taken > 0, "it stands still");
            last = frame.map(|frame| frame.map(|of| (of.boot, of.sequence)));
            rest = &rest[taken..];
        }
        assert_eq!(last, Some(Ok((99, turn))));
    }
}

/// A gateway that takes strangers, and knows the key of one device.
fn registry(state: &Path) -> Registry {
    admission::add(&admission::folder(state), DeviceId(8), &[1; 32]).unwrap();
    Registry::admitting(Admission::by_keys(state, true), std::num::NonZeroU64::MAX)
}

#[tokio::test(flavor = "current_thread")]
async fn a_gateway_hears_a_device_behind_ten_million_bytes_of_noise() {
    let (mut random, frames) = (Random::new(2), frames());
    let state = tempdir().unwrap();
    let mut session = Session::new(registry(state.path()));
    let (line, mut chunks) = mpsc::channel(4096);
    let (mut passed, mut turn) = (0, 0);
    while passed < BYTES {
        let mut bytes = noise(&mut random, &frames);
        passed += bytes.len();
        turn += 1;
        bytes.extend(&frames[0]);
        let now = MonotonicNanos(turn * 1_000_000_000);
        let answer = session.push(&bytes, now, &line).await.unwrap();
        let heard = encoded(Kind::Heard, BOOT, 0, &[]);
        let tail = &answer[answer.len().saturating_sub(ENCODED_BYTES_MAX)..];
        let is_heard = tail.windows(4).any(|four| four == &heard[1..5]);
        assert!(is_heard, "turn {turn}: a hello is not answered");
        while chunks.try_recv().is_ok() {}
    }
}

#[test]
fn a_device_hears_its_gateway_behind_ten_million_bytes_of_noise() {
    let (mut random, frames) = (Random::new(3), frames());
    let (device, mode) = (DEVICE, Mode::Demo);
    let about = About { device, model: "x", firmware: "1", is_counted: true, mode, channels: &[] };
    let mut sender = Sender::<400>::new(about, BOOT, 0);
    let (mut passed, mut now, mut bytes) = (0, 0_u32, [0; 4096]);
    while passed < BYTES {
        let mut writer = DataWriter::new(now.into());
        assert!(writer.numerics(0, &[Ok(1)]));
        let taken = sender.ring.push(Class::Vital, 1, writer.finish().as_slice()).unwrap();
        for _ in 0..50 {
            let mut room = &mut bytes[..];
            while sender.send(&mut room, now).unwrap() {}
            now = now.wrapping_add(100);
        }
        let noise = noise(&mut random, &frames);
        passed += noise.len();
        sender.hear(&noise, now);
        // What the noise has asked for is sent first.
        let mut room = &mut bytes[..];
        while sender.send(&mut room, now).unwrap() {}
        sender.hear(&encoded(Kind::Ack, BOOT, taken, &[]), now);
        assert_eq!(sender.ring.waiting(), 0, "record {taken} was not acknowledged");
    }
}
