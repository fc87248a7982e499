//! Where link frames come from: serial ports, pseudo-terminals, Unix sockets, TCP.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::link::Session;
use super::pace::Pace;
use super::{Chunk, Registry};
use crate::clock::Clock;
use crate::limits::CONNECTIONS_MAX;

/// One place where devices speak.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Port {
    /// A serial port or a pseudo-terminal, opened by us; or all those that come and go under a
    /// pattern.
    Serial {
        /// Its path; one `*` in its last part stands for any letters.
        path: PathBuf,
        /// Speed, baud.
        baud: u32,
    },
    /// A Unix socket that we listen on.
    Unix(PathBuf),
    /// A TCP address that we listen on.
    Tcp(SocketAddr),
}

/// Wait before a serial port is opened again, or a listener tries again.
const REOPEN_WAIT: Duration = Duration::from_millis(500);
/// Silence after which the kernel asks whether a TCP device is still there.
const KEEP_IDLE: Duration = Duration::from_secs(30);
/// Between two such questions.
const KEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Questions without answer before the connection ends: its place is free after a minute.
const KEEP_PROBES: u32 = 3;
/// A connection on which nobody who may speak has introduced himself for so long gives its place
/// to others.
const INTRODUCED_WITHIN: Duration = Duration::from_secs(60);
/// For a device to take an answer.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that one read may bring.
const READ_BYTES: usize = 16 * 1024;

/// Serves one port until the line ends.
pub async fn serve(port: Port, registry: Registry, line: mpsc::Sender<Chunk>) {
    match port {
        Port::Serial { path, baud } if is_pattern(&path) => {
            serve_matching(&path, baud, registry, line).await;
        }
        Port::Serial { path, baud } => serve_serial(&path, baud, registry, line).await,
        Port::Unix(path) => {
            serve_listener(path.display().to_string(), || bind_unix(&path), registry, line).await;
        }
        Port::Tcp(address) => {
            let bind = || TcpListener::bind(address);
            serve_listener(address.to_string(), bind, registry, line).await;
        }
    }
}

/// Whether a path stands for all ports that fit.
#[must_use]
pub fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b'*'))
}

/// Serves each port whose name fits, from when it is there: plugs come and go.
async fn serve_matching(path: &Path, baud: u32, registry: Registry, line: mpsc::Sender<Chunk>) {
    let mut served: BTreeMap<PathBuf, JoinHandle<()>> = BTreeMap::new();
    let mut reported = false;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (before, after) = name.split_once('*').unwrap_or((&name, ""));
    while !line.is_closed() {
        for path in matching(path.parent().unwrap_or(Path::new("/")), before, after).await {
            if served.contains_key(&path) {
                continue;
            }
            if served.len() >= CONNECTIONS_MAX {
                if !std::mem::replace(&mut reported, true) {
                    tracing::error!(port = %path.display(), "too many ports: it is not opened");
                }
                break;
            }
            let (of, registry, line) = (path.clone(), registry.clone(), line.clone());
            let serve = async move { serve_plug(&of, baud, registry, line).await };
            served.insert(path, tokio::spawn(serve));
        }
        // A plug that was pulled may come back under another name.
        served.retain(|_, serve| !serve.is_finished());
        sleep(REOPEN_WAIT).await;
    }
}

/// Serves a port until it is no longer there.
async fn serve_plug(path: &Path, baud: u32, registry: Registry, line: mpsc::Sender<Chunk>) {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    tokio::select! {
        () = serve_serial(path, baud, registry, line) => {}
        () = async { while is_there(path) { sleep(REOPEN_WAIT).await } } => {}
    }
}

/// Names in a folder with this beginning and end.
async fn matching(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // No such folder: no such plug yet.
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return found };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let rest = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        found.extend(rest.map(|_| entry.path()));
    }
    found
}

async fn serve_serial(path: &Path, baud: u32, registry: Registry, line: mpsc::Sender<Chunk>) {
    let mut reported = false;
    while !line.is_closed() {
        let builder = tokio_serial::new(path.to_string_lossy(), baud);
        match tokio_serial::SerialStream::open(&builder) {
            Ok(stream) => {
                reported = false;
                tracing::info!(port = %path.display(), "serial port open");
                talk(stream, &path.display().to_string(), None, &registry, &line).await;
                tracing::warn!(port = %path.display(), "serial port closed");
            }
            Err(error) if !reported => {
                reported = true;
                tracing::warn!(port = %path.display(), %error, "serial port cannot be opened");
            }
            Err(_) => {}
        }
        sleep(REOPEN_WAIT).await;
    }
}

/// A place where devices connect to us.
pub(super) trait Listen: Sized {
    type Stream: AsyncRead + AsyncWrite + Send + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listen for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    /// A device that lost its power says no goodbye: the kernel asks after it.
    async fn accept(&self) -> io::Result<TcpStream> {
        use rustix::net::sockopt;
        let (stream, _) = self.accept().await?;
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_tcp_keepidle(&stream, KEEP_IDLE)?;
        sockopt::set_tcp_keepintvl(&stream, KEEP_INTERVAL)?;
        sockopt::set_tcp_keepcnt(&stream, KEEP_PROBES)?;
        Ok(stream)
    }
}

async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let _: io::Result<()> = tokio::fs::remove_file(path).await;
    UnixListener::bind(path)
}

/// Listens for devices.
async fn serve_listener<L: Listen, B: Future<Output = io::Result<L>>>(
    name: String,
    bind: impl Fn() -> B,
    registry: Registry,
    line: mpsc::Sender<Chunk>,
) {
    listen(
        &name,
        bind,
        || line.is_closed(),
        |stream| {
            let (name, registry, line) = (name.clone(), registry.clone(), line.clone());
            async move { talk(stream, &name, Some(INTRODUCED_WITHIN), &registry, &line).await }
        },
    )
    .await;
}

/// Listens until it is over, tries again when it cannot, and talks with everybody who connects.
pub(super) async fn listen<L, B, T>(
    name: &str,
    bind: impl Fn() -> B,
    is_over: impl Fn() -> bool,
    talk: impl Fn(L::Stream) -> T,
) where
    L: Listen,
    B: Future<Output = io::Result<L>>,
    T: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut reported = false;
    while !is_over() {
        match bind().await {
            Ok(listener) => {
                reported = false;
                accept_all(name, &listener, &room, &talk).await;
            }
            Err(error) if !reported => {
                reported = true;
                tracing::error!(port = name, %error, "cannot listen; trying again");
            }
            Err(_) => {}
        }
        sleep(REOPEN_WAIT).await;
    }
}

async fn accept_all<L: Listen, T>(
    name: &str,
    listener: &L,
    room: &Arc<Semaphore>,
    talk: &impl Fn(L::Stream) -> T,
) where
    T: Future<Output = ()> + Send + 'static,
{
    while let Ok(permit) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(stream) => {
                let talk = talk(stream);
                tokio::spawn(async move {
                    talk.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // One connection that failed, or no descriptors left: neither passes in no time.
                tracing::warn!(port = name, %error, "a device could not connect");
                sleep(REOPEN_WAIT).await;
            }
        }
    }
}

async fn sleep_until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Talks with one device until its stream ends, or nobody who may speak has introduced himself.
async fn talk<S: AsyncRead + AsyncWrite>(
    stream: S,
    port: &str,
    introduced_within: Option<Duration>,
    registry: &Registry,
    line: &mpsc::Sender<Chunk>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut session = Session::new(registry.clone()).at(port.into());
    let clock = Clock::new();
    let until =
        introduced_within.map(|within| tokio::time::Instant::from_std(clock.now() + within));
    let mut pace = Pace::new(registry.rate());
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let wait = pace.wait(clock.monotonic());
        if wait.is_some() {
            registry.is_babbling(port, clock.monotonic());
        }
        let answer = tokio::select! {
            // A device that says too much is not read for a while, and then sends again.
            () = sleep(wait.unwrap_or_default()), if wait.is_some() => Some(Vec::new()),
            read = reader.read(&mut bytes), if wait.is_none() => match read {
                Ok(count) if count > 0 => {
                    pace.took(count, clock.monotonic());
                    session.push(&bytes[..count], clock.monotonic(), line).await.ok()
                }
                _ => None,
            },
            () = sleep_until(until), if until.is_some() && !session.has_device() => None,
            ack = session.next_ack() => Some(ack),
        };
        let Some(answer) = answer else { return };
        // Who does not take answers for so long hears nothing.
        let written = tokio::time::timeout(TAKEN_WITHIN, writer.write_all(&answer)).await;
        if !answer.is_empty() && !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
