//! What moves on the broker's socket: counted between TLS and the kernel, and asked of the kernel.
//!
//! A thin link and a black hole look alike to the MQTT client; only here can they be told apart.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The counters of one connection.
#[derive(Debug, Default)]
pub struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
    ends: OnceLock<(SocketAddr, SocketAddr)>,
    answered: AtomicBool,
}

/// The state of a connection at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moved {
    /// Bytes that came, and bytes of ours that the peer's kernel has.
    pub bytes: u64,
    /// Bytes of ours that the peer's kernel does not have yet.
    pub waiting_bytes: u64,
}

impl Traffic {
    /// Says whether somebody took our call or refused it.
    pub fn set_answered(&self, answered: bool) {
        self.answered.store(answered, Ordering::Relaxed);
    }

    /// Whether somebody took our call or refused it.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Looks at the counters and at the kernel's queue; costs one small file of `/proc`.
    #[must_use]
    pub fn look(&self) -> Moved {
        let written = self.written.load(Ordering::Relaxed);
        let waiting_bytes = self.ends.get().map_or(0, |ends| unacknowledged(*ends)).min(written);
        let bytes = self.read.load(Ordering::Relaxed) + written - waiting_bytes;
        Moved { bytes, waiting_bytes }
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    traffic: Arc<Traffic>,
}

impl Counted {
    /// Counts from now on.
    ///
    /// # Errors
    /// The connection has ended already.
    pub fn new(stream: TcpStream, traffic: Arc<Traffic>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let ends = (stream.local_addr()?, stream.peer_addr()?);
        traffic.ends.get_or_init(|| ends);
        Ok(Self { stream, traffic })
    }

    fn wrote(&self, count: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &count {
            self.traffic.written.fetch_add(*count as u64, Ordering::Relaxed);
        }
        count
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(context, into);
        let count = into.filled().len() - before;
        self.traffic.read.fetch_add(count as u64, Ordering::Relaxed);
        done
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.wrote(done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Bytes that a socket of ours still holds; 0 where the kernel does not say.
///
/// Source: `tx_queue` of `/proc/net/tcp`, proc_net_tcp(5): written, not acknowledged by the peer.
fn unacknowledged((ours, theirs): (SocketAddr, SocketAddr)) -> u64 {
    let table =
        if ours.is_ipv4() { "/proc/thread-self/net/tcp" } else { "/proc/thread-self/net/tcp6" };
    let text = std::fs::read_to_string(table).unwrap_or_default();
    queued_in(&text, &kernel_name(ours), &kernel_name(theirs)).unwrap_or(0)
}

fn queued_in(table: &str, ours: &str, theirs: &str) -> Option<u64> {
    table.lines().find_map(|line| {
        let mut cells = line.split_ascii_whitespace().skip(1);
        let ends = (cells.next()?, cells.next()?);
        let (sent, _) = cells.nth(1)?.split_once(':')?;
        (ends == (ours, theirs)).then(|| u64::from_str_radix(sent, 16).ok()).flatten()
    })
}

/// An address as the kernel's table writes it: words of the machine's own order.
fn kernel_name(address: SocketAddr) -> String {
    let words = |octets: &[u8]| -> String {
        let word = |four: &[u8]| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]);
        octets.chunks_exact(4).map(|four| format!("{:08X}", word(four))).collect()
    };
    let name = match address {
        SocketAddr::V4(v4) => words(&v4.ip().octets()),
        SocketAddr::V6(v6) => words(&v6.ip().octets()),
    };
    format!("{name}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use std::time::Duration;

    /// Grows past every buffer of the kernel.
    const MUCH: usize = 64 * 1024;

    #[test]
    fn what_a_peer_does_not_take_waits_and_what_it_takes_has_moved() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let traffic = Arc::new(Traffic::default());
            let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut ours = Counted::new(ours, traffic.clone()).unwrap();
            let (mut theirs, _) = listener.accept().await.unwrap();
            let bytes = vec![7; MUCH];
            let mut sent = 0;
            let pause = Duration::from_millis(200);
            while let Ok(count) = tokio::time::timeout(pause, ours.write(&bytes)).await {
                sent += count.unwrap();
            }

            let stuck = traffic.look();
            assert!(stuck.waiting_bytes > 0, "{stuck:?}");
            assert_eq!(stuck.bytes + stuck.waiting_bytes, sent as u64);

            let mut left = sent;
            let mut into = vec![0; MUCH];
            while left > 0 {
                left -= theirs.read(&mut into).await.unwrap();
            }
            theirs.write_all(b"ten bytes!").await.unwrap();
            ours.read_exact(&mut into[..10]).await.unwrap();
            let moved = Moved { bytes: sent as u64 + 10, waiting_bytes: 0 };
            assert_eq!(traffic.look(), moved);
        });
    }

    #[test]
    fn a_line_of_the_kernels_table_is_found_by_both_ends() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
                     0: 0100007F:1F90 0100007F:9C40 01 000000A0:00000001 00:00 0\n";
        let big_endian = cfg!(target_endian = "big");
        let (ours, theirs) = ("127.0.0.1:8080", "127.0.0.1:40000");
        let name = |text: &str| kernel_name(text.parse().unwrap());

        let found = queued_in(table, &name(ours), &name(theirs));

        assert_eq!(found, (!big_endian).then_some(0xA0));
        assert_eq!(queued_in(table, &name(theirs), &name(ours)), None);
    }
}
