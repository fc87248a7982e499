//! What changes by chance: noise, slow drifts, and the troubles that come and go.

/// A small generator (splitmix64): one word of state, good enough for signals, not for keys.
#[derive(Clone, Debug)]
pub(super) struct Noise(pub(super) u64);

impl Noise {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Evenly spread over `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Near enough to normal, mean 0, deviation 1, never beyond 3.5: the sum of four even draws.
    pub(super) fn gauss(&mut self) -> f64 {
        let word = self.word();
        let sum: u64 = (0..4).map(|quarter| (word >> (16 * quarter)) & 0xffff).sum();
        (sum as f64 / 65_535.0 - 2.0) * 3f64.sqrt()
    }
}

/// A value that wanders about its centre and comes back within some minutes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift {
    /// Where it comes back to.
    pub(super) centre: f64,
    /// Where it is.
    pub(super) value: f64,
    /// Its standard deviation.
    pub(super) spread: f64,
}

impl Drift {
    /// One second passes.
    pub(super) fn advance(&mut self, noise: &mut Noise) {
        self.value += 0.01 * (self.centre - self.value) + 0.14 * self.spread * noise.gauss();
    }
}

/// What can go wrong at the bedside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// Heart and breath race.
    Fast,
    /// The heart is slow.
    Slow,
    /// Arterial pressure is high.
    High,
    /// Arterial pressure is low.
    Low,
    /// Saturation falls.
    Desaturated,
    /// The finger probe came off.
    ProbeOff,
    /// The patient moves: noise on every wave, doubtful numbers.
    Restless,
}

/// Seconds that a trouble takes to set in, and to pass.
const RAMP_S: f64 = 10.0;

/// The present or the next trouble.
///
/// All seven come once in any ten minutes, in an order that chance decides.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    /// Which trouble.
    pub(super) kind: Trouble,
    begins_s: f64,
    ends_s: f64,
    /// Those that are still to come in this round.
    deck: Vec<Trouble>,
}

impl Episode {
    /// The first one, some time after admission.
    pub(super) fn first(noise: &mut Noise) -> Self {
        let mut first = Self { kind: Trouble::Slow, begins_s: 0.0, ends_s: 0.0, deck: Vec::new() };
        first.draw(noise);
        first
    }

    /// Draws the next trouble when this one has passed.
    pub(super) fn advance(&mut self, now_s: f64, noise: &mut Noise) {
        if now_s >= self.ends_s {
            self.draw(noise);
        }
    }

    /// 0 not at all, 1 fully.
    pub(super) fn strength(&self, now_s: f64) -> f64 {
        let inside_s = (now_s - self.begins_s).min(self.ends_s - now_s);
        match self.kind {
            Trouble::ProbeOff | Trouble::Restless if inside_s >= 0.0 => 1.0,
            Trouble::ProbeOff | Trouble::Restless => 0.0,
            _ => (inside_s / RAMP_S).clamp(0.0, 1.0),
        }
    }

    fn draw(&mut self, noise: &mut Noise) {
        use Trouble::{Desaturated, Fast, High, Low, ProbeOff, Restless, Slow};
        if self.deck.is_empty() {
            self.deck = vec![Fast, Slow, High, Low, Desaturated, ProbeOff, Restless];
        }
        let pick = noise.between(0.0, self.deck.len() as f64) as usize;
        self.kind = self.deck.swap_remove(pick.min(self.deck.len() - 1));
        self.begins_s = self.ends_s + noise.between(15.0, 45.0);
        self.ends_s = self.begins_s
            + match self.kind {
                ProbeOff => noise.between(6.0, 15.0),
                Restless => noise.between(5.0, 12.0),
                _ => noise.between(34.0, 48.0),
            };
    }
}
