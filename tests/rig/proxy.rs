//! A hostile network and broker between a gateway and a real broker: a proxy that speaks MQTT 5.
//!
//! It ends the gateway's mutual TLS 1.3 with a certificate of the site's own CA, speaks mutual TLS
//! to the broker with the gateway's certificate and key, and takes every packet apart on the way.
//! What it does to them is switched at run time through [`Proxy::set`]. It never ships.
//!
//! Rooms: `hazards` decides about packets and has no sockets, `connection` has the sockets,
//! `papers` the certificates.

mod connection;
mod hazards;
mod papers;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use hazards::{Deed, Hazards, Hole, Kind, Lies, Rule, Way};
pub use papers::Papers;

use hazards::Memory;

/// Bytes that the kernel takes from a gateway before the proxy reads them; small, so that a proxy
/// that does not read shows a zero window soon.
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024;

/// What the proxy has counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Connections from the gateway.
    pub connections: u64,
    /// Times that a hazard did something.
    pub fired: u64,
    /// Receipts of the broker that were handed to the gateway, repeated old ones not among them.
    pub receipts: u64,
}

/// A running proxy; dropping it ends every connection.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on `listen` and leads to `broker_port` of the loopback.
    ///
    /// # Errors
    /// The address is taken, or the site's files cannot be read.
    pub async fn start(listen: SocketAddr, broker_port: u16, papers: &Papers) -> Result<Self> {
        let listener = TcpListener::bind(listen).await.context("the proxy cannot listen")?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, RECEIVE_BUFFER_BYTES)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            acceptor: papers.acceptor(address.ip())?,
            connector: papers.connector()?,
            broker_port: AtomicU16::new(broker_port),
            hazards: watch::Sender::new(Hazards::default()),
            cuts: watch::Sender::new(0),
            memory: Mutex::default(),
            connections: AtomicU64::new(0),
            fired: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            receipt_at: watch::Sender::new(None),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, task })
    }

    /// Where gateways connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the hazards from this moment on.
    pub fn set(&self, hazards: Hazards) {
        self.shared.hazards.send_replace(hazards);
    }

    /// Ends every connection in a way that both sides notice.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.shared.connections.load(Ordering::Relaxed),
            fired: self.shared.fired.load(Ordering::Relaxed),
            receipts: self.shared.receipts.load(Ordering::Relaxed),
        }
    }

    /// When the newest receipt was handed to the gateway, as it changes.
    #[must_use]
    pub fn receipt_at(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.receipt_at.subscribe()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all connections share.
struct Shared {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    broker_port: AtomicU16,
    hazards: watch::Sender<Hazards>,
    cuts: watch::Sender<u64>,
    memory: Mutex<Memory>,
    connections: AtomicU64,
    fired: AtomicU64,
    receipts: AtomicU64,
    receipt_at: watch::Sender<Option<Instant>>,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fired(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the hazards are such; for ever, if they never are.
    async fn until(&self, such: impl FnMut(&Hazards) -> bool) {
        let mut hazards = self.hazards.subscribe();
        // The sender lives in `self`, so that waiting cannot fail while we hold it.
        let _ = hazards.wait_for(such).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((gateway, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        shared.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(connection::serve(shared.clone(), gateway));
    }
}
