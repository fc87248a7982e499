//! HL7 messages: whatever comes is acknowledged when it is durable, or refused with a reason, and
//! never taken in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent::buffer::disk::Folder;
use agent::clock::floor::Floor;
use agent::intake::complaints::Complaint;
use agent::intake::hl7::desk::{self, Ground};
use agent::intake::hl7::seen::Seen;
use agent::intake::hl7::{self, Cast, Office, Port};
use agent::intake::patients::Patients;
use agent::intake::{Chunk, Registry};
use rig::mllp::{DEVICE, Sender, framed, oru};
use rig::random::Random;
use rig::site::free_port;
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::identity::GatewayId;
use wire::link::{Entries, Entry};
use wire::time::MonotonicNanos;

const PATIENCE: Duration = Duration::from_secs(20);
const MUTANTS: u64 = 10_000;

/// A port of a gateway, whose line makes everything durable at once, or only when it is told to.
struct Ear {
    port: u16,
    registry: Registry,
    chunks: mpsc::Receiver<Chunk>,
    _state: TempDir,
}

impl Ear {
    async fn open() -> Self {
        let state = tempdir().unwrap();
        let registry = Registry::default();
        let (line, chunks) = mpsc::channel(64);
        let seen = Seen::open(Folder::open(state.path()).unwrap()).unwrap();
        let cast = Cast::new(registry.clone(), Patients::default(), 1);
        let gather = Duration::from_millis(1);
        let desk = desk::open(Ground { seen, run: 1, line, gather, cast }).unwrap();
        let port = free_port().unwrap();
        let gateway = GatewayId::new("gw-1").unwrap();
        let answers = Arc::default();
        let floor = Floor::below(state.path());
        let office = Office { gateway, registry: registry.clone(), desk, answers, floor };
        let listen = ([127, 0, 0, 1], port).into();
        tokio::spawn(hl7::serve(Port { listen, tls: None }, office));
        let ear = Self { port, registry, chunks, _state: state };
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        ear
    }

    async fn hear(&mut self) -> Chunk {
        let next = tokio::time::timeout(PATIENCE, self.chunks.recv());
        next.await.expect("nothing is heard").unwrap()
    }
}

fn durable(chunk: &Chunk) {
    let last = chunk.frames.last().expect("a chunk has frames");
    chunk.run.is_durable_to(last.sequence);
}

fn numbers(chunk: &Chunk) -> usize {
    let payloads = chunk.frames.iter().map(|frame| &chunk.bytes[frame.start..frame.end]);
    let entries = payloads.flat_map(|payload| Entries::read(payload).expect("strict payloads"));
    entries
        .map(|entry| match entry {
            Entry::Numerics(numerics) => numerics.values().count(),
            _ => 0,
        })
        .sum()
}

#[tokio::test]
async fn a_message_is_acknowledged_only_when_all_of_it_is_durable() {
    let mut ear = Ear::open().await;
    let mut sender = Sender::connect(ear.port).await.unwrap();
    sender.write(&framed(oru(DEVICE, 1, 40).as_bytes())).await.unwrap();
    let chunk = ear.hear().await;
    assert_eq!(numbers(&chunk), 40);
    let early = tokio::time::timeout(Duration::from_millis(50), sender.answer()).await;
    assert!(early.is_err(), "it is acknowledged and not durable");

    chunk.run.is_durable_to(chunk.frames.last().unwrap().sequence - 1);
    let early = tokio::time::timeout(Duration::from_millis(50), sender.answer()).await;
    assert!(early.is_err(), "its last frame is not durable");
    durable(&chunk);

    assert_eq!(sender.answer().await.unwrap(), "AA");
}

#[tokio::test]
async fn a_message_that_comes_again_is_the_same_and_another_one_under_its_id_is_not() {
    let mut ear = Ear::open().await;
    let mut sender = Sender::connect(ear.port).await.unwrap();
    let first = oru(DEVICE, 1, 2);
    sender.write(&framed(first.as_bytes())).await.unwrap();
    let chunk = ear.hear().await;
    // A second connection asks while the first waits; with another end of its lines, too.
    let mut again = Sender::connect(ear.port).await.unwrap();
    again.write(&framed(first.trim_end().as_bytes())).await.unwrap();
    durable(&chunk);
    assert_eq!(sender.answer().await.unwrap(), "AA");
    assert_eq!(again.answer().await.unwrap(), "AA");

    let other = first.replace("|0.1|", "|0.9|");
    assert_ne!(other, first);
    sender.write(&framed(other.as_bytes())).await.unwrap();
    let chunk = ear.hear().await;
    durable(&chunk);

    assert_eq!(sender.answer().await.unwrap(), "AA");
    assert_eq!(chunk.frames[0].sequence, 2, "the repeat took no number");
    assert!(ear.chunks.try_recv().is_err());
}

/// One change of a message's bytes.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() as u64) as usize;
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, b"|^~\\&\r\x0b\x1c0-."[random.below(11) as usize]),
        4 => {
            let end = (at + 1 + random.below(40) as usize).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => bytes[at] = random.below(256) as u8,
    }
    if bytes.is_empty() {
        bytes.push(b'M');
    }
}

/// Everything that a connection answers to some bytes, until it ends.
async fn answers(port: u16, bytes: &[u8]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut said = Vec::new();
    // Whoever closes early has said so before.
    let _: std::io::Result<()> = stream.write_all(bytes).await;
    let _: std::io::Result<()> = stream.shutdown().await;
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    read.expect("a connection hangs").unwrap_or(0);
    let text = String::from_utf8_lossy(&said).into_owned();
    text.split("\rMSA|").skip(1).map(|rest| rest[..2].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_damaged_messages_are_refused_or_taken_whole_and_stop_nothing() {
    let mut ear = Ear::open().await;
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut chunks, counted) = (ear.chunks, taken.clone());
    ear.chunks = mpsc::channel(1).1;
    tokio::spawn(async move {
        while let Some(chunk) = chunks.recv().await {
            numbers(&chunk);
            counted.fetch_add(1, Ordering::SeqCst);
            durable(&chunk);
        }
    });
    let mut random = Random::new(17);
    let (mut good, mut refused, mut closed) = (0, 0, 0);
    for number in 0..MUTANTS {
        let mut message = oru(DEVICE, number, 3).into_bytes();
        for _ in 0..=random.below(3) {
            mutate(&mut message, &mut random);
        }
        let before = taken.load(Ordering::SeqCst);
        let codes = answers(ear.port, &framed(&message)).await;
        for code in &codes {
            assert!(["AA", "AE", "AR", "CA", "CE", "CR"].contains(&code.as_str()), "{code}");
        }
        let is_taken = codes.iter().any(|code| code == "AA" || code == "CA");
        good += u64::from(is_taken);
        refused += u64::from(!is_taken && !codes.is_empty());
        closed += u64::from(codes.is_empty());
        let took = taken.load(Ordering::SeqCst) - before;
        assert!(is_taken || took == 0, "{number}: {took} taken, said {codes:?}");
    }
    println!("{good} taken, {refused} refused, {closed} closed");
    assert!(good > 1_000 && refused > 1_000 && closed > 100);
    let mut sender = Sender::connect(ear.port).await.unwrap();
    assert_eq!(sender.ask(oru(DEVICE, MUTANTS, 3).as_bytes()).await.unwrap(), "AA");
    let words = ear.registry.complaints().words(Complaint::Message, MonotonicNanos(0));
    assert!(!words.is_empty(), "nobody hears of it");
    assert!(words.iter().all(|words| !words.contains("4711")), "{words:?}");
}
