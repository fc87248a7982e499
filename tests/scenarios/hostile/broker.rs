//! The flood through a real broker: `wardline` and `wardline-sink` as processes, and one client
//! that holds the sink's certificate and may publish on every topic.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use agent::buffer::disk::{Disk, Folder};
use agent::buffer::segment::{FileName, read_place, scan};
use agent::clock::floor::Floor;
use agent::config::Broker;
use agent::seal::keyring::veil_beside;
use agent::uplink::tls;
use cloud_sink::ledger::{self, Ledger};
use cloud_sink::store::db::Db;
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use rumqttc::{
    AsyncClient, Event, MqttOptions, Packet, PubAckReason, PublishOptions, PublishResult, QoS,
    TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use wire::identity::Lane;
use wire::topic::{KEYRING, Level, Topic};

use super::flood::Flood;
use super::{SEED, peak_bytes};
use crate::any_state::VALUES;
use crate::any_state::story::{SOCKET, speak};
use rig::fleet::named;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Hostile messages, and after how many of them a device speaks.
const MESSAGES: usize = 8_000;
const WAVE: usize = 500;
/// Publishes of ours without acknowledgement.
const UNACKNOWLEDGED_MAX: usize = 64;
/// Peak memory of agent and sink may grow by so much, bytes.
const GROWTH_MAX: u64 = 48 << 20;

/// What a client heard: topic and bytes.
type Heard = (String, Vec<u8>);

/// One who has the sink's certificate, and what it hears.
struct Thief {
    client: AsyncClient,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Thief {
    fn enter(site: &Site, name: &str) -> Self {
        let papers = site.papers();
        let keys = papers.ca.parent().unwrap().to_owned();
        let (certificate, key) = (keys.join("sink.pem"), keys.join("sink-tls.key"));
        let (host, port) = ("localhost".to_owned(), site.broker_port());
        let broker = Broker { host, port, ca: papers.ca, certificate, key: key.into(), crl: None };
        let tls = tls::client(&broker, &Floor::below(&keys)).unwrap();
        let mut options = MqttOptions::new(name, ("localhost", port));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::from(tls)));
        options.set_unlimited_incoming_packet_size();
        let (client, mut events) = AsyncClient::builder(options).capacity(128).build();
        let (hear, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                        if hear.send((topic, publish.payload.to_vec())).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    // The broker may not be there yet.
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        });
        Self { client, heard }
    }

    /// Publishes all and waits for the broker; how many it handed on.
    async fn say(&self, words: Vec<Heard>) -> u64 {
        let (mut waiting, mut taken) = (VecDeque::new(), 0);
        let mut words = words.into_iter();
        loop {
            let next = words.next();
            let is_last = next.is_none();
            if let Some((topic, bytes)) = next {
                let options = PublishOptions::at_least_once();
                let said = self.client.publish_tracked(topic, bytes, options).await;
                waiting.push_back(said.unwrap());
            }
            while waiting.len() >= UNACKNOWLEDGED_MAX || (is_last && !waiting.is_empty()) {
                let notice = waiting.pop_front().expect("one waits");
                let ended = tokio::time::timeout(PATIENCE, notice.wait_async()).await.unwrap();
                if let Ok(PublishResult::Qos1(ack)) = ended {
                    taken += u64::from(ack.reason == PubAckReason::Success);
                }
            }
            if is_last {
                return taken;
            }
        }
    }
}

fn ledger(site: &Site) -> Ledger {
    // PostgreSQL's client has a runtime of its own.
    let read = || ledger::read(&Db::open(&site.location().unwrap()).unwrap()).unwrap();
    tokio::task::block_in_place(read)
}

/// Waits until the sink has counted so many that nobody signed.
async fn counted(site: &mut Site, unsigned: u64) {
    let until = Instant::now() + PATIENCE;
    while ledger(site).unsigned < unsigned {
        site.check_running().unwrap();
        assert!(Instant::now() < until, "{unsigned}\n{}", site.last_words());
        tokio::time::sleep(LOOK).await;
    }
}

/// Every kind of message of a real run.
async fn listen(site: &mut Site) -> Vec<Heard> {
    site.start(Role::Broker).unwrap();
    site.start(Role::Sink).unwrap();
    let mut thief = Thief::enter(site, "ward-listener");
    thief.client.subscribe("wardline/v1/#", QoS::AtLeastOnce).await.unwrap();
    site.start_all(PATIENCE).await.unwrap();
    speak(&site.intake_folder(), 0).await.unwrap();
    site.wait_for_receipts(PATIENCE).await.unwrap();
    let mut heard = Vec::new();
    for ending in ["keyring", "/status", "/vital", "/health", "/receipt"] {
        while !heard.iter().any(|(topic, _): &Heard| topic.ends_with(ending)) {
            let next = tokio::time::timeout(PATIENCE, thief.heard.recv()).await;
            heard.push(next.expect("everything is said in time").unwrap());
        }
    }
    heard
}

/// Where a hostile message goes, and whether it goes to a sink or to the gateway's receipts.
fn topic(flood: &mut Flood) -> (String, bool, bool) {
    if flood.random.once_in(8) {
        return (KEYRING.to_owned(), false, false);
    }
    let lanes = Lane::ALL.map(Level::Lane);
    let levels = [&lanes[..], &[Level::Receipt, Level::Command]].concat();
    let level = *flood.random.pick(&levels).unwrap();
    let is_lane = matches!(level, Level::Lane(_));
    let gateway = *flood.random.pick(&["gw-1", "gw-9"].map(named)).unwrap();
    // A broker hands nothing on to a gateway that is not there.
    let gateway = if is_lane { gateway } else { named("gw-1") };
    (Topic { gateway, level }.to_string(), is_lane, level == Level::Receipt)
}

/// Records in the agent's own buffer.
fn records(buffer: &Path) -> HashSet<Vec<u8>> {
    let disk = Folder::existing(buffer).unwrap().under(veil_beside(buffer));
    let mut records = HashSet::new();
    for (name, _) in disk.list().unwrap() {
        let Some(parsed) = FileName::parse(&name) else { continue };
        let file = disk.open(&name).unwrap();
        let found = scan(&file, parsed.segment).unwrap();
        records.extend(found.header.map(|(_, bytes, _)| bytes));
        for place in &found.places {
            records.extend(read_place(&file, parsed.segment, place).unwrap());
        }
    }
    records
}

#[test]
fn a_flood_on_every_topic_of_a_running_line_stores_nothing_and_delays_nothing_for_long() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(story());
}

async fn story() {
    let programs = Programs::build().unwrap();
    let (broker, flush) = (Some(BrokerKind::Rig), Some(Duration::from_millis(10)));
    let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush };
    let mut site = Site::prepare(programs, &plan).await.unwrap();
    let heard = listen(&mut site).await;
    let mut flood = Flood::new(SEED, heard.into_iter().map(|(_, bytes)| bytes));
    let thief = Thief::enter(&site, "ward-thief");
    let peaks = |site: &Site| {
        [Role::Agent, Role::Sink].map(|role| peak_bytes(&site.id(role).unwrap().to_string()))
    };
    let (mut unsigned, mut receipts, mut spoken) = (0, 0, 1);
    let before = peaks(&site);

    for wave in 1..=(MESSAGES / WAVE) as u32 {
        let (mut to_sink, mut to_line, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..WAVE {
            let (topic, is_lane, is_receipt) = topic(&mut flood);
            let list = match (is_lane, is_receipt) {
                (true, _) => &mut to_sink,
                (_, true) => &mut to_line,
                _ => &mut rest,
            };
            list.push((topic, flood.draw()));
        }
        let folder = site.intake_folder();
        let good = speak(&folder, 2 * wave);
        let (took, said, heard, _) =
            tokio::join!(good, thief.say(to_sink), thief.say(to_line), thief.say(rest));
        took.unwrap();
        (unsigned, receipts, spoken) = (unsigned + said, receipts + heard, spoken + 1);
        counted(&mut site, unsigned).await;
    }
    site.wait_for_receipts(PATIENCE).await.unwrap();
    judge(site, (unsigned, receipts, spoken), before, peaks).await;
}

async fn judge(
    mut site: Site,
    (unsigned, receipts, spoken): (u64, u64, u64),
    before: [u64; 2],
    peaks: impl Fn(&Site) -> [u64; 2],
) {
    let until = Instant::now() + PATIENCE;
    let mut status = site.agent_status().await.unwrap();
    while status["receipts_refused"].as_u64() < Some(receipts) {
        assert!(Instant::now() < until, "{receipts}: {status:#}");
        tokio::time::sleep(LOOK).await;
        status = site.agent_status().await.unwrap_or_default();
    }
    for (before, after) in before.into_iter().zip(peaks(&site)) {
        assert!(after - before < GROWTH_MAX, "{before} bytes before, {after} after");
    }
    assert!(status["connected"] == true, "{status:#}");
    site.check_running().unwrap();
    for role in [Role::Agent, Role::Sink] {
        site.stop(role).await.unwrap();
        let log = fs::read_to_string(site.log(role)).unwrap();
        assert!(!log.contains("panicked"), "{}", site.last_words());
    }
    let books = ledger(&site);
    assert_eq!((books.unsigned, books.numerics), (unsigned, spoken * VALUES));
    let bad: u64 = books.lanes.iter().map(|lane| lane.held + lane.refused + lane.forked).sum();
    assert_eq!((bad, books.gap_records), (0, 0));
    let own = records(&site.intake_folder().join("state/buffer"));
    tokio::task::block_in_place(|| {
        let db = Db::open(&site.location().unwrap()).unwrap();
        for row in db.rows("SELECT bytes FROM evidence", &[]).unwrap() {
            assert!(own.contains(&row.at::<Vec<u8>>(0).unwrap()), "no gateway has made this");
        }
    });
}
