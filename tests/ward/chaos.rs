//! When who is killed: a schedule that depends on the seed and the length of the run only.

use std::time::Duration;

use rig::site::Role;

/// One SIGKILL.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    /// When, counted from the beginning of the run.
    pub at: Duration,
    /// Who.
    pub role: Role,
    /// How long it stays down.
    pub down: Duration,
}

/// The run in which blows fall, in parts of it: before, devices introduce themselves; after, the
/// last one comes back.
const SPAN: (f64, f64) = (0.1, 0.9);
/// One blow in so many seconds.
const SECONDS_A_BLOW: f64 = 4.0;
/// Shortest and longest absence.
const DOWN_MS: (u64, u64) = (200, 1500);

/// At least one blow for each of the three, none of whom is struck twice in a row.
pub fn schedule(seed: u64, length: Duration) -> Vec<Blow> {
    let mut random = Random(seed ^ 0xC4A0_5000_0000_0001);
    let span = length.mul_f64(SPAN.1 - SPAN.0);
    let rounds = ((span.as_secs_f64() / SECONDS_A_BLOW / 3.0) as usize).max(1);
    let mut roles: Vec<Role> = Vec::new();
    while roles.len() < rounds * 3 {
        let mut round = Role::ALL;
        round.swap(2, random.below(3) as usize);
        round.swap(1, random.below(2) as usize);
        if roles.last() == Some(&round[0]) {
            round.reverse();
        }
        roles.extend(round);
    }
    let slot = span / roles.len() as u32;
    let blow = |(number, role)| {
        let within = slot.mul_f64(random.below(800) as f64 / 1000.0);
        let at = length.mul_f64(SPAN.0) + slot * number as u32 + within;
        let down = Duration::from_millis(DOWN_MS.0 + random.below(DOWN_MS.1 - DOWN_MS.0));
        Blow { at, role, down }
    };
    roles.into_iter().enumerate().map(blow).collect()
}

/// SplitMix64: enough for a schedule, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}
