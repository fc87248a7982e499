//! A small MQTT 5 broker for the tests and the demo: the post between gateways and sinks.
//!
//! It never ships. It speaks TLS 1.3 with mutual authentication, QoS 0 and 1, sessions, retained
//! messages, wills and shared subscriptions, on the client crate's own codec, and it can turn
//! hostile at run time through [`Faults`]. All state is in memory: a dropped handle or a killed
//! process has forgotten every session, as a broker without persistence does.
//!
//! Left out: QoS 2 (refused), topic aliases (refused), message expiry and will delay (ignored).
//!
//! Rooms: `identity` says who a peer is, `access` what it may do, `subscriptions` who gets a
//! topic, `session` what one client is still owed, `post` puts it there, `router` holds the rules
//! of the protocol, `connection` the sockets.

mod access;
mod connection;
mod identity;
mod post;
mod router;
mod session;
mod subscriptions;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use router::Router;

/// Connections that may wait in the kernel before they are accepted.
const BACKLOG: u32 = 1024;

/// How often expired sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long accepting pauses when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a broker is started with.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Address to listen on; port 0 lets the system choose, [`BrokerHandle::address`] tells.
    pub listen: SocketAddr,
    /// The broker's certificate chain.
    pub certificate_pem: Vec<u8>,
    /// The private key of that certificate.
    pub key_pem: Vec<u8>,
    /// The authorities that sign client certificates.
    pub client_ca_pem: Vec<u8>,
    /// Lists of revoked client certificates; empty if there are none.
    pub client_crl_pem: Vec<u8>,
    /// Common names that may publish and subscribe everything below `wardline/v1/`.
    pub sinks: Vec<String>,
    /// How it misbehaves from the start.
    pub faults: Faults,
}

/// How the broker misbehaves; all off by default, switchable by [`BrokerHandle::set_faults`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// Routes publishes but acknowledges none. A client that then sends more than the announced
    /// receive maximum is disconnected with reason 0x93, as a strict broker does.
    pub drop_puback: bool,
    /// Acknowledges publishes with success, but neither routes nor retains them.
    pub ack_and_forget: bool,
    /// Delivers every n-th delivery twice, the second time under a packet id of its own.
    pub duplicate_every: Option<NonZeroU32>,
    /// Lets every n-th delivery overtake the one before it, if that one still waits.
    pub reorder_every: Option<NonZeroU32>,
    /// Acknowledges and retains, but delivers nothing whose topic matches this filter, for
    /// example `wardline/v1/+/receipt`.
    pub drop_deliveries: Option<String>,
    /// Announced in each CONNACK from now on; without it the protocol's default, 65 535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Announced in each CONNACK from now on, bytes; without it 16 MiB.
    pub max_packet: Option<NonZeroU32>,
    /// Reads and writes nothing, closes nothing; new connections hang before TLS. What waits is
    /// handled when this is switched off.
    pub black_hole: bool,
}

/// What the broker has counted since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Accepted CONNECT packets.
    pub connects: u64,
    /// TLS handshakes, CONNECT packets, publishes and subscriptions that were refused.
    pub refusals: u64,
    /// PUBLISH packets that clients sent, refused ones included.
    pub publishes_in: u64,
    /// PUBLISH packets that were written to clients, repeated ones included.
    pub deliveries_out: u64,
    /// Deliveries given up: larger than the client allows, or QoS 0 into a full queue.
    pub deliveries_dropped: u64,
    /// Bytes read inside TLS.
    pub bytes_in: u64,
    /// Bytes written inside TLS.
    pub bytes_out: u64,
}

/// Why a broker did not start.
#[derive(Debug)]
pub enum BrokerError {
    /// The address is taken or not ours. Choose another one.
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system answered.
        error: io::Error,
    },
    /// A PEM text cannot be read. Make the certificates again.
    Pem {
        /// Which of the three texts.
        what: &'static str,
        /// What is wrong with it.
        error: rustls::pki_types::pem::Error,
    },
    /// rustls refuses the certificate, its key or the client authority. Make them again.
    Tls(String),
}

impl fmt::Display for BrokerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => write!(out, "cannot listen on {address}: {error}"),
            Self::Pem { what, error } => write!(out, "cannot read the {what}: {error}"),
            Self::Tls(reason) => write!(out, "cannot set up TLS: {reason}"),
        }
    }
}

impl std::error::Error for BrokerError {}

/// A running broker; dropping it ends the broker and forgets its state.
pub struct BrokerHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// Starts a broker on the current tokio runtime.
///
/// # Errors
/// [`BrokerError`]; nothing listens then.
pub async fn start(config: BrokerConfig) -> Result<BrokerHandle, BrokerError> {
    let tls = identity::acceptor(&config)?;
    let listener = listen(config.listen)
        .map_err(|error| BrokerError::Listen { address: config.listen, error })?;
    let address = listener
        .local_addr()
        .map_err(|error| BrokerError::Listen { address: config.listen, error })?;

    let counters = Arc::new(Counters::default());
    let shared = Arc::new(Shared {
        tls,
        black_hole: watch::Sender::new(config.faults.black_hole),
        router: Mutex::new(Router::new(config.sinks, config.faults, Arc::clone(&counters))),
        counters,
        cuts: watch::Sender::new(0),
    });
    let stop = watch::Sender::new(false);
    let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), stop.subscribe()));
    Ok(BrokerHandle { address, shared, stop, accepting })
}

impl BrokerHandle {
    /// The address it listens on, with the port the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The faults that are on now.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared.router().faults().clone()
    }

    /// Replaces the faults from this moment on.
    pub fn set_faults(&self, faults: Faults) {
        let black_hole = faults.black_hole;
        self.shared.router().set_faults(faults);
        self.shared.black_hole.send_replace(black_hole);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// Cuts every connection without a DISCONNECT packet; sessions stay, wills are published.
    pub fn disconnect_all(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts every connection and loses sessions, queues and retained messages, as a restart does.
    pub fn forget_all(&self) {
        self.shared.router().forget_all();
        self.disconnect_all();
    }

    /// Ends the broker; when this returns, its port is free and every connection is closed.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.accepting).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What all connections of one broker share.
struct Shared {
    tls: TlsAcceptor,
    router: Mutex<Router>,
    counters: Arc<Counters>,
    black_hole: watch::Sender<bool>,
    /// How often all connections were cut; a connection ends when it sees this change.
    cuts: watch::Sender<u64>,
}

impl Shared {
    fn router(&self) -> MutexGuard<'_, Router> {
        // A panic ends the broker and the test anyway, see `accept`; connections that are dropped
        // by then still have to detach.
        self.router.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Counters {
    connects: AtomicU64,
    refusals: AtomicU64,
    publishes_in: AtomicU64,
    deliveries_out: AtomicU64,
    deliveries_dropped: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    fn read(&self) -> Stats {
        Stats {
            connects: self.connects.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            publishes_in: self.publishes_in.load(Ordering::Relaxed),
            deliveries_out: self.deliveries_out.load(Ordering::Relaxed),
            deliveries_dropped: self.deliveries_dropped.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Binds with address reuse, so that a restarted broker gets its old port back at once.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(Arc::clone(&shared), stream));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(ended) = connections.join_next() => {
                // A bug of the broker must fail the test that met it.
                if let Err(error) = ended && error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            _ = sweep.tick() => shared.router().expire(Instant::now()),
        }
    }
    drop(listener);
    connections.shutdown().await;
}

#[cfg(test)]
mod tests;
