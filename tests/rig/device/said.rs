//! What a device said, written down where it was said: one side of the ledger.

use wire::batch::ChannelInfo;
use wire::decimal::Number;
use wire::identity::DeviceId;
use wire::reading::{ChannelKind, Status};
use wire::time::Rate;

/// Everything that one device said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub device: DeviceId,
    /// Channels of all its introductions, in that order.
    pub channels: Vec<SaidChannel>,
    /// Alerts, in order.
    pub alerts: Vec<SaidAlert>,
}

/// What was said on one channel of one introduction.
#[derive(Clone, Debug)]
pub struct SaidChannel {
    /// The channel as it was declared.
    pub info: ChannelInfo,
    /// The values, by time.
    pub values: Values,
}

/// Values of one channel.
#[derive(Clone, Debug)]
pub enum Values {
    /// Moment in UTC nanoseconds, number, status.
    Numerics(Vec<(i64, Number, Status)>),
    /// Samples without a break.
    Waves(Vec<Stretch>),
    /// So many of either, which nobody will compare.
    Counted(u64),
}

/// Samples without a break.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// When sample number 0 would have been, UTC nanoseconds.
    pub origin_ns: i64,
    /// Number of the first sample.
    pub first: u64,
    /// Status of all.
    pub status: Status,
    /// The samples; `None` is invalid.
    pub samples: Vec<Option<i32>>,
}

/// An alert.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SaidAlert {
    /// Moment, UTC nanoseconds.
    pub time_ns: i64,
    /// Event code.
    pub code: u32,
    /// What raised it.
    pub source: u32,
    /// Phase, state, priority.
    pub levels: [u8; 3],
    /// The device's words.
    pub text: String,
}

impl Said {
    /// Nothing yet.
    #[must_use]
    pub fn new(device: DeviceId) -> Self {
        Self { device, channels: Vec::new(), alerts: Vec::new() }
    }

    /// Numerics and samples, each counted.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.channels.iter().map(|channel| channel.values.len()).sum()
    }
}

impl SaidChannel {
    /// Nothing yet.
    #[must_use]
    pub fn new(info: ChannelInfo) -> Self {
        let values = match info.kind {
            ChannelKind::Numeric { .. } => Values::Numerics(Vec::new()),
            ChannelKind::Wave { .. } => Values::Waves(Vec::new()),
        };
        Self { info, values }
    }

    /// Nothing yet, and only how many values there are will be known.
    #[must_use]
    pub fn counted(info: ChannelInfo) -> Self {
        Self { info, values: Values::Counted(0) }
    }

    /// Adds a number.
    pub fn numeric(&mut self, time_ns: i64, number: Number, status: Status) {
        match &mut self.values {
            Values::Numerics(values) => values.push((time_ns, number, status)),
            Values::Counted(count) => *count += 1,
            Values::Waves(_) => {}
        }
    }

    /// Samples a second; `None` for a numeric.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        match self.info.kind {
            ChannelKind::Numeric { .. } => None,
            ChannelKind::Wave { rate, .. } => Some(rate),
        }
    }

    /// Adds samples, to the last stretch if they continue it.
    pub fn wave(&mut self, origin_ns: i64, first: u64, status: Status, samples: &[Option<i32>]) {
        let stretches = match &mut self.values {
            Values::Waves(stretches) => stretches,
            Values::Counted(count) => {
                *count += samples.len() as u64;
                return;
            }
            Values::Numerics(_) => return,
        };
        let continued = stretches.last_mut().filter(|last| {
            (last.origin_ns, last.status) == (origin_ns, status)
                && last.first + last.samples.len() as u64 == first
        });
        match continued {
            Some(last) => last.samples.extend_from_slice(samples),
            None => {
                let samples = samples.to_vec();
                stretches.push(Stretch { origin_ns, first, status, samples });
            }
        }
    }
}

impl Values {
    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Numerics(values) => values.len() as u64,
            Self::Waves(stretches) => stretches.iter().map(|s| s.samples.len() as u64).sum(),
            Self::Counted(count) => *count,
        }
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
