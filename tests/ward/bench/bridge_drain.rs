//! What live messages see of a bridge's queue after an outage: as many messages as W1 has frames.
//!
//! The edge keeps its queue in memory and forwards it in order.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rig::site::Forwarder;
use rumqttc::{AsyncClient, Event, Packet, PublishOptions, QoS};
use tokio::sync::watch;

use super::super::watch::now_ns;
use super::{Row, configs, free_port, options, publish, row, start, wait_for};

/// Twenty beds, each with ten frames of waves and one of vitals.
const MESSAGES_A_SECOND: u64 = 20 * 11;
/// About a frame of waves.
const BYTES: usize = 230;
/// Marks a live message; the moment it was published follows.
const LIVE: u8 = 1;
const QUIET: Duration = Duration::from_secs(20);

/// Moments since the link's return.
#[derive(Default)]
struct Seen {
    old: u64,
    drained: Duration,
    first_live: Option<Duration>,
    /// How long live messages took that arrived before the backlog was gone, and the first after.
    live: Vec<Duration>,
}

/// The figures.
pub(super) async fn measure(backlog: Duration) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let (edge_port, cloud_port) = (free_port()?, free_port()?);
    let link = Forwarder::start().await?;
    let (edge, cloud) = configs(folder.path(), edge_port, cloud_port, link.port());
    let _edge = start(folder.path(), "edge", &edge)?;
    wait_for(edge_port).await?;
    let messages = backlog.as_secs() * MESSAGES_A_SECOND;
    publish(edge_port, messages, BYTES).await?;
    let _cloud = start(folder.path(), "cloud", &cloud)?;
    wait_for(cloud_port).await?;
    let (stop, stopped) = watch::channel(false);
    let (subscribed, is_subscribed) = tokio::sync::oneshot::channel();
    let arrivals = tokio::spawn(arrivals(cloud_port, messages, subscribed));
    is_subscribed.await?;
    link.aim(cloud_port);
    let live = tokio::spawn(say_live(edge_port, stopped));
    let seen = arrivals.await??;
    stop.send_replace(true);
    live.await??;
    ensure!(seen.old == messages, "{} of {messages} arrived", seen.old);
    let worst = seen.live.iter().max().copied().unwrap_or_default();
    let named = |what: &str| format!("bridge (mosquitto): {what}");
    let first = seen.first_live.unwrap_or_default().as_secs_f64();
    let drained = seen.drained.as_secs_f64();
    Ok(vec![
        row(named("W1 frames that waited, as messages"), backlog.as_secs_f64() / 60.0, "min"),
        row(named("link back to first live message in the cloud"), first, "s"),
        row(named("live messages while draining, longest"), worst.as_secs_f64() * 1e3, "ms"),
        row(named("draining, reconnect included"), drained, "s"),
        row(named("drained"), backlog.as_secs_f64() / drained, "x W1"),
    ])
}

/// Subscribes, says so, and takes what comes until the backlog and a live message are there.
async fn arrivals(
    port: u16,
    messages: u64,
    ready: tokio::sync::oneshot::Sender<()>,
) -> Result<Seen> {
    let (client, mut eventloop) =
        AsyncClient::builder(options("count", port, false)).capacity(64).build();
    client.subscribe("bench", QoS::AtLeastOnce).await?;
    let mut ready = Some(ready);
    let mut began = Instant::now();
    let mut seen = Seen::default();
    while seen.old < messages || seen.first_live.is_none() {
        let Ok(event) = tokio::time::timeout(QUIET, eventloop.poll()).await else { break };
        match event? {
            Event::Incoming(Packet::SubAck(_)) => {
                began = Instant::now();
                ready.take().map(|ready| ready.send(()));
            }
            Event::Incoming(Packet::Publish(message)) => seen.take(&message.payload, began),
            _ => {}
        }
    }
    Ok(seen)
}

impl Seen {
    fn take(&mut self, payload: &[u8], began: Instant) {
        if payload.first() != Some(&LIVE) {
            self.old += 1;
            self.drained = began.elapsed();
            return;
        }
        let Some(said) = payload.get(1..9).and_then(|bytes| bytes.try_into().ok()) else { return };
        let took = now_ns() - i64::from_le_bytes(said);
        self.live.push(Duration::from_nanos(took.max(0) as u64));
        self.first_live.get_or_insert_with(|| began.elapsed());
    }
}

/// One message a second.
async fn say_live(port: u16, stop: watch::Receiver<bool>) -> Result<()> {
    let (client, mut eventloop) =
        AsyncClient::builder(options("live", port, false)).capacity(64).build();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut stopped = stop;
    loop {
        tokio::select! {
            _ = second.tick() => {
                let mut payload = vec![LIVE; BYTES];
                payload[1..9].copy_from_slice(&now_ns().to_le_bytes());
                client.publish("bench", payload, PublishOptions::at_least_once()).await?;
            }
            event = eventloop.poll() => drop(event?),
            _ = stopped.changed() => return Ok(()),
        }
    }
}
