//! P3, P7: a flood of hostile messages stores nothing and moves nothing, is counted, takes no
//! memory, and the good stream beside it does not notice.

use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::buffer::disk::Folder;
use agent::clock::Clock;
use agent::health::Health;
use agent::intake::Device;
use agent::line::{Line, Trust};
use agent::seal::batcher::{Batcher, Said};
use agent::seal::sealer::Seal;
use agent::uplink::driver::{FromBroker, MessageKind};
use agent::uplink::machine::Uplink;
use cloud_sink::receipt;
use cloud_sink::store::Committed;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::tempdir;
use wire::command::Command;
use wire::gap::{Cause, Hole};
use wire::identity::{BootId, GatewayId, Lane, StoreEpoch};
use wire::receipt::Receipt;
use wire::segment::Suite;
use wire::status::{HealthReport, Status};

use crate::device::{alert, monitor, numerics, wave};
use crate::gateway::{Gateway, Sent};
use crate::sink::{Sink, receipts, settle};
use rig::fleet::{Fleet, named};
use rig::hands::Mute;

mod broker;
mod flood;
mod grammar;

use flood::Flood;

/// Hostile records for the sink's verification and store.
const RECORDS: usize = 60_000;
/// Hostile messages for the gateway's line.
const MESSAGES: usize = 40_000;
/// Hostile messages between two good ones, or groups of them.
const GROUP: usize = 500;
/// Peak memory may grow by so much in a flood, bytes: SQLite's caches, and what the allocator
/// keeps of the longest messages.
const GROWTH_MAX: u64 = 24 << 20;
const PATIENCE: Duration = Duration::from_secs(20);
const SEED: u64 = 0x57A1_1E55;

/// Peak of resident memory of a process, bytes.
fn peak_bytes(process: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Runs a test once more in a process of its own, whose memory is its own; true in there.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "WARDLINE_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut program = Program::new(std::env::current_exe().unwrap());
    program.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let output = program.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}");
    false
}

/// A gateway says everything that there is to say.
fn live(gateway: &mut Gateway, device: u64) {
    let device = monitor(device, 7);
    gateway.hear_each(&device, 1..=20, numerics);
    gateway.hear_each(&device, 21..=24, wave);
    gateway.hear(&device, 25, &alert(25, "HR LOW"));
    gateway.hear_loss(&device, 26, 3);
    gateway.flush();
    let hole = Hole {
        segment: None,
        indexes: (0, 0),
        sequences: None,
        readings: (3, 3),
        moments: None,
        cause: Cause::Overflow,
        before: None,
        after: None,
    };
    gateway.buffer.append_gap(Lane::Vital, hole, &gateway.now()).unwrap();
    gateway.report(&[(1, 2), (3, 4)]);
}

/// Changed bytes, or good ones in the name of somebody else.
fn hostile_record(flood: &mut Flood, good: &[Sent]) -> Sent {
    let names = ["gw-1", "gw-2", "gw-9"].map(named);
    let sample = flood.random.pick(good).unwrap();
    let gateway = *flood.random.pick(&names).unwrap();
    let lane = *flood.random.pick(&Lane::ALL).unwrap();
    let moved = sample.on(gateway, lane);
    if (gateway, lane) != (sample.gateway, sample.lane) && flood.random.once_in(8) {
        return moved;
    }
    Sent { bytes: flood.draw(), ..moved }
}

#[test]
fn sixty_thousand_hostile_records_leave_a_sink_as_the_good_ones_alone_do() {
    if !is_alone("hostile::sixty_thousand_hostile_records_leave_a_sink_as_the_good_ones_alone_do") {
        return;
    }
    let folder = tempdir().unwrap();
    let (fleet, names) = (Fleet::new(Suite::X25519), ["gw-1", "gw-2"].map(named));
    let mut gateways = names.map(|id| Gateway::start(&fleet, id, &folder.path().join(id.as_str())));
    gateways.iter_mut().zip(1..).for_each(|(gateway, device)| live(gateway, device));
    let good: Vec<Sent> = gateways.iter_mut().flat_map(Gateway::records).collect();
    let [quiet, loud] = ["quiet", "loud"].map(|name| folder.path().join(name));
    [&quiet, &loud].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let mut quiet = Sink::create(&fleet, &quiet, &names);
    let mut sink = Sink::create(&fleet, &loud, &names);
    quiet.take(&good);
    let mut flood = Flood::new(SEED, good.iter().map(|sent| sent.bytes.clone()));
    let (groups, mut waiting) = (RECORDS / GROUP, good.iter());
    let mut before = 0;

    for group in 0..groups {
        let mut sent: Vec<Sent> = (0..GROUP).map(|_| hostile_record(&mut flood, &good)).collect();
        let each = good.len().div_ceil(groups / 2);
        sent.splice(GROUP / 2..GROUP / 2, waiting.by_ref().take(each).cloned());
        let rounds = sink.take(&sent);
        assert_eq!(std::mem::take(&mut sink.dropped).len(), GROUP, "each has its reason");
        let receipts = receipts(&fleet, &rounds);
        gateways.iter_mut().for_each(|gateway| settle(gateway, &receipts));
        if group == groups / 10 {
            before = peak_bytes("self");
        }
    }

    assert_eq!(waiting.count(), 0);
    assert_eq!(sink.ledger().unsigned, RECORDS as u64);
    assert_eq!(sink.rows(), quiet.rows());
    assert_eq!(sink.heart_rates(), quiet.heart_rates());
    assert!(gateways.iter().all(|gateway| gateway.buffer.backlog_bytes() == 0));
    let growth = peak_bytes("self") - before;
    assert!(growth < GROWTH_MAX, "{growth} bytes more");
}

type MuteLine = Line<Folder, Seal, Mute>;

fn line_of(fleet: &Fleet, gateway: Gateway, folder: &Path) -> MuteLine {
    let clock = Clock::new();
    let uplink = Uplink::new(clock.now(), 1 << 20, 7);
    let health = Health::new(gateway.id, Duration::from_secs(3600), clock.monotonic());
    let (roots, keyring) = (fleet.roots.clone(), fleet.keyring.clone());
    let trust = Trust::new(gateway.id, roots, keyring, folder.join("keyring"));
    let batcher = Batcher::new([Duration::from_secs(1); 4]);
    Line::new(clock, batcher, gateway.buffer, uplink, Mute { takes: false }, health, trust)
}

fn say(line: &mut MuteLine, kind: MessageKind, bytes: Vec<u8>) {
    line.hear_broker(0, FromBroker::Message { kind, bytes });
}

fn vital_bytes(line: &MuteLine) -> u64 {
    line.buffer.lane_health(Lane::Vital).backlog_bytes
}

/// One more reading of the good stream; it is durable when this returns.
fn hear(line: &mut MuteLine, device: &Arc<Device>, sequence: u32) {
    let (clock, payload) = (line.clock.state(), numerics(sequence));
    let (received, payload) = (clock.monotonic, &payload[..]);
    let said = Said { device, sequence: sequence.into(), gap: false, payload, received, age_ns: 0 };
    line.batcher.take(&said, &clock, sequence.into()).unwrap();
    line.turn(true);
}

/// Signed receipts of some commits, for one gateway.
fn signed(fleet: &Fleet, rounds: &[Committed], gateway: GatewayId) -> Vec<Vec<u8>> {
    let time = cloud_sink::clock::now();
    let sign = |round| receipt::sign(round, fleet.epoch, time, &fleet.receipt);
    let all = rounds.iter().flat_map(sign);
    let topic = format!("wardline/v1/{gateway}/receipt");
    all.filter(|one| one.topic == topic).map(|one| one.bytes).collect()
}

/// Everything that is ever said to a gateway or by one, good as it is.
fn words(fleet: &Fleet, receipts: &[Vec<u8>], records: &[Sent]) -> Vec<Vec<u8>> {
    let (gateway, boot) = (named("gw-1"), BootId([0xB0; 16]));
    let command = Command { gateway, boot, number: 1, action: 1, argument: vec![0x80] };
    let status = Status { boot, start_count: 1, online: true };
    let report = HealthReport { counters: vec![(1, 2)], ..HealthReport::default() };
    let mut words = receipts.to_vec();
    words.extend(records.iter().map(|sent| sent.bytes.clone()));
    words.extend([
        fleet.document.clone(),
        command.sign(&SigningKey::from_bytes(&[0x51; 32])),
        status.sign(&Fleet::signer(gateway)),
        report.encode(),
    ]);
    words
}

/// Receipts that the sink has truly signed, and that are not for this gateway in this life.
fn misdirected(fleet: &Fleet, ours: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let keys = &fleet.keyring.fleet.receipt_keys;
    let read = |bytes: &Vec<u8>| Receipt::verify(bytes, keys).unwrap();
    let others = ours.iter().map(|bytes| Receipt { gateway: named("gw-2"), ..read(bytes) });
    let epoch = StoreEpoch([1; 16]);
    let older = ours.iter().map(|bytes| Receipt { store_epoch: epoch, ..read(bytes) });
    others.chain(older).map(|one| one.sign(&fleet.receipt)).collect()
}

/// The status once it shows so many refused receipts.
fn refused(line: &mut MuteLine, count: u64) -> Value {
    let screen = line.health.screen();
    let until = Instant::now() + PATIENCE;
    loop {
        line.turn(false);
        let shown: Value = serde_json::from_str(&screen.borrow()).unwrap_or_default();
        if shown["receipts_refused"].as_u64().is_some_and(|shown| shown >= count) {
            return shown;
        }
        assert!(Instant::now() < until, "{count} were refused: {shown:#}");
        std::thread::yield_now();
    }
}

/// Says `GROUP` hostile messages; how many of them were receipts.
fn pour(line: &mut MuteLine, flood: &mut Flood, misdirected: &[Vec<u8>]) -> u64 {
    let kinds = [MessageKind::Receipt, MessageKind::Command, MessageKind::Keyring];
    let mut receipts = 0;
    for _ in 0..GROUP {
        let kind = *flood.random.pick(&kinds).unwrap();
        let is_receipt = kind == MessageKind::Receipt;
        let signed = is_receipt && flood.random.once_in(16);
        let bytes = match flood.random.pick(misdirected).filter(|_| signed) {
            Some(bytes) => bytes.clone(),
            None => flood.draw(),
        };
        receipts += u64::from(is_receipt);
        say(line, kind, bytes);
    }
    receipts
}

#[test]
fn forty_thousand_hostile_messages_move_nothing_at_a_gateway() {
    if !is_alone("hostile::forty_thousand_hostile_messages_move_nothing_at_a_gateway") {
        return;
    }
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let groups = (MESSAGES / GROUP) as u32;
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=groups, numerics);
    let records = gateway.records();
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    let good = signed(&fleet, &sink.take_each(&records), id);
    let misdirected = misdirected(&fleet, &good);
    let mut flood = Flood::new(SEED, words(&fleet, &good, &records));
    let mut line = line_of(&fleet, gateway, folder.path());
    let (device, mut good) = (monitor(1, 7), good.into_iter());
    let (mut receipts, mut before) = (0, 0);

    for group in 0..groups {
        let (held, keyring) = (vital_bytes(&line), line.trust.keyring.clone());
        receipts += pour(&mut line, &mut flood, &misdirected);
        assert_eq!(vital_bytes(&line), held, "a hostile message was believed");
        assert_eq!(line.trust.keyring, keyring);

        // The first is of the segment's header alone.
        let count = if group == 0 { 2 } else { 1 };
        good.by_ref().take(count).for_each(|one| say(&mut line, MessageKind::Receipt, one));
        assert!(vital_bytes(&line) < held, "a good receipt was not believed");
        hear(&mut line, &device, groups + 1 + group);
        if group == groups / 10 {
            before = peak_bytes("self");
        }
    }
    assert_eq!(good.next(), None);
    let shown = refused(&mut line, receipts);
    let growth = peak_bytes("self") - before;
    drop(line);

    assert_eq!(shown["receipts_refused"], receipts);
    assert!(!folder.path().join("keyring").exists(), "no keyring was kept");
    assert!(growth < GROWTH_MAX, "{growth} bytes more");
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    sink.take(&gateway.records());
    let all: Vec<i64> = (61..=60 + 2 * i64::from(groups)).collect();
    assert_eq!(sink.heart_rates(), all, "what was said beside the flood is whole");
}
