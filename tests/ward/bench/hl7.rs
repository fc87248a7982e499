//! HL7 messages from many senders, each of which waits for its acknowledgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rig::mllp::{Sender, oru};
use rig::site::{Intake, Plan, Programs, Site, free_port};

use super::{Row, row};

const CONNECTIONS: u64 = 50;
const OBSERVATIONS: usize = 10;

/// Fifty monitors that send as fast as they are acknowledged.
pub async fn measure(time: Duration) -> Result<Vec<Row>> {
    let port = free_port()?;
    let plan = Plan { broker: None, intakes: vec![Intake::Hl7(port)], flush: None };
    let mut site = Site::prepare(Programs::build()?, &plan).await?;
    site.start_all(Duration::from_secs(15)).await?;
    let (begin, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut senders = Vec::new();
    for monitor in 0..CONNECTIONS {
        let sent = sent.clone();
        senders.push(tokio::spawn(async move {
            let device = format!("0242ACFFFE{monitor:06X}");
            let mut sender = Sender::connect(port).await?;
            let mut waits = Vec::new();
            while begin.elapsed() < time {
                let number = 1 + sent.fetch_add(1, Ordering::Relaxed);
                let message = oru(&device, number, OBSERVATIONS);
                let asked = Instant::now();
                let code = sender.ask(message.as_bytes()).await?;
                ensure!(code == "AA", "a message was answered {code}");
                waits.push(asked.elapsed());
            }
            Ok(waits)
        }));
    }
    let mut waits: Vec<Duration> = Vec::new();
    for sender in senders {
        waits.extend(sender.await??);
    }
    let taken = begin.elapsed().as_secs_f64();
    site.wait_for_receipts(Duration::from_secs(120)).await?;
    let stored = site.sink_status()?["numerics"].as_u64();
    let messages = waits.len() as u64;
    ensure!(
        stored.is_none_or(|stored| stored == messages * OBSERVATIONS as u64),
        "{messages} messages were acknowledged, and {stored:?} numerics are stored"
    );
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    let name = |what: &str| format!("HL7 in, 50 connections, 10 OBX, durable: {what}");
    Ok(vec![
        row(name("messages"), messages as f64 / taken, "1/s"),
        row(name("wait for the acknowledgement, p50"), at(50), "ms"),
        row(name("wait for the acknowledgement, p99"), at(99), "ms"),
    ])
}
