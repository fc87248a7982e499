//! RQ-07: every key is followed by another one over a backlog, and every reading opens.

use std::fs;

use cloud_sink::store::db::Db;
use rig::site::Role;
use serde_json::Value;

use super::{Place, run, text};

/// The ids of the keys of a kind, as `keys ls` says.
fn ids(place: &Place, kind: &str) -> Vec<String> {
    let said = place.site.sink(&["keys", "ls"], &["--json"]).unwrap();
    let listing: Value = serde_json::from_str(said.trim()).unwrap();
    let keys = listing["keys"].as_array().unwrap().iter().filter(|key| key["kind"] == kind);
    keys.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// A request that these root keys sign and the sink takes.
fn have_signed(place: &Place, request: &[&str], roots: &[&str]) {
    let path = |name: &str| place.below(name).to_str().unwrap().to_owned();
    let (request_file, sink) = (path("root.request"), place.site.programs().sink.clone());
    place
        .site
        .sink(&["root", "request"], &[request, &["--output", &request_file]].concat())
        .unwrap();
    let mut parts = Vec::new();
    for (number, root) in roots.iter().enumerate() {
        let part = path(&format!("part-{number}"));
        let mut sign = std::process::Command::new(&sink);
        sign.args(["root", "sign", &request_file, "--key", root, "--output", &part]);
        let signed = sign.output().unwrap();
        assert!(signed.status.success(), "{}", text(&signed));
        parts.push(part);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    place.site.sink(&["root", "install"], &parts).unwrap();
}

/// A new root key, offline; its file and its public half.
fn make_root(place: &Place, name: &str) -> (String, String) {
    let file = place.below(name).to_str().unwrap().to_owned();
    let mut make = std::process::Command::new(&place.site.programs().sink);
    let made = make.args(["root", "key", "--output", &file]).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    (file, String::from_utf8(made.stdout).unwrap().trim().to_owned())
}

#[test]
fn all_keys_are_followed_over_a_backlog_and_every_reading_is_stored_once() {
    run(async {
        let mut place = Place::running().await;
        place.say(20).await;
        place.settled().await;
        place.site.forwarder().open(false);
        place.say(40).await;
        let before = ["clinical", "receipt", "command", "fleet", "root"].map(|k| ids(&place, k));

        place.site.sink(&["keys", "rotate", "recipient"], &[]).unwrap();
        place.site.sink(&["keys", "rotate", "command"], &[]).unwrap();
        place.site.sink(&["keys", "rotate", "receipt"], &[]).unwrap();
        let old = place.keys().join("offline/root.key").to_str().unwrap().to_owned();
        have_signed(&place, &["--fleet"], &[&old]);
        let made = ["root-1", "root-2", "root-3"].map(|name| make_root(&place, name));
        let [(one, a), (two, b), (_, c)] = &made;
        let roots = ["--root", a, "--root", b, "--root", c, "--needed", "2"];
        have_signed(&place, &roots, &[&old, one, two]);
        place.say(40).await;
        place.site.forwarder().open(true);
        place.say(20).await;
        place.settled().await;

        let after = ["clinical", "receipt", "command", "fleet", "root"].map(|k| ids(&place, k));
        assert_eq!((before[0].len(), after[0].len()), (2, 4), "the old ones open the backlog");
        for (before, after) in before.iter().zip(&after).skip(2) {
            assert!(after.iter().all(|key| !before.contains(key)), "{before:?} {after:?}");
        }
        assert_eq!(after[4].len(), 3);
        place.logged(Role::Sink, "the next receipt key signs").await;
        place.logged(Role::Agent, "other roots").await;
        place.site.stop(Role::Agent).await.unwrap();
        place.site.start(Role::Agent).unwrap();
        place.say(20).await;
        place.settled().await;
        // With one signature of two, nobody follows.
        let file = place.below("root.request").to_str().unwrap().to_owned();
        place.site.sink(&["root", "request"], &["--output", &file]).unwrap();
        let part = place.below("lone").to_str().unwrap().to_owned();
        let mut sign = std::process::Command::new(&place.site.programs().sink);
        assert!(
            sign.args(["root", "sign", &file, "--key", one, "--output", &part])
                .output()
                .unwrap()
                .status
                .success()
        );
        let lone = place.site.sink(&["root", "install"], &[&part]);
        let words = format!("{:#}", lone.unwrap_err());
        assert!(words.contains("1 root signatures hold, 2 are needed"), "{words}");
    });
}

#[test]
fn a_gateway_renews_after_its_certificate_has_ended_and_lets_its_next_key_speak() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;
        place.site.stop(Role::Agent).await.unwrap();
        let own = place.site.papers().certificate;
        let ended = crate::tls::papers::Paper {
            name: "gw-1",
            years: (2020, 2021),
            usage: crate::tls::papers::Use::Client,
            ..Default::default()
        };
        let authority = crate::tls::papers::Authority::of(&place.site.papers());
        fs::write(&own, authority.sign(&ended).certificate).unwrap();

        let renewed = place.site.gateway(&["provision"], &["--renew"]);
        assert!(renewed.is_err(), "this gateway knows no endpoint yet");
        let request = place.below("request").to_str().unwrap().to_owned();
        let grant = place.below("grant").to_str().unwrap().to_owned();
        place.site.gateway(&["provision"], &["--request", &request]).unwrap();
        place.site.sink(&["enroll"], &[&request, "--output", &grant]).unwrap();
        place.site.gateway(&["provision"], &["--grant", &grant]).unwrap();
        fs::write(&own, authority.sign(&ended).certificate).unwrap();
        place.site.gateway(&["provision"], &["--renew"]).unwrap();
        assert_eq!(super::days_of(&own), 365);

        place.site.gateway(&["provision"], &["--renew", "--rotate"]).unwrap();
        place.site.start(Role::Agent).unwrap();
        place.say(10).await;
        place.settled().await;
        let retired = "SELECT count(*) FROM key_end WHERE start_count IS NOT NULL";
        let store = place.site.location().unwrap();
        // PostgreSQL's client has a runtime of its own.
        let count = tokio::task::spawn_blocking(move || {
            Db::open(&store).unwrap().one::<i64>(retired, &[]).unwrap()
        });
        assert_eq!(count.await.unwrap(), 1, "the key before speaks no more");
    });
}
