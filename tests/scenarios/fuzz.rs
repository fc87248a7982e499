//! P7: every parser bears any bytes. On stable: the corpus, and mutations of it that are always the
//! same. With a nightly, `tests/legs/fuzz` goes on from the same corpus.
//!
//! The test makes the corpus of a target that has none when `WARDLINE_MAKE_CORPUS=1`; files that
//! are committed stay, and each input that ever broke a parser is added as a file.

use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rig::random::Random;
use rig::targets::{TARGETS, Target};

mod seeds;

/// Mutations of each target's corpus.
const ROUNDS: u64 = 10_000;
/// The same for a folder, which costs a thousand times a parser.
const FOLDER_ROUNDS: u64 = 1500;
/// All committed files together, bytes.
const CORPUS_BYTES_MAX: u64 = 200 * 1024;
/// Changes that one mutation makes at most.
const CHANGES_MAX: u64 = 6;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The committed inputs of a target, in the order of their names.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus(target);
    let asked = std::env::var_os("WARDLINE_MAKE_CORPUS").is_some_and(|value| value == "1");
    if asked && !folder.exists() {
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds::of(target) {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut inputs: Vec<_> = entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
    inputs.sort();
    inputs
}

/// Another input, made from one and a piece of another.
fn mutated(random: &mut Random, inputs: &[(String, Vec<u8>)], longest: usize) -> Vec<u8> {
    let mut bytes = random.pick(inputs).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(random, &mut bytes, inputs);
    }
    bytes.truncate(longest);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, inputs: &[(String, Vec<u8>)]) {
    const TELLING: [u8; 12] = [0, 1, 0x17, 0x18, 0x1b, 0x1f, 0x40, 0x7f, 0x80, 0x9f, 0xfb, 0xff];
    let length = bytes.len();
    let at = random.below(length as u64) as usize;
    let many = (random.below(16) + 1) as usize;
    let end = (at + many).min(length);
    match random.below(8) {
        0 | 1 if length > 0 => bytes[at] ^= 1 << random.below(8),
        2 if length > 0 => bytes[at] = *random.pick(&TELLING).expect("there are some"),
        3 if length > 0 => {
            bytes[at] = bytes[at].wrapping_add(random.below(5) as u8).wrapping_sub(2)
        }
        4 => drop(bytes.drain(at.min(end)..end)),
        5 => {
            let piece = bytes[at.min(end)..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        6 => {
            let (_, other) = random.pick(inputs).expect("a corpus is not empty");
            let from = random.below(other.len() as u64) as usize;
            let piece = other[from..(from + many * 4).min(other.len())].to_vec();
            let to = end.min(at + piece.len());
            drop(bytes.splice(at.min(to)..to, piece));
        }
        _ => bytes.truncate(length - many.min(length) / 2),
    }
}

/// Runs one target on everything; the input that it does not bear, if there is one.
fn bear(name: &str, target: Target, longest: usize) -> Result<u64, String> {
    let inputs = inputs(name);
    let mut random = Random::new(name.bytes().map(u64::from).sum());
    let one = |what: &str, bytes: &[u8]| {
        let borne = catch_unwind(AssertUnwindSafe(|| target(bytes)));
        borne.map_err(|_| {
            let kept = std::env::temp_dir().join(format!("wardline-{name}-{what}"));
            let written = fs::write(&kept, bytes);
            format!("{name}: {what}, {} bytes, kept in {kept:?}: {written:?}", bytes.len())
        })
    };
    for (file, bytes) in &inputs {
        one(file, bytes)?;
    }
    let rounds = if name == "recovery" { FOLDER_ROUNDS } else { ROUNDS };
    for round in 0..rounds {
        one(&format!("round-{round}"), &mutated(&mut random, &inputs, longest))?;
    }
    Ok(rounds)
}

#[test]
fn every_parser_bears_its_corpus_and_thousands_of_mutations() {
    let waiting: Mutex<VecDeque<_>> = Mutex::new(TARGETS.into_iter().rev().collect());
    let broken = Mutex::new(Vec::new());

    std::thread::scope(|scope| {
        let work = || {
            loop {
                let Some((name, target, longest)) = waiting.lock().unwrap().pop_front() else {
                    return;
                };
                if let Err(words) = bear(name, target, longest) {
                    broken.lock().unwrap().push(words);
                }
            }
        };
        scope.spawn(work);
        scope.spawn(work);
    });

    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_corpus_is_small_and_every_target_has_one() {
    let mut bytes = 0;
    for (name, _, longest) in TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        assert!(inputs.iter().all(|(_, input)| input.len() <= longest), "{name} cuts its corpus");
        bytes += inputs.iter().map(|(_, input)| input.len() as u64).sum::<u64>();
    }
    assert!(bytes < CORPUS_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn every_target_has_its_program_for_libfuzzer() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let named = |name: &str| programs.join(format!("{name}.rs"));

    let missing: Vec<_> = TARGETS.iter().filter(|(name, ..)| !named(name).exists()).collect();

    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(fs::read_dir(programs).unwrap().count(), TARGETS.len());
}
