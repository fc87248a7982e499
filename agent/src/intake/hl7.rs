//! HL7 v2 over MLLP: messages of monitors and hubs that speak for their devices.
//!
//! bytes -> frame -> message -> observe -> desk (numbers, memory) -> line -> durable -> answer

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use wire::identity::GatewayId;
use wire::time::MonotonicNanos;

use super::Registry;
use super::admission::Proof;
use super::complaints::Complaint;
use super::pace::Pace;
use super::ports;
use crate::clock::Clock;
use crate::clock::floor::Floor;

mod alert;

mod answer;

pub mod desk;

pub mod frame;

mod identity;

pub mod message;

pub mod observe;

mod say;

pub mod seen;

mod time;

mod tls;

pub use say::Cast;
pub use tls::Tls;

use answer::{Asked, Place};
use desk::Request;
use frame::{Deframer, Framed};
use message::{Message, Refusal};

/// Where messages come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Port {
    /// Where we listen.
    pub listen: SocketAddr,
    /// How both sides prove themselves; none: plain.
    pub tls: Option<Tls>,
}

/// What all ports share.
#[derive(Clone)]
pub struct Office {
    /// Our name.
    pub gateway: GatewayId,
    /// What ports know together.
    pub registry: Registry,
    /// Where messages get their numbers.
    pub desk: mpsc::Sender<Request>,
    /// Numbers of answers.
    pub answers: Arc<AtomicU64>,
    /// At which certificates are looked at.
    pub floor: Arc<Floor>,
}

/// A connection that says nothing for so long gives its place to others.
const IDLE: Duration = Duration::from_secs(600);
/// A message that has begun ends within this, bytes or none.
const MESSAGE_WITHIN: Duration = Duration::from_secs(30);
/// What a message says is durable within this, or its sender is told to send it again.
const DURABLE_WITHIN: Duration = Duration::from_secs(30);
/// For a peer to prove itself, and to take an answer.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 16 * 1024;

/// Serves one port until the line ends.
pub async fn serve(port: Port, office: Office) {
    let name: Arc<str> = format!("MLLP {}", port.listen).into();
    let desk = office.desk.clone();
    let is_over = move || desk.is_closed();
    let bind = || tokio::net::TcpListener::bind(port.listen);
    ports::listen(&name, bind, is_over, |stream| {
        let (name, office, tls) = (name.clone(), office.clone(), port.tls.clone());
        async move {
            let Some(tls) = tls else {
                return talk(stream, name, Proof::Stranger, office).await;
            };
            match timeout(TAKEN_WITHIN, tls.accept(stream, &office.floor)).await {
                Ok(Ok(stream)) => talk(stream, name, Proof::Key, office).await,
                Ok(Err(error)) => tracing::warn!(port = %name, %error, "a peer is not taken"),
                Err(_) => tracing::warn!(port = %name, "a peer does not prove itself in time"),
            }
        }
    })
    .await;
}

/// Talks with one sender until its stream ends.
async fn talk<S: AsyncRead + AsyncWrite>(stream: S, port: Arc<str>, proof: Proof, office: Office) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut deframer, mut clock) = (Deframer::default(), Clock::new());
    let mut pace = Pace::new(office.registry.rate());
    let mut bytes = vec![0; READ_BYTES];
    loop {
        if let Some(wait) = pace.wait(clock.monotonic()) {
            office.registry.is_babbling(&port, clock.monotonic());
            sleep(wait).await;
            continue;
        }
        let patience = if deframer.is_inside() { MESSAGE_WITHIN } else { IDLE };
        let count = match timeout(patience, reader.read(&mut bytes)).await {
            Ok(Ok(count)) if count > 0 => count,
            Err(_) if deframer.is_inside() => {
                return tracing::warn!(%port, "a message has begun and does not end: closed");
            }
            _ => return,
        };
        pace.took(count, clock.monotonic());
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let (taken, framed) = deframer.push(rest);
            rest = &rest[taken..];
            let answer = match framed {
                None => continue,
                Some(Framed::Message(message)) => {
                    answer(&message, &port, proof, &office, &mut clock).await
                }
                Some(Framed::TooLong) => {
                    let most = frame::MESSAGE_BYTES_MAX / 1024;
                    return complain(
                        &office,
                        &port,
                        &format!("more than {most} KiB: closed"),
                        clock.monotonic(),
                    );
                }
            };
            let Some(answer) = answer else { return };
            let written = timeout(TAKEN_WITHIN, writer.write_all(&answer)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
        if deframer.noise_bytes() > READ_BYTES as u64 {
            return complain(&office, &port, "what comes is no MLLP: closed", clock.monotonic());
        }
    }
}

/// Says what is wrong with what a port brings; never what stands in it.
fn complain(office: &Office, port: &str, says: &str, now: MonotonicNanos) {
    let words = format!("{port}: an HL7 message is not taken: {says}");
    office.registry.complaints().say(Complaint::Message, port.to_owned(), words, now);
}

/// What is answered to one message; none if nobody can be answered.
async fn answer(
    bytes: &[u8],
    port: &Arc<str>,
    proof: Proof,
    office: &Office,
    clock: &mut Clock,
) -> Option<Vec<u8>> {
    let lossy = String::from_utf8_lossy(bytes);
    let Ok(header) = Message::parse(lossy.split('\r').next().unwrap_or_default()) else {
        complain(office, port, "it has no header that can be answered: closed", clock.monotonic());
        return None;
    };
    let asked = Asked::by(&header.header());
    let outcome = take(bytes, port, proof, office, clock.monotonic()).await;
    if let Err(refusal) = &outcome {
        complain(office, port, &refusal.to_string(), clock.monotonic());
    }
    let mut number = String::new();
    let count = office.answers.fetch_add(1, Ordering::Relaxed);
    let state = clock.state();
    let _: std::fmt::Result = write!(number, "{}-{count}", state.monotonic.0);
    let from = Place { gateway: office.gateway, clock: state, number: &number };
    Some(asked.answers(&from, outcome.as_ref().copied()))
}

/// Takes a message whole, or not at all; returns once all that it says is durable.
async fn take(
    bytes: &[u8],
    port: &Arc<str>,
    proof: Proof,
    office: &Office,
    received: MonotonicNanos,
) -> Result<(), Refusal> {
    let text = message::decoded(bytes)?;
    let message = Message::parse(&text)?;
    let reported = observe::read(&message)?;
    for system in &reported.systems {
        let device = system.identity.device;
        let may = office.registry.admission.may_be_spoken_for(device, proof, received);
        may.map_err(|words| Refusal::reject("OBX-18", words))?;
    }
    let key = key(&message, proof)?;
    let (answer, answered) = oneshot::channel();
    let request = Request { key, reported, port: port.clone(), proof, received, answer };
    let later = |says: &str| Refusal::error("MSH", says);
    let wait = async {
        let ends = || later("the gateway stops; send it again");
        office.desk.send(request).await.map_err(|_| ends())?;
        for mut wait in answered.await.map_err(|_| ends())?? {
            if !wait.done().await {
                return Err(ends());
            }
        }
        Ok(())
    };
    let late = |_| later("it could not be made durable in time; send it again");
    timeout(DURABLE_WITHIN, wait).await.map_err(late)?
}

/// What a message is known by: its sender, how that has proven itself, its control id and all that
/// it says. How its lines end, and what stands behind the last one, is the sender's way of sending
/// and may be another one when it comes again.
fn key(message: &Message<'_>, proof: Proof) -> Result<seen::Key, Refusal> {
    let (header, mut digest) = (message.header(), Sha256::new());
    digest.update([u8::from(proof == Proof::Key)]);
    for part in [header.field(3), header.field(4), message.control_id()?] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    for segment in message.segments() {
        digest.update(segment.text());
        digest.update(b"\r");
    }
    Ok(*digest.finalize().first_chunk().unwrap_or(&[0; 16]))
}
