//! Metrics for Prometheus and two words for whoever asks whether the agent lives: on loopback only,
//! and without patient data.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Status;

/// What Prometheus asks for.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Screen = watch::Receiver<String>;

/// Serves `/metrics`, `/livez` and `/readyz` for as long as the agent runs; collecting goes on
/// without them.
pub async fn serve(address: SocketAddr, screen: Screen) {
    let served = match TcpListener::bind(address).await {
        Ok(listener) => axum::serve(listener, router(screen)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%address, %error, "there are no metrics; change `listen` in [metrics]");
    }
}

fn router(screen: Screen) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .with_state(screen)
}

fn status(screen: &Screen) -> Option<Status> {
    serde_json::from_str(&screen.borrow()).ok()
}

/// Whether the line has shown its state at all: a line that hangs is the watchdog's matter.
async fn live(State(screen): State<Screen>) -> StatusCode {
    status(&screen).map_or(StatusCode::SERVICE_UNAVAILABLE, |_| StatusCode::OK)
}

/// Whether readings are taken and kept; a link that is away is no reason to say no.
async fn ready(State(screen): State<Screen>) -> StatusCode {
    let takes = status(&screen).is_some_and(|status| !status.held_back);
    if takes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn scrape(State(screen): State<Screen>) -> Result<impl IntoResponse, StatusCode> {
    let status = status(&screen).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let text = text(&status).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, TEXT)], text))
}

#[derive(Clone, Debug, Eq, EncodeLabelSet, Hash, PartialEq)]
struct OfLane {
    lane: String,
}

#[derive(Clone, Debug, Eq, EncodeLabelSet, Hash, PartialEq)]
struct OfDevice {
    device: String,
}

type Float = Gauge<f64, AtomicU64>;
/// A figure: its name, what it says, and how it is had; what is not known is left out.
type Figure = (&'static str, &'static str, fn(&Status) -> Option<f64>);

const FIGURES: [Figure; 22] = [
    ("wardline_connected", "1 if the broker has taken us", |s| Some(f64::from(s.connected))),
    ("wardline_held_back", "1 if nothing can be stored", |s| Some(f64::from(s.held_back))),
    ("wardline_alarms", "What is wrong, see wardline status", |s| Some(s.alarms.len() as f64)),
    ("wardline_unreceipted_age_seconds", "Age of the oldest record without a receipt", |s| {
        Some(s.unreceipted_age_s as f64)
    }),
    ("wardline_receipt_age_seconds", "Since the last receipt", |s| {
        s.receipt_age_s.map(|age| age as f64)
    }),
    ("wardline_room_bytes", "Bytes until something is evicted", |s| Some(s.room_bytes as f64)),
    ("wardline_readings_accepted", "Readings since the start", |s| {
        Some(s.readings_accepted as f64)
    }),
    ("wardline_published", "Records given to the broker since the start", |s| {
        Some(s.published as f64)
    }),
    ("wardline_bytes_written", "Bytes handed to the disk since the start", |s| {
        Some(s.bytes_written as f64)
    }),
    ("wardline_bytes_sealed", "Bytes of sealed records since the start", |s| {
        Some(s.bytes_sealed as f64)
    }),
    ("wardline_sync_seconds", "Longest fdatasync of the newest report's time", |s| {
        Some(s.sync_ms_max as f64 / 1e3)
    }),
    ("wardline_connects", "Connections made since the start", |s| Some(s.connects as f64)),
    ("wardline_client_rebuilds", "Clients rebuilt because receipts stalled", |s| {
        Some(s.rebuilds as f64)
    }),
    ("wardline_receipts_refused", "Receipts that were refused", |s| {
        Some(s.receipts_refused as f64)
    }),
    ("wardline_records_refused", "Records that the sink refused", |s| {
        Some(s.records_refused as f64)
    }),
    ("wardline_segments_poisoned", "Segments lost to a failed sync", |s| {
        Some(s.segments_poisoned as f64)
    }),
    ("wardline_clock_error_seconds", "How far the clock may be off; +Inf if unknown", |s| {
        let known = s.clock_error_us.filter(|error| *error < u64::MAX);
        Some(known.map_or(f64::INFINITY, |error| error as f64 / 1e6))
    }),
    ("wardline_certificate_days", "Days until our certificate expires", |s| {
        s.certificate_days.map(|days| days as f64)
    }),
    ("wardline_temperature_celsius", "Hottest part of the machine", |s| {
        s.machine.temperature_millikelvin.map(|mk| mk as f64 / 1e3 - 273.15)
    }),
    ("wardline_wear_ratio", "Used part of the medium's life", |s| {
        s.machine.wear_percent.map(|percent| percent as f64 / 100.0)
    }),
    ("wardline_memory_available_bytes", "Memory that programs may still have", |s| {
        s.machine.memory_available.map(|bytes| bytes as f64)
    }),
    ("wardline_disk_free_bytes", "Free bytes of the buffer's file system", |s| {
        s.machine.disk_free.map(|bytes| bytes as f64)
    }),
];

fn text(status: &Status) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    for (name, help, of) in FIGURES {
        if let Some(value) = of(status) {
            let gauge = Float::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    }
    let (backlog, gaps) = (Family::<OfLane, Float>::default(), Family::<OfLane, Float>::default());
    for lane in &status.lanes {
        let of = OfLane { lane: lane.lane.clone() };
        backlog.get_or_create(&of).set(lane.backlog_bytes as f64);
        gaps.get_or_create(&of).set(lane.gap_readings as f64);
    }
    registry.register("wardline_backlog_bytes", "Bytes without a receipt", backlog);
    registry.register("wardline_gap_readings", "Readings inside signed gaps, at most", gaps);
    let (age, errors) =
        (Family::<OfDevice, Float>::default(), Family::<OfDevice, Float>::default());
    for device in &status.devices {
        let of = OfDevice { device: device.device.clone() };
        age.get_or_create(&of).set(device.age_s as f64);
        errors.get_or_create(&of).set(device.link_errors as f64);
    }
    registry.register("wardline_device_age_seconds", "Since a device said something", age);
    registry.register("wardline_link_errors", "Link frames that did not check", errors);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::{DeviceStatus, LaneStatus};
    use super::*;

    #[test]
    fn what_is_known_is_told_and_what_is_not_is_left_out() {
        let lane = LaneStatus { lane: "vital".into(), backlog_bytes: 7, ..LaneStatus::default() };
        let device = DeviceStatus { device: "A".into(), age_s: 3, ..DeviceStatus::default() };
        let mut status = Status { connected: true, ..Status::default() };
        (status.lanes, status.devices) = (vec![lane], vec![device]);
        status.machine.wear_percent = Some(90);

        let text = text(&status).unwrap();
        for line in [
            "wardline_connected 1.0",
            "wardline_wear_ratio 0.9",
            "wardline_clock_error_seconds inf",
            "wardline_backlog_bytes{lane=\"vital\"} 7.0",
            "wardline_device_age_seconds{device=\"A\"} 3.0",
        ] {
            assert!(text.to_lowercase().contains(&line.to_lowercase()), "{line} in {text}");
        }
        assert!(!text.contains("wardline_temperature_celsius"), "{text}");
    }

    #[test]
    fn the_agent_lives_once_it_shows_its_state_and_is_ready_while_it_can_store() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (shown, screen) = watch::channel(String::new());
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let serving = tokio::spawn(async move { axum::serve(listener, router(screen)).await });
            let ask = async |path: &str| {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                let words = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                stream.write_all(words.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let code = async |path: &str| ask(path).await[9..12].to_owned();

            assert_eq!(
                (code("/livez").await, code("/metrics").await),
                ("503".into(), "503".into())
            );
            let status = Status { held_back: true, ..Status::default() };
            shown.send_replace(serde_json::to_string(&status).unwrap());
            assert_eq!((code("/livez").await, code("/readyz").await), ("200".into(), "503".into()));
            shown.send_replace(serde_json::to_string(&Status::default()).unwrap());
            assert_eq!(code("/readyz").await, "200");
            assert!(ask("/metrics").await.contains("wardline_held_back 0"));
            serving.abort();
        });
    }
}
