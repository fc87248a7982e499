//! A sink that has heard one gateway, and its page.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::Request;
use cloud_sink::clock;
use cloud_sink::config::ViewConfig;
use cloud_sink::incident;
use cloud_sink::inventory;
use cloud_sink::store::db::Db;
use cloud_sink::view::access::{Person, Role, Vault, issue};
use cloud_sink::view::{Trust, View};
use rig::fleet::{Fleet, named};
use rig::http::{forward, text};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use wire::identity::{DeviceId, Lane};
use wire::segment::Suite;
use wire::status::{DeviceHealth, HealthReport, counter};

use crate::device::{monitor, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;

/// The ward in which the gateway stands.
pub const WARD: &str = "ICU";
/// Its device.
pub const DEVICE: &str = "0000000000000001";

/// A sink that has heard one gateway, which has been silent since, and its page.
pub struct Page {
    pub address: SocketAddr,
    pub sink: Sink,
    pub runtime: Runtime,
    _folder: TempDir,
}

/// One answer: status, cookie, and the body, unless it goes on for ever.
pub struct Answer(pub u16, pub Option<String>, pub Value);

impl Page {
    /// Opens it on a free port.
    pub fn open() -> Self {
        Self::open_with(None)
    }

    /// The same with a certificate and its key, if there are some.
    pub fn open_with(tls: Option<(PathBuf, PathBuf)>) -> Self {
        let folder = tempdir().unwrap();
        let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
        let mut gateway = Gateway::start(&fleet, id, &folder.path().join("gw-1"));
        let mut sink = Sink::create(&fleet, folder.path(), &[id]);
        gateway.hear_all(&monitor(1, 7), 1..=4, numerics);
        let (device, lost) = (DeviceId(1), (0, 0));
        gateway.report_all(&HealthReport {
            counters: vec![(counter::UPTIME_SECONDS, 600), (counter::UNRECEIPTED_SECONDS, 7)],
            devices: vec![DeviceHealth { device, minute: 1, accepted: 4, lost }],
            ..HealthReport::default()
        });
        // The newest report names no device: all of a backlog count.
        gateway.report(&[(counter::UPTIME_SECONDS, 600), (counter::UNRECEIPTED_SECONDS, 7)]);
        sink.take(&gateway.records_of(Lane::Vital));
        sink.take(&gateway.records_of(Lane::Health));
        let db = Db::open(sink.location()).unwrap();
        inventory::place(&db, "gw-1", Some(WARD)).unwrap();
        let now = clock::now();
        incident::look(&db, wire::time::UnixNanos(now.0 - 60_000_000_000)).unwrap();
        incident::look(&db, now).unwrap();
        let runtime = Runtime::new().unwrap();
        let config = ViewConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: "https://page.example".into(),
            tls,
        };
        let receipt_key = fleet.receipt.verifying_key().to_bytes();
        let trust = Trust { receipt_key, vault: Vault::new(&fleet.store_key) };
        let view = runtime.block_on(View::open(sink.location(), &config, trust, None));
        let view = view.unwrap();
        let address = view.address();
        runtime.spawn(view.serve());
        Self { address, sink, runtime, _folder: folder }
    }

    /// Asks, and waits for the whole answer.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in
            [("host", "sink.example"), ("content-type", "application/json")].iter().chain(headers)
        {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.runtime.block_on(async {
            let response = forward(self.address, request).await.unwrap();
            let status = response.status().as_u16();
            let cookie = response.headers().get("set-cookie");
            let cookie = cookie.map(|cookie| cookie.to_str().unwrap().to_owned());
            let endless = path.ends_with("events") && status == 200;
            let body = if endless { String::new() } else { text(response).await.unwrap() };
            Answer(status, cookie, serde_json::from_str(&body).unwrap_or_default())
        })
    }

    /// A link's secret.
    pub fn ticket(&self, role: Role, ward: Option<&str>) -> String {
        let db = Db::open(self.sink.location()).unwrap();
        let who = Person { name: "Ada".into(), role, ward: ward.map(Into::into) };
        issue(&db, &who, clock::now()).unwrap()
    }

    /// Comes in by it.
    pub fn redeem(&self, ticket: &str) -> Answer {
        self.ask("POST", "/v1/session", &[], &format!("{{\"ticket\":\"{ticket}\"}}"))
    }

    /// A session's cookie.
    pub fn sign_in(&self, role: Role) -> String {
        self.sign_in_to(role, None)
    }

    /// The same of somebody who is bound to a ward.
    pub fn sign_in_to(&self, role: Role, ward: Option<&str>) -> String {
        let Answer(status, cookie, _) = self.redeem(&self.ticket(role, ward));
        assert_eq!(status, 204);
        let cookie = cookie.unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(cookie.contains("; Secure"), "people come by https: {cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Status of the answer to a question with a cookie.
    pub fn status(&self, method: &str, path: &str, cookie: &str, body: &str) -> u16 {
        self.ask(method, path, &[("cookie", cookie)], body).0
    }
}
