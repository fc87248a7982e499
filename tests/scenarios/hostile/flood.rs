//! Hostile messages without end, from good ones of a real run and a seed.

use std::cell::Cell;
use std::collections::HashSet;

use rig::random::Random;
use wire::limits::FRAME_BYTES_MAX;

use super::grammar::{Item, change_bytes};

/// Changes that one message suffers at most.
const CHANGES_MAX: u64 = 4;

/// Where hostile messages come from; says how far it was when a test fails.
pub struct Flood {
    /// What is drawn beside the messages.
    pub random: Random,
    seed: u64,
    made: Cell<u64>,
    trees: Vec<Item>,
    good: HashSet<Vec<u8>>,
}

impl Flood {
    /// A flood from these good messages.
    pub fn new(seed: u64, good: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let good: HashSet<Vec<u8>> = good.into_iter().collect();
        // In an order that the seed alone decides.
        let mut sorted: Vec<&Vec<u8>> = good.iter().collect();
        sorted.sort();
        let trees: Vec<Item> = sorted.into_iter().filter_map(|one| Item::parse(one)).collect();
        assert_eq!(trees.len(), good.len(), "every good message has the grammar");
        Self { random: Random::new(seed), seed, made: Cell::new(0), trees, good }
    }

    /// The next one: never one of the good.
    pub fn draw(&mut self) -> Vec<u8> {
        self.made.set(self.made.get() + 1);
        loop {
            let bytes = self.changed();
            if !self.good.contains(&bytes) {
                return bytes;
            }
        }
    }

    fn changed(&mut self) -> Vec<u8> {
        let Self { random, trees, .. } = self;
        let mut tree = random.pick(trees).expect("there are good messages").clone();
        let other = random.pick(trees).expect("there are good messages");
        let in_bytes = random.once_in(4);
        if !in_bytes {
            for _ in 0..=random.below(CHANGES_MAX) {
                tree.change(random, other);
            }
        }
        let mut bytes = tree.encode();
        if in_bytes {
            for _ in 0..=random.below(CHANGES_MAX) {
                change_bytes(&mut bytes, random);
            }
        }
        // What is longer no broker hands on.
        bytes.truncate(FRAME_BYTES_MAX);
        bytes
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, hostile message {}", self.seed, self.made.get());
        }
    }
}
