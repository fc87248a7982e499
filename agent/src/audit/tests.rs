//! The promises of the trail, on a disk that breaks every way that a disk breaks.

use std::collections::BTreeMap;

use wire::time::TimeSource;

use super::*;
use crate::buffer::tests::disk::Invented;
use crate::seal::keyring::{KeyFiles, make_key};

fn by() -> By {
    By {
        gateway: GatewayId::new("gw-test").unwrap(),
        boot: BootId([1; 16]),
        signer: SigningKey::from_bytes(&[7; 32]),
    }
}

fn clock(seconds: u64) -> ClockState {
    ClockState {
        epoch: 0,
        monotonic: MonotonicNanos(seconds * 1_000_000_000),
        utc: Some(UnixNanos(seconds as i64 * 1_000_000_000)),
        error_us: 1000,
        source: TimeSource::Network,
    }
}

fn begun() -> Begun {
    Begun { software: "1.0".into(), config: [5; 32], why: "it was stopped before".into() }
}

/// Files of some six entries.
fn trail_of(disk: &Invented, by: By) -> Trail<Invented> {
    let mut trail = Trail::new(disk.clone(), by).taking_in(disk.clone());
    trail.file_bytes_max = 1200;
    trail
}

fn deed(number: u64) -> Deed {
    Deed::new(AuditKind::Export, format!("part {number}"), "was written out")
}

/// What is kept; each entry follows the one before it.
fn chain(disk: &Invented) -> Vec<(AuditEntry, Vec<u8>)> {
    let kept = read(disk).unwrap().entries;
    for pair in kept.windows(2) {
        let [(before, signed), (entry, _)] = pair else { unreachable!("two by two") };
        assert_eq!((entry.number, entry.previous), (before.number + 1, entry_hash(signed)));
    }
    kept
}

fn kinds(entries: &[(AuditEntry, Vec<u8>)]) -> Vec<&'static str> {
    entries.iter().map(|(entry, _)| entry.kind.name()).collect()
}

/// What a sink was given, by its number.
#[derive(Default)]
struct Shipped(BTreeMap<u64, Vec<u8>>);

impl Shipped {
    fn take(&mut self, trail: &mut Trail<Invented>, what: &str) {
        for some in std::iter::from_fn(|| Some(trail.give()).filter(|some| !some.is_empty())) {
            for signed in some {
                let number = AuditEntry::read(&signed).unwrap().number;
                let known = self.0.entry(number).or_insert_with(|| signed.clone());
                assert_eq!(*known, signed, "{what}: two entries have the number {number}");
            }
        }
        trail.are_sealed();
    }

    fn count(&self, moment: Moment) -> usize {
        let entries = self.0.values().map(|signed| AuditEntry::read(signed).unwrap());
        entries.filter(|entry| Moment::of(entry) == moment).count()
    }
}

/// A command's moment.
fn moment(number: u64) -> Moment {
    Moment { boot: BootId([2; 16]), ..by().moment(&clock(number)) }
}

/// A run that writes, turns its files, ships, and takes in what commands leave; the numbers of
/// those that were told so.
fn work(disk: &Invented, first: u64, shipped: &mut Shipped, what: &str) -> Vec<u64> {
    let (mut trail, mut left) = (trail_of(disk, by()), Vec::new());
    trail.begin(begun(), &clock(first));
    for number in first..first + 20 {
        if number.is_multiple_of(5) && spool::leave(disk, &deed(number), &moment(number)).is_ok() {
            left.push(number);
        }
        let now = clock(number * 3);
        trail.note(Deed::new(AuditKind::Keys, "keyring", format!("version {number}")), &now);
        trail.turn(&now, false);
        shipped.take(&mut trail, what);
    }
    left
}

#[test]
fn what_was_shipped_is_kept_over_a_power_cut_at_any_operation_and_no_number_is_used_twice() {
    let whole = Invented::new(1);
    assert_eq!(work(&whole, 0, &mut Shipped::default(), "whole").len(), 4);
    let operations = whole.operations();
    assert!(operations > 70, "{operations}");
    for cut in 1..=operations {
        let (disk, mut shipped) = (Invented::new(cut), Shipped::default());
        let what = format!("cut {cut}");
        disk.cut_at(cut);
        let mut left = work(&disk, 0, &mut shipped, &what);
        disk.restart();
        let before = shipped.0.last_key_value().map_or(0, |(number, _)| *number);

        left.extend(work(&disk, 100, &mut shipped, &what));
        disk.restart();

        let kept = chain(&disk);
        let (oldest, newest) = (kept[0].0.number, kept[kept.len() - 1].0.number);
        assert!(newest >= before + 20, "{what}: the chain goes on: {before} {newest}");
        assert_eq!(shipped.0.last_key_value().map(|(number, _)| *number), Some(newest), "{what}");
        for (number, signed) in shipped.0.range(oldest..) {
            let is_kept = kept.iter().any(|(_, kept)| kept == signed);
            assert!(is_kept, "{what}: entry {number} was shipped and is not kept");
        }
        for number in (0_u64..20).chain(100..120).filter(|number| number.is_multiple_of(5)) {
            let count = shipped.count(moment(number));
            let is_told = left.contains(&number);
            assert!(count == 1 || (count == 0 && !is_told), "{what}: slip {number}: {count}");
        }
    }
}

#[test]
fn the_oldest_entries_give_way_and_the_chain_goes_on_over_restarts() {
    let disk = Invented::new(3);
    let mut shipped = Shipped::default();
    for run in 0..5 {
        work(&disk, run * 100, &mut shipped, "turning");
        disk.restart();
    }

    let kept = chain(&disk);

    assert!((8..=21).contains(&kept.len()), "{}", kept.len());
    let all = shipped.0.keys().copied().collect::<Vec<_>>();
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>(), "no number is left out");
    let files = disk.names().into_iter().filter(|name| name.starts_with("audit-"));
    assert_eq!(files.count(), 3);
}

#[test]
fn a_torn_end_is_cut_off_and_said_and_damage_in_between_is_stepped_over() {
    let disk = Invented::new(4);
    let run = |seconds: u64| {
        let mut trail = Trail::new(disk.clone(), by());
        trail.begin(begun(), &clock(seconds));
        trail.turn(&clock(seconds), false);
        let kept = read(&disk).unwrap();
        let start = kept.entries.iter().rev().find(|(entry, _)| entry.kind == AuditKind::Start);
        (start.unwrap().0.words.clone(), kept)
    };
    run(1);
    disk.rot("audit-1", |bytes| bytes.extend([0xAB; 77]));
    assert!(read(&disk).unwrap().torn);

    let (words, kept) = run(2);
    assert!(words.contains("was torn") && !kept.torn && !kept.damaged, "{words}");
    assert_eq!(chain(&disk).len(), 3);
    disk.rot("audit-1", |bytes| bytes[20] ^= 1);
    let (words, kept) = run(3);
    assert!(words.contains("was damaged") && kept.damaged, "{words}");
    assert_eq!(kept.entries.iter().map(|(entry, _)| entry.number).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn an_entry_whose_sync_failed_is_written_again_as_it_is_and_shipped_only_then() {
    let disk = Invented::new(5);
    let mut trail = trail_of(&disk, by());
    trail.turn(&clock(0), false);
    trail.note(deed(1), &clock(1));
    disk.fail_sync(1);

    trail.turn(&clock(1), false);
    assert!(trail.give().is_empty(), "nothing is shipped that may be gone");
    trail.turn(&clock(5), false);
    assert!(trail.give().is_empty(), "the medium is not asked so soon again");
    trail.turn(&clock(12), false);

    let given = trail.give();
    assert_eq!(given.len(), 1);
    assert_eq!(chain(&disk).len(), 1);
    trail.are_given_up();
    assert_eq!(trail.give(), given, "what was given up is given again");
    trail.are_sealed();
    trail.ship_again().unwrap();
    assert_eq!(trail.give(), given);
}

#[test]
fn what_a_killed_process_has_left_in_memory_is_durable_before_it_is_shipped() {
    for seed in 0..20 {
        let (disk, mut shipped) = (Invented::new(seed), Shipped::default());
        let mut trail = trail_of(&disk, by());
        trail.note(deed(1), &clock(1));
        trail.turn(&clock(1), false);
        disk.fail_sync(1);
        trail.note(deed(2), &clock(2));
        trail.turn(&clock(2), false);
        drop(trail);

        let mut trail = trail_of(&disk, by());
        trail.turn(&clock(3), false);
        shipped.take(&mut trail, "killed");
        drop(trail);
        disk.restart();

        let kept = chain(&disk);
        assert_eq!(shipped.0.len(), 2, "seed {seed}");
        assert!(shipped.0.values().all(|signed| kept.iter().any(|(_, kept)| kept == signed)));
    }
}

#[test]
fn what_does_not_wait_for_a_medium_that_refuses_is_counted() {
    let disk = Invented::new(6);
    let mut trail = Trail::new(disk.clone(), by());
    disk.set_free(0);
    for number in 0..100 {
        trail.note(deed(number), &clock(1));
    }
    trail.turn(&clock(1), false);
    assert!(trail.give().is_empty());

    disk.set_free(1 << 20);
    trail.turn(&clock(20), false);

    let kept = chain(&disk);
    let (last, _) = &kept[kept.len() - 1];
    assert_eq!((kept.len(), last.kind), (WAITING_MAX + 1, AuditKind::Integrity));
    assert!(last.words.starts_with("36 things more"), "{}", last.words);
}

#[test]
fn a_start_says_what_is_another_than_it_was() {
    let disk = Invented::new(7);
    let run = |begun: Begun, by: By| {
        let mut trail = Trail::new(disk.clone(), by);
        let before = read(&disk).unwrap().entries.len();
        trail.begin(begun, &clock(1));
        trail.turn(&clock(1), true);
        kinds(&chain(&disk)[before..])
    };

    assert_eq!(run(begun(), by()), ["start", "config"]);
    assert_eq!(run(begun(), by()), ["start"]);
    let newer = Begun { software: "1.1".into(), ..begun() };
    assert_eq!(run(newer.clone(), by()), ["start", "update"]);
    let other = Begun { config: [6; 32], ..newer };
    assert_eq!(run(other.clone(), by()), ["start", "config"]);
    let signer = SigningKey::from_bytes(&[8; 32]);
    assert_eq!(run(other, By { signer, ..by() }), ["start", "keys"]);
}

#[test]
fn a_command_writes_itself_while_no_agent_runs_and_leaves_it_to_the_agent_while_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let files = KeyFiles::below(state);
    keep::folder(&files.folder).unwrap();
    let gateway = by().gateway;
    write_down(state, gateway, &deed(1)).unwrap();
    let there = || read(&Folder::open(&state.join(FOLDER)).unwrap()).unwrap().entries.len();
    assert_eq!(there(), 0, "nobody can sign yet");
    let signer = make_key(&files.signing().file).unwrap();

    write_down(state, gateway, &deed(2)).unwrap();
    assert_eq!(there(), 2);
    let mut agent = Trail::below(state, By { signer, ..by() }).unwrap();
    agent.turn(&clock(0), false);
    write_down(state, gateway, &deed(3)).unwrap();
    assert_eq!(there(), 2, "the agent has the trail");
    agent.turn(&clock(1), false);
    assert_eq!(there(), 2, "it looks every other second");
    agent.turn(&clock(2), false);
    assert_eq!(there(), 3);
    agent.turn(&clock(9), false);
    assert_eq!(there(), 3);
}
