//! Where a device speaks: a pseudo-terminal, a Unix socket or TCP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::Interest;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::net::{TcpStream, UnixStream};

/// A port that can be opened again and again.
#[derive(Clone, Debug)]
pub enum Port {
    /// The device's end of a pseudo-terminal; the gateway opens the other by its path.
    Pty(PseudoTerminal),
    /// A socket on which the gateway listens.
    Unix(PathBuf),
    /// An address on which the gateway listens.
    Tcp(SocketAddr),
}

/// A pseudo-terminal in raw mode, which stands for a serial cable.
#[derive(Clone, Debug)]
pub struct PseudoTerminal {
    device_end: Arc<OwnedFd>,
    path: PathBuf,
}

/// How often an unplugged cable is looked at.
const PLUG_LOOK: Duration = Duration::from_millis(20);

impl PseudoTerminal {
    /// Makes one.
    ///
    /// # Errors
    /// The system has no pseudo-terminals (left).
    pub fn new() -> io::Result<Self> {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&end)?;
        unlockpt(&end)?;
        let mut raw = tcgetattr(&end)?;
        raw.make_raw();
        tcsetattr(&end, OptionalActions::Now, &raw)?;
        rustix::fs::fcntl_setfl(&end, OFlags::RDWR | OFlags::NONBLOCK)?;
        let path = std::ffi::OsString::from_vec(ptsname(&end, Vec::new())?.into_bytes());
        Ok(Self { device_end: Arc::new(end), path: path.into() })
    }

    /// What the gateway opens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits while the gateway's end was opened once and is closed now.
    async fn plugged(&self) -> io::Result<(Receiver, Sender)> {
        let mut stale = [0; 4096];
        loop {
            match rustix::io::read(&self.device_end, &mut stale) {
                // What was meant for the time before the interruption is worth nothing now.
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => tokio::time::sleep(PLUG_LOOK).await,
            }
        }
        let halves = (self.device_end.try_clone()?, self.device_end.try_clone()?);
        // No pipe, but read, written and polled like one.
        let reader = Receiver::from_owned_fd_unchecked(halves.0)?;
        Ok((reader, Sender::from_owned_fd_unchecked(halves.1)?))
    }
}

/// An open port.
#[derive(Debug)]
pub enum Stream {
    /// Registered anew at each opening: tokio never forgets that a descriptor was hung up.
    Pty(Receiver, Sender),
    /// Connected.
    Unix(UnixStream),
    /// Connected.
    Tcp(TcpStream),
}

impl Port {
    /// Opens the port; a pseudo-terminal waits for its other end.
    pub async fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Pty(terminal) => {
                let (reader, writer) = terminal.plugged().await?;
                Ok(Stream::Pty(reader, writer))
            }
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(address) => TcpStream::connect(address).await.map(Stream::Tcp),
        }
    }
}

impl Stream {
    /// Waits until there is something to read, or room to write when that is wanted.
    pub async fn ready(&self, writing: bool) -> io::Result<()> {
        let interest =
            if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match self {
            Self::Pty(reader, writer) => tokio::select! {
                ready = reader.readable() => ready,
                ready = writer.writable(), if writing => ready,
            },
            Self::Unix(stream) => stream.ready(interest).await.map(drop),
            Self::Tcp(stream) => stream.ready(interest).await.map(drop),
        }
    }

    /// Reads what is there.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pty(reader, _) => reader.try_read(bytes),
            Self::Unix(stream) => stream.try_read(bytes),
            Self::Tcp(stream) => stream.try_read(bytes),
        }
    }

    /// Writes what there is room for.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(_, writer) => writer.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tcp(stream) => stream.try_write(bytes),
        }
    }
}
