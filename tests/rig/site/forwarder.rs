//! The link between gateway and broker: a TCP forwarder that counts, and that can be cut.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use anyhow::Result;
use rustix::net::listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What went over the link so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Connections that reached the broker.
    pub connections: u64,
    /// Bytes from the gateway.
    pub bytes_up: u64,
    /// Bytes to the gateway.
    pub bytes_down: u64,
}

/// A forwarder on a port of its own.
pub struct Forwarder {
    port: u16,
    link: Arc<Link>,
    task: JoinHandle<()>,
}

struct Link {
    target: AtomicU16,
    open: watch::Sender<bool>,
    connections: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

impl Forwarder {
    /// Listens; leads nowhere until it is aimed.
    ///
    /// # Errors
    /// The system has no port left.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let link = Arc::new(Link {
            target: AtomicU16::new(0),
            open: watch::Sender::new(true),
            connections: AtomicU64::new(0),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, link.clone()));
        Ok(Self { port, link, task })
    }

    /// Where the gateway connects.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads to this port of the loopback from now on.
    pub fn aim(&self, port: u16) {
        self.link.target.store(port, Ordering::Relaxed);
    }

    /// Cuts every connection and leaves new calls unanswered, as a link that is away does; or lets
    /// them through again.
    pub fn open(&self, open: bool) {
        self.link.open.send_replace(open);
    }

    /// What went over it.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.link.connections.load(Ordering::Relaxed),
            bytes_up: self.link.bytes_up.load(Ordering::Relaxed),
            bytes_down: self.link.bytes_down.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Calls that the kernel takes for us before we do.
const CALLS_MAX: i32 = 1024;

async fn accept(listener: TcpListener, link: Arc<Link>) {
    let mut connections = tokio::task::JoinSet::new();
    let mut open = link.open.subscribe();
    loop {
        if !*open.borrow_and_update()
            && let Err(error) = stay_silent(&listener, &mut open).await
        {
            eprintln!("the link cannot be silent, it ends: {error}");
            return;
        }
        tokio::select! {
            call = listener.accept() => {
                let Ok((gateway, _)) = call else { continue };
                while connections.try_join_next().is_some() {}
                connections.spawn(forward(gateway, link.clone()));
            }
            _ = open.changed() => {}
        }
    }
}

/// Until the link is open: the kernel's queue for us is one call long and full, so that it answers
/// no other.
async fn stay_silent(
    listener: &TcpListener,
    open: &mut watch::Receiver<bool>,
) -> std::io::Result<()> {
    listen(listener, 0)?;
    let address = listener.local_addr()?;
    let filled = async {
        let _filler = TcpStream::connect(address).await;
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        () = filled => true,
        opened = open.wait_for(|open| *open) => opened.is_err(),
    };
    listen(listener, CALLS_MAX)?;
    if ended { Err(std::io::Error::other("nobody is there to open it")) } else { Ok(()) }
}

async fn forward(gateway: TcpStream, link: Arc<Link>) {
    let mut open = link.open.subscribe();
    let target = (Ipv4Addr::LOCALHOST, link.target.load(Ordering::Relaxed));
    let Ok(broker) = TcpStream::connect(target).await else { return };
    let quick = gateway.set_nodelay(true).and_then(|()| broker.set_nodelay(true));
    if quick.is_err() {
        return;
    }
    link.connections.fetch_add(1, Ordering::Relaxed);
    let (from_gateway, to_gateway) = gateway.into_split();
    let (from_broker, to_broker) = broker.into_split();
    tokio::select! {
        () = pump(from_gateway, to_broker, &link.bytes_up) => {}
        () = pump(from_broker, to_gateway, &link.bytes_down) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, counter: &AtomicU64) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match from.read(&mut bytes).await {
            Ok(count) if count > 0 => {
                counter.fetch_add(count as u64, Ordering::Relaxed);
                if to.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
