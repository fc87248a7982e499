//! The gateway's own line believes a receipt only if it is for it, and of the store's present life.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent::clock::Clock;
use agent::clock::floor::Floor;
use agent::config::Broker;
use agent::health::Health;
use agent::line::{Line, Trust};
use agent::seal::batcher::Batcher;
use agent::seal::sealer::Seal;
use agent::uplink::driver::{Driver, FromBroker, MessageKind};
use agent::uplink::machine::Uplink;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::tempdir;
use tokio::sync::{mpsc, watch};
use wire::identity::{Lane, StoreEpoch};
use wire::receipt::Receipt;
use wire::segment::Suite;

use crate::device::{monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::{Sink, receipts};
use rig::fleet::{Fleet, named};

/// Connections that the line may have tried while a test runs; events of another are ignored.
const GENERATIONS: u64 = 40;
/// How long a line may take to show what it has done.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that does not exist: the line tries in vain, and we speak in its place.
fn nowhere() -> Broker {
    let missing = PathBuf::from("/nonexistent");
    let (ca, certificate, key) = (missing.clone(), missing.clone(), missing);
    Broker { host: "localhost".to_owned(), port: 1, ca, certificate, key: key.into(), crl: None }
}

pub fn line_of(
    fleet: &Fleet,
    gateway: Gateway,
    folder: PathBuf,
    events: mpsc::Sender<(u64, FromBroker)>,
) -> Line<agent::buffer::disk::Folder, Seal, Driver> {
    let clock = Clock::new();
    let status = [vec![1], vec![0]];
    let runtime = tokio::runtime::Handle::current();
    let driver = Driver::new(runtime, nowhere(), gateway.id, status, Floor::below(&folder), events);
    let uplink = Uplink::new(clock.now(), 1 << 20, 7);
    let health = Health::new(gateway.id, Duration::from_secs(3600), clock.monotonic());
    let (roots, keyring) = (fleet.roots.clone(), fleet.keyring.clone());
    let trust = Trust::new(gateway.id, roots, keyring, folder.join("keyring"));
    let batcher = Batcher::new([Duration::from_secs(1); 4]);
    Line::new(clock, batcher, gateway.buffer, uplink, driver, health, trust)
}

/// Says a receipt to the line and waits until the screen shows what is expected.
async fn say(
    events: &mpsc::Sender<(u64, FromBroker)>,
    screen: &mut watch::Receiver<String>,
    receipt: &[u8],
    shows: impl Fn(&Value) -> bool,
) -> Value {
    let until = Instant::now() + PATIENCE;
    for generation in 0..GENERATIONS {
        let (kind, bytes) = (MessageKind::Receipt, receipt.to_vec());
        let message = FromBroker::Message { kind, bytes };
        events.send((generation, message)).await.expect("the line listens");
    }
    loop {
        let text = screen.borrow_and_update().clone();
        let shown: Value = serde_json::from_str(&text).unwrap_or_default();
        if shows(&shown) {
            return shown;
        }
        assert!(Instant::now() < until, "not shown in time: {text}");
        let _: Result<_, _> = tokio::time::timeout(Duration::from_secs(1), screen.changed()).await;
    }
}

fn refusals(shown: &Value) -> u64 {
    shown["receipts_refused"].as_u64().unwrap_or(0)
}

/// Bytes of the vital lane without a receipt; the line itself adds to the health lane.
fn backlog(shown: &Value) -> u64 {
    let lanes = shown["lanes"].as_array().into_iter().flatten();
    let mut vital = lanes.filter(|lane| lane["lane"] == "vital");
    vital.next().and_then(|lane| lane["backlog_bytes"].as_u64()).unwrap_or(u64::MAX)
}

/// Three receipts that must not count, each with why, and the true one.
fn told(fleet: &Fleet, truth: &Receipt) -> ([(&'static str, Vec<u8>); 3], Vec<u8>) {
    let other = Receipt { gateway: named("gw-2"), ..truth.clone() };
    let older = Receipt { store_epoch: StoreEpoch([0xE1; 16]), ..truth.clone() };
    let thief = SigningKey::from_bytes(&[0x99; 32]);
    let false_ones = [
        ("of another gateway", other.sign(&fleet.receipt)),
        ("of another life of the store", older.sign(&fleet.receipt)),
        ("by another key", truth.sign(&thief)),
    ];
    (false_ones, truth.sign(&fleet.receipt))
}

#[test]
fn a_receipt_for_another_gateway_or_store_or_by_another_key_is_ignored() {
    let folder = tempdir().unwrap();
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    gateway.hear_each(&monitor(1, 7), 1..=3, numerics);
    let mut gateway = gateway.crash_and_start(&fleet);
    let owed = gateway.buffer.lane_health(Lane::Vital).backlog_bytes;
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    let rounds = sink.take(&gateway.records());
    let truth = receipts(&fleet, &rounds).remove(0);
    let (false_ones, true_one) = told(&fleet, &truth);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    runtime.block_on(async {
        let (events, broker) = mpsc::channel(256);
        let (_chunks, intake) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let line = line_of(&fleet, gateway, folder.path().to_owned(), events.clone());
        let mut screen = line.health.screen();
        let story = async {
            let mut refused = 0;
            for (why, receipt) in &false_ones {
                let shown = say(&events, &mut screen, receipt, |s| refusals(s) > refused).await;
                assert_eq!(backlog(&shown), owed, "a receipt {why} was believed");
                refused = refusals(&shown);
            }
            say(&events, &mut screen, &true_one, |shown| backlog(shown) == 0).await;
            stop.send_replace(true);
        };
        tokio::join!(line.run(intake, broker, stopped), story);
    });

    let mut left = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    assert_eq!(left.records_of(Lane::Vital).len(), 0);
}
