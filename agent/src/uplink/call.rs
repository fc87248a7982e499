//! Calls the broker until somebody answers, and tells a refusal from silence.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::limits::{ANSWER_DEADLINE, CALL_AGAIN};
use crate::uplink::traffic::{Counted, Traffic};

/// Wait for one address of the broker before the next one is tried beside it.
const NEXT_ADDRESS: Duration = Duration::from_millis(200);

/// What the last connections have taught.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The broker's addresses as they were known last: when a link returns, the names may not.
    addresses: Vec<SocketAddr>,
    /// Whether a link that was there took its time to answer a call.
    is_slow: bool,
}

/// The way to the broker, from one connection to the next.
pub type Known = watch::Sender<Way>;

/// Calls `host` (`name:port`) until one of its addresses answers, and counts from then on.
///
/// A call that is not answered is repeated beside the first, since it may have met a link that was
/// away and is back: a kernel's own repetitions become rare. A link that was slow to answer before
/// is left to the kernel.
///
/// # Errors
/// An address refused us, or nobody answered; [`Traffic::is_answered`] tells which.
pub async fn connect(
    host: String,
    known: Arc<Known>,
    traffic: Arc<Traffic>,
) -> io::Result<Counted> {
    let called = tokio::time::timeout(ANSWER_DEADLINE, call(&host, &known)).await;
    let stream = called.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let answered = stream.as_ref().map_or_else(refused, |_| true);
    traffic.set_answered(answered);
    Counted::new(stream?, traffic)
}

async fn call(host: &str, known: &Known) -> io::Result<TcpStream> {
    let addresses = addresses(host, known).await?;
    // On a thin link a call waits behind what was sent before; more calls would only fill it.
    let again = if known.borrow().is_slow { ANSWER_DEADLINE } else { CALL_AGAIN };
    let mut calls = JoinSet::new();
    let mut last = io::Error::other("the broker's name has no address");
    let mut is_first = true;
    loop {
        for address in &addresses {
            calls.spawn(TcpStream::connect(*address));
            let taken = tokio::time::timeout(NEXT_ADDRESS, taken(&mut calls, &mut last)).await;
            if let Ok(Some(stream)) = taken {
                known.send_modify(|way| way.is_slow &= !is_first);
                return Ok(stream);
            }
        }
        let taken = tokio::time::timeout(again, taken(&mut calls, &mut last)).await;
        if let Ok(taken) = taken {
            // What a later call met may have been away before.
            known.send_modify(|way| way.is_slow |= is_first && taken.is_some());
            return taken.ok_or(last);
        }
        is_first = false;
    }
}

/// What the name means now, or what it meant when it could be asked last.
async fn addresses(host: &str, known: &Known) -> io::Result<Vec<SocketAddr>> {
    let before = known.borrow().addresses.clone();
    let asked = lookup_host(host);
    let found = if before.is_empty() {
        asked.await
    } else {
        let asked = tokio::time::timeout(CALL_AGAIN, asked).await;
        asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    };
    match found {
        Ok(found) => {
            let found: Vec<SocketAddr> = found.collect();
            known.send_modify(|way| way.addresses.clone_from(&found));
            Ok(found)
        }
        Err(_) if !before.is_empty() => Ok(before),
        Err(error) => Err(error),
    }
}

/// The first call that is taken; `None` when all have failed.
async fn taken(
    calls: &mut JoinSet<io::Result<TcpStream>>,
    last: &mut io::Error,
) -> Option<TcpStream> {
    while let Some(call) = calls.join_next().await {
        match call {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => *last = error,
            Err(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rustix::net::listen;
    use tokio::net::TcpListener;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    /// Calls to a port that nobody has answered, as the kernel sees them.
    fn unanswered(port: u16) -> usize {
        const SYN_SENT: &str = "02";
        let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        let theirs = format!(":{port:04X}");
        let calls = table.lines().filter(|line| {
            let cells: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
            cells.get(2).is_some_and(|to| to.ends_with(&theirs)) && cells[3] == SYN_SENT
        });
        calls.count()
    }

    #[test]
    fn a_call_that_nobody_answers_is_repeated_and_the_first_answer_counts() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            // A queue of one call, and that one in it: the kernel answers no other.
            listen(&listener, 0).unwrap();
            let filler = TcpStream::connect(address).await.unwrap();
            let (known, traffic) = (Arc::new(Known::default()), Arc::new(Traffic::default()));
            let ours = tokio::spawn(connect(address.to_string(), known.clone(), traffic.clone()));
            while unanswered(address.port()) < 2 {
                tokio::task::yield_now().await;
            }
            assert!(!ours.is_finished() && !traffic.is_answered());

            listen(&listener, 8).unwrap();
            let (first, _) = listener.accept().await.unwrap();
            assert_eq!(first.peer_addr().unwrap(), filler.local_addr().unwrap());
            let taken = ours.await.unwrap();

            assert!(taken.is_ok() && traffic.is_answered(), "{taken:?}");
            assert_eq!(known.borrow().addresses, [address]);
        });
    }

    #[test]
    fn a_refusal_is_an_answer() {
        run(async {
            let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let (known, traffic) = (Arc::new(Known::default()), Arc::new(Traffic::default()));

            let error = connect(port.to_string(), known, traffic.clone()).await.unwrap_err();

            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert!(traffic.is_answered());
        });
    }

    #[test]
    fn a_name_that_cannot_be_asked_means_what_it_meant() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let known = Known::new(Way { addresses: vec![address], is_slow: false });
            let known = Arc::new(known);
            let traffic = Arc::new(Traffic::default());
            let nowhere = "no-such-name.invalid:8883".to_owned();

            let taken = connect(nowhere.clone(), known, traffic.clone()).await;
            assert!(taken.is_ok() && traffic.is_answered(), "{taken:?}");

            let traffic = Arc::new(Traffic::default());
            let unknown = connect(nowhere, Arc::new(Known::default()), traffic.clone()).await;
            assert!(unknown.is_err() && !traffic.is_answered(), "{unknown:?}");
        });
    }
}
