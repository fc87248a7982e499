//! What may be wrong at a gateway.

use wire::status::alarm;

/// What may be wrong, worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Alarm {
    /// Nothing can be stored; devices are held back.
    Storage,
    /// Keys are missing.
    Keys,
    /// The configuration is wrong and the last good one is used.
    Config,
    /// One of two copies was damaged.
    Mended,
    /// The keyring expires.
    Keyring,
    /// Our certificate expires.
    Certificate,
    /// There is no connection.
    Link,
}

impl Alarm {
    /// Its place among the bits of a report.
    pub(super) const fn bit(self) -> Option<u8> {
        match self {
            Self::Storage => Some(alarm::STORAGE),
            Self::Keys => Some(alarm::KEYS),
            Self::Config => Some(alarm::CONFIG),
            Self::Mended => Some(alarm::MENDED),
            Self::Keyring => Some(alarm::KEYRING),
            Self::Certificate => Some(alarm::CERTIFICATE),
            Self::Link => None,
        }
    }
}
