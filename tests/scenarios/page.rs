//! The page's addresses: who may ask what, and what strangers and other pages get.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use cloud_sink::view::access::Role;
use cloud_sink::view::metrics::Metrics;
use rig::http::{forward, text};

use crate::view::{Answer, Page};

#[test]
fn a_stranger_gets_files_without_data() {
    let page = Page::open();
    let scripts = ["page", "common", "map", "gateway", "wall", "trail", "login", "join"];
    let scripts = scripts.map(|name| format!("/{name}.js"));
    let files = ["/", "/login", "/join", "/page.css", "/icon.svg", "/v1/openapi.json"];
    for path in files.into_iter().chain(scripts.iter().map(String::as_str)) {
        assert_eq!(page.status("GET", path, "", ""), 200, "{path}");
    }
}

#[test]
fn a_link_lets_one_person_in_once_until_they_leave() {
    let page = Page::open();
    let ticket = page.ticket(Role::Viewer, None);
    let cookie = page.redeem(&ticket).1.unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(page.redeem(&ticket).0, 401);
    let Answer(status, _, person) = page.ask("GET", "/v1/person", &[("cookie", cookie)], "");
    assert_eq!((status, &person["name"], &person["role"]), (200, &"Ada".into(), &"viewer".into()));
    assert_eq!(page.status("DELETE", "/v1/session", cookie, ""), 204);
    assert_eq!(page.status("GET", "/v1/person", cookie, ""), 401);
}

#[test]
fn what_a_person_says_to_an_incident_stands_in_its_timeline() {
    let page = Page::open();
    let cookie = page.sign_in(Role::Engineer);
    assert_eq!(page.status("POST", "/v1/incidents/1/take", &cookie, "{\"note\":\"mine\"}"), 204);
    assert_eq!(page.status("POST", "/v1/incidents/1/close", &cookie, "{}"), 204);
    assert_eq!(page.status("POST", "/v1/incidents/1/close", &cookie, "{}"), 404, "it is closed");
    let Answer(_, _, body) = page.ask("GET", "/v1/incidents/1", &[("cookie", &cookie)], "");
    let entries = body["timeline"].as_array().unwrap();
    let said = entries.iter().map(|entry| entry["what"].as_str().unwrap());
    assert_eq!(said.collect::<Vec<_>>(), ["opened", "acknowledged", "closed"]);
    assert_eq!((&entries[1]["who"], &entries[1]["note"]), (&"Ada".into(), &"mine".into()));
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
    let noted = format!("{{\"note\":\"{}\"}}", "x".repeat(2001));
    let long = format!("{{\"note\":\"{}\"}}", "x".repeat(40_000));
    for (method, path, body, status) in [
        ("GET", "/v1/coverage?hours=0", "", 400),
        ("GET", "/v1/coverage?hours=169", "", 400),
        ("GET", "/v1/coverage?hours=many", "", 400),
        ("GET", "/v1/coverage?houses=1", "", 400),
        ("GET", "/v1/incidents/first", "", 400),
        ("GET", "/v1/incidents/77", "", 404),
        ("GET", "/v1/nothing", "", 404),
        ("PUT", "/v1/line", "", 405),
        ("GET", "/v1/coverage?gateway=%00", "", 400),
        ("GET", "/v1/gateways/gw%00/receipts", "", 400),
        ("GET", "/v1/gateways/gw-7/receipts", "", 404),
        ("GET", "/v1/gateways/gw-1/records?after=x", "", 400),
        ("PUT", "/v1/devices/0000000000000001", "[]", 400),
        ("PUT", "/v1/devices/0000000000000001", "{\"model\":\"\\u0000\"}", 400),
        ("PUT", "/v1/devices/1", "{}", 400),
        ("POST", "/v1/incidents/1/take", &noted, 400),
        ("POST", "/v1/incidents/1/take", "not JSON", 400),
        ("POST", "/v1/incidents/1/take", "{\"nota\":\"\"}", 400),
        ("POST", "/v1/incidents/1/take", &long, 413),
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
        let metrics = Metrics::open(page.sink.location(), any).await.unwrap();
        let address = metrics.address();
        tokio::spawn(metrics.serve());
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        text(forward(address, request).await.unwrap()).await.unwrap()
    });

    for line in [
        "wardline_unreceipted_age_seconds{gateway=\"gw-1\"} 7.0",
        "wardline_gap_readings{gateway=\"gw-1\"} 0.0",
        "wardline_incidents_open{kind=\"silent\"} 1",
        "wardline_numerics_stored 8",
    ] {
        assert!(scraped.lines().any(|shown| shown == line), "{line} is not in {scraped}");
    }
    let age = scraped.lines().find_map(|line| line.strip_prefix("wardline_report_age_seconds{"));
    let age: f64 = age.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((60.0..120.0).contains(&age), "{age}");
}

#[test]
fn a_page_with_a_certificate_of_its_own_speaks_tls_1_3_and_nothing_less() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key);
    let own = own.unwrap().pem();
    let files = (folder.path().join("page.pem"), folder.path().join("page.key"));
    std::fs::write(&files.0, &own).unwrap();
    std::fs::write(&files.1, key.serialize_pem()).unwrap();
    let page = Page::open_with(Some(files));
    let client = || {
        let authority = reqwest::Certificate::from_pem(own.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([authority])
    };
    let url = format!("https://localhost:{}/login", page.address.port());
    let ask = |client: reqwest::ClientBuilder| {
        let client = client.resolve("localhost", page.address).build().unwrap();
        page.runtime.block_on(client.get(&url).send())
    };

    let answer = ask(client()).unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("content-security-policy"));
    assert!(ask(client().max_tls_version(reqwest::tls::Version::TLS_1_2)).is_err());
    assert!(ask(reqwest::Client::builder()).is_err(), "nobody vouches for it");
}
