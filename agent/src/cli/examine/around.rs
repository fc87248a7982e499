//! What is around the gateway: the broker, and the time.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, NamedGroup};
use wire::time::{ClockState, TimeSource};

use crate::cli::finding::{Code, Findings, Level};
use crate::clock::floor::Floor;
use crate::config::{Broker, Config};
use crate::uplink::tls;

/// For each step on the way to the broker: its name, its addresses, its answer. All of them stay
/// below five seconds.
const STEP: Duration = Duration::from_millis(1500);
/// Addresses of the broker that are called: localhost has two.
const ADDRESSES_MAX: usize = 2;

/// Calls the broker and shakes hands; nothing is sent to it.
pub(in crate::cli) fn broker(config: &Config, findings: &mut Findings) {
    let broker = &config.broker;
    let place = format!("{}:{}", broker.host, broker.port);
    let mut stream = match call(&place) {
        Ok(stream) => stream,
        Err(error) => {
            findings.add(Code::Broker, Level::Fail, format!("{place}: {error}"));
            findings.add(Code::Exchange, Level::Skip, "the broker is not reached");
            return findings.add(Code::Tls, Level::Skip, "the broker is not reached");
        }
    };
    findings.add(Code::Broker, Level::Pass, format!("{place} is reached"));
    match shake_hands(broker, &Floor::below(&config.state), &mut stream) {
        Err(error) => {
            findings.add(Code::Tls, Level::Fail, error);
            findings.add(Code::Exchange, Level::Skip, "there is no TLS");
        }
        Ok(group) => {
            findings.add(Code::Tls, Level::Pass, "TLS 1.3, and the broker is of this site");
            exchange(group, findings);
        }
    }
}

fn call(place: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses(place)?.into_iter().take(ADDRESSES_MAX) {
        match TcpStream::connect_timeout(&address, STEP / ADDRESSES_MAX as u32) {
            Ok(stream) => {
                stream.set_read_timeout(Some(STEP))?;
                stream.set_write_timeout(Some(STEP))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What the name means; a resolver that cannot be reached takes longer than we have.
fn addresses(place: &str) -> std::io::Result<Vec<SocketAddr>> {
    let (found, wait) = mpsc::channel();
    let place = place.to_owned();
    std::thread::spawn(move || {
        let asked: std::io::Result<Vec<_>> = place.to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more if it took too long.
        let _: Result<(), _> = found.send(asked);
    });
    let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "names are not answered");
    wait.recv_timeout(STEP).map_err(late)?
}

fn shake_hands(
    broker: &Broker,
    floor: &Arc<Floor>,
    stream: &mut TcpStream,
) -> Result<Option<NamedGroup>, String> {
    let config = tls::client(broker, floor).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(broker.host.clone()).map_err(|error| error.to_string())?;
    let mut client =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while client.is_handshaking() {
        client.complete_io(stream).map_err(|error| error.to_string())?;
    }
    // A broker that does not know our certificate says so only now.
    client.send_close_notify();
    while client.wants_write() && client.write_tls(stream).is_ok() {}
    while client.read_tls(stream).is_ok_and(|bytes| bytes > 0) {
        let heard = client.process_new_packets();
        heard.map_err(|error| format!("the broker refuses our certificate: {error}"))?;
    }
    Ok(client.negotiated_key_exchange_group().map(|group| group.name()))
}

fn exchange(group: Option<NamedGroup>, findings: &mut Findings) {
    let (level, says) = match group {
        Some(NamedGroup::X25519MLKEM768) => (Level::Pass, "X25519MLKEM768, post-quantum".into()),
        Some(group) => (Level::Warn, format!("{group:?}: traffic kept today may be read one day")),
        None => (Level::Skip, "not known".into()),
    };
    findings.add(Code::Exchange, level, says);
}

/// Looks at the clock.
pub(in crate::cli) fn time(clock: &ClockState, findings: &mut Findings) {
    let (level, says) = match clock.source {
        TimeSource::None => (Level::Fail, "the gateway does not know the date".to_owned()),
        TimeSource::Free => (Level::Warn, "no time service vouches for the clock".to_owned()),
        TimeSource::Network | TimeSource::Sink => {
            (Level::Pass, format!("within {} ms", clock.error_us / 1000))
        }
    };
    findings.add(Code::Time, level, says);
}
