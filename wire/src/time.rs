//! Moments and clocks as they travel: order comes from sequence and boot, never from these.

/// A moment in nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixNanos(pub i64);

/// Nanoseconds since the gateway's kernel started; never steps.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MonotonicNanos(pub u64);

/// What a device's own time means.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum DeviceClock {
    /// The device gives no time; the gateway's moment of reception stands.
    None = 0,
    /// Ticks since the device started.
    Tick = 1,
    /// Civil time without a zone.
    Local = 2,
    /// UTC by the device's own clock, which nobody vouches for.
    Utc = 3,
    /// UTC, and the device says that it is synchronised.
    UtcSynchronised = 4,
}

impl DeviceClock {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::None, Self::Tick, Self::Local, Self::Utc, Self::UtcSynchronised]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }
}

/// How a device writes a time, and what it says of its clock.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Stated {
    /// The form.
    pub form: Form,
    /// Whether the time is by the device's present clock: nobody has set that since.
    pub is_current: bool,
    /// Whether the device's clock is synchronised.
    pub is_synchronised: bool,
    /// Whether the device says its offset from UTC.
    pub has_offset: bool,
}

/// The forms of a device's time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// UTC.
    Utc,
    /// Civil time.
    Local,
    /// Ticks since the device started.
    Tick,
}

/// What makes a device's time UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Timeline {
    /// It is UTC, with the offset that the device says.
    Keep,
    /// It is UTC; the offset, which nothing but people reads, is the gateway's.
    KeepAtGateway,
    /// Less the offset that the device says it is UTC.
    Own,
    /// Less the gateway's offset it is UTC.
    AtGateway,
    /// As long before the device's present time as the reading was before the gateway's.
    Map,
    /// Nothing: it is kept as it is and when it came, and nobody says when it was.
    Unknown,
}

impl Stated {
    /// The timeline of a time, and whether what the device's clock and the gateway's were at one
    /// moment has to be said with it.
    ///
    /// Source: HL7 PHD implementation guide, coincident time stamps, 18 rows.
    #[must_use]
    pub const fn timeline(self) -> (Timeline, bool) {
        match (self.form, self.is_current, self.is_synchronised, self.has_offset) {
            (Form::Utc, _, true, true) => (Timeline::Keep, false),
            (Form::Utc, _, true, false) => (Timeline::KeepAtGateway, false),
            (Form::Local, is_current, true, true) => (Timeline::Own, is_current),
            (Form::Local, is_current, true, false) => (Timeline::AtGateway, is_current),
            (Form::Utc | Form::Local, true, false, _) | (Form::Tick, true, _, _) => {
                (Timeline::Map, true)
            }
            (Form::Utc | Form::Local, false, false, _) | (Form::Tick, false, _, _) => {
                (Timeline::Unknown, false)
            }
        }
    }
}

/// Where the gateway's UTC comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum TimeSource {
    /// No UTC is known.
    None = 0,
    /// The kernel's clock, which nobody has synchronised.
    Free = 1,
    /// A network time service, as the kernel reports.
    Network = 2,
    /// A sink's signed time.
    Sink = 3,
}

impl TimeSource {
    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::None, Self::Free, Self::Network, Self::Sink]
            .into_iter()
            .find(|source| *source as u64 == number)
    }
}

/// The gateway's clock at one instant; stands once in every batch and every header.
///
/// Invariant: `utc` is `None` exactly when `source` is [`TimeSource::None`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockState {
    /// Grows by one at every step of the wall clock, or of what is known of UTC.
    pub epoch: u32,
    /// The instant.
    pub monotonic: MonotonicNanos,
    /// The same instant in UTC, if it is known.
    pub utc: Option<UnixNanos>,
    /// Bound on the error of `utc`, microseconds; grows while unsynchronised. `u64::MAX` unknown.
    pub error_us: u64,
    /// Who says so.
    pub source: TimeSource,
}

/// Samples, or frames of samples, a second, as an exact fraction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rate {
    /// Samples ...
    pub numerator: u64,
    /// ... in this many seconds. Never 0.
    pub denominator: u64,
}

impl Rate {
    /// `n` samples a second.
    #[must_use]
    pub const fn hertz(n: u64) -> Self {
        Self { numerator: n, denominator: 1 }
    }

    /// When sample `number` is taken, nanoseconds after sample 0, rounded to the nearest.
    #[must_use]
    pub fn nanos_of(&self, number: u64) -> i64 {
        let numerator = u128::from(self.numerator.max(1));
        let seconds = u128::from(number).saturating_mul(u128::from(self.denominator));
        let ticks = seconds.saturating_mul(1_000_000_000);
        i64::try_from(ticks.saturating_add(numerator / 2) / numerator).unwrap_or(i64::MAX)
    }

    /// Whether both parts are there and no larger than a decimal text needs.
    #[must_use]
    pub const fn is_sane(&self) -> bool {
        self.numerator != 0 && self.denominator != 0 && self.denominator <= 1 << 50
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_18_rows_has_its_timeline() {
        use Timeline::{AtGateway, Keep, KeepAtGateway, Map, Own, Unknown};
        let (yes, no) = (true, false);
        let rows = [
            (Form::Utc, yes, yes, yes, Keep, no),
            (Form::Utc, yes, yes, no, KeepAtGateway, no),
            (Form::Utc, yes, no, yes, Map, yes),
            (Form::Utc, yes, no, no, Map, yes),
            (Form::Utc, no, yes, yes, Keep, no),
            (Form::Utc, no, yes, no, KeepAtGateway, no),
            (Form::Utc, no, no, yes, Unknown, no),
            (Form::Utc, no, no, no, Unknown, no),
            (Form::Local, yes, yes, yes, Own, yes),
            (Form::Local, yes, yes, no, AtGateway, yes),
            (Form::Local, yes, no, yes, Map, yes),
            (Form::Local, yes, no, no, Map, yes),
            (Form::Local, no, yes, yes, Own, no),
            (Form::Local, no, yes, no, AtGateway, no),
            (Form::Local, no, no, yes, Unknown, no),
            (Form::Local, no, no, no, Unknown, no),
        ];
        for (at, (form, is_current, is_synchronised, has_offset, timeline, anchor)) in
            rows.into_iter().enumerate()
        {
            let stated = Stated { form, is_current, is_synchronised, has_offset };
            assert_eq!(stated.timeline(), (timeline, anchor), "row {}", at + 1);
        }
        for any in 0..4u8 {
            let (is_synchronised, has_offset) = (any & 1 != 0, any & 2 != 0);
            let of = |is_current| {
                Stated { form: Form::Tick, is_current, is_synchronised, has_offset }.timeline()
            };
            assert_eq!((of(true), of(false)), ((Map, true), (Unknown, false)), "rows 17 and 18");
        }
    }

    #[test]
    fn sample_times_do_not_drift() {
        let rate = Rate::hertz(360);
        assert_eq!(rate.nanos_of(1), 2_777_778);
        assert_eq!(rate.nanos_of(360 * 86_400), 86_400_000_000_000);
    }
}
