//! P4 sealed: nothing that a device said stands readable on the gateway's disk.

use std::fs;
use std::path::Path;

use cloud_sink::store::db::Location;
use tempfile::tempdir;
use wire::segment::Suite;

use crate::device::{alert, in_context, labelled, number, numerics};
use crate::gateway::Gateway;
use crate::sink::Sink;
use rig::fleet::{Fleet, named};

const MANTISSA: i64 = 1_234_567_890_123_456_789;
const LABEL: &str = "MARKER-7f3a";
const WORDS: &str = "MARKER-alert-91c2";
const TOKEN: &[u8] = b"MARKER-token-55d0";

/// All files of a folder in one.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { bytes_of(&path) } else { fs::read(path).unwrap() });
    }
    all
}

fn holds(bytes: &[u8], marker: &[u8]) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker)
}

/// The marker's bytes as they stand in packed bits, at each of eight offsets, inner bytes only.
fn in_bits(number: i64) -> Vec<Vec<u8>> {
    let shifted = |shift: u32| (i128::from(number) << shift).to_be_bytes()[9..15].to_vec();
    (0..8).map(shifted).collect()
}

/// Every way in which a marker could stand in a file, with its name.
fn markers() -> Vec<(String, Vec<u8>)> {
    let mut markers = vec![
        ("label".to_owned(), LABEL.as_bytes().to_vec()),
        ("words of an alert".to_owned(), WORDS.as_bytes().to_vec()),
        ("context token".to_owned(), TOKEN.to_vec()),
        ("decimal number".to_owned(), MANTISSA.to_string().into_bytes()),
        ("big-endian number".to_owned(), MANTISSA.to_be_bytes().to_vec()),
        ("little-endian number".to_owned(), MANTISSA.to_le_bytes().to_vec()),
    ];
    let bits = in_bits(MANTISSA).into_iter().enumerate();
    markers.extend(bits.map(|(at, bits)| (format!("number in bits, offset {at}"), bits)));
    markers
}

fn found_in(bytes: &[u8]) -> Vec<String> {
    let found = markers().into_iter().filter(|(_, marker)| holds(bytes, marker));
    found.map(|(name, _)| name).collect()
}

/// Says all markers, in several batches, over a crash.
fn whisper(fleet: &Fleet, mut gateway: Gateway) -> Gateway {
    let device = labelled(1, 7, LABEL);
    gateway.hear(&device, 1, &number(1, MANTISSA));
    gateway.hear(&device, 2, &alert(2, WORDS));
    gateway.flush();
    gateway.hear(&device, 3, &in_context(3, TOKEN));
    gateway.flush();
    let mut gateway = gateway.crash_and_start(fleet);
    gateway.hear(&labelled(1, 7, LABEL), 4, &number(4, MANTISSA));
    gateway.hear(&labelled(2, 7, LABEL), 1, &numerics(1));
    gateway.flush();
    gateway
}

#[test]
fn no_marker_of_any_kind_is_found_in_the_buffer_and_the_search_finds_it_where_it_is() {
    for suite in [Suite::X25519, Suite::XWing] {
        let folder = tempdir().unwrap();
        let (fleet, id) = (Fleet::new(suite), named("gw-1"));
        let (buffer, store) = (folder.path().join("buffer"), folder.path().join("store"));
        fs::create_dir(&store).unwrap();
        let mut gateway = whisper(&fleet, Gateway::start(&fleet, id, &buffer));
        let file = Location::File(store.join("store.sqlite"));
        let mut sink = Sink::create_at(&fleet, file, &[id]);

        sink.take(&gateway.records());

        let nothing: Vec<String> = Vec::new();
        assert_eq!(found_in(&bytes_of(&buffer)), nothing);
        let stored = found_in(&bytes_of(&store));
        for name in ["label", "words of an alert", "big-endian number"] {
            assert!(stored.iter().any(|found| found == name), "{name} is not in the store");
        }
    }
}

#[test]
fn the_search_would_find_every_marker_in_a_batch_that_is_not_sealed() {
    use agent::seal::batcher::{Batcher, Said};
    let mut batcher = Batcher::new([std::time::Duration::from_secs(1); 4]);
    let (device, clock) = (labelled(1, 7, LABEL), crate::gateway::clock(0));
    let payloads = [number(1, MANTISSA), in_context(2, TOKEN), alert(3, WORDS)];
    for (sequence, payload) in (1i64..).zip(&payloads) {
        let received = clock.monotonic;
        let said = Said { device: &device, sequence, gap: false, payload, received, age_ns: 0 };
        batcher.take(&said, &clock, sequence.cast_unsigned()).unwrap();
    }

    batcher.close_due(clock.monotonic, true);
    let plain: Vec<u8> =
        batcher.take_closed().into_iter().flat_map(|batch| batch.plaintext).collect();

    let found = found_in(&plain);
    for name in ["label", "words of an alert", "context token"] {
        assert!(found.iter().any(|one| one == name), "{name}: {found:?}");
    }
    assert!(found.iter().any(|one| one.starts_with("number in bits")), "{found:?}");
}
