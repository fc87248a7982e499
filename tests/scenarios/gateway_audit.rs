//! The gateway's own audit trail: whatever happens to a gateway stands in one signed chain, there
//! and at the sink, and a hole in it is named.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent::audit::{Begun, By, Deed, Trail};
use agent::buffer::disk::Folder;
use agent::clock::{Clock, Source};
use agent::health::Health;
use agent::line::{Line, Trust};
use agent::seal::batcher::Batcher;
use agent::seal::sealer::Seal;
use agent::uplink::driver::{FromBroker, MessageKind};
use agent::uplink::machine::Uplink;
use cloud_sink::audit::gateway::{Verdict, verify};
use cloud_sink::store::StoreError;
use cloud_sink::store::db::Db;
use rig::fleet::{Fleet, named};
use rig::hands::Mute;
use rig::site::Role;
use serde_json::Value;
use tempfile::tempdir;
use wire::audit::AuditKind;
use wire::identity::{BootId, Lane};
use wire::segment::Suite;
use wire::status::HealthReport;
use wire::time::MonotonicNanos;

use crate::commands::Gateway as Place;
use crate::device::BEGIN_MS;
use crate::gateway::Gateway;
use crate::sink::Sink;

/// What is brought about in the first of these stories, and in the second.
const BROUGHT: [AuditKind; 9] = [
    AuditKind::Start,
    AuditKind::Update,
    AuditKind::Config,
    AuditKind::Keys,
    AuditKind::KeyringRefused,
    AuditKind::ClockStep,
    AuditKind::Integrity,
    AuditKind::Command,
    AuditKind::Values,
];
const DONE: [AuditKind; 6] = [
    AuditKind::Start,
    AuditKind::Config,
    AuditKind::Keys,
    AuditKind::Values,
    AuditKind::Export,
    AuditKind::Erase,
];

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

#[test]
fn every_kind_is_provoked_in_one_of_these_stories() {
    for kind in AuditKind::ALL {
        assert!(BROUGHT.contains(kind) || DONE.contains(kind), "{}", kind.name());
    }
}

/// A clock that goes on, and whose wall clock somebody sets.
#[derive(Clone)]
struct Wall {
    begin: Instant,
    /// Seconds since the kernel started, and how many the wall clock is ahead.
    now: Arc<Mutex<(u64, u64)>>,
}

impl Wall {
    fn new() -> Self {
        Self { begin: Instant::now(), now: Arc::new(Mutex::new((100, 0))) }
    }

    fn pass(&self) {
        self.now.lock().unwrap().0 += 1;
    }

    fn set_ahead(&self, seconds: u64) {
        self.now.lock().unwrap().1 = seconds;
    }
}

impl Source for Wall {
    fn now(&self) -> Instant {
        self.begin + Duration::from_secs(self.now.lock().unwrap().0)
    }

    fn monotonic(&self) -> MonotonicNanos {
        MonotonicNanos(self.now.lock().unwrap().0 * 1_000_000_000)
    }

    fn wall(&self) -> (i64, Option<Duration>) {
        let (up, ahead) = *self.now.lock().unwrap();
        (BEGIN_MS * 1_000_000 + ((up + ahead) * 1_000_000_000).cast_signed(), None)
    }
}

type TestLine = Line<Folder, Seal, Mute>;

/// A run of an agent of this version, which has made its first turn.
fn run(fleet: &Fleet, folder: &Path, software: &str, wall: &Wall) -> TestLine {
    let id = named("gw-1");
    let gateway = Gateway::start(fleet, id, &folder.join("buffer"));
    let mut clock = Clock::of(Box::new(wall.clone()));
    let state = clock.state();
    let by = By { gateway: id, boot: BootId([0xB0; 16]), signer: Fleet::signer(id) };
    let mut trail = Trail::new(Folder::open(&folder.join("audit")).unwrap(), by);
    let why = "it was stopped before".to_owned();
    trail.begin(Begun { software: software.to_owned(), config: [7; 32], why }, &state);
    let uplink = Uplink::new(clock.now(), 1 << 20, 7);
    let health = Health::new(id, Duration::from_secs(3600), state.monotonic);
    let (roots, keyring) = (fleet.roots.clone(), fleet.keyring.clone());
    let trust = Trust::new(id, roots, keyring, folder.join("keyring"));
    let (batcher, hands) = (Batcher::new([Duration::from_secs(1); 4]), Mute { takes: true });
    let mut line = Line::new(clock, batcher, gateway.buffer, uplink, hands, health, trust);
    line.audit = Some(trail);
    line.turn(false);
    line
}

/// What a check of the sink's entries says, and the kinds that are there.
fn judge(db: &Db) -> (Verdict, BTreeSet<String>) {
    let mut kinds = BTreeSet::new();
    let verdict = verify(db, "gw-1", |entry| {
        kinds.insert(entry.kind.clone());
        Ok::<_, StoreError>(())
    });
    (verdict.unwrap().unwrap(), kinds)
}

#[test]
fn what_befalls_a_gateway_is_in_one_signed_chain_at_the_sink_and_a_hole_in_it_is_named() {
    let (folder, wall) = (tempdir().unwrap(), Wall::new());
    let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
    let mut line = run(&fleet, folder.path(), "0.1.0", &wall);
    let newer = fleet.reborn();
    let device = "0242ACFFFE000001";
    line.pen().write(Deed::new(AuditKind::Values, device, "user 7 looked, live"));
    for (kind, bytes) in [
        (MessageKind::Keyring, newer.document.as_slice()),
        (MessageKind::Keyring, fleet.document.as_slice()),
        (MessageKind::Receipt, &b"no receipt"[..]),
        (MessageKind::Command, &b"any command"[..]),
    ] {
        line.hear_broker(0, FromBroker::Message { kind, bytes: bytes.to_vec() });
    }
    wall.pass();
    wall.set_ahead(3600);
    line.turn(false);
    line.turn(true);
    drop(line);
    drop(run(&fleet, folder.path(), "0.2.0", &wall));

    let mut gateway = Gateway::start(&fleet, id, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[id]);
    sink.take(&gateway.records_of(Lane::Health));

    let db = sink.db();
    let (verdict, kinds) = judge(&db);
    assert!(verdict.wrong.is_empty(), "{:?}", verdict.wrong);
    assert_eq!((verdict.trails, verdict.heads.len()), (1, 1), "{kinds:?}");
    for kind in BROUGHT {
        assert!(kinds.contains(kind.name()), "no {}: {kinds:?}", kind.name());
    }
    let report: Vec<u8> = db.one("SELECT report FROM heartbeat", &[]).unwrap();
    assert!(HealthReport::decode(&report).is_ok(), "an entry is no report");

    db.execute("DELETE FROM gateway_audit WHERE number = 3", &[]).unwrap();
    let (holed, _) = judge(&db);
    assert_eq!((holed.missing, holed.entries), (Some(3), verdict.entries - 1));
    assert_eq!(holed.wrong, ["entries 3 to 3 are missing"]);
}

/// What the sink has of the gateway's trail, newest first.
fn entries(place: &Place) -> Vec<Value> {
    let options = ["--gateway", "gw-1", "--last", "1000", "--json"];
    let said = place.site.sink(&["audit"], &options).unwrap();
    let listing: Value = serde_json::from_str(said.trim()).unwrap();
    listing["entries"].as_array().unwrap().clone()
}

/// Waits until so many entries of a kind are at the sink, with these words.
fn comes(place: &Place, kind: AuditKind, words: &str, count: usize) {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = entries(place);
        let is_it = |entry: &&Value| {
            entry["kind"] == kind.name() && entry["words"].as_str().unwrap().contains(words)
        };
        if all.iter().filter(is_it).count() >= count {
            return;
        }
        let last = place.site.last_words();
        assert!(Instant::now() < until, "no {count} {} {words}: {all:#?}\n{last}", kind.name());
        std::thread::sleep(LOOK);
    }
}

fn succeeds(place: &Place, words: &[&str]) {
    let output = place.wardline(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Both ends hold, and end with the same entry.
fn agree(place: &Place) {
    let until = Instant::now() + PATIENCE;
    loop {
        let kept = place.wardline(&["audit", "--verify", "--json"]);
        let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
        let said = place.site.sink(&["audit"], &["--gateway", "gw-1", "--verify", "--json"]);
        let said: Value = serde_json::from_str(said.unwrap().trim()).unwrap();
        assert_eq!((&said["trails"], &said["missing"]), (&1.into(), &Value::Null), "{said}");
        let wrong = kept["verdict"]["wrong"].as_array().unwrap().len();
        if wrong == 0 && said["heads"][0]["hash"] == kept["head"]["hash"] {
            return;
        }
        assert!(Instant::now() < until, "{kept:#}\n{said:#}");
        std::thread::sleep(LOOK);
    }
}

#[test]
fn what_is_done_at_a_gateway_is_in_one_signed_chain_there_and_at_the_sink() {
    let mut place = Place::prepare();
    place.run();
    comes(&place, AuditKind::Keys, "a grant is installed", 1);
    let mut tap = place.begin(&["tap", "--phi"]);
    let mut said = BufReader::new(tap.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("following"));
    tap.kill().unwrap();
    tap.wait().unwrap();
    comes(&place, AuditKind::Values, "looked", 1);
    succeeds(&place, &["diag", "--output", "one.tar.gz"]);
    comes(&place, AuditKind::Export, "were packed", 1);
    place.site.sink(&["keys", "rotate", "recipient"], &[]).unwrap();
    comes(&place, AuditKind::Keys, "is in force", 1);

    assert!(place.site.kill(Role::Agent).unwrap());
    succeeds(&place, &["log", "export", "state/buffer", "--output", "records.json"]);
    succeeds(&place, &["erase", "--yes", "--reason", "sold", "--proof", "sold.proof"]);
    let config = place.folder().join("wardline.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + "\n# Another one.\n").unwrap();
    place.site.start(Role::Agent).unwrap();

    comes(&place, AuditKind::Export, "sealed records were written out", 1);
    comes(&place, AuditKind::Erase, "sold", 1);
    comes(&place, AuditKind::Config, "another one was in force", 1);
    comes(&place, AuditKind::Start, "", 2);
    let all = entries(&place);
    for kind in DONE {
        assert!(all.iter().any(|entry| entry["kind"] == kind.name()), "{}", kind.name());
    }
    agree(&place);
    assert!(place.site.kill(Role::Agent).unwrap());
    let file = place.folder().join("state/audit/audit-1");
    let mut bytes = fs::read(&file).unwrap();
    bytes[200] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(place.wardline(&["audit", "--verify"]).status.code(), Some(1), "one bit is seen");
}
