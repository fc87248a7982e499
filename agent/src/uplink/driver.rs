//! The only file of the agent that knows the MQTT client; it carries out, it has no rules.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event as MqttEvent, IncomingPacketSizeLimit, LastWill, MqttOptions, Packet,
    PublishOptions, QoS, TlsConfiguration, Transport,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use wire::identity::GatewayId;
use wire::limits::{FRAME_BYTES_MAX, GATEWAY_NAME_BYTES_MAX, KEYRING_BYTES_MAX, RECEIPT_BYTES_MAX};
use wire::topic::{KEYRING, Level, Topic};

use crate::clock::floor::Floor;
use crate::config::Broker;
use crate::limits::{KEEP_ALIVE, PUBLISHES_MAX, THIN_LINK_DEADLINE, TRAFFIC_LOOK};
use crate::uplink::call::{self, Known};
use crate::uplink::traffic::Traffic;
use crate::uplink::{Hands, refusal, tls};

/// Requests that the client may hold; small, because the log is the queue.
const CLIENT_QUEUE: usize = 16;
/// Largest packet that we take: the larger of keyring and receipt, and MQTT's own bytes.
const INCOMING_BYTES_MAX: usize =
    if KEYRING_BYTES_MAX > RECEIPT_BYTES_MAX { KEYRING_BYTES_MAX } else { RECEIPT_BYTES_MAX }
        + 1024;
/// MQTT's own bytes around a record: type and length, topic and its length, packet number and an
/// empty list of properties.
const PACKET_HEAD_BYTES_MAX: u32 =
    5 + 2 + "wardline/v1//command".len() as u32 + GATEWAY_NAME_BYTES_MAX as u32 + 2 + 1;

/// What comes from the broker.
#[derive(Debug)]
pub enum FromBroker {
    /// It has taken us; `packet_bytes_max` is what it takes at most.
    Up {
        /// Its limit, if it stated one.
        packet_bytes_max: Option<u32>,
    },
    /// The connection ended.
    Down(String),
    /// Nobody answered the call.
    Absent(String),
    /// A publish was acknowledged.
    PubAck,
    /// Bytes came or left; whether some of ours still wait for the link.
    Moved {
        /// They do.
        waiting: bool,
    },
    /// A message on one of our topics.
    Message {
        /// Which.
        kind: MessageKind,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// The kinds of message that a gateway hears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageKind {
    /// A receipt.
    Receipt,
    /// A command.
    Command,
    /// The keyring.
    Keyring,
}

/// One connection at a time, each with a new client: nothing of a wedged one survives.
pub struct Driver {
    runtime: Handle,
    broker: Broker,
    gateway: GatewayId,
    status: [Vec<u8>; 2],
    floor: Arc<Floor>,
    events: mpsc::Sender<(u64, FromBroker)>,
    known: Arc<Known>,
    generation: u64,
    client: Option<AsyncClient>,
    task: Option<AbortHandle>,
}

impl Driver {
    /// A driver without a connection. `status` is what is published, retained, while we are
    /// connected, and the last will; certificates are looked at `floor`.
    #[must_use]
    pub fn new(
        runtime: Handle,
        broker: Broker,
        gateway: GatewayId,
        status: [Vec<u8>; 2],
        floor: Arc<Floor>,
        events: mpsc::Sender<(u64, FromBroker)>,
    ) -> Self {
        let known = Arc::new(Known::default());
        let (client, task) = (None, None);
        let generation = 0;
        Self { runtime, broker, gateway, status, floor, events, known, generation, client, task }
    }

    fn options(&self, traffic: &Arc<Traffic>) -> std::io::Result<MqttOptions> {
        let broker = (self.broker.host.as_str(), self.broker.port);
        let mut options = MqttOptions::new(self.gateway.as_str(), broker);
        let tls = tls::client(&self.broker, &self.floor)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::from(tls)));
        options.set_keep_alive(KEEP_ALIVE.as_secs() as u16);
        options.set_connect_timeout(THIN_LINK_DEADLINE);
        options.set_max_request_batch(CLIENT_QUEUE);
        options.set_outgoing_inflight_upper_limit(PUBLISHES_MAX as u16);
        let limit = IncomingPacketSizeLimit::Bytes(INCOMING_BYTES_MAX as u32);
        options.set_incoming_packet_size_limit(limit);
        let (known, traffic) = (self.known.clone(), traffic.clone());
        options.set_socket_connector(move |host, _| {
            call::connect(host, known.clone(), traffic.clone())
        });
        let topic = Topic { gateway: self.gateway, level: Level::Status }.to_string();
        let will = LastWill::new(topic, self.status[1].clone(), QoS::AtLeastOnce, true, None);
        options.set_last_will(will);
        Ok(options)
    }
}

impl Hands for Driver {
    fn is_current(&self, generation: u64) -> bool {
        self.generation == generation
    }

    fn connect(&mut self) {
        self.drop_connection();
        let events = self.events.clone();
        let generation = self.generation;
        let traffic = Arc::new(Traffic::default());
        let options = match self.options(&traffic) {
            Ok(options) => options,
            Err(error) => {
                let down = FromBroker::Down(error.to_string());
                self.runtime.spawn(async move { events.send((generation, down)).await });
                return;
            }
        };
        let (client, eventloop) = AsyncClient::builder(options).capacity(CLIENT_QUEUE).build();
        self.client = Some(client.clone());
        let (gateway, online) = (self.gateway, self.status[0].clone());
        let report = report(traffic.clone(), events.clone(), generation);
        let greet = move |limit| {
            let fits = online.len() <= record_bytes_max(limit) as usize;
            greet(&client, gateway, fits.then(|| online.clone()));
        };
        let run = run(eventloop, greet, traffic, events, generation);
        let task = self.runtime.spawn(async move {
            tokio::select! { () = run => {} () = report => {} }
        });
        self.task = Some(task.abort_handle());
    }

    fn drop_connection(&mut self) {
        self.generation += 1;
        self.client = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    fn publish(&mut self, topic: &str, bytes: Vec<u8>) -> bool {
        let Some(client) = &self.client else { return false };
        client.try_publish(topic, bytes, PublishOptions::at_least_once()).is_ok()
    }
}

async fn run(
    mut eventloop: rumqttc::EventLoop,
    greet: impl Fn(Option<u32>),
    traffic: Arc<Traffic>,
    events: mpsc::Sender<(u64, FromBroker)>,
    generation: u64,
) {
    loop {
        let event = match eventloop.poll().await {
            Ok(MqttEvent::Incoming(Packet::ConnAck(connack))) => {
                let limit = connack.properties.and_then(|properties| properties.max_packet_size);
                greet(limit);
                FromBroker::Up { packet_bytes_max: limit }
            }
            Ok(MqttEvent::Incoming(Packet::PubAck(_))) => FromBroker::PubAck,
            Ok(MqttEvent::Incoming(Packet::Publish(publish))) => {
                let Some(kind) = kind_of(&String::from_utf8_lossy(&publish.topic)) else {
                    continue;
                };
                FromBroker::Message { kind, bytes: publish.payload.to_vec() }
            }
            Ok(_) => continue,
            Err(error) => {
                let words = told(&error);
                let answered = traffic.is_answered();
                let down =
                    if answered { FromBroker::Down(words) } else { FromBroker::Absent(words) };
                let _: Result<(), _> = events.send((generation, down)).await;
                return;
            }
        };
        if events.send((generation, event)).await.is_err() {
            return;
        }
    }
}

/// What the end of a connection means, and what the client says of it.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    match refusal::words(error) {
        Some(words) => format!("{words} ({error})"),
        None => error.to_string(),
    }
}

/// Says once in a while that something moves on the link; ends only with the connection.
async fn report(traffic: Arc<Traffic>, events: mpsc::Sender<(u64, FromBroker)>, generation: u64) {
    let mut before = 0;
    loop {
        tokio::time::sleep(TRAFFIC_LOOK).await;
        let now = traffic.look();
        if now.bytes == before {
            continue;
        }
        before = now.bytes;
        let moved = FromBroker::Moved { waiting: now.waiting_bytes > 0 };
        if events.send((generation, moved)).await.is_err() {
            return;
        }
    }
}

/// Subscribes and says that we are there, without waiting inside the loop that must be polled; the
/// status is left out where the broker takes no packet of its size.
fn greet(client: &AsyncClient, gateway: GatewayId, online: Option<Vec<u8>>) {
    let client = client.clone();
    tokio::spawn(async move {
        let topic = |level| Topic { gateway, level }.to_string();
        for filter in [topic(Level::Receipt), topic(Level::Command), KEYRING.to_owned()] {
            if client.subscribe(filter, QoS::AtLeastOnce).await.is_err() {
                return;
            }
        }
        let Some(online) = online else { return };
        let options = PublishOptions::at_least_once().retained();
        let said = client.publish(topic(Level::Status), online, options).await;
        if said.is_err() {
            tracing::debug!("the connection ended before the status was said");
        }
    });
}

fn kind_of(topic: &str) -> Option<MessageKind> {
    if topic == KEYRING {
        return Some(MessageKind::Keyring);
    }
    match Topic::parse(topic)?.level {
        Level::Receipt => Some(MessageKind::Receipt),
        Level::Command => Some(MessageKind::Command),
        Level::Lane(_) | Level::Status => None,
    }
}

/// The longest record that goes into a packet of this length; `None` is a broker without a limit.
#[must_use]
pub const fn record_bytes_max(packet_bytes_max: Option<u32>) -> u32 {
    match packet_bytes_max {
        Some(limit) => limit.saturating_sub(PACKET_HEAD_BYTES_MAX),
        None => u32::MAX,
    }
}

/// Whether a broker that takes packets of this size takes every frame of ours.
#[must_use]
pub const fn broker_takes_frames(packet_bytes_max: Option<u32>) -> bool {
    record_bytes_max(packet_bytes_max) as usize >= FRAME_BYTES_MAX
}

/// A pause in which the broker may hear our goodbye.
pub const GOODBYE: Duration = Duration::from_millis(200);
