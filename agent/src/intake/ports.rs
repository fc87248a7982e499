//! Where link frames come from: serial ports, pseudo-terminals, Unix sockets, TCP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};

use super::Chunk;
use super::Registry;
use super::link::{Acks, Session, encode_ack};
use crate::clock::Clock;
use crate::limits::CONNECTIONS_MAX;

/// One place where devices speak.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Port {
    /// A serial port or a pseudo-terminal, opened by us.
    Serial {
        /// Its path.
        path: PathBuf,
        /// Speed, baud.
        baud: u32,
    },
    /// A Unix socket that we listen on.
    Unix(PathBuf),
    /// A TCP address that we listen on.
    Tcp(SocketAddr),
}

/// Wait before a serial port is opened again.
const REOPEN_WAIT: Duration = Duration::from_millis(500);
/// Bytes that one read may bring.
const READ_BYTES: usize = 16 * 1024;

/// Serves one port until the line ends.
pub async fn serve(port: Port, registry: Registry, line: mpsc::Sender<Chunk>) {
    match port {
        Port::Serial { path, baud } => serve_serial(&path, baud, registry, line).await,
        Port::Unix(path) => serve_unix(&path, registry, line).await,
        Port::Tcp(address) => serve_tcp(address, registry, line).await,
    }
}

async fn serve_serial(path: &Path, baud: u32, registry: Registry, line: mpsc::Sender<Chunk>) {
    let mut reported = false;
    while !line.is_closed() {
        let builder = tokio_serial::new(path.to_string_lossy(), baud);
        match tokio_serial::SerialStream::open(&builder) {
            Ok(stream) => {
                reported = false;
                tracing::info!(port = %path.display(), "serial port open");
                talk(stream, &registry, &line).await;
                tracing::warn!(port = %path.display(), "serial port closed");
            }
            Err(error) if !reported => {
                reported = true;
                tracing::warn!(port = %path.display(), %error, "serial port cannot be opened");
            }
            Err(_) => {}
        }
        tokio::time::sleep(REOPEN_WAIT).await;
    }
}

async fn serve_unix(path: &Path, registry: Registry, line: mpsc::Sender<Chunk>) {
    let _: Result<(), std::io::Error> = tokio::fs::remove_file(path).await;
    let listener = match UnixListener::bind(path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(port = %path.display(), %error, "cannot listen");
            return;
        }
    };
    let room = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = room.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (registry, line) = (registry.clone(), line.clone());
        tokio::spawn(async move {
            talk(stream, &registry, &line).await;
            drop(permit);
        });
    }
}

async fn serve_tcp(address: SocketAddr, registry: Registry, line: mpsc::Sender<Chunk>) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(port = %address, %error, "cannot listen");
            return;
        }
    };
    let room = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = room.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (registry, line) = (registry.clone(), line.clone());
        tokio::spawn(async move {
            talk(stream, &registry, &line).await;
            drop(permit);
        });
    }
}

/// Talks with one device until its stream ends.
async fn talk<S: AsyncRead + AsyncWrite>(
    stream: S,
    registry: &Registry,
    line: &mpsc::Sender<Chunk>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut session, mut acks) = Session::new(registry.clone());
    let clock = Clock::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let answer = tokio::select! {
            read = reader.read(&mut bytes) => match read {
                Ok(count) if count > 0 => {
                    session.push(&bytes[..count], clock.monotonic(), line).await.ok()
                }
                _ => None,
            },
            ack = next_ack(&mut acks) => Some(ack),
        };
        let Some(answer) = answer else { return };
        if !answer.is_empty() && writer.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn next_ack(acks: &mut Acks) -> Vec<u8> {
    loop {
        if acks.changed().await.is_err() {
            // The session holds the sender, so this is the moment before the stream ends.
            std::future::pending::<()>().await;
        }
        let ack = *acks.borrow_and_update();
        if let Some((boot, sequence)) = ack {
            return encode_ack(boot, sequence);
        }
    }
}
