//! All small workloads, all moments of a power cut or a kill in them, and all disks that are left.
//!
//! The log is the product's own, over a sealer of mere shapes and the invented disk.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use agent::buffer::Quota;

mod judge;
mod shapes;
mod work;

use work::{Operation, Stage};

use crate::random::Random;

/// More disks than this from one moment are not looked at each; so many are chosen by chance.
const IMAGES_MAX: u64 = 1 << 16;
/// What all of it came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Workloads, with what went before each.
    pub workloads: u64,
    /// Moments at which the power went.
    pub cuts: u64,
    /// Moments at which the process was killed and the power stayed.
    pub kills: u64,
    /// Disks that differ, of all that a start was tried on.
    pub states: u64,
    /// Starts on such a disk, each with another cut and start behind it.
    pub starts: u64,
    /// Moments with more disks than can be looked at, of which some were chosen by chance.
    pub sampled: u64,
    /// What was wrong, with the workload that shows it.
    pub violations: BTreeMap<String, String>,
}

/// A disk with a past, on which the workloads begin.
struct Base {
    name: &'static str,
    quota: Quota,
    past: &'static [Operation],
}

const ROOMY: Quota = Quota { bytes_max: 32 << 20, free_bytes_min: 0, keep_seconds: 0 };
/// Room for so few segments that the next one needs another one's place.
const NARROW: Quota = Quota { bytes_max: 3 * 256 * 1024, free_bytes_min: 0, keep_seconds: 3600 };

const BASES: [Base; 4] = [
    Base { name: "empty", quota: ROOMY, past: &[] },
    Base {
        name: "backlog",
        quota: ROOMY,
        past: &[Operation::Small, Operation::Commit, Operation::Small, Operation::Commit],
    },
    Base {
        name: "recycled",
        quota: ROOMY,
        past: &[
            Operation::Large,
            Operation::Commit,
            Operation::Receipt,
            Operation::Restart,
            Operation::Small,
            Operation::Commit,
            Operation::Receipt,
            Operation::Expire,
        ],
    },
    Base {
        name: "full",
        quota: NARROW,
        past: &[
            Operation::Small,
            Operation::Commit,
            Operation::Restart,
            Operation::Small,
            Operation::Commit,
            Operation::Restart,
        ],
    },
];

fn workloads(operations_max: usize) -> Vec<Vec<Operation>> {
    let mut all: Vec<Vec<Operation>> = vec![Vec::new()];
    let mut begin = 0;
    for _ in 0..operations_max {
        let end = all.len();
        for at in begin..end {
            for operation in Operation::ALL {
                all.push([&all[at][..], &[operation]].concat());
            }
        }
        begin = end;
    }
    all
}

/// What the threads share.
#[derive(Default)]
struct Books {
    seen: Mutex<HashSet<[u8; 32]>>,
    sum: Mutex<Outcome>,
}

impl Books {
    fn violate(&self, what: &str, how: &str) {
        let mut sum = self.sum.lock().expect("no thread ends in the middle of counting");
        sum.violations.entry(what.to_owned()).or_insert_with(|| how.to_owned());
    }

    fn count(&self, add: impl FnOnce(&mut Outcome)) {
        add(&mut self.sum.lock().expect("no thread ends in the middle of counting"));
    }

    /// Whether a disk is met for the first time.
    fn is_new(&self, fingerprint: [u8; 32]) -> bool {
        self.seen.lock().expect("no thread ends in the middle of counting").insert(fingerprint)
    }
}

/// Looks at every workload of so many operations on all cores.
#[must_use]
pub fn run(operations_max: usize) -> Outcome {
    let (books, next) = (Books::default(), AtomicUsize::new(0));
    let work: Vec<_> = BASES
        .iter()
        .flat_map(|base| {
            workloads(operations_max).into_iter().map(move |operations| (base, operations))
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((base, operations)) = work.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    explore(base, operations, &books);
                }
            });
        }
    });
    let states = books.seen.into_inner().map_or(0, |seen| seen.len() as u64);
    let sum = books.sum.into_inner().unwrap_or_default();
    Outcome { workloads: work.len() as u64, states, ..sum }
}

/// Cuts the power at every operation on the disk that the last operation of a workload makes:
/// the ones before are the last of a shorter workload.
fn explore(base: &Base, operations: &[Operation], books: &Books) {
    let mut past = Stage::new(base.quota);
    past.play(base.past);
    let begin = |operations: &[Operation], cut_in| {
        let mut stage = past.branch(past.disk.outlived());
        stage.disk.ail(|ailments| {
            (ailments.cut_in, ailments.cut_after_write) = (cut_in, true);
        });
        stage.play(operations);
        stage
    };
    let earlier = operations.split_last().map(|(_, earlier)| earlier);
    let from = earlier.map_or(0, |earlier| begin(earlier, None).disk.operations());
    for cut in from + 1..=begin(operations, None).disk.operations() + 1 {
        let stage = begin(operations, Some(cut));
        let how = format!("{} then {operations:?}, operation {cut}", base.name);
        try_images(&stage, &how, books);
        try_kill(&stage, &how, books);
    }
}

fn try_images(stage: &Stage, how: &str, books: &Books) {
    let images = stage.disk.images();
    let count = images.count();
    let sampled = count > IMAGES_MAX;
    books.count(|sum| {
        sum.cuts += 1;
        sum.sampled += u64::from(sampled);
    });
    let mut random = Random::new(count);
    for number in 0..count.min(IMAGES_MAX) {
        let number = if sampled && number > 0 { random.below(count) } else { number };
        let disk = images.image(number);
        if books.is_new(disk.fingerprint()) {
            try_start(&mut stage.branch(disk), &format!("{how}, disk {number}"), books);
        }
    }
}

fn try_kill(stage: &Stage, how: &str, books: &Books) {
    books.count(|sum| sum.kills += 1);
    try_start(&mut stage.branch(stage.disk.outlived()), &format!("{how}, killed"), books);
}

fn try_start(stage: &mut Stage, how: &str, books: &Books) {
    books.count(|sum| sum.starts += 1);
    match catch_unwind(AssertUnwindSafe(|| judge::judge(stage))) {
        Ok(Ok(())) => {}
        Ok(Err(what)) => books.violate(&what, how),
        Err(_) => books.violate("a panic", how),
    }
}
