//! RQ-08: what was buffered on a card is gone for good, and said to be.

use std::fs;
use std::path::Path;

use cloud_sink::store::db::{Db, Location};
use rig::site::Role;
use serde_json::Value;
use wire::card::{FileName, Veil, records};
use wire::hex::unhex;

use super::{Place, run};

/// Records of a buffer folder that are read with a veil, and those that are not.
fn read(buffer: &Path, veil: &Veil) -> (usize, usize) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(buffer).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = FileName::parse(path.file_name().unwrap().to_str().unwrap()) else {
            continue;
        };
        let found = records(veil, name.segment, &fs::read(&path).unwrap());
        sum = (sum.0 + found.records.len(), sum.1 + found.veiled);
    }
    sum
}

#[test]
fn an_erased_card_holds_nothing_readable_and_the_sink_is_told_what_is_gone() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;
        place.site.forwarder().open(false);
        place.say(30).await;
        let running = place.site.gateway(&["erase"], &["--yes", "--reason", "sold"]);
        assert!(format!("{:#}", running.unwrap_err()).contains("systemctl stop wardline"));
        place.site.stop(Role::Agent).await.unwrap();
        let state = place.site.folder().join("gw/state");
        let (buffer, image) = (state.join("buffer"), place.below("image"));
        copy_files(&buffer, &image);
        let (open, veiled) = read(&image, &Veil::default());
        assert!(veiled > 2 && open == 0, "everything lies under the key: {open} {veiled}");

        let proof = place.below("proof");
        let options = ["--yes", "--reason", "sold", "--proof", proof.to_str().unwrap()];
        place.site.gateway(&["erase"], &options).unwrap();

        assert!(!state.join("keys/local.key").exists() && !state.join("keys/local.key.2").exists());
        let proof: Value = serde_json::from_str(&fs::read_to_string(proof).unwrap()).unwrap();
        let said: Value = serde_json::from_str(proof["proof"].as_str().unwrap()).unwrap();
        let vital = &said["lanes"][1];
        assert_eq!((&vital["lane"], &said["undeclared"]), (&"vital".into(), &Value::Null));
        assert!(vital["readings_min"].as_u64() >= Some(30), "{vital}");
        assert_eq!(verified(&proof), proof["proof"].as_str().unwrap().as_bytes());
        let (gaps, none) = read(&buffer, &Veil::default());
        assert!(gaps > 0 && none == 0, "only gaps are left: {gaps} {none}");

        place.site.forwarder().open(true);
        place.site.start(Role::Agent).unwrap();
        place.say(5).await;
        place.site.wait_for_receipts(super::PATIENCE).await.unwrap();
        let books = place.site.sink_status().unwrap();
        assert_eq!(books["numerics"], 15, "ten before and five after: {books:#}");
        assert!(books["gap_readings"].as_u64() >= Some(30), "{books:#}");
        let lanes = books["lanes"].as_array().unwrap();
        assert!(lanes.iter().all(|lane| lane["waiting"] == 0 && lane["forked"] == 0), "{books:#}");
        place.has_incident("gap").await;
    });
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_dead_gateway_s_card_is_taken_once_and_needs_its_own_key() {
    run(async {
        let mut place = Place::running().await;
        place.say(10).await;
        place.settled().await;
        place.site.forwarder().open(false);
        place.say(25).await;
        place.site.stop(Role::Agent).await.unwrap();
        let state = place.site.folder().join("gw/state");
        let (card, without) = (state.to_str().unwrap(), place.below("without"));
        copy_files(&state.join("buffer"), &without);
        let (sink, config) = (place.site.programs().sink.clone(), place.site.sink_config());
        let import = |folder: &str| -> Value {
            let mut command = std::process::Command::new(&sink);
            command.args(["import", "--json", folder, "--config"]).arg(&config);
            let output = command.output().unwrap();
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            let is_whole = said["veiled"] == 0;
            let code = if is_whole { 0 } else { 3 };
            assert_eq!(output.status.code(), Some(code), "{said} {}", super::text(&output));
            said
        };

        let nothing = import(without.to_str().unwrap());
        assert!(nothing["stored"] == 0 && nothing["veiled"].as_u64() > Some(2), "{nothing}");
        let first = import(card);
        assert_eq!((&first["refused"], &first["unsigned"]), (&0.into(), &0.into()), "{first}");
        assert!(first["receipts"].as_u64() > Some(0), "{first}");
        let again = import(card);
        assert_eq!(first["stored"], again["stored"]);
        let books = place.site.sink_status().unwrap();
        assert_eq!(books["numerics"], 35, "{books:#}");

        // It was not dead after all: what it sends again adds nothing.
        place.site.forwarder().open(true);
        place.site.start(Role::Agent).unwrap();
        place.site.wait_for_receipts(super::PATIENCE).await.unwrap();
        assert_eq!(place.site.sink_status().unwrap()["numerics"], 35);
        assert!(place.incidents().iter().all(|kind| kind != "fork" && kind != "old card"));
    });
}

#[test]
fn the_evidence_of_a_dead_sink_is_opened_with_the_recovery_keys_alone() {
    run(async {
        let mut place = Place::running().await;
        place.say(20).await;
        place.settled().await;
        place.site.stop(Role::Agent).await.unwrap();
        place.site.stop(Role::Sink).await.unwrap();
        let (safe, new) = (place.below("safe"), place.below("new"));
        fs::rename(place.keys().join("offline"), &safe).unwrap();
        fs::remove_dir_all(place.keys()).unwrap();
        let sink = &place.site.programs().sink;
        let command = |words: &[&str]| {
            let output = std::process::Command::new(sink).args(words).output().unwrap();
            assert!(output.status.success(), "{}", super::text(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        command(&["init", "--folder", &path(&new), "--broker-host", "localhost"]);
        let config = path(&new.join("sink.toml"));
        let store = match place.site.location().unwrap() {
            Location::File(file) => path(&file),
            Location::Postgres(address) => address,
        };

        let wrong = path(&new.join("keys/offline"));
        let said = command(&[
            "recover",
            "--config",
            &config,
            "--from",
            &store,
            "--recovery",
            &wrong,
            "--json",
        ]);
        let held: Value = serde_json::from_str(&said).unwrap();
        assert!(
            held["held"].as_u64() > Some(0),
            "another site's recovery keys open nothing: {held}"
        );
        let said = command(&[
            "recover",
            "--config",
            &config,
            "--from",
            &store,
            "--recovery",
            &path(&safe),
            "--json",
        ]);
        let opened: Value = serde_json::from_str(&said).unwrap();

        assert_eq!((&opened["held"], &opened["refused"]), (&0.into(), &0.into()), "{opened}");
        let books: Value =
            serde_json::from_str(&command(&["status", "--config", &config, "--json"])).unwrap();
        assert_eq!(books["numerics"], 20, "{books:#}");
    });
}

#[test]
fn an_erasure_at_the_sink_is_proven_and_a_restored_store_is_erased_again() {
    run(async {
        let mut place = Place::running().await;
        place.say(20).await;
        place.settled().await;
        place.site.stop(Role::Agent).await.unwrap();
        place.site.stop(Role::Sink).await.unwrap();
        let store = match place.site.location().unwrap() {
            Location::File(file) => Some(file),
            Location::Postgres(_) => None,
        };
        let backup = place.below("backup");
        if let Some(store) = &store {
            let copy = format!("VACUUM INTO '{}'", backup.display());
            let whole = || Db::open(&store.as_path().into()).unwrap().batch(&copy).unwrap();
            tokio::task::block_in_place(whole);
        }
        let proof = place.below("erasure.proof");
        let device = ["--device", "0242ACFFFE000001", "--reason", "asked for", "--json"];
        let erase = |more: &[&str]| -> Value {
            let said = place.site.sink(&["erase"], &[&device[..], more].concat()).unwrap();
            serde_json::from_str(said.trim()).unwrap()
        };
        assert!(place.site.sink(&["erase"], &["--reason", "nothing named"]).is_err());
        let stranger = ["--device", "00000000000000FF", "--reason", "unknown"];
        let stranger = place.site.sink(&["erase"], &stranger).unwrap_err();
        assert!(format!("{stranger:#}").contains("no reading of this device has come"));
        let dry = erase(&["--dry-run"]);
        assert!(dry["rows"].as_u64() > Some(0) && dry["dry_run"] == true, "{dry}");
        assert_eq!(numerics(&place), 20, "a dry run takes nothing");

        let done = erase(&["--yes", "--proof", proof.to_str().unwrap()]);

        assert_eq!(
            (&done["rows"], &done["held"], &done["closed"]),
            (&dry["rows"], &0.into(), &0.into())
        );
        assert!(done["blocks"].as_u64() > Some(0), "{done}");
        assert_eq!(numerics(&place), 0);
        let proof: Value = serde_json::from_str(&fs::read_to_string(proof).unwrap()).unwrap();
        let said: Value = serde_json::from_str(proof["proof"].as_str().unwrap()).unwrap();
        assert_eq!((&said["rows"], &said["reason"]), (&done["rows"], &"asked for".into()));
        let of = said["of"].as_str().unwrap();
        assert!(of.starts_with("device 0242ACFFFE000001"), "{of}");
        assert_eq!(verified(&proof), proof["proof"].as_str().unwrap().as_bytes());
        let audit = place.site.sink(&["audit"], &["--verify"]).unwrap();
        assert!(audit.contains("entries hold"), "{audit}");
        let Some(store) = store else { return };

        for name in ["store.sqlite-wal", "store.sqlite-shm"] {
            let _: std::io::Result<()> = fs::remove_file(store.with_file_name(name));
        }
        fs::copy(&backup, &store).unwrap();
        assert_eq!(numerics(&place), 20, "the backup has everything");
        let restored = place.site.sink(&["restored"], &[]).unwrap();
        assert!(restored.contains("erased again"), "{restored}");
        assert_eq!(numerics(&place), 0);
    });
}

/// Readings that the sink's store has rows of.
fn numerics(place: &Place) -> i64 {
    let location = place.site.location().unwrap();
    let sql = "SELECT count(*) FROM numeric JOIN series ON series.id = numeric.series";
    tokio::task::block_in_place(|| Db::open(&location).unwrap().one(sql, &[]).unwrap())
}

/// What a proof says, if its key has signed it.
fn verified(proof: &Value) -> Vec<u8> {
    let key: [u8; 32] = unhex(proof["signing_key"].as_str().unwrap()).unwrap().try_into().unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
    let signed = unhex(proof["signed"].as_str().unwrap()).unwrap();
    wire::signed::verify(&key, wire::signed::Purpose::Erasure, &signed).unwrap().to_vec()
}
