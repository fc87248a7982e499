//! The hands of a device: reads and writes its port, and has no rules.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use wire::link::Deframer;

use super::machine::{Event, Machine, Manner, Progress, Utterance};
use super::port::{Port, Stream};

/// Wait before a port is opened again.
const REOPEN_WAIT: Duration = Duration::from_millis(50);
/// Bytes that wait for the port at most; more would only grow stale.
const WAITING_BYTES_MAX: usize = 16 * 1024;

/// Why a conversation ended.
#[derive(Eq, PartialEq)]
enum End {
    Closed,
    Finished,
}

/// Speaks until nothing more will be said and everything is acknowledged.
pub async fn drive(
    port: Port,
    manner: Manner,
    mut say: mpsc::Receiver<Utterance>,
    shown: watch::Sender<Progress>,
) {
    let mut machine = Machine::new(manner);
    loop {
        let stream = match port.open().await {
            Ok(stream) => stream,
            Err(_) => {
                tokio::time::sleep(REOPEN_WAIT).await;
                continue;
            }
        };
        machine.handle(Instant::now(), Event::Up);
        if converse(&stream, &mut machine, &mut say, &shown).await == End::Finished {
            return;
        }
        machine.handle(Instant::now(), Event::Down);
        drop(stream);
        tokio::time::sleep(REOPEN_WAIT).await;
    }
}

async fn converse(
    stream: &Stream,
    machine: &mut Machine,
    say: &mut mpsc::Receiver<Utterance>,
    shown: &watch::Sender<Progress>,
) -> End {
    let mut waiting = Vec::new();
    let mut deframer = Deframer::default();
    let mut silent = false;
    loop {
        let now = Instant::now();
        while waiting.len() < WAITING_BYTES_MAX
            && let Some(bytes) = machine.poll(now)
        {
            waiting.extend_from_slice(&bytes);
        }
        if !waiting.is_empty() {
            match stream.try_write(&waiting) {
                Ok(count) => drop(waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return End::Closed,
            }
        }
        shown.send_replace(machine.progress());
        if silent && machine.is_idle() {
            return End::Finished;
        }
        let wake_at = machine.wake_at().unwrap_or(now + Duration::from_secs(3600));
        tokio::select! {
            ready = stream.ready(!waiting.is_empty()) => {
                if ready.is_err() || !listen(stream, &mut deframer, machine) {
                    return End::Closed;
                }
            }
            utterance = say.recv(), if machine.has_room() && !silent => {
                silent = utterance.is_none();
                let mut more = utterance;
                while let Some(utterance) = more {
                    machine.handle(now, Event::Say(utterance));
                    more = if machine.has_room() { say.try_recv().ok() } else { None };
                }
            }
            () = tokio::time::sleep_until(wake_at.into()) => {}
        }
    }
}

/// Takes what has come; whether the port is still open.
fn listen(stream: &Stream, deframer: &mut Deframer, machine: &mut Machine) -> bool {
    let mut bytes = [0; 4096];
    loop {
        let count = match stream.try_read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        };
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let (taken, frame) = deframer.push(rest);
            rest = &rest[taken..];
            if let Some(Ok(frame)) = frame {
                machine.handle(Instant::now(), Event::Heard(frame));
            }
        }
    }
}
