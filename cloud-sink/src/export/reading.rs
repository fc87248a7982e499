//! A reading with all that it needs to be understood alone.

use std::sync::Arc;

use wire::decimal::{Decimal, Number};
use wire::reading::{STATUS_INVALID, STATUS_NOT_CLINICAL, Status};

use crate::signal::{Run, Signal};

/// The frame that brought a reading.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Its number in the store.
    pub evidence: i64,
    /// Through which gateway.
    pub gateway: String,
    /// Hash of its signed part.
    pub frame: String,
    /// Its segment and its index there, which a receipt names.
    pub place: (String, u32),
    /// When it was stored, UTC nanoseconds.
    pub stored_ns: i64,
    /// How far the gateway's time may be off, microseconds; none if it is not known.
    pub error_us: Option<i64>,
    /// When the gateway began it, UTC nanoseconds, as far as that is known.
    pub taken_ns: Option<i64>,
}

/// By whose clock a time is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dated {
    /// The gateway's.
    Gateway,
    /// The device's own.
    Device,
    /// Nobody's: the moment is a guess.
    Guess,
    /// The gateway's, less what a civil clock without zone says of the reading's age.
    Civil,
}

impl Dated {
    pub(super) fn of(number: Option<i64>) -> Self {
        match number {
            Some(1) => Self::Device,
            Some(2) => Self::Guess,
            Some(3) => Self::Civil,
            _ => Self::Gateway,
        }
    }

    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::Guess => "guess",
            Self::Civil => "civil",
        }
    }
}

/// What readings of one block have in common.
#[derive(Clone, Debug)]
pub struct About {
    /// The device's EUI-64.
    pub device: Arc<str>,
    /// The signal.
    pub signal: Arc<Signal>,
    /// The token of whom it was measured, in hexadecimal digits or as it was sent in clear.
    pub patient: Option<Arc<str>>,
    /// By whose clock the time is.
    pub dated: Dated,
    /// The frame.
    pub origin: Arc<Origin>,
    /// Which of the blocks, or of the runs of samples, that its frame made.
    pub place: i64,
}

impl About {
    /// How far the time may be off, microseconds, if anybody says so.
    #[must_use]
    pub fn error_us(&self) -> Option<i64> {
        self.origin.error_us.filter(|_| self.dated == Dated::Gateway)
    }

    /// Whether it may be taken for a patient's.
    #[must_use]
    pub fn is_clinical(&self, status: Status) -> bool {
        self.signal.mode == 0 && status & STATUS_NOT_CLINICAL == 0
    }
}

/// One number.
#[derive(Clone, Debug)]
pub struct Numeric {
    /// Whose.
    pub about: Arc<About>,
    /// Which number of its block.
    pub place: i64,
    /// When, UTC nanoseconds.
    pub at_ns: i64,
    /// The number, or why there is none.
    pub number: Number,
    /// Measurement status.
    pub status: Status,
}

impl Numeric {
    /// The number, unless the device says that it is none or not valid.
    #[must_use]
    pub const fn valid(&self) -> Option<Decimal> {
        match self.number {
            Number::Is(decimal) if self.status & STATUS_INVALID == 0 => Some(decimal),
            _ => None,
        }
    }
}

/// One run of samples.
#[derive(Clone, Debug)]
pub struct Wave {
    /// Whose.
    pub about: Arc<About>,
    /// The samples.
    pub run: Run,
}

/// An alert, an event, a loss, words, or the beginning or end of a context.
#[derive(Clone, Debug)]
pub struct Note {
    /// Which of its frame's notes.
    pub place: i64,
    /// The device's EUI-64.
    pub device: Arc<str>,
    /// Whom it is about.
    pub patient: Option<Arc<str>>,
    /// By whose clock the time is.
    pub dated: Dated,
    /// The frame.
    pub origin: Arc<Origin>,
    /// When, UTC nanoseconds.
    pub at_ns: i64,
    /// `alert`, `event`, `loss`, `words`, `association` or `conflict`.
    pub kind: String,
    /// Code and source.
    pub codes: [Option<u32>; 2],
    /// Phase, state and priority.
    pub levels: [Option<u8>; 3],
    /// Its number.
    pub value: Option<i64>,
    /// Its words.
    pub text: Option<String>,
}

/// What a page brings.
pub enum Reading {
    /// A number.
    Numeric(Numeric),
    /// A run of samples.
    Wave(Wave),
    /// A note.
    Note(Note),
}
