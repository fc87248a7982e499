//! Auditability: every deed of the catalogue is written down where it is done.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use cloud_sink::audit::Deed;
use cloud_sink::clock;
use cloud_sink::retention::{Disposed, How, Rule, dispose};
use cloud_sink::store::db::Db;
use rig::http::{self, forward};
use rig::site::Role;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};
use wire::identity::{DeviceId, Lane};
use wire::time::UnixNanos;

use crate::trust::{Newcomer, PATIENCE, Place, run, text};

/// The device of a place.
const DEVICE: DeviceId = DeviceId(0x0242_ACFF_FE00_0001);
/// Of an account.
const PASSWORD: &str = "a long enough one";
/// What opens when a gateway speaks that was revoked.
const REVOKED: &str = "revoked speaker";
const DAY_NS: i64 = 86_400_000_000_000;

/// Somebody at the sink's page.
struct Visitor {
    page: SocketAddr,
    cookie: String,
}

impl Visitor {
    /// Asks for something; the answer's status, the cookie that it sets, and what it says.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Option<String>, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.page.to_string())
            .header("content-type", "application/json")
            .header("cookie", self.cookie.as_str())
            .body(Body::from(body))
            .unwrap();
        let response = forward(self.page, request).await.unwrap();
        let status = response.status().as_u16();
        let cookie = response.headers().get("set-cookie");
        let cookie = cookie.map(|cookie| cookie.to_str().unwrap().to_owned());
        let said = http::text(response).await.unwrap();
        (status, cookie, serde_json::from_str(&said).unwrap_or_default())
    }
}

/// The number of an open incident.
fn incident(place: &Place, kind: &str) -> i64 {
    let said = place.site.sink(&["incidents"], &["--json"]).unwrap();
    let book: Value = serde_json::from_str(said.trim()).unwrap();
    let mut open = book["incidents"].as_array().unwrap().iter();
    open.find(|one| one["kind"] == kind).unwrap()["id"].as_i64().unwrap()
}

/// What people do on the sink's terminal.
fn work_at_the_terminal(place: &Place) {
    let sink = |words: &[&str], options: &[&str]| place.site.sink(words, options).unwrap();
    let (device, bundle) = (DEVICE.to_string(), place.below("bundle"));
    let time = ["--from", "2020-01-01T00:00:00Z", "--to", "2090-01-01T00:00:00Z"];
    let wanted = ["--device", device.as_str(), "--out", bundle.to_str().unwrap()];

    sink(&["gateway", "ward"], &["gw-1", "ICU"]);
    sink(&["maintenance", "add"], &["--hours", "1", "--reason", "new cables"]);
    sink(&["hold", "add"], &["--reason", "claim 7"]);
    sink(&["hold", "end"], &["1"]);
    sink(&["keys", "rotate", "command"], &[]);
    sink(&["evidence"], &[&wanted[..], &time[..]].concat());
    place.site.export(DEVICE, &place.below("export")).unwrap();
}

/// What a gateway could not send comes by its card.
async fn bring_a_card(place: &mut Place) {
    place.site.forwarder().open(false);
    place.say(5).await;
    place.site.stop(Role::Agent).await.unwrap();
    let card = place.site.folder().join("gw/state");
    place.site.sink(&["import"], &[card.to_str().unwrap()]).unwrap();
    place.site.forwarder().open(true);
    place.site.start(Role::Agent).unwrap();
    place.site.wait_for_receipts(PATIENCE).await.unwrap();
}

/// A gateway comes with another's token.
async fn come_with_a_wrong_token(place: &Place) {
    place.logged(Role::Sink, "gateways may enrol").await;
    let token = place.site.sink(&["enroll"], &["--token", "gw-2"]).unwrap();
    let stranger = Newcomer::called("gw-3", place, "gw-3");
    let answer = stranger.provision(&["--sink", &place.endpoint, "--token", token.trim()]);
    assert!(!answer.status.success(), "{}", text(&answer));
}

/// Somebody makes an account by an invitation, comes in, looks at everything, takes an incident and
/// leaves; then somebody else guesses at the password.
async fn visit(place: &Place, incident: i64) {
    place.logged(Role::Sink, "the page is served").await;
    let link = place.site.sink(&["account", "add"], &["eve", "--role", "admin"]).unwrap();
    let (page, invitation) = link.trim().split_once("/join#").unwrap();
    let page = page.strip_prefix("http://").unwrap().parse().unwrap();
    let mut eve = Visitor { page, cookie: String::new() };
    let (status, _, invited) =
        eve.ask("POST", "/v1/invitation", &json!({"invitation": invitation})).await;
    assert_eq!(status, 200, "{invited}");
    let secret = Secret::try_from_base32(invited["secret"].as_str().unwrap()).unwrap();
    let codes = Builder::new().with_secret(secret).build().unwrap();
    let seconds = u64::try_from(clock::now().0 / 1_000_000_000).unwrap();
    let code = |seconds| codes.generate(seconds).to_string();

    let account = json!({
        "invitation": invitation, "password": PASSWORD, "code": code(seconds),
    });
    assert_eq!(eve.ask("POST", "/v1/account", &account).await.0, 204);
    // A code is good once, and a step before its time.
    let claim = json!({"name": "eve", "password": PASSWORD, "code": code(seconds + 30)});
    let (status, cookie, said) = eve.ask("POST", "/v1/session", &claim).await;
    assert_eq!(status, 204, "{said}");
    eve.cookie = cookie.unwrap().split(';').next().unwrap().to_owned();
    let take = format!("/v1/incidents/{incident}/take");
    for (method, path, body, good) in [
        ("GET", "/v1/gateways/gw-1/values", Value::Null, 200),
        ("GET", "/v1/audit", Value::Null, 200),
        ("POST", &take, json!({"note": "mine"}), 204),
        ("DELETE", "/v1/session", Value::Null, 204),
    ] {
        let (status, _, said) = eve.ask(method, path, &body).await;
        assert_eq!(status, good, "{method} {path}: {said}");
    }

    let guess = json!({"name": "eve", "password": "another long one", "code": "000000"});
    for _ in 0..5 {
        assert_eq!(eve.ask("POST", "/v1/session", &guess).await.0, 401);
    }
}

/// What is old goes; today's readings are, in a hundred days.
async fn dispose_of_what_is_old(place: &Place) {
    let store = place.site.location().unwrap();
    let going = move || {
        let rules = [Rule { lane: Lane::Vital, ward: None, days: 30 }];
        let later = UnixNanos(clock::now().0 + 100 * DAY_NS);
        let really = How { dry: false, force: true };
        dispose(&Db::open(&store).unwrap(), &rules, later, really).unwrap()
    };
    // PostgreSQL's client has a runtime of its own.
    let gone = tokio::task::spawn_blocking(going).await.unwrap();
    assert_ne!(gone, Disposed::default());
}

#[test]
fn every_deed_of_the_catalogue_is_written_when_it_is_done() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;

        work_at_the_terminal(&place);
        bring_a_card(&mut place).await;
        come_with_a_wrong_token(&place).await;
        let why = ["gw-1", "--reason", "lost on the way to repair"];
        place.site.sink(&["gateway", "revoke"], &why).unwrap();
        place.say(5).await;
        place.has_incident(REVOKED).await;
        visit(&place, incident(&place, REVOKED)).await;
        place.site.sink(&["gateway", "release"], &["gw-1"]).unwrap();
        place.site.sink(&["gateway", "restore"], &["gw-1"]).unwrap();
        dispose_of_what_is_old(&place).await;
        let device = DEVICE.to_string();
        let proof = place.below("erasure.proof").to_str().unwrap().to_owned();
        let device = ["--device", device.as_str(), "--proof", proof.as_str()];
        let why = [&device[..], &["--reason", "asked for", "--yes"]].concat();
        place.site.sink(&["erase"], &why).unwrap();
        place.site.stop(Role::Sink).await.unwrap();
        place.site.restored().unwrap();

        let trail = place.site.sink(&["audit"], &["--format", "ndjson"]).unwrap();
        let deed = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            entry["what"].as_str().unwrap().to_owned()
        };
        let found: BTreeSet<String> = trail.lines().map(deed).collect();
        let known: BTreeSet<String> = Deed::ALL.iter().map(|deed| deed.name().into()).collect();
        assert_eq!(found, known);
        place.site.sink(&["audit"], &["--verify"]).unwrap();
    });
}
