//! What helps to find a fault: one reading sent along the whole line, and a bundle without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use cloud_sink::store::db::{Db, Row};
use flate2::read::GzDecoder;
use rig::site::Role;
use serde_json::Value;
use wire::frame::Record;
use wire::reading::Mode;

use crate::commands::Gateway;

const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(20);

/// The hops that a probe made: name and fate.
fn hops(gateway: &Gateway, wait: &str) -> (Option<i32>, Vec<(String, Option<String>)>) {
    let output = gateway.wardline(&["test-send", "--json", "--wait", wait]);
    let text = String::from_utf8(output.stdout).unwrap();
    let hops = text.lines().map(|line| {
        let hop: Value = serde_json::from_str(line).unwrap();
        assert_eq!(hop["schema"], 1);
        let fate = hop["fate"].as_str().map(str::to_owned);
        (hop["hop"].as_str().unwrap().to_owned(), fate)
    });
    (output.status.code(), hops.collect())
}

#[test]
fn a_probe_tells_each_hop_and_is_stored_as_what_it_is() {
    let mut gateway = Gateway::prepare();
    gateway.run();

    let whole = ["durable", "given", "receipted"];
    for _ in 0..2 {
        let (code, hops) = hops(&gateway, "25");
        let names: Vec<&str> = hops.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((code, &names[..]), (Some(0), &whole[..]), "{hops:?}");
        assert_eq!(hops[2].1.as_deref(), Some("stored"));
    }
    let db = Db::open(&gateway.site.location().unwrap()).unwrap();
    let sql = "SELECT mode, (SELECT count(*) FROM block WHERE block.series = series.id),
                 (SELECT count(*) FROM coverage WHERE coverage.device = series.device)
               FROM series WHERE label = 'test-send'";
    let rows = db.rows(sql, &[]).unwrap();
    let rows: Vec<[i64; 3]> =
        rows.iter().map(|row| [0, 1, 2].map(|at| row.at(at).unwrap())).collect();
    assert_eq!(rows, [[Mode::Service as i64, 2, 0]], "marked, both stored, and on no map");

    assert!(gateway.site.kill(Role::Sink).unwrap());
    let (code, hops) = hops(&gateway, "1");
    assert_eq!(code, Some(75), "{hops:?}");
    assert_eq!(hops.first().map(|(name, _)| name.as_str()), Some("durable"));
    assert!(gateway.site.kill(Role::Agent).unwrap());
    assert_eq!(gateway.wardline(&["test-send"]).status.code(), Some(69));
}

/// What `wardline tap` shows of the next words of the device, up to a numeric.
fn tapped(gateway: &Gateway, boot: u32, more: &[&str]) -> Value {
    let mut tap = gateway.begin(&[&["tap", "--json"], more].concat());
    let mut said = BufReader::new(tap.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("following"));
    gateway.speak(boot);
    let mut shown = BufReader::new(tap.stdout.take().unwrap()).lines();
    let first = serde_json::from_str(&shown.next().unwrap().unwrap()).unwrap();
    tap.kill().unwrap();
    tap.wait().unwrap();
    first
}

#[test]
fn a_tap_masks_values_and_the_sink_learns_who_looked_at_them() {
    let mut gateway = Gateway::prepare();
    gateway.run();
    let devices = gateway.wardline(&["device", "ls", "--json"]);
    let devices: Value = serde_json::from_slice(&devices.stdout).unwrap();
    let device = devices["devices"][0]["device"].as_str().unwrap();
    assert!(!devices["devices"][0]["model"].as_str().unwrap().is_empty(), "{devices}");

    let masked = tapped(&gateway, 2, &[device]);
    assert_eq!((&masked["device"], &masked["what"]), (&device.into(), &"numeric".into()));
    assert_eq!((&masked["signal"], &masked["unit"]), (&"PR".into(), &"bpm".into()));
    assert_eq!(masked.get("value"), None, "{masked}");
    let looks = || {
        let db = Db::open(&gateway.site.location().unwrap()).unwrap();
        let sql = "SELECT who, role, words FROM audit WHERE what = 'values'";
        let rows = db.rows(sql, &[]).unwrap();
        let text = |row: &Row, at| row.at::<String>(at).unwrap();
        rows.iter().map(|row| [0, 1, 2].map(|at| text(row, at))).collect::<Vec<_>>()
    };
    assert_eq!(looks(), [] as [[String; 3]; 0]);

    let plain = tapped(&gateway, 3, &["--phi"]);
    assert!(plain["value"].as_str().unwrap().parse::<f64>().is_ok(), "{plain}");
    let until = Instant::now() + PATIENCE;
    while looks().is_empty() {
        assert!(Instant::now() < until, "nobody has written down the look");
        std::thread::sleep(LOOK);
    }
    let [who, role, words] = looks().remove(0);
    assert_eq!((who.as_str(), role.as_str()), ("gw-1", "gateway"));
    assert!(words.contains("1 times"), "{words}");
    assert_eq!(gateway.wardline(&["tap", "bed 4"]).status.code(), Some(1));
}

#[test]
fn what_is_exported_of_a_log_is_what_is_listed_and_whole() {
    let mut gateway = Gateway::prepare();
    gateway.run();
    assert!(gateway.site.kill(Role::Agent).unwrap());

    let listed = gateway.wardline(&["log", "ls", "state/buffer", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let exported = gateway.wardline(&["log", "export", "state/buffer"]);

    let mut counts = BTreeMap::new();
    for line in String::from_utf8(exported.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["kind"].as_str().unwrap().to_owned();
        let digits = line["bytes"].as_str().unwrap();
        let bytes: Vec<u8> = (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(format!("{:?}", record.kind).to_lowercase(), kind);
        *counts.entry(kind).or_insert(0) += 1;
    }
    let segments = listed["segments"].as_array().unwrap();
    let sum = |key: &str| segments.iter().map(|one| one[key].as_u64().unwrap()).sum::<u64>();
    assert!(counts["frame"] > 0);
    assert_eq!((counts["frame"], counts["header"]), (sum("frames"), segments.len() as u64));
    let file = ["log", "export", "state/buffer", "--output", "wardline.toml"];
    assert_eq!(gateway.wardline(&file).status.code(), Some(1), "it replaces nothing");
}

#[test]
fn a_bundle_lists_what_it_packs_and_holds_no_key() {
    let mut gateway = Gateway::prepare();
    gateway.run();
    let asked = gateway.wardline(&["diag", "--json", "--output", "bundle.tar.gz"]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let said: Value = serde_json::from_slice(&asked.stdout).unwrap();

    let file = fs::File::open(gateway.folder().join("bundle.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let mut parts = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().strip_prefix("wardline-diag").unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        parts.insert(name.to_str().unwrap().to_owned(), bytes);
    }
    let listed = said["parts"].as_array().unwrap().iter();
    let listed: BTreeMap<_, _> = listed
        .map(|part| (part["name"].as_str().unwrap().to_owned(), part["bytes"].as_u64().unwrap()))
        .collect();
    let packed = parts.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect();
    assert_eq!(listed, packed);
    let status: Value = serde_json::from_slice(&parts["status.json"]).unwrap();
    assert_eq!(status["connected"], true);
    let secrets = fs::read_dir(gateway.folder().join("state/keys")).unwrap();
    let secrets = secrets.map(|entry| entry.unwrap().path());
    let secrets: Vec<_> = secrets.filter(|path| path.to_string_lossy().contains("key")).collect();
    assert!(secrets.len() > 1, "{secrets:?}");
    for path in secrets {
        let secret = fs::read(&path).unwrap();
        let tail = &secret[secret.len().saturating_sub(24)..];
        let is_in = |bytes: &Vec<u8>| bytes.windows(tail.len()).any(|window| window == tail);
        assert!(!parts.values().any(is_in), "{} is in the bundle", path.display());
    }
    let again = gateway.wardline(&["diag", "--output", "bundle.tar.gz"]);
    assert_eq!(again.status.code(), Some(1), "it replaces nothing");
    assert!(gateway.wardline(&["diag", "--list", "--output", "bundle.tar.gz"]).status.success());
}
