//! Portability, live: what is stored reaches another system whole, also when that is away, wants
//! things again, or ends in the middle; and what it took is not sent again for nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use cloud_sink::feed::{self, Engine, Feed, Server, Standing, Target, standings};
use cloud_sink::store::db::Location;
use tempfile::tempdir;
use wire::segment::Suite;

use crate::honest_time::{STEP, drifting, live, put_right};
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

const PATIENCE: Duration = Duration::from_secs(60);
/// Readings before the gateway knows the time, and after.
const UNDATED: u64 = 12;
const DATED: u64 = 20;

/// A receiver: what it heard, and how it answers the nth thing that it hears.
fn receiver(serve: fn(TcpStream, &AtomicUsize, &Sender<String>)) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, ear) = channel();
    std::thread::spawn(move || {
        let count = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming().map_while(Result::ok) {
            let (count, heard) = (count.clone(), heard.clone());
            std::thread::spawn(move || serve(stream, &count, &heard));
        }
    });
    (port, ear)
}

/// An engine that wants the third message again, says nothing to the fifth, and refuses the
/// seventh each time; it hears what it takes.
fn engine(stream: TcpStream, count: &AtomicUsize, heard: &Sender<String>) {
    let mut line = BufReader::new(stream);
    let mut message = Vec::new();
    while line.read_until(0x0D, &mut message).is_ok_and(|bytes| bytes > 0) {
        if !message.ends_with(&[0x1C, 0x0D]) {
            continue;
        }
        let text = String::from_utf8(message[1..message.len() - 2].to_vec()).unwrap();
        message.clear();
        let number = 1 + count.fetch_add(1, Ordering::Relaxed);
        let code = match number {
            3 => "AE",
            5 => return,
            7..=11 => "AE",
            _ => "AA",
        };
        let id = text.split('|').nth(9).unwrap();
        let answer = format!("\x0BMSH|^~\\&|||||||ACK|1|P|2.6\rMSA|{code}|{id}\r\x1C\r");
        if !matches!(number, 3 | 7..=10) {
            heard.send(text.clone()).unwrap_or(());
        }
        if line.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A FHIR server that is away at first, takes no transaction with a device and something else, and
/// never takes one resource of a signal.
fn fhir(mut stream: TcpStream, count: &AtomicUsize, heard: &Sender<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).is_ok_and(|bytes| bytes == 0) {
                return;
            }
            let header = line.to_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let bundle: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let is = |kind: &str| entries.iter().any(|one| one["resource"]["resourceType"] == kind);
        let status = match count.fetch_add(1, Ordering::Relaxed) {
            0 => "503 Away",
            _ if entries.len() > 1 && is("Device") || is("DeviceMetric") => "422 No",
            _ => "200 OK",
        };
        if status == "200 OK" {
            for one in entries {
                heard.send(one["resource"].to_string()).unwrap_or(());
            }
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// A feed on a thread of its own.
struct Running {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start(store: &Location, to: Target) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (store, over) = (store.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            let feed = Feed { name: "other".into(), to, flagged: false };
            feed::run(&store, &feed, || over.load(Ordering::Relaxed));
        });
        Self { is_over, thread }
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// The feed's standing, once it is such.
fn standing(sink: &Sink, such: impl Fn(&Standing) -> bool) -> Standing {
    let began = std::time::Instant::now();
    loop {
        let found = standings(&sink.db()).unwrap().into_iter().find(|one| such(one));
        if let Some(found) = found {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", standings(&sink.db()).unwrap());
        std::thread::yield_now();
    }
}

/// What a gateway sends that knows the time only in the end.
fn records(fleet: &Fleet, folder: &Path) -> Vec<crate::gateway::Sent> {
    let clock = drifting(0, 0, UNDATED * STEP);
    let mut gateway = live(fleet, folder, 1, (0, (UNDATED + DATED) * STEP), clock);
    gateway.records()
}

/// Values of the readings that a receiver must have.
fn all() -> BTreeSet<u64> {
    (0..UNDATED + DATED).map(|at| at * STEP).collect()
}

#[test]
fn an_engine_that_errs_ends_and_refuses_gets_every_reading_once_it_has_a_date() {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let records = records(&fleet, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[named("gw-1")]);
    let (port, ear) = receiver(engine);
    let target = || Target::Mllp(Engine::new("127.0.0.1".into(), port, None));
    let store = sink.location().clone();
    let running = Running::start(&store, target());
    standing(&sink, |feed| feed.behind == 0);
    let (first, rest) = records.split_at(records.len() / 4);
    sink.take(first);
    let waits = standing(&sink, |feed| feed.behind == 0 && feed.undated > 0);
    assert_eq!((waits.taken, waits.refused), (0, 0), "no guess is told as a moment");
    let (rest, last) = rest.split_at(rest.len() - 4);
    sink.take(rest);
    put_right(&sink);
    let wanted = UNDATED + DATED - 4;
    let all_of = |feed: &Standing, count: u64| {
        feed.undated == 0 && (feed.taken + feed.refused).unsigned_abs() >= count
    };
    let told = standing(&sink, |feed| feed.behind == 0 && all_of(feed, wanted));
    assert_eq!(told.refused, 1, "{told:?}");
    running.end();
    let running = Running::start(&store, target());
    sink.take(last);
    let told = standing(&sink, |feed| feed.behind == 0 && all_of(feed, wanted + 4));
    running.end();
    let (mut values, mut ids, mut heard) = (BTreeSet::new(), BTreeSet::new(), 0);
    for message in ear.try_iter() {
        heard += 1;
        ids.insert(message.split('|').nth(9).unwrap().to_owned());
        for row in message.split('\r').filter(|row| row.starts_with("OBX|2|NM|")) {
            values.insert(row.split('|').nth(5).unwrap().parse().unwrap());
        }
        assert!(message.contains("||R01") || message.contains("ORU^R01"), "{message}");
    }
    assert_eq!(values, all());
    assert_eq!((ids.len(), heard), (all().len(), told.taken + told.refused), "none twice");
}

#[test]
fn a_fhir_server_that_refuses_some_gets_all_others() {
    let folder = tempdir().unwrap();
    let fleet = Fleet::new(Suite::X25519);
    let records = records(&fleet, &folder.path().join("buffer"));
    let mut sink = Sink::create(&fleet, folder.path(), &[named("gw-1")]);
    let (port, ear) = receiver(fhir);
    let server = Server::new(format!("http://127.0.0.1:{port}/R4"), None, None).unwrap();
    let running = Running::start(sink.location(), Target::Fhir(server));
    standing(&sink, |feed| feed.behind == 0);
    sink.take(&records);
    put_right(&sink);
    let wanted = (UNDATED + DATED).cast_signed();
    let told = |feed: &Standing| feed.behind == 0 && feed.undated == 0 && feed.taken > wanted;
    let told = standing(&sink, told);
    running.end();
    assert_eq!(told.refused, 1, "the signal, and nothing else: {told:?}");
    let heard: Vec<serde_json::Value> =
        ear.try_iter().map(|text| serde_json::from_str(&text).unwrap()).collect();
    let of = |kind: &'static str| heard.iter().filter(move |one| one["resourceType"] == kind);
    let value = |one: &serde_json::Value| one["valueQuantity"]["value"].as_f64();
    let dated = of("Observation").filter(|one| one["effectiveDateTime"].is_string());
    let values: BTreeSet<u64> = dated.filter_map(value).map(|value| value as u64).collect();
    assert_eq!(values, all());
    let ids: BTreeSet<String> = of("Observation").map(|one| one["id"].to_string()).collect();
    assert_eq!(ids.len(), all().len(), "a reading that is dated anew is the same resource");
    assert!(of("Device").count() >= 2 && of("Provenance").count() > 0);
}
