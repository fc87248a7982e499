//! The page's addresses: who may ask what, and what strangers and other pages get.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use cloud_sink::clock;
use cloud_sink::incident;
use cloud_sink::store::sqlite::open_for_reading;
use cloud_sink::view::View;
use cloud_sink::view::access::{Person, Role, issue};
use cloud_sink::view::metrics::Metrics;
use rig::fleet::{Fleet, named};
use rig::http::{forward, text};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use wire::identity::Lane;
use wire::segment::Suite;
use wire::status::counter;

use crate::gateway::Gateway;
use crate::sink::Sink;

const ROLES: [Role; 4] = [Role::Viewer, Role::Engineer, Role::Auditor, Role::Admin];
/// What only reads.
const READ: [&str; 6] = ["person", "line", "events", "coverage", "incidents", "incidents/1"];

/// A sink that has heard one gateway, which has been silent since, and its page.
struct Page {
    address: SocketAddr,
    sink: Sink,
    runtime: Runtime,
    _folder: TempDir,
}

/// One answer: status, cookie, and the body, unless it goes on for ever.
struct Answer(u16, Option<String>, Value);

impl Page {
    fn open() -> Self {
        let folder = tempdir().unwrap();
        let (fleet, id) = (Fleet::new(Suite::X25519), named("gw-1"));
        let mut gateway = Gateway::start(&fleet, id, &folder.path().join("gw-1"));
        let mut sink = Sink::create(&fleet, folder.path(), &[id]);
        gateway.report(&[(counter::UPTIME_SECONDS, 600), (counter::UNRECEIPTED_SECONDS, 7)]);
        sink.take(&gateway.records_of(Lane::Health));
        let mut db = open_for_reading(sink.path()).unwrap();
        let now = clock::now();
        incident::look(&mut db, wire::time::UnixNanos(now.0 - 60_000_000_000)).unwrap();
        incident::look(&mut db, now).unwrap();
        let runtime = Runtime::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let view = runtime.block_on(View::open(sink.path(), any, "https://page.example")).unwrap();
        let address = view.address();
        runtime.spawn(view.serve());
        Self { address, sink, runtime, _folder: folder }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
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

    fn ticket(&self, role: Role) -> String {
        let db = open_for_reading(self.sink.path()).unwrap();
        issue(&db, &Person { name: "Ada".into(), role }, clock::now()).unwrap()
    }

    fn redeem(&self, ticket: &str) -> Answer {
        self.ask("POST", "/v1/session", &[], &format!("{{\"ticket\":\"{ticket}\"}}"))
    }

    /// A session's cookie.
    fn sign_in(&self, role: Role) -> String {
        let Answer(status, cookie, _) = self.redeem(&self.ticket(role));
        assert_eq!(status, 204);
        let cookie = cookie.unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(cookie.contains("; Secure"), "people come by https: {cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    fn status(&self, method: &str, path: &str, cookie: &str, body: &str) -> u16 {
        self.ask(method, path, &[("cookie", cookie)], body).0
    }
}

#[test]
fn a_stranger_gets_files_without_data_and_a_word_how_to_come_in() {
    let page = Page::open();
    for path in ["/", "/login", "/page.js", "/page.css", "/map.js", "/login.js", "/icon.svg"] {
        assert_eq!(page.status("GET", path, "", ""), 200, "{path}");
    }
    let actions = ["incidents/1/take", "incidents/1/close"].map(|path| ("POST", path));
    for (method, path) in READ.map(|path| ("GET", path)).into_iter().chain(actions) {
        let cookie = [("cookie", "wardline=0000; other=1")];
        let Answer(status, _, body) = page.ask(method, &format!("/v1/{path}"), &cookie, "{}");
        assert_eq!(status, 401, "{path}");
        assert!(body["remedy"].as_str().unwrap().contains("wardline-sink link"), "{body}");
    }
}

#[test]
fn a_link_lets_one_person_in_once_until_they_leave() {
    let page = Page::open();
    let ticket = page.ticket(Role::Viewer);
    let cookie = page.redeem(&ticket).1.unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(page.redeem(&ticket).0, 401);
    let Answer(status, _, person) = page.ask("GET", "/v1/person", &[("cookie", cookie)], "");
    assert_eq!((status, &person["name"], &person["role"]), (200, &"Ada".into(), &"viewer".into()));
    assert_eq!(page.status("DELETE", "/v1/session", cookie, ""), 204);
    assert_eq!(page.status("GET", "/v1/person", cookie, ""), 401);
}

#[test]
fn each_role_sees_the_line_and_only_engineers_and_admins_handle_incidents() {
    let page = Page::open();
    for role in ROLES {
        let cookie = page.sign_in(role);
        for path in READ {
            assert_eq!(page.status("GET", &format!("/v1/{path}"), &cookie, ""), 200, "{path}");
        }
        let taken = page.status("POST", "/v1/incidents/1/take", &cookie, "{\"note\":\"mine\"}");
        let may = [Role::Engineer, Role::Admin].contains(&role);
        assert_eq!(taken, if may { 204 } else { 403 }, "{role}");
    }
    let cookie = page.sign_in(Role::Engineer);
    assert_eq!(page.status("POST", "/v1/incidents/1/close", &cookie, "{}"), 204);
    assert_eq!(page.status("POST", "/v1/incidents/1/close", &cookie, "{}"), 404, "it is closed");
    let Answer(_, _, body) = page.ask("GET", "/v1/incidents/1", &[("cookie", &cookie)], "");
    let entries = body["timeline"].as_array().unwrap();
    let said = entries.iter().map(|entry| entry["what"].as_str().unwrap());
    assert_eq!(said.collect::<Vec<_>>(), ["opened", "acknowledged", "acknowledged", "closed"]);
    assert_eq!(entries[1]["who"], "Ada");
}

#[test]
fn another_page_changes_nothing_with_the_cookie_of_ours() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Admin);
    for (origin, expected) in [
        ("https://elsewhere.example", 403),
        ("null", 403),
        ("https://sink.example.elsewhere.example", 403),
        ("https://sink.example", 204),
        // As a proxy's visitors see it, whatever host the proxy says.
        ("https://page.example", 204),
        ("http://page.example", 403),
    ] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let answer = page.ask("POST", "/v1/incidents/1/take", &headers, "{}");
        assert_eq!(answer.0, expected, "{origin}");
    }
}

#[test]
fn wrong_questions_are_answered_with_what_is_wrong() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Admin);
    let long = format!("{{\"note\":\"{}\"}}", "x".repeat(20_000));
    for (method, path, body, status) in [
        ("GET", "/v1/coverage?hours=0", "", 400),
        ("GET", "/v1/coverage?hours=169", "", 400),
        ("GET", "/v1/coverage?hours=many", "", 400),
        ("GET", "/v1/coverage?houses=1", "", 400),
        ("GET", "/v1/incidents/first", "", 400),
        ("GET", "/v1/incidents/77", "", 404),
        ("GET", "/v1/nothing", "", 404),
        ("PUT", "/v1/line", "", 405),
        ("POST", "/v1/incidents/1/take", "not JSON", 400),
        ("POST", "/v1/incidents/1/take", "{\"nota\":\"\"}", 400),
        ("POST", "/v1/incidents/1/take", &long, 400),
    ] {
        let answer = page.ask(method, path, &[("cookie", &cookie)], body);
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.2);
        assert!(answer.2["error"].as_str().is_some_and(|words| !words.is_empty()), "{path}");
    }
}

#[test]
fn the_line_shows_what_a_gateway_reported_and_that_it_is_dark() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Viewer);
    let until = Instant::now() + Duration::from_secs(20);
    let row = loop {
        assert!(Instant::now() < until, "nobody has looked at the line");
        let Answer(_, _, line) = page.ask("GET", "/v1/line", &[("cookie", &cookie)], "");
        // The first look may not have been taken yet.
        if let Some(row) = line["gateways"].get(0) {
            break row.clone();
        }
    };
    assert_eq!((&row["name"], &row["state"]), (&"gw-1".into(), &"dark".into()), "{row}");
    assert_eq!((&row["unreceipted_s"], &row["incidents"]), (&7.into(), &1.into()), "{row}");
}

#[test]
fn metrics_say_what_the_line_shows_and_nothing_of_readings() {
    let page = Page::open();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let scraped = page.runtime.block_on(async {
        let metrics = Metrics::open(page.sink.path(), any).await.unwrap();
        let address = metrics.address();
        tokio::spawn(metrics.serve());
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        text(forward(address, request).await.unwrap()).await.unwrap()
    });

    for line in [
        "wardline_unreceipted_age_seconds{gateway=\"gw-1\"} 7.0",
        "wardline_gap_readings{gateway=\"gw-1\"} 0.0",
        "wardline_incidents_open{kind=\"silent\"} 1",
        "wardline_numerics_stored 0",
    ] {
        assert!(scraped.lines().any(|shown| shown == line), "{line} is not in {scraped}");
    }
    let age = scraped.lines().find_map(|line| line.strip_prefix("wardline_report_age_seconds{"));
    let age: f64 = age.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((60.0..120.0).contains(&age), "{age}");
}
