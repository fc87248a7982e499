//! Metrics for Prometheus: the fleet as the page shows it, and what the store counts. No patient
//! data, and nothing that a label could not be: gateways, kinds of incident.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use wire::time::UnixNanos;

use super::ViewError;
use super::desk::Desk;
use super::fleet::{self, GatewayRow};
use super::problem::Problem;
use crate::clock;
use crate::store::StoreError;
use crate::store::db::{Db, Location};

/// What Prometheus asks for.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics, ready to be served.
pub struct Metrics {
    listener: TcpListener,
    address: SocketAddr,
    desk: Arc<Desk>,
}

impl Metrics {
    /// Takes the port and opens the store.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn open(store: &Location, address: SocketAddr) -> Result<Self, ViewError> {
        let wrong = |error| ViewError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address, desk: Arc::new(Desk::open(store).await?) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as the sink runs.
    ///
    /// # Errors
    /// [`ViewError::Listen`], if the system takes the port away.
    pub async fn serve(self) -> Result<(), ViewError> {
        let Self { listener, address, desk } = self;
        let router = Router::new().route("/metrics", get(scrape)).with_state(desk);
        let served = axum::serve(listener, router).await;
        served.map_err(|error| ViewError::Listen { address, error })
    }
}

async fn scrape(State(desk): State<Arc<Desk>>) -> Result<impl IntoResponse, Problem> {
    let text = desk.ask(|db| Ok(text(&Figures::read(db, clock::now())?))).await?;
    Ok(([(CONTENT_TYPE, TEXT)], text))
}

#[derive(Clone, Debug, Eq, EncodeLabelSet, Hash, PartialEq)]
struct OfGateway {
    gateway: String,
}

#[derive(Clone, Debug, Eq, EncodeLabelSet, Hash, PartialEq)]
struct OfKind {
    kind: String,
}

/// What is read from the store.
struct Figures {
    now: UnixNanos,
    gateways: Vec<GatewayRow>,
    incidents: Vec<(String, i64)>,
    commits: i64,
    numerics: i64,
}

impl Figures {
    fn read(db: &Db, now: UnixNanos) -> Result<Self, StoreError> {
        let sql = "SELECT kind, count(*) FILTER (WHERE closed_ns IS NULL) FROM incident GROUP BY 1";
        let rows = db.rows(sql, &[])?;
        let incidents = rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?)));
        Ok(Self {
            now,
            gateways: fleet::read(db, now)?,
            incidents: incidents.collect::<Result<_, StoreError>>()?,
            commits: db.one("SELECT value FROM meta WHERE key = 'commit'", &[])?,
            numerics: db.numerics_stored()?.cast_signed(),
        })
    }
}

type Floats = Family<OfGateway, Gauge<f64, AtomicU64>>;

/// A figure of each gateway: its name, what it says, and how it is had from a row.
type Figure = (&'static str, &'static str, fn(&GatewayRow, UnixNanos) -> Option<f64>);

const OF_GATEWAYS: [Figure; 14] = [
    ("wardline_report_age_seconds", "Since a gateway's newest report came", |row, now| {
        row.heard_ns.map(|heard| now.0.saturating_sub(heard) as f64 / 1e9)
    }),
    ("wardline_unreceipted_age_seconds", "Age of the oldest record without a receipt", |row, _| {
        row.heard_ns.map(|_| row.unreceipted_s as f64)
    }),
    ("wardline_backlog_bytes", "Bytes without a receipt", |row, _| {
        row.heard_ns.map(|_| row.backlog_bytes as f64)
    }),
    ("wardline_backlog_days_left", "Days until the buffer is full without a link", |row, _| {
        row.room_days.map(|days| days as f64)
    }),
    ("wardline_clock_error_seconds", "How far the clock may be off; +Inf if unknown", |row, _| {
        let known = row.clock_error_us.filter(|error| *error < i64::MAX);
        row.heard_ns.map(|_| known.map_or(f64::INFINITY, |error| error as f64 / 1e6))
    }),
    ("wardline_gap_readings", "Readings inside signed gaps, at most", |row, _| {
        Some(row.readings_lost as f64)
    }),
    ("wardline_sync_seconds", "Longest fdatasync of the newest report's time", |row, _| {
        row.heard_ns.map(|_| row.sync_us as f64 / 1e6)
    }),
    ("wardline_temperature_celsius", "Hottest part of a gateway's machine", |row, _| row.celsius),
    ("wardline_wear_ratio", "Used part of the medium's life", |row, _| {
        row.wear_percent.map(|percent| percent as f64 / 100.0)
    }),
    ("wardline_memory_available_bytes", "Memory that programs may still have", |row, _| {
        row.memory_available.map(|bytes| bytes as f64)
    }),
    ("wardline_disk_free_bytes", "Free bytes of the buffer's file system", |row, _| {
        row.disk_free.map(|bytes| bytes as f64)
    }),
    ("wardline_certificate_days", "Days until a gateway's certificate expires", |row, _| {
        row.certificate_days.map(|days| days as f64)
    }),
    (
        "wardline_live_delay_seconds",
        "Within which 99 of 100 live readings were stored",
        |row, _| row.live_delay_ms.map(|delay| delay as f64 / 1e3),
    ),
    ("wardline_devices", "Devices that spoke in the last ten minutes", |row, _| {
        Some(row.devices as f64)
    }),
];

fn text(figures: &Figures) -> String {
    let mut registry = Registry::default();
    for (name, help, of) in OF_GATEWAYS {
        let family = Floats::default();
        for row in &figures.gateways {
            if let Some(value) = of(row, figures.now) {
                family.get_or_create(&OfGateway { gateway: row.name.clone() }).set(value);
            }
        }
        registry.register(name, help, family);
    }
    let incidents = Family::<OfKind, Gauge>::default();
    for (kind, open) in &figures.incidents {
        incidents.get_or_create(&OfKind { kind: kind.clone() }).set(*open);
    }
    registry.register("wardline_incidents_open", "Incidents that are open", incidents);
    for (name, help, value) in [
        ("wardline_commits", "Commits in this store's life", figures.commits),
        ("wardline_numerics_stored", "Numerics in the store", figures.numerics),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}
