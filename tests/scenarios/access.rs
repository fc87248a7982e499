//! Who may ask what: each role, each address of the interface, each ward. And who is written down.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::Request;
use cloud_sink::audit;
use cloud_sink::clock;
use cloud_sink::store::StoreError;
use cloud_sink::store::db::Db;
use cloud_sink::view::access::{Person, Role, Vault, invite};
use rig::fleet::Fleet;
use rig::http::forward;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};
use wire::segment::Suite;

use crate::view::{Answer, DEVICE, Page, WARD};

/// Whom an address is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum For {
    /// For people who are not signed in.
    Strangers,
    /// For everybody who is.
    All,
    /// Engineers and admins.
    Handlers,
    /// Engineers and admins; what was measured of patients.
    Onlookers,
    /// All but viewers.
    Witnesses,
    /// Auditors and admins who are bound to no ward.
    Auditors,
}

/// Whether what is asked for is one gateway's: somebody of another ward finds nothing there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Of {
    Gateway,
    Nobody,
}

/// Every address of the interface: method, path in the document, path that is asked, body, answer.
const MATRIX: [(&str, &str, &str, &str, u16, For, Of); 25] = [
    ("POST", "/v1/session", "/v1/session", "{\"ticket\":\"0\"}", 401, For::Strangers, Of::Nobody),
    ("POST", "/v1/invitation", "", "{\"invitation\":\"0\"}", 401, For::Strangers, Of::Nobody),
    ("POST", "/v1/account", "", ACCOUNT, 401, For::Strangers, Of::Nobody),
    ("GET", "/v1/ways", "", "", 200, For::Strangers, Of::Nobody),
    // Without a provider there is no sign-on.
    ("GET", "/v1/sign-on", "", "", 404, For::Strangers, Of::Nobody),
    ("GET", "/v1/sign-on/back", "", "", 404, For::Strangers, Of::Nobody),
    ("GET", "/v1/person", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/line", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/events", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/coverage", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/incidents", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/incidents.csv", "", "", 200, For::All, Of::Nobody),
    ("GET", "/v1/incidents/{id}", "/v1/incidents/1", "", 200, For::All, Of::Gateway),
    ("GET", "/v1/devices", "", "", 200, For::All, Of::Nobody),
    ("GET", MONTH, "/v1/gateways/gw-1/availability", "", 200, For::All, Of::Gateway),
    ("GET", HOURS, "/v1/gateways/gw-1/completeness", "", 200, For::All, Of::Gateway),
    ("GET", RECEIPTS, "/v1/gateways/gw-1/receipts", "", 200, For::All, Of::Gateway),
    ("GET", RECORDS, "/v1/gateways/gw-1/records", "", 200, For::Witnesses, Of::Gateway),
    ("GET", VALUES, "/v1/gateways/gw-1/values", "", 200, For::Onlookers, Of::Gateway),
    ("GET", READINGS, READINGS_PATH, "", 200, For::Onlookers, Of::Gateway),
    ("GET", "/v1/audit", "", "", 200, For::Auditors, Of::Nobody),
    ("POST", TAKE, "/v1/incidents/1/take", "{}", 204, For::Handlers, Of::Gateway),
    ("POST", CLOSE, "/v1/incidents/1/close", "{}", 204, For::Handlers, Of::Gateway),
    ("PUT", "/v1/devices/{device}", DEVICE_PATH, "{}", 204, For::Handlers, Of::Gateway),
    ("DELETE", "/v1/session", "", "", 204, For::All, Of::Nobody),
];
const ACCOUNT: &str = "{\"invitation\":\"0\",\"password\":\"0\",\"code\":\"0\"}";
const MONTH: &str = "/v1/gateways/{gateway}/availability";
const HOURS: &str = "/v1/gateways/{gateway}/completeness";
const RECEIPTS: &str = "/v1/gateways/{gateway}/receipts";
const RECORDS: &str = "/v1/gateways/{gateway}/records";
const VALUES: &str = "/v1/gateways/{gateway}/values";
const READINGS: &str = "/v1/devices/{device}/readings";
const READINGS_PATH: &str = "/v1/devices/0000000000000001/readings";
const TAKE: &str = "/v1/incidents/{id}/take";
const CLOSE: &str = "/v1/incidents/{id}/close";
const DEVICE_PATH: &str = "/v1/devices/0000000000000001";

fn expected(good: u16, role: Role, ward: Option<&str>, (to, of): (For, Of)) -> u16 {
    let handles = matches!(role, Role::Engineer | Role::Admin);
    let may = match to {
        For::Strangers | For::All => true,
        For::Handlers | For::Onlookers => handles,
        For::Witnesses => role != Role::Viewer,
        For::Auditors => matches!(role, Role::Auditor | Role::Admin) && ward.is_none(),
    };
    let is_elsewhere = of == Of::Gateway && ward.is_some_and(|ward| ward != WARD);
    match (may, is_elsewhere) {
        (false, _) => 403,
        (true, true) => 404,
        (true, false) => good,
    }
}

/// The document's addresses, and the methods that each takes.
fn documented(page: &Page) -> BTreeSet<(String, String)> {
    let Answer(_, _, document) = page.ask("GET", "/v1/openapi.json", &[], "");
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    methods.collect()
}

#[test]
fn each_role_gets_what_is_for_it_and_a_ward_sees_its_own_gateways_only() {
    let page = Page::open();
    let known = MATRIX.map(|(method, path, ..)| (method.to_owned(), path.to_owned()));
    assert_eq!(documented(&page), BTreeSet::from(known), "the matrix is the whole interface");

    for ward in [None, Some(WARD), Some("ER")] {
        for role in Role::ALL {
            // Each closes the incident, and the next finds another.
            let page = Page::open();
            let cookie = page.sign_in_to(role, ward);
            for (method, path, asked, body, good, to, of) in MATRIX {
                let asked = if asked.is_empty() { path } else { asked };
                let stranger = page.status(method, asked, "wardline=0000; other=1", body);
                let wanted = if to == For::Strangers { good } else { 401 };
                assert_eq!(stranger, wanted, "{method} {path} of a stranger");
                let status = page.status(method, asked, &cookie, body);
                let wanted = expected(good, role, ward, (to, of));
                assert_eq!(status, wanted, "{method} {path} of {role}, {ward:?}");
            }
        }
    }
}

#[test]
fn lists_hold_nothing_of_another_ward() {
    let page = Page::open();
    let listed = |ward: Option<&str>| {
        let cookie = page.sign_in_to(Role::Admin, ward);
        let ask = |path: &str| page.ask("GET", path, &[("cookie", &cookie)], "").2;
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut line = ask("/v1/line");
        // The first look may not have been taken yet.
        while line["sequence"] == 0 && std::time::Instant::now() < until {
            line = ask("/v1/line");
        }
        let count = |value: &Value| value.as_array().unwrap().len();
        let coverage = ask("/v1/coverage?hours=1");
        [
            count(&line["gateways"]),
            count(&line["incidents"]),
            count(&ask("/v1/incidents")["incidents"]),
            count(&ask("/v1/devices")["devices"]),
            count(&coverage["gateways"]),
        ]
    };
    assert_eq!(listed(None), [1, 1, 1, 1, 1]);
    assert_eq!(listed(Some(WARD)), [1, 1, 1, 1, 1]);
    assert_eq!(listed(Some("ER")), [0, 0, 0, 0, 0]);
}

#[test]
fn events_of_another_ward_come_to_nobody() {
    let page = Page::open();
    let cookie = page.sign_in_to(Role::Viewer, Some("ER"));
    let first = page.runtime.block_on(async {
        use futures_util::StreamExt;
        let request = Request::get("/v1/events").header("cookie", cookie);
        let response = forward(page.address, request.body(Body::empty()).unwrap()).await.unwrap();
        let mut stream = response.into_body().into_data_stream();
        let mut heard = String::new();
        // The whole line first, then a change a second.
        while heard.matches("data:").count() < 3 {
            heard.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap().unwrap()));
        }
        heard
    });
    assert!(!first.contains("gw-1"), "{first}");
}

#[test]
fn a_session_has_eight_streams_at_once_and_no_more() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Viewer);
    page.runtime.block_on(async {
        let mut open = Vec::new();
        let ask = || {
            let request = Request::get("/v1/events").header("cookie", cookie.as_str());
            forward(page.address, request.body(Body::empty()).unwrap())
        };
        for _ in 0..8 {
            let response = ask().await.unwrap();
            assert_eq!(response.status(), 200);
            open.push(response);
        }
        assert_eq!(ask().await.unwrap().status(), 429);
    });
}

fn trail(page: &Page) -> Vec<(String, String, String)> {
    let db = Db::open(page.sink.location()).unwrap();
    let mut trail = Vec::new();
    let verdict = audit::verify(&db, |entry| {
        trail.push((entry.who.clone(), entry.what.clone(), entry.object.clone()));
        Ok::<_, StoreError>(())
    });
    assert_eq!(verdict.unwrap().broken_at, None);
    trail
}

#[test]
fn whoever_looks_at_values_or_takes_evidence_is_written_down() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Engineer);
    let ask = |method, path, body| page.status(method, path, &cookie, body);
    for _ in 0..3 {
        assert_eq!(ask("GET", "/v1/gateways/gw-1/values", ""), 200);
    }
    assert_eq!(ask("GET", "/v1/gateways/gw-1/records", ""), 200);
    let udi = json!({"udi": "(01)00012345678905(21)7"}).to_string();
    assert_eq!(ask("PUT", DEVICE_PATH, &udi), 204);
    assert_eq!(ask("POST", "/v1/incidents/1/take", "{}"), 204);
    assert_eq!(ask("DELETE", "/v1/session", ""), 204);

    let entry = |what: &str, object: &str| ("Ada".into(), what.into(), object.into());
    let expected = [
        entry("sign-in", "Ada"),
        entry("values", "gw-1"),
        entry("evidence", "gw-1"),
        entry("inventory", DEVICE),
        entry("incident", "1"),
        entry("sign-out", "Ada"),
    ];
    assert_eq!(trail(&page), expected, "one look that goes on is one entry a minute");
}

#[test]
fn an_invited_person_chooses_a_password_and_comes_in_with_it() {
    let page = Page::open();
    let db = Db::open(page.sink.location()).unwrap();
    let who = Person { name: "eve".into(), role: Role::Engineer, ward: Some(WARD.into()) };
    // The key of every fleet of the rig.
    let vault = Vault::new(&Fleet::new(Suite::X25519).store_key);
    let invitation = invite(&db, &vault, &who, false, clock::now()).unwrap();
    let post = |path: &str, body: Value| page.ask("POST", path, &[], &body.to_string());

    let Answer(status, _, invited) = post("/v1/invitation", json!({"invitation": invitation}));
    assert_eq!((status, &invited["name"]), (200, &"eve".into()), "{invited}");
    let secret = Secret::try_from_base32(invited["secret"].as_str().unwrap()).unwrap();
    let codes = Builder::new().with_secret(secret).build().unwrap();
    let seconds = u64::try_from(clock::now().0 / 1_000_000_000).unwrap();
    let (now, next) = (codes.generate(seconds), codes.generate(seconds + 30));
    let accept = |password: &str| {
        let code = now.to_string();
        post("/v1/account", json!({"invitation": invitation, "password": password, "code": code})).0
    };
    assert_eq!(accept("too short"), 400);
    assert_eq!(accept("a long enough one"), 204);
    assert_eq!(accept("a long enough one"), 401, "it is used up");

    let enter = |password: &str, code: &str| {
        post("/v1/session", json!({"name": "eve", "password": password, "code": code}))
    };
    assert_eq!(enter("another long one", &next.to_string()).0, 401);
    assert_eq!(enter("a long enough one", &now.to_string()).0, 401, "its code was used");
    let typed = post("/v1/session", json!({"name": "p4ssword", "password": "p", "code": "0"}));
    assert_eq!(typed.0, 401);
    // A code is good a step before its time, for clocks that are not ours.
    let Answer(status, cookie, _) = enter("a long enough one", &next.to_string());
    assert_eq!(status, 204);
    let cookie = cookie.unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let Answer(_, _, person) = page.ask("GET", "/v1/person", &[("cookie", cookie)], "");
    assert_eq!((&person["role"], &person["ward"]), (&"engineer".into(), &WARD.into()));

    let whats: Vec<_> = trail(&page).into_iter().map(|(who, what, _)| (who, what)).collect();
    let expected = [
        ("eve", "account"),
        ("eve", "sign-in-refused"),
        ("eve", "sign-in-refused"),
        // What is no account's name may be a password.
        ("?", "sign-in-refused"),
        ("eve", "sign-in"),
    ];
    assert_eq!(whats, expected.map(|(who, what)| (who.to_owned(), what.to_owned())));
}

#[test]
fn a_udi_with_a_wrong_check_digit_is_refused_and_a_good_one_is_read() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Engineer);
    let path = format!("/v1/devices/{DEVICE}");
    let put = |udi: &str| {
        let body = json!({"udi": udi, "model": "M-1"}).to_string();
        page.ask("PUT", &path, &[("cookie", &cookie)], &body)
    };
    let Answer(status, _, refused) = put("(01)00012345678906(21)123456");
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("read 6, should be 5"), "{refused}");
    assert_eq!(put("(01)00012345678905(21)123456").0, 204);

    let Answer(_, _, listed) = page.ask("GET", "/v1/devices", &[("cookie", &cookie)], "");
    let device = &listed["devices"][0];
    assert_eq!((&device["gateway"], &device["ward"]), (&"gw-1".into(), &WARD.into()));
    assert_eq!(device["udi"]["serial"], "123456");
    let moved = page.sign_in_to(Role::Engineer, Some("ER"));
    assert_eq!(page.status("PUT", &path, &moved, "{}"), 404, "it is another ward's");
    let unknown = page.status("PUT", "/v1/devices/00000000000000FF", &cookie, "{}");
    assert_eq!(unknown, 404, "it was never heard");
}
