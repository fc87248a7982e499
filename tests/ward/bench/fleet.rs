//! A thousand gateways on one sink: what its page answers meanwhile, and what it costs.
//!
//! The gateways are the product's own batcher and sealer; one connection publishes for all of them,
//! since a thousand TLS connections would measure the broker. Broker, sink and page are real.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use agent::clock::floor::Floor;
use agent::config::Broker;
use agent::seal::keyring::{KeyFiles, load_keyring, load_roots};
use agent::uplink::tls;
use anyhow::{Context, Result, ensure};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use cloud_sink::store::query::enroll;
use rig::fleet::{Fleet, named};
use rig::http::{forward, text};
use rig::site::{BrokerKind, Intake, Plan, Programs, Role, Site};
use rumqttc::{
    AsyncClient, Event, MqttOptions, Packet, PublishOptions, TlsConfiguration, Transport,
};
use tokio::sync::watch;

use super::{Row, row};
use crate::choice::broker_name;
use crate::hazards::site::SOCKET;

#[path = "fleet/gateway.rs"]
pub mod gateway;

use gateway::Gateway;

const GATEWAYS: usize = 1000;
const START_PATIENCE: Duration = Duration::from_secs(25);
/// Until everything that was published must be in the store.
const STORE_PATIENCE: Duration = Duration::from_secs(60);
/// People who look at the page, each asking for one thing after the other.
const PEOPLE: usize = 5;
/// Between two questions of a person: the page itself asks for its map every five seconds.
const PAUSE: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(100);
/// What a page asks for.
const PATHS: [&str; 5] = [
    "/",
    "/v1/line",
    "/v1/coverage?hours=2",
    "/v1/coverage?hours=24&gateway=fleet-7",
    "/v1/incidents",
];

/// The figures.
pub async fn measure(broker: Option<BrokerKind>, time: Duration) -> Result<Vec<Row>> {
    let programs = tokio::task::block_in_place(Programs::build)?;
    let plan = Plan { broker, intakes: vec![Intake::Unix(SOCKET.into())], flush: None };
    let mut site = Site::prepare(programs, &plan).await?;
    let files = KeyFiles::below(&site.intake_folder().join("state"));
    let keyring = load_keyring(&files.keyring(), &load_roots(&files.roots())?)?;
    let mut gateways = Vec::new();
    for number in 0..GATEWAYS {
        let id = named(&format!("fleet-{number}"));
        enroll(&site.store().into(), id, &Fleet::signer(id).verifying_key())?;
        gateways.push(Gateway::new(number as u64, id, keyring.clone())?);
    }
    site.start_all(START_PATIENCE).await?;
    let link = site.view_link("viewer")?;
    let (address, cookie) = sign_in(&link).await?;
    let (stop, stopped) = watch::channel(false);
    let publishing = tokio::spawn(publish(gateways, options(&site)?, stopped.clone()));
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| tokio::spawn(look(address, cookie.clone(), number, stopped.clone())))
        .collect();
    tokio::time::sleep(time).await;
    stop.send_replace(true);
    let numerics = publishing.await??;
    let mut took = Vec::new();
    for person in people {
        took.extend(person.await??);
    }
    wait_for_store(&site, numerics).await?;
    let memory = memory_peak_mb(site.id(Role::Sink).context("the sink does not run")?)?;
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let named = |what: &str| format!("fleet of 1,000 ({}): {what}", broker_name(site.broker()));
    Ok(vec![
        row(named("numerics published and stored"), numerics as f64, "count"),
        row(named("a second"), numerics as f64 / time.as_secs_f64(), "1/s"),
        row(named("answers of the page"), took.len() as f64, "count"),
        row(named("an answer, p50"), at(0.5), "ms"),
        row(named("an answer, p99"), at(0.99), "ms"),
        row(named("memory of the sink, most"), memory, "MB"),
    ])
}

fn options(site: &Site) -> Result<MqttOptions> {
    let papers = site.papers();
    let sink = papers.ca.parent().context("no folder")?.to_owned();
    // The sink's own certificate may publish on every topic.
    let broker = Broker {
        host: "localhost".into(),
        port: site.broker_port(),
        ca: papers.ca,
        certificate: sink.join("sink.pem"),
        key: sink.join("sink-tls.key").into(),
        crl: None,
    };
    let mut options = MqttOptions::new("ward-fleet", (broker.host.as_str(), broker.port));
    let tls = tls::client(&broker, &Floor::below(&sink))?;
    options.set_transport(Transport::tls_with_config(TlsConfiguration::from(tls)));
    options.set_outgoing_inflight_upper_limit(200);
    Ok(options)
}

/// Lets every gateway speak once a second, spread over it; numerics that were published.
async fn publish(
    mut gateways: Vec<Gateway>,
    options: MqttOptions,
    stopped: watch::Receiver<bool>,
) -> Result<u64> {
    let (client, mut events) = AsyncClient::builder(options).capacity(512).build();
    let acknowledged = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return Ok(()),
                Ok(Event::Incoming(Packet::Disconnect(_))) => anyhow::bail!("the broker hangs up"),
                Ok(_) => {}
                Err(error) => return Err(anyhow::Error::from(error)),
            }
        }
    });
    let began = Instant::now();
    let mut second = 0;
    while !*stopped.borrow() {
        for (number, gateway) in gateways.iter_mut().enumerate() {
            let part = Duration::from_secs(second)
                + Duration::from_secs(1) * number as u32 / GATEWAYS as u32;
            tokio::time::sleep_until((began + part).into()).await;
            for (topic, record) in gateway.second()? {
                client.publish(topic, record, PublishOptions::at_least_once()).await?;
            }
        }
        second += 1;
    }
    client.disconnect().await?;
    acknowledged.await??;
    Ok(gateways.iter().map(Gateway::numerics).sum())
}

async fn sign_in(link: &str) -> Result<(SocketAddr, String)> {
    let rest = link.strip_prefix("http://").context("the link has another form")?;
    let (address, rest) = rest.split_once('/').context("the link has another form")?;
    let ticket = rest.split_once('#').context("the link has no ticket")?.1;
    let address = address.parse()?;
    let request = Request::post("/v1/session")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(format!("{{\"ticket\":\"{ticket}\"}}")))?;
    let answer = forward(address, request).await?;
    let cookie = answer.headers().get(SET_COOKIE).context("nobody is signed in")?.to_str()?;
    Ok((address, cookie.split(';').next().unwrap_or_default().to_owned()))
}

/// One person: asks for one thing after the other, whole; how long each took.
async fn look(
    address: SocketAddr,
    cookie: String,
    number: usize,
    stopped: watch::Receiver<bool>,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for path in PATHS.iter().cycle().skip(number) {
        if *stopped.borrow() {
            break;
        }
        let request = Request::get(*path).header(COOKIE, &cookie).body(Body::empty())?;
        let began = Instant::now();
        let answer = forward(address, request).await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        ensure!(!text(answer).await?.is_empty(), "{path} says nothing");
        took.push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(took)
}

async fn wait_for_store(site: &Site, numerics: u64) -> Result<()> {
    let until = Instant::now() + STORE_PATIENCE;
    let db = rig::store::open_file(&site.store())?;
    loop {
        let stored: u64 = db.query_row("SELECT count(*) FROM numeric", [], |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })?;
        ensure!(stored <= numerics, "{stored} stored of {numerics}");
        if stored == numerics {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{stored} stored of {numerics}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Most memory that a process ever had.
fn memory_peak_mb(process: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.split_whitespace().next().context("no number")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
