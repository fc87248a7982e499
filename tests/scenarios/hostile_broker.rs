//! The gateway's client against a broker and a network that mean no good: what the client crate is
//! known to do wrong (or to do by default) does not reach the line.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::clock::floor::Floor;
use agent::config::Broker as Address;
use agent::uplink::driver::{Driver, FromBroker, MessageKind, record_bytes_max};
use agent::uplink::{Hands, tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rig::broker::{BrokerConfig, BrokerHandle, Faults, start};
use rig::fleet::named;
use rig::proxy::{Hazards, Hole, Papers, Proxy};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, SessionMode,
    TlsConfiguration, Transport,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use wire::limits::{KEYRING_BYTES_MAX, RECEIPT_BYTES_MAX};
use wire::topic::KEYRING;

/// How long anything may take that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// The retained status that the gateway says first.
const ONLINE: &[u8] = &[1; 64];

/// A broker, a proxy before it, and the gateway's driver.
struct Post {
    folder: TempDir,
    broker: BrokerHandle,
    proxy: Proxy,
    driver: Driver,
    events: mpsc::Receiver<(u64, FromBroker)>,
}

/// Makes an authority and one certificate for each name.
fn certify(folder: &Path, names: &[&str]) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.join("ca.key"), key.serialize_pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for name in names {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, *name);
        let certificate = params.signed_by(&pair, &issuer).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), pair.serialize_pem()).unwrap();
    }
}

fn address(folder: &Path, name: &str, port: u16) -> Address {
    let file = |end: &str| -> PathBuf { folder.join(format!("{name}.{end}")) };
    let (host, ca) = ("localhost".to_owned(), folder.join("ca.pem"));
    Address { host, port, ca, certificate: file("pem"), key: file("key").into(), crl: None }
}

impl Post {
    async fn open(faults: Faults) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path(), &["broker", "gw-1", "sink-1"]);
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = BrokerConfig {
            listen: any,
            certificate_pem: read("broker.pem"),
            key_pem: read("broker.key"),
            client_ca_pem: read("ca.pem"),
            client_crl_pem: Vec::new(),
            sinks: vec!["sink-1".to_owned()],
            faults,
        };
        let broker = start(config).await.unwrap();
        let gateway = address(folder.path(), "gw-1", 0);
        let papers = Papers {
            ca: gateway.ca,
            ca_key: folder.path().join("ca.key"),
            certificate: gateway.certificate,
            key: gateway.key.file,
        };
        let proxy = Proxy::start(any, broker.address().port(), &papers).await.unwrap();
        let (said, events) = mpsc::channel(256);
        let address = address(folder.path(), "gw-1", proxy.address().port());
        let runtime = tokio::runtime::Handle::current();
        let status = [ONLINE.to_vec(), vec![0]];
        let floor = Floor::below(folder.path());
        let driver = Driver::new(runtime, address, named("gw-1"), status, floor, said);
        Self { folder, broker, proxy, driver, events }
    }

    /// A plain client of the broker itself.
    fn client(&self, name: &str) -> MqttOptions {
        let port = self.broker.address().port();
        let floor = Floor::below(self.folder.path());
        let tls = tls::client(&address(self.folder.path(), name, port), &floor).unwrap();
        let mut options = MqttOptions::new(name, ("localhost", port));
        options.set_transport(Transport::tls_with_config(TlsConfiguration::from(tls)));
        options.set_unlimited_incoming_packet_size();
        options
    }

    /// The sink says something, retained, and the broker has it.
    async fn sink_says(&self, topic: &str, bytes: Vec<u8>) {
        let (client, mut eventloop) = AsyncClient::builder(self.client("sink-1")).build();
        let retained = PublishOptions::at_least_once().retained();
        client.publish(topic, bytes, retained).await.unwrap();
        polled(&mut eventloop, |packet| matches!(packet, Packet::PubAck(_))).await;
    }

    /// The next event of the present connection that is such.
    async fn next(&mut self, such: impl Fn(&FromBroker) -> bool) -> FromBroker {
        let wait = async {
            loop {
                let (generation, event) = self.events.recv().await.unwrap();
                if self.driver.is_current(generation) && such(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time")
    }

    async fn up(&mut self) -> Option<u32> {
        self.driver.connect();
        match self.next(|event| !matches!(event, FromBroker::Moved { .. })).await {
            FromBroker::Up { packet_bytes_max } => packet_bytes_max,
            other => panic!("not taken: {other:?}"),
        }
    }
}

async fn polled(eventloop: &mut EventLoop, such: impl Fn(&Packet) -> bool) {
    let wait = async {
        loop {
            if let Event::Incoming(packet) = eventloop.poll().await.expect("the broker takes us")
                && such(&packet)
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time");
}

fn run(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(story);
}

#[test]
fn a_restarted_gateway_is_taken_by_a_broker_that_still_knows_it() {
    run(async {
        let mut post = Post::open(Faults::default()).await;
        let mut earlier = post.client("gw-1");
        earlier.set_session_mode(SessionMode::Persistent);
        let (_client, mut eventloop) = AsyncClient::builder(earlier).build();
        polled(&mut eventloop, |packet| matches!(packet, Packet::ConnAck(_))).await;
        drop(eventloop);

        post.up().await;
    });
}

#[test]
fn a_client_whose_broker_is_gone_waits_to_be_told_to_connect() {
    run(async {
        let mut post = Post::open(Faults::default()).await;
        post.up().await;
        post.broker.disconnect_all();
        post.next(|event| matches!(event, FromBroker::Down(_))).await;

        let until = Instant::now() + PATIENCE;
        while post.driver.publish("wardline/v1/gw-1/vital", vec![7]) {
            assert!(Instant::now() < until, "the old client still takes records");
            tokio::task::yield_now().await;
        }
        post.sink_says(KEYRING, vec![7]).await;
        assert_eq!(post.broker.stats().connects, 2, "the gateway's first, and the sink's");
    });
}

#[test]
fn a_peer_that_does_not_read_is_left_from_outside() {
    run(async {
        let mut post = Post::open(Faults::default()).await;
        post.up().await;
        post.proxy.set(Hazards { up: Hole::NotRead, ..Hazards::default() });

        // Until every buffer of both kernels is full, and the client's flush with them.
        let mut refused_since = None;
        let until = Instant::now() + PATIENCE;
        while refused_since.is_none_or(|since: Instant| since.elapsed().as_millis() < 500) {
            assert!(Instant::now() < until, "the client never stopped taking records");
            if post.driver.publish("wardline/v1/gw-1/vital", vec![7; 60_000]) {
                refused_since = None;
            } else {
                refused_since.get_or_insert_with(Instant::now);
            }
            tokio::task::yield_now().await;
            while post.events.try_recv().is_ok() {}
        }
        post.proxy.set(Hazards::default());

        post.up().await;
        assert!(post.driver.publish("wardline/v1/gw-1/vital", vec![7]));
        post.next(|event| matches!(event, FromBroker::PubAck)).await;
    });
}

#[test]
fn the_largest_receipt_and_the_largest_keyring_reach_the_gateway() {
    run(async {
        let mut post = Post::open(Faults::default()).await;
        let largest = [
            (MessageKind::Receipt, "wardline/v1/gw-1/receipt", RECEIPT_BYTES_MAX),
            (MessageKind::Keyring, KEYRING, KEYRING_BYTES_MAX),
        ];
        for (_, topic, length) in largest {
            post.sink_says(topic, vec![7; length]).await;
        }

        post.up().await;

        for (kind, topic, length) in largest {
            match post.next(|event| matches!(event, FromBroker::Message { .. })).await {
                FromBroker::Message { kind: came, bytes } => {
                    assert_eq!((came, bytes.len()), (kind, length), "{topic}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_broker_that_takes_small_packets_only_is_not_left_for_it() {
    run(async {
        let max_packet = NonZeroU32::new(100);
        let mut post = Post::open(Faults { max_packet, ..Faults::default() }).await;
        let receipt = vec![7; 40];
        post.broker.set_faults(Faults::default());
        post.sink_says("wardline/v1/gw-1/receipt", receipt.clone()).await;
        post.broker.set_faults(Faults { max_packet, ..Faults::default() });

        let limit = post.up().await;

        assert_eq!(limit, Some(100));
        assert!((record_bytes_max(limit) as usize) < ONLINE.len(), "the status does not fit");
        let such = |event: &FromBroker| !matches!(event, FromBroker::Moved { .. });
        match post.next(such).await {
            FromBroker::Message { kind: MessageKind::Receipt, bytes } => assert_eq!(bytes, receipt),
            other => panic!("it was left: {other:?}"),
        }
    });
}

#[test]
fn what_a_reset_took_with_it_is_not_said_by_a_new_client() {
    run(async {
        let mut post = Post::open(Faults { drop_puback: true, ..Faults::default() }).await;
        post.up().await;
        assert!(post.driver.publish("wardline/v1/gw-1/vital", vec![7; 100]));
        let until = Instant::now() + PATIENCE;
        while post.broker.stats().publishes_in < 2 {
            assert!(Instant::now() < until, "status and record are on their way");
            tokio::task::yield_now().await;
        }
        post.broker.forget_all();
        post.next(|event| matches!(event, FromBroker::Down(_))).await;
        post.broker.set_faults(Faults::default());

        post.up().await;
        post.next(|event| matches!(event, FromBroker::PubAck)).await;
        assert!(post.driver.publish("wardline/v1/gw-1/vital", vec![7; 100]));
        post.next(|event| matches!(event, FromBroker::PubAck)).await;

        // Two statuses, the record, and the record again when the line said so: the log decides.
        assert_eq!(post.broker.stats().publishes_in, 4);
    });
}
