//! The rules that planted bugs break, and a few worlds: what `ward world` does at length.

use rig::trials;
use rig::world::World;

/// Worlds that every test run looks at; the leg `world` runs 500.
const SEEDS: std::ops::Range<u64> = 0..4;

#[test]
fn every_trial_is_good() {
    let wrong: Vec<_> = trials::ALL
        .iter()
        .filter_map(|trial| (trial.run)().err().map(|e| (trial.name, e)))
        .collect();

    assert_eq!(wrong, []);
}

#[test]
fn worlds_lose_double_and_alter_nothing_and_repeat_to_the_byte() {
    for seed in SEEDS {
        let outcome = World::new(seed).unwrap().run(None).unwrap();
        let again = World::new(seed).unwrap().run(None).unwrap();

        assert_eq!(outcome.violations, [], "seed {seed}");
        assert!(outcome.crashes > 5 && outcome.accepted > 1000, "seed {seed}: too little happened");
        assert_eq!(outcome.trace, again.trace, "seed {seed} is not the same twice");
    }
}
