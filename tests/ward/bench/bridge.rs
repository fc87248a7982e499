//! The peer: the same readings through a mosquitto bridge, edge to cloud, QoS 1, persistence on.
//!
//! It seals nothing, verifies nothing and stores no row; what is compared is delivery.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rumqttc::{
    AsyncClient, Event, IncomingPacketSizeLimit, MqttOptions, Packet, PublishOptions, QoS,
};

use super::{Row, row};

#[path = "bridge_drain.rs"]
mod drain;

struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        drop(ended);
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start(folder: &Path, name: &str, config: &str) -> Result<Broker> {
    let path = folder.join(format!("{name}.conf"));
    std::fs::write(&path, config)?;
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .context("mosquitto is not installed")?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&path).stderr(Stdio::null()).stdout(Stdio::null());
    Ok(Broker(command.spawn()?))
}

/// Both brokers' configurations: Debian's defaults, persistence on, the queue as long as needed.
/// The edge reaches the cloud at `link`.
fn configs(folder: &Path, edge: u16, cloud: u16, link: u16) -> (String, String) {
    let common = |name: &str, port: u16| {
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n\
             persistence_location {}/{name}-\nmax_queued_messages 0\nmax_inflight_messages 200\n",
            folder.display()
        )
    };
    let bridge = format!(
        "connection up\naddress 127.0.0.1:{link}\ntopic bench out 1\ncleansession false\n\
         bridge_protocol_version mqttv50\nrestart_timeout 1\n"
    );
    (common("edge", edge) + &bridge, common("cloud", cloud))
}

fn options(name: &str, port: u16, keep: bool) -> MqttOptions {
    let mut options = MqttOptions::new(name, ("127.0.0.1", port));
    options.set_outgoing_inflight_upper_limit(200);
    options.set_max_request_batch(64);
    options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(1 << 20));
    if keep {
        options.set_clean_start(true);
        options.set_session_expiry_interval(Some(3600));
    }
    options
}

async fn wait_for(port: u16) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        anyhow::ensure!(Instant::now() < until, "mosquitto does not listen on {port}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Counts what arrives at the cloud until `expected` came or nothing came for a while.
async fn count(port: u16, expected: u64, quiet: Duration) -> Result<u64> {
    let (client, mut eventloop) =
        AsyncClient::builder(options("count", port, false)).capacity(64).build();
    client.subscribe("bench", QoS::AtLeastOnce).await?;
    let mut seen = 0;
    while seen < expected {
        match tokio::time::timeout(quiet, eventloop.poll()).await {
            Ok(Ok(Event::Incoming(Packet::Publish(_)))) => seen += 1,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => break,
        }
    }
    Ok(seen)
}

/// Publishes and waits until every message is acknowledged.
async fn publish(port: u16, messages: u64, bytes: usize) -> Result<()> {
    let (client, mut eventloop) =
        AsyncClient::builder(options("device", port, false)).capacity(256).build();
    let sender = tokio::spawn(async move {
        for _ in 0..messages {
            client.publish("bench", vec![7u8; bytes], PublishOptions::at_least_once()).await?;
        }
        // The client lives until everything is acknowledged.
        Ok::<_, rumqttc::ClientError>(client)
    });
    let mut acked = 0;
    while acked < messages {
        if let Event::Incoming(Packet::PubAck(_)) = eventloop.poll().await? {
            acked += 1;
        }
    }
    drop(sender.await??);
    Ok(())
}

async fn throughput(messages: u64, bytes: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let (edge_port, cloud_port) = (free_port()?, free_port()?);
    let (edge, cloud) = configs(folder.path(), edge_port, cloud_port, cloud_port);
    let _cloud = start(folder.path(), "cloud", &cloud)?;
    wait_for(cloud_port).await?;
    let _edge = start(folder.path(), "edge", &edge)?;
    wait_for(edge_port).await?;
    let counting = tokio::spawn(count(cloud_port, messages, Duration::from_secs(20)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    publish(edge_port, messages, bytes).await?;
    let seen = counting.await??;
    anyhow::ensure!(seen == messages, "{seen} of {messages} arrived");
    Ok(messages as f64 / began.elapsed().as_secs_f64())
}

/// An outage, 20,000 messages acknowledged by the edge, kill -9 of the edge, the link returns.
async fn loss() -> Result<f64> {
    const MESSAGES: u64 = 20_000;
    let folder = tempfile::tempdir()?;
    let (edge_port, cloud_port) = (free_port()?, free_port()?);
    let (edge, cloud) = configs(folder.path(), edge_port, cloud_port, cloud_port);
    let running = start(folder.path(), "edge", &edge)?;
    wait_for(edge_port).await?;
    publish(edge_port, MESSAGES, 256).await?;
    drop(running);
    let _cloud = start(folder.path(), "cloud", &cloud)?;
    wait_for(cloud_port).await?;
    let counting = tokio::spawn(count(cloud_port, MESSAGES, Duration::from_secs(8)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _edge = start(folder.path(), "edge", &edge)?;
    let seen = counting.await??;
    Ok((MESSAGES - seen) as f64 / MESSAGES as f64)
}

/// The bridge's figures.
pub async fn measure(backlog: Duration) -> Result<Vec<Row>> {
    let single = throughput(100_000, 256).await?;
    let hundred = throughput(30_000, 840).await?;
    let mut rows = vec![
        row("bridge (mosquitto): one 256-byte message a reading", single, "1/s"),
        row("bridge (mosquitto): 100 readings in 840 bytes", hundred * 100.0, "1/s"),
        row(
            "bridge (mosquitto): share of acknowledged lost, outage and kill -9",
            loss().await?,
            "of 1",
        ),
    ];
    rows.extend(drain::measure(backlog).await?);
    Ok(rows)
}
