//! One connection of the gateway and the one of ours behind it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::Packet;
use rumqttc::mqttbytes::Error as CodecError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::hazards::{Hole, Kind, Way, kind_of};

/// Packets that may wait for a writer.
const WAITING_MAX: usize = 256;
/// Free bytes offered to each read; small, so that little is taken from who shall see no window.
const READ_BYTES: usize = 4 * 1024;
/// A connection that is to be reset lives up to this long; the number of it decides.
const RESET_AFTER_MS: u64 = 500;

/// Serves one connection of the gateway to its end.
pub(super) async fn serve(shared: Arc<Shared>, gateway: TcpStream) {
    let mut cuts = shared.cuts.subscribe();
    // The socket once more, to say that its end shall be a reset.
    let Ok(handle) = gateway.as_fd().try_clone_to_owned() else { return };
    let number = shared.connections.load(Ordering::Relaxed);
    tokio::select! {
        _ = cuts.changed() => {}
        () = converse(&shared, gateway) => {}
        () = reset(&shared, handle, number) => {}
    }
}

/// Returns when the connection is to end with a reset.
async fn reset(shared: &Shared, handle: OwnedFd, number: u64) {
    shared.until(|hazards| hazards.reset).await;
    tokio::time::sleep(Duration::from_millis(number * 137 % RESET_AFTER_MS)).await;
    shared.fired();
    // Without it the connection ends politely, and the storm is none: the count shows it.
    let _ = rustix::net::sockopt::set_socket_linger(&handle, Some(Duration::ZERO));
}

async fn converse(shared: &Arc<Shared>, gateway: TcpStream) {
    shared.until(|hazards| !hazards.is_black_hole()).await;
    let Ok(gateway) = shared.acceptor.accept(gateway).await else { return };
    let port = shared.broker_port.load(Ordering::Relaxed);
    let Ok(broker) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let name = ServerName::try_from("localhost").expect("a plain name is one");
    let Ok(broker) = shared.connector.connect(name, broker).await else { return };
    // Small packets must not wait for each other; a failure costs speed only.
    let _ = gateway.get_ref().0.set_nodelay(true);
    let _ = broker.get_ref().0.set_nodelay(true);
    let (from_gateway, to_gateway) = tokio::io::split(gateway);
    let (from_broker, to_broker) = tokio::io::split(broker);
    let (up, going_up) = mpsc::channel(WAITING_MAX);
    let (down, going_down) = mpsc::channel(WAITING_MAX);
    tokio::select! {
        () = pump(shared, Way::Up, from_gateway, &up, &down) => {}
        () = pump(shared, Way::Down, from_broker, &down, &up) => {}
        () = write(shared, Way::Up, going_up, to_broker) => {}
        () = write(shared, Way::Down, going_down, to_gateway) => {}
    }
}

/// Takes packets from one side and lets the hazards decide about each.
async fn pump(
    shared: &Shared,
    way: Way,
    mut from: impl AsyncRead + Unpin,
    on: &mpsc::Sender<Packet>,
    back: &mpsc::Sender<Packet>,
) {
    let mut buffer = BytesMut::new();
    let mut late = JoinSet::new();
    loop {
        let hole = shared.hazards.borrow().hole(way);
        if hole == Hole::NotRead {
            shared.fired();
            shared.until(|hazards| hazards.hole(way) != Hole::NotRead).await;
        }
        while late.try_join_next().is_some() {}
        loop {
            let packet = match Packet::read(&mut buffer, None) {
                Ok(packet) => packet,
                Err(CodecError::InsufficientBytes(_)) => break,
                Err(_) => return,
            };
            let hazards = shared.hazards.borrow().clone();
            let fate = shared.memory().judge(&hazards, way, packet);
            if fate.fired {
                shared.fired();
            }
            for (delay, packet) in fate.on {
                if delay.is_zero() {
                    if on.send(packet).await.is_err() {
                        return;
                    }
                    continue;
                }
                let on = on.clone();
                late.spawn(async move {
                    tokio::time::sleep(delay).await;
                    // The connection may have ended meanwhile, and the packet with it.
                    let _ = on.send(packet).await;
                });
            }
            if let Some(packet) = fate.back
                && back.send(packet).await.is_err()
            {
                return;
            }
        }
        buffer.reserve(READ_BYTES);
        let wake = shared.until(|hazards| hazards.hole(way) == Hole::NotRead);
        tokio::select! {
            read = from.read_buf(&mut buffer) => match read {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            },
            () = wake => {}
        }
    }
}

async fn write(
    shared: &Shared,
    way: Way,
    mut packets: mpsc::Receiver<Packet>,
    mut to: impl AsyncWrite + Unpin,
) {
    let mut bytes = BytesMut::new();
    while let Some(packet) = packets.recv().await {
        let fresh = matches!(&packet, Packet::Publish(publish) if !publish.retain);
        let receipt = way == Way::Down && fresh && kind_of(&packet) == Kind::Receipt;
        if packet.write(&mut bytes, None).is_err() {
            return;
        }
        if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
        bytes.clear();
        if receipt {
            shared.receipts.fetch_add(1, Ordering::Relaxed);
            shared.receipt_at.send_replace(Some(Instant::now()));
        }
    }
}
