//! The only file of the sink that knows the MQTT client.
//!
//! Every connection has a new client and a clean start: what was not acknowledged is sent again by
//! the gateways, whose log is the only truth. Acknowledgements of an earlier connection are
//! dropped, because the packet number may by now belong to another message.
//!
//! The client is polled whatever the line does: receipts wait for acknowledgements that come behind
//! deliveries on the same connection, so a delivery that finds the line full must not stop the
//! reading. What can wait is bounded by the broker's window, and by memory if it keeps none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rumqttc::{
    AckMode, AsyncClient, Event, EventLoop, IncomingPacketSizeLimit, MqttOptions, NetworkOptions,
    Packet, Publish, PublishOptions, QoS, TlsConfiguration, Transport,
};
use tokio::sync::{mpsc, watch};
use wire::identity::{GatewayId, Lane};
use wire::limits::FRAME_BYTES_MAX;
use wire::topic::{ALL_LANES, KEYRING, Level, Topic};

use crate::config::Config;
use crate::keys::KeyFolder;
use crate::limits::{
    CONNECT_DEADLINE, INCOMING_MAX, KEEP_ALIVE, RECONNECT_WAIT, WAITING_BYTES_MAX,
};
use crate::receipt::Outgoing;
use crate::receive::tls;

/// One record as it came.
#[derive(Debug)]
pub struct Incoming {
    /// Whose topic it came on.
    pub gateway: GatewayId,
    /// Which lane's.
    pub lane: Lane,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What to acknowledge to the broker once a disposition is durable.
    pub ticket: Option<Ticket>,
}

/// A delivery of one connection.
#[derive(Debug)]
pub struct Ticket {
    connection: u64,
    publish: Publish,
}

/// What goes back to the broker.
#[derive(Debug)]
pub enum Answer {
    /// A signed receipt.
    Receipt(Outgoing),
    /// A delivery whose disposition is durable.
    Done(Ticket),
}

/// Requests that the client may hold.
const CLIENT_QUEUE: usize = 128;
/// Deliveries that the broker may have out without acknowledgement.
const RECEIVE_MAXIMUM: u16 = 2 * INCOMING_MAX as u16;
/// What a delivery takes beside its bytes, about.
const DELIVERY_BYTES: usize = 512;
/// MQTT's own bytes around a frame.
const PACKET_BYTES_MAX: u32 = FRAME_BYTES_MAX as u32 + 1024;

fn options(config: &Config, keys: &KeyFolder) -> anyhow::Result<MqttOptions> {
    let broker = (config.broker_host.as_str(), config.broker_port);
    // Sinks share their work; each is a client of its own, or they would end each other.
    let mut random = [0; 4];
    getrandom::fill(&mut random)?;
    let client = format!("{}-{:08x}", config.name, u32::from_le_bytes(random));
    let mut options = MqttOptions::new(client, broker);
    let tls = tls::client(keys)?;
    options.set_transport(Transport::tls_with_config(TlsConfiguration::from(tls)));
    options.set_keep_alive(KEEP_ALIVE.as_secs() as u16);
    options.set_connect_timeout(CONNECT_DEADLINE);
    options.set_ack_mode(AckMode::Manual);
    options.set_max_request_batch(CLIENT_QUEUE);
    options.set_receive_maximum(Some(RECEIVE_MAXIMUM));
    options.set_outgoing_inflight_upper_limit(64);
    options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(PACKET_BYTES_MAX));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    Ok(options)
}

/// Connects, receives and answers until the line ends.
///
/// # Errors
/// The keys cannot be read.
pub async fn run(
    config: Config,
    keys: KeyFolder,
    keyring: watch::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Incoming>,
    mut answers: mpsc::Receiver<Answer>,
) -> anyhow::Result<()> {
    let mut options = options(&config, &keys)?;
    let mut connection = 0;
    let mut wait = RECONNECT_WAIT.0;
    while !incoming.is_closed() {
        connection += 1;
        let builder = AsyncClient::builder(options.clone()).capacity(CLIENT_QUEUE);
        let (client, eventloop) = builder.build();
        let greeting = tokio::spawn(greet(client.clone(), keyring.clone()));
        let (deliveries, waiting) = waiting();
        let receiving = receive(eventloop, client.clone(), connection, deliveries);
        let was_up = tokio::select! {
            was_up = receiving => was_up,
            () = pass_on(waiting, &incoming) => return Ok(()),
            () = answer(&client, connection, &mut answers) => return Ok(()),
        };
        greeting.abort();
        drop(client);
        wait = if was_up { RECONNECT_WAIT.0 } else { (wait * 2).min(RECONNECT_WAIT.1) };
        pause(jittered(wait)?, &mut answers).await;
        match self::options(&config, &keys) {
            Ok(renewed) => options = renewed,
            Err(error) => tracing::error!(%error, "the certificate of before is shown again"),
        }
    }
    Ok(())
}

fn jittered(wait: Duration) -> anyhow::Result<Duration> {
    let mut random = [0; 1];
    getrandom::fill(&mut random)?;
    Ok(wait.mul_f64(0.5 + f64::from(random[0]) / 512.0))
}

/// Waits for the next connection; answers to the last one have nowhere to go.
async fn pause(wait: Duration, answers: &mut mpsc::Receiver<Answer>) {
    let sleep = tokio::time::sleep(wait);
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            () = &mut sleep => return,
            Some(_) = answers.recv() => {}
        }
    }
}

/// Subscribes first and then publishes the keyring: gateways take its arrival for "the sink is
/// there" and offer again what no receipt covers. It is published again whenever it changes.
async fn greet(client: AsyncClient, mut keyring: watch::Receiver<Vec<u8>>) {
    for filter in ALL_LANES {
        let filter = format!("$share/wardline/{filter}");
        let asked = client.subscribe_tracked(filter.as_str(), QoS::AtLeastOnce).await;
        let Ok(notice) = asked else { return };
        if let Err(error) = notice.wait_completion_async().await {
            tracing::error!(filter, %error, "the broker refuses the subscription: check its list");
            return;
        }
    }
    tracing::info!("subscribed");
    loop {
        let document = keyring.borrow_and_update().clone();
        let retained = PublishOptions::at_least_once().retained();
        let said = client.publish(KEYRING, document, retained).await;
        tracing::info!(said = said.is_ok(), "keyring published");
        if keyring.changed().await.is_err() {
            return;
        }
    }
}

/// Receives until the connection ends; whether it ever was one.
async fn receive(
    mut eventloop: EventLoop,
    client: AsyncClient,
    connection: u64,
    deliveries: Deliveries,
) -> bool {
    let mut was_up = false;
    loop {
        match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                tracing::info!("connected");
                was_up = true;
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = Topic::parse(&String::from_utf8_lossy(&publish.topic));
                let Some(Topic { gateway, level: Level::Lane(lane) }) = topic else {
                    // No gateway has such a name. Without a word it would take up the broker's
                    // window for as long as the connection lasts.
                    tracing::warn!(topic = ?publish.topic, "dropped: no gateway has such a name");
                    if let Err(error) = client.try_ack(&publish) {
                        tracing::debug!(%error, "not acknowledged");
                    }
                    continue;
                };
                let bytes = publish.payload.to_vec();
                let publish = Publish { payload: Default::default(), ..publish };
                let ticket = Some(Ticket { connection, publish });
                let delivery = Incoming { gateway, lane, bytes, ticket };
                if !deliveries.put(delivery) {
                    let limit = WAITING_BYTES_MAX;
                    tracing::error!(limit, "more waits for the line than memory may take");
                    return was_up;
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "not connected");
                return was_up;
            }
        }
    }
}

/// Deliveries that wait for the line, bounded in bytes: sender and receiver.
struct Deliveries(mpsc::UnboundedSender<Incoming>, Arc<AtomicUsize>);

struct Waiting(mpsc::UnboundedReceiver<Incoming>, Arc<AtomicUsize>);

fn waiting() -> (Deliveries, Waiting) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let bytes = Arc::new(AtomicUsize::new(0));
    (Deliveries(sender, bytes.clone()), Waiting(receiver, bytes))
}

impl Deliveries {
    /// Whether there was room.
    fn put(&self, delivery: Incoming) -> bool {
        let bytes = delivery.bytes.len() + DELIVERY_BYTES;
        let before = self.1.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= WAITING_BYTES_MAX && self.0.send(delivery).is_ok()
    }
}

impl Waiting {
    async fn take(&mut self) -> Option<Incoming> {
        let delivery = self.0.recv().await?;
        self.1.fetch_sub(delivery.bytes.len() + DELIVERY_BYTES, Ordering::Relaxed);
        Some(delivery)
    }
}

/// Hands deliveries to the line as it takes them; ends only with the line.
async fn pass_on(mut waiting: Waiting, incoming: &mpsc::Sender<Incoming>) {
    while let Some(delivery) = waiting.take().await {
        if incoming.send(delivery).await.is_err() {
            return;
        }
    }
    // The connection has ended, and with it what was not passed on: the gateways send it again.
    std::future::pending().await
}

/// Sends what the line answers; ends only with the line.
async fn answer(client: &AsyncClient, connection: u64, answers: &mut mpsc::Receiver<Answer>) {
    while let Some(answer) = answers.recv().await {
        let sent = match answer {
            Answer::Receipt(receipt) => {
                let options = PublishOptions::at_least_once();
                client.publish(receipt.topic, receipt.bytes, options).await
            }
            Answer::Done(ticket) if ticket.connection == connection => {
                client.ack(&ticket.publish).await
            }
            Answer::Done(_) => Ok(()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "an answer had nowhere to go; the gateway will ask again");
        }
    }
}
