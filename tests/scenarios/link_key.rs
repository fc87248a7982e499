//! A device with a key on a line that somebody else holds: nothing that is not the device's is
//! taken, nothing is freed that is not durable, and no text is sealed twice under one nonce.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use agent::intake::admission::{self, Admission, Proof};
use agent::intake::complaints::Complaint;
use agent::intake::link::Session;
use agent::intake::{Chunk, Registry};
use firmware_shim::about::About;
use firmware_shim::ring::Class;
use firmware_shim::sender::Sender;
use rig::random::Random;
use tempfile::{TempDir, tempdir};
use tokio::sync::mpsc;
use wire::identity::DeviceId;
use wire::link::{
    Challenge, DataWriter, Deframer, ENCODED_BYTES_MAX, Frame, Kind, LinkKey, Sealing,
};
use wire::reading::{Channel, ChannelKind, Mode};
use wire::time::MonotonicNanos;

mod held_line;

const DEVICE: DeviceId = DeviceId(7);
const KEY: [u8; 32] = [0x5A; 32];
const CHANNEL: Channel<'static> = Channel {
    code: 150_344,
    unit: 268_192,
    kind: ChannelKind::Numeric { exponent: -1 },
    label: "",
    unit_label: "",
};

fn device(boot: u32) -> Sender<'static, 300> {
    let (device, mode, channels) = (DEVICE, Mode::Demo, &[CHANNEL]);
    let about = About { device, model: "x", firmware: "1", is_counted: true, mode, channels };
    Sender::new(about, boot, 0)
}

fn keyed(boot: u32) -> Sender<'static, 300> {
    let mut sender = device(boot);
    sender.lock(LinkKey::new(KEY));
    sender
}

fn take(sender: &mut Sender<'_, 300>, class: Class, value: i64) {
    let mut writer = DataWriter::new(value);
    assert!(writer.numerics(0, &[Ok(value)]));
    let _: Option<u32> = sender.ring.push(class, 1, writer.finish().as_slice());
}

fn encoded(kind: Kind, boot: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; ENCODED_BYTES_MAX];
    let length = Frame { kind, boot, sequence, payload }.encode(&mut out);
    out[..length].to_vec()
}

/// Frames of a stream: kind, boot, sequence, payload.
fn frames(bytes: &[u8]) -> Vec<(Kind, u32, u32, Vec<u8>)> {
    let (mut deframer, mut rest, mut found) = (Deframer::default(), bytes, Vec::new());
    while !rest.is_empty() {
        let (taken, frame) = deframer.push(rest);
        rest = &rest[taken..];
        let frame = frame.and_then(Result::ok);
        found.extend(frame.map(|of| (of.kind, of.boot, of.sequence, of.payload.to_vec())));
    }
    found
}

/// A gateway's end of a line, and what it has taken.
struct Gateway {
    state: TempDir,
    registry: Registry,
    session: Session,
    chunks: (mpsc::Sender<Chunk>, mpsc::Receiver<Chunk>),
}

impl Gateway {
    fn new(strangers: bool) -> Self {
        let state = tempdir().unwrap();
        let registry = Self::registry(state.path(), strangers);
        let session = Session::new(registry.clone());
        Self { state, registry, session, chunks: mpsc::channel(64) }
    }

    fn registry(state: &Path, strangers: bool) -> Registry {
        Registry::admitting(Admission::by_keys(state, strangers), NonZeroU64::MAX)
    }

    fn knowing() -> Self {
        let gateway = Self::new(false);
        admission::add(&gateway.keys(), DEVICE, &KEY).unwrap();
        gateway
    }

    fn keys(&self) -> PathBuf {
        admission::folder(self.state.path())
    }

    /// Another line to it, or itself after a restart.
    fn again(&mut self) {
        self.registry = Self::registry(self.state.path(), false);
        self.session = Session::new(self.registry.clone());
    }

    /// What it answers; what it takes is kept.
    async fn hear(&mut self, bytes: &[u8], now: u32) -> (Vec<u8>, Vec<(Proof, u32)>) {
        let now = MonotonicNanos(u64::from(now) * 1_000_000);
        let answer = self.session.push(bytes, now, &self.chunks.0).await.unwrap();
        let mut taken = Vec::new();
        while let Ok(chunk) = self.chunks.1.try_recv() {
            let proof = chunk.device.proof;
            taken.extend(chunk.frames.iter().map(|frame| (proof, frame.sequence)));
            if let Some(last) = chunk.frames.last() {
                chunk.run.is_durable_to(last.sequence);
            }
        }
        (answer, taken)
    }
}

/// All that a device says now.
fn said(sender: &mut Sender<'_, 300>, now: u32) -> Vec<u8> {
    let mut bytes = vec![0; 64 * 1024];
    let mut room = &mut bytes[..];
    while sender.send(&mut room, now).unwrap() {}
    let left = room.len();
    bytes.truncate(bytes.len() - left);
    bytes
}

/// Both talk until neither has anything to say; what was taken, and all bytes each way.
async fn talk(
    sender: &mut Sender<'_, 300>,
    gateway: &mut Gateway,
    from: u32,
) -> (Vec<(Proof, u32)>, [Vec<u8>; 2]) {
    let (mut taken, mut bytes) = (Vec::new(), [Vec::new(), Vec::new()]);
    for now in (from..from + 2_000).step_by(50) {
        let words = said(sender, now);
        let (answer, more) = gateway.hear(&words, now).await;
        sender.hear(&answer, now);
        let ack = tokio::select! {
            biased;
            ack = gateway.session.next_ack() => ack,
            () = std::future::ready(()) => Vec::new(),
        };
        sender.hear(&ack, now);
        taken.extend(more);
        bytes[0].extend(words);
        bytes[1].extend([answer, ack].concat());
    }
    (taken, bytes)
}

#[tokio::test(flavor = "current_thread")]
async fn a_device_with_a_key_is_heard_and_told_only_under_it() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    (0..5).for_each(|value| take(&mut sender, Class::Vital, value));

    let (taken, bytes) = talk(&mut sender, &mut gateway, 0).await;

    assert_eq!(taken, [1, 2, 3, 4, 5].map(|sequence| (Proof::Key, sequence)));
    assert_eq!(sender.ring.waiting(), 0, "and was acknowledged");
    let [up, down] = bytes.map(|bytes| frames(&bytes).into_iter().map(|frame| frame.0));
    let open = [Kind::Standing, Kind::Hello, Kind::Sealed];
    assert!(up.clone().all(|kind| open.contains(&kind)), "{:?}", up.collect::<Vec<_>>());
    assert!(down.clone().all(|kind| [Kind::Query, Kind::Sealed].contains(&kind)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_device_goes_on_with_a_gateway_that_has_forgotten_everything() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    take(&mut sender, Class::Vital, 1);
    talk(&mut sender, &mut gateway, 0).await;
    gateway.again();
    (2..4).for_each(|value| take(&mut sender, Class::Vital, value));

    let (taken, _) = talk(&mut sender, &mut gateway, 3_000).await;

    assert_eq!(taken, [2, 3].map(|sequence| (Proof::Key, sequence)));
}

#[tokio::test(flavor = "current_thread")]
async fn who_has_no_key_here_is_taken_only_if_strangers_are() {
    for (strangers, wanted) in [(true, vec![(Proof::Stranger, 1)]), (false, vec![])] {
        let (mut sender, mut gateway) = (device(1), Gateway::new(strangers));
        take(&mut sender, Class::Vital, 1);
        let (taken, _) = talk(&mut sender, &mut gateway, 0).await;
        let complaints = gateway.registry.complaints();
        let words = complaints.words(Complaint::Stranger, MonotonicNanos(2_000_000_000));
        assert_eq!((taken, words.len()), (wanted, usize::from(!strangers)), "{words:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_device_with_a_key_says_nothing_to_a_gateway_that_has_none() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::new(true));
    take(&mut sender, Class::Vital, 1);
    let (taken, bytes) = talk(&mut sender, &mut gateway, 0).await;
    let spoke = frames(&bytes[0]).iter().any(|frame| frame.0 == Kind::Data);
    assert_eq!((taken, spoke, sender.ring.waiting()), (vec![], false, 1));
    admission::add(&gateway.keys(), DEVICE, &KEY).unwrap();
    let (taken, _) = talk(&mut sender, &mut gateway, 3_000).await;
    assert_eq!(taken, [(Proof::Key, 1)], "as soon as it has it");
    assert_eq!(admission::remove(&gateway.keys(), DEVICE).ok(), Some(true));
    take(&mut sender, Class::Vital, 2);
    let (taken, _) = talk(&mut sender, &mut gateway, 20_000).await;
    assert_eq!(taken, [], "and no longer than that");
}

/// Sealed records of a stream, each as its own bytes, and all else.
fn parted(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut records, mut rest) = (Vec::new(), Vec::new());
    for (kind, boot, sequence, payload) in frames(bytes) {
        let bytes = encoded(kind, boot, sequence, &payload);
        let is_record = kind == Kind::Sealed && payload.first() == Some(&0);
        if is_record { records.push(bytes) } else { rest.extend(bytes) }
    }
    (records, rest)
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_that_is_changed_or_taken_away_counts_for_a_device_that_is_present() {
    for remove in [false, true] {
        let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
        take(&mut sender, Class::Vital, 1);
        talk(&mut sender, &mut gateway, 0).await;
        if remove {
            admission::remove(&gateway.keys(), DEVICE).unwrap();
        } else {
            admission::add(&gateway.keys(), DEVICE, &[9; 32]).unwrap();
        }
        take(&mut sender, Class::Vital, 2);
        // Records alone, so that nobody introduces himself.
        let (records, _) = parted(&said(&mut sender, 4_000));
        let (_, taken) = gateway.hear(&records.concat(), 4_000).await;
        assert_eq!((records.len(), taken), (1, vec![]));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_an_earlier_run_left_is_heard_on_a_line_that_stayed_open() {
    let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
    (0..2).for_each(|value| take(&mut sender, Class::Vital, value));
    talk(&mut sender, &mut gateway, 0).await;
    // The board begins anew, and finds four records of that run in its flash.
    let mut earlier = keyed(0);
    (0..4).for_each(|value| take(&mut earlier, Class::Vital, value));
    earlier.is_over(1);
    let mut taken = Vec::new();
    for from in (3_000..21_000).step_by(2_000) {
        taken.extend(talk(&mut earlier, &mut gateway, from).await.0);
    }
    assert_eq!(taken, [3, 4].map(|sequence| (Proof::Key, sequence)));
    assert_eq!(earlier.ring.waiting(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_device_that_never_proves_its_key_is_complained_of() {
    let (mut sender, mut gateway) = (device(1), Gateway::knowing());
    take(&mut sender, Class::Vital, 1);
    for from in (0..16_000).step_by(2_000) {
        let (taken, _) = talk(&mut sender, &mut gateway, from).await;
        assert_eq!(taken, []);
    }
    let now = MonotonicNanos(16_000_000_000);
    let words = gateway.registry.complaints().words(Complaint::Stranger, now);
    assert!(words.len() == 1 && words[0].contains("does not prove its key"), "{words:?}");
}

/// Talks over a line of so many bytes a second, each way, one frame at a time; how long it takes
/// until so many records are taken, milliseconds.
async fn slowly(
    sender: &mut Sender<'_, 300>,
    gateway: &mut Gateway,
    bytes_a_second: u32,
    records: usize,
) -> u32 {
    let lasts = |bytes: &[u8]| bytes.len() as u32 * 1_000 / bytes_a_second + 1;
    let (mut now, mut taken, mut on_their_way) = (0, 0, Vec::<(u32, Vec<u8>)>::new());
    while taken < records && now < 120_000 {
        let (come, not_yet) = on_their_way.into_iter().partition(|(at, _)| *at <= now);
        on_their_way = not_yet;
        let come: Vec<(u32, Vec<u8>)> = come;
        come.iter().for_each(|(_, bytes)| sender.hear(bytes, now));
        let mut bytes = [0; 2 * ENCODED_BYTES_MAX];
        let mut room = &mut bytes[..];
        sender.send(&mut room, now).unwrap();
        let left = room.len();
        let words = &bytes[..bytes.len() - left];
        now += lasts(words);
        let (answer, more) = gateway.hear(words, now).await;
        taken += more.len();
        if !answer.is_empty() {
            on_their_way.push((now + lasts(&answer), answer));
        }
    }
    now
}

#[tokio::test(flavor = "current_thread")]
async fn on_a_slow_line_a_device_comes_to_the_end_of_its_introduction() {
    for (bytes_a_second, within_ms) in [(30, 60_000), (120, 12_000), (960, 1_500), (11_520, 200)] {
        let (mut sender, mut gateway) = (keyed(1), Gateway::knowing());
        (0..3).for_each(|value| take(&mut sender, Class::Vital, value));
        let lasted = slowly(&mut sender, &mut gateway, bytes_a_second, 3).await;
        assert!(lasted < within_ms, "{bytes_a_second} bytes a second: {lasted} ms");
    }
}

/// Every sealed text by what it was sealed under; both ways.
#[derive(Default)]
struct Nonces(BTreeMap<([u8; 12], u8, u32, u32), Vec<u8>>);

impl Nonces {
    /// Sealed frames under one of the challenges that were offered; how many.
    fn see(&mut self, bytes: &[u8], challenges: &[Challenge]) -> usize {
        let sealed = frames(bytes).into_iter().filter(|frame| frame.0 == Kind::Sealed);
        let mut seen = 0;
        for (kind, boot, sequence, payload) in sealed {
            let frame = Frame { kind, boot, sequence, payload: &payload };
            for challenge in challenges {
                let sealing = Sealing { key: LinkKey::new(KEY), challenge: *challenge };
                let Ok(opened) = sealing.open(&frame) else { continue };
                let text = opened.frame().payload.to_vec();
                let known = self.0.entry((challenge.0, payload[0], boot, sequence)).or_default();
                assert!(
                    known.is_empty() || *known == text,
                    "{kind:?} {boot} {sequence}: two texts"
                );
                (*known, seen) = (text, seen + 1);
            }
        }
        seen
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_two_texts_are_sealed_under_one_nonce_whatever_is_lost_displaced_or_offered_again() {
    let (mut nonces, mut seen, mut displaced) = (Nonces::default(), 0, 0);
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut gateway = Gateway::knowing();
        let mut challenges = Vec::new();
        for boot in 1..4 {
            let mut sender = keyed(boot);
            for now in (0..6_000).step_by(40) {
                let class = *random.pick(&[Class::Wave, Class::Vital, Class::Alert]).unwrap();
                take(&mut sender, class, random.below(1 << 20) as i64);
                let words = said(&mut sender, now);
                seen += nonces.see(&words, &challenges);
                displaced +=
                    frames(&words).iter().filter(|frame| frame.3.first() == Some(&3)).count();
                if random.once_in(3) {
                    continue;
                }
                let (answer, _) = gateway.hear(&words, now).await;
                let offers = frames(&answer).into_iter().filter(|frame| frame.0 == Kind::Query);
                challenges.extend(offers.filter_map(|frame| Challenge::read(&frame.3)));
                nonces.see(&answer, &challenges);
                if !random.once_in(3) {
                    sender.hear(&answer, now);
                }
                // An offer of before comes once more.
                if let Some(old) = challenges.first().filter(|_| random.once_in(9)) {
                    sender.hear(&encoded(Kind::Query, 0, 0, old.write().as_slice()), now);
                }
                if random.once_in(50) {
                    gateway.again();
                }
            }
        }
    }
    assert!(seen > 10_000 && displaced > 100, "{seen} sealed frames, {displaced} gaps");
}
