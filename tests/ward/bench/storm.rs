//! A thousand gateways whose link returns, and whose broker restarts: the product's own rules and
//! driver, real TLS, and how long it takes until the broker has them all. How often they call in a
//! second is tested on the rules alone: here they share two cores with the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agent::buffer::{Position, RecordAt};
use agent::clock::floor::Floor;
use agent::config::Broker;
use agent::limits::WINDOW_BYTES_MAX;
use agent::uplink::Hands;
use agent::uplink::driver::{Driver, FromBroker};
use agent::uplink::machine::{Event, Order, Records, Uplink};
use anyhow::{Result, ensure};
use rig::fleet::named;
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::identity::Lane;

use super::{Row, row};
use crate::choice::broker_name;
use crate::hazards::site::SOCKET;

const GATEWAYS: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);
const START_PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(10);

/// Gateways that have nothing to send.
struct Nothing;

impl Records for Nothing {
    fn next(&mut self, _: Lane, _: Position) -> Option<RecordAt> {
        None
    }

    fn edge(&self, _: Lane) -> Position {
        Position::default()
    }
}

/// What all gateways have done so far.
#[derive(Default)]
struct Fleet {
    up: AtomicUsize,
    attempts: AtomicUsize,
}

/// The figures.
pub async fn measure(broker: Option<BrokerKind>) -> Result<Vec<Row>> {
    let programs = tokio::task::block_in_place(Programs::build)?;
    let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush: None };
    let mut site = Site::prepare(programs, &plan).await?;
    ensure!(site.broker() == BrokerKind::Mosquitto, "the rig's broker knows each gateway by name");
    site.start_all(START_PATIENCE).await?;
    let papers = site.papers();
    let to = Broker {
        host: "localhost".into(),
        port: site.broker_port(),
        ca: papers.ca,
        certificate: papers.certificate,
        key: papers.key.into(),
        crl: None,
    };
    let fleet = Arc::new(Fleet::default());
    let mut gateways = JoinSet::new();
    for number in 0..GATEWAYS {
        gateways.spawn(gateway(number, to.clone(), fleet.clone()));
    }
    let returned = all_up(&fleet).await?;
    let before = fleet.attempts.load(Ordering::Relaxed);
    site.kill(Role::Broker)?;
    while fleet.up.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(LOOK).await;
    }
    site.start(Role::Broker)?;
    let restarted = all_up(&fleet).await?;
    let more = fleet.attempts.load(Ordering::Relaxed) - before;
    let named = |what: &str| format!("storm ({}): {what}", broker_name(site.broker()));
    Ok(vec![
        row(named("link back until 1,000 gateways are connected"), returned, "s"),
        row(named("attempts for that"), before as f64, "count"),
        row(named("broker killed and restarted until all are connected"), restarted, "s"),
        row(named("attempts for that, refused ones included"), more as f64, "count"),
    ])
}

/// Waits until all are connected; seconds.
async fn all_up(fleet: &Fleet) -> Result<f64> {
    let began = Instant::now();
    while fleet.up.load(Ordering::Relaxed) < GATEWAYS {
        ensure!(began.elapsed() < PATIENCE, "{:?} are up", fleet.up);
        tokio::time::sleep(LOOK).await;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// One gateway whose last call was not answered.
async fn gateway(number: usize, broker: Broker, fleet: Arc<Fleet>) {
    let (say, mut heard) = mpsc::channel(64);
    let id = named(&format!("storm-{number}"));
    let status = [b"1".to_vec(), b"0".to_vec()];
    let floor = Floor::below(broker.ca.parent().unwrap_or(std::path::Path::new(".")));
    let mut driver = Driver::new(Handle::current(), broker, id, status, floor, say);
    let random = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut uplink = Uplink::new(Instant::now(), WINDOW_BYTES_MAX, random);
    uplink.handle(Instant::now(), Event::Absent, &Nothing);
    let mut was_up = false;
    loop {
        let now = Instant::now();
        let order = uplink.watch_over(now).or_else(|| uplink.poll(now, &mut Nothing));
        match order {
            Some(Order::Connect) => {
                fleet.attempts.fetch_add(1, Ordering::Relaxed);
                driver.connect();
            }
            Some(Order::Drop) => driver.drop_connection(),
            Some(Order::Publish(..)) | None => {}
        }
        if was_up != uplink.is_up() {
            was_up = uplink.is_up();
            let count = if was_up { 1 } else { usize::MAX };
            fleet.up.fetch_add(count, Ordering::Relaxed);
        }
        if order.is_some() {
            continue;
        }
        let wake = uplink.wake_at(now);
        tokio::select! {
            event = heard.recv() => {
                let Some((generation, event)) = event else { return };
                if driver.is_current(generation) {
                    hear(&mut uplink, &event);
                }
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
}

fn hear(uplink: &mut Uplink, event: &FromBroker) {
    let event = match event {
        FromBroker::Up { .. } => Event::Up { record_bytes_max: u32::MAX },
        FromBroker::Down(_) => Event::Down,
        FromBroker::Absent(_) => Event::Absent,
        FromBroker::PubAck => Event::PubAck,
        FromBroker::Moved { waiting } => Event::Moved { waiting: *waiting },
        FromBroker::Message { .. } => return,
    };
    uplink.handle(Instant::now(), event, &Nothing);
}
