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
    /// A device that is not known here speaks, and is not taken.
    Stranger,
    /// A device says more than it may, and is slowed down.
    Babble,
    /// A message is not taken.
    Message,
    /// Others may get at a private key.
    Exposed,
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
            Self::Stranger => Some(alarm::STRANGER),
            Self::Babble => Some(alarm::BABBLE),
            Self::Message => Some(alarm::MESSAGES),
            Self::Keyring => Some(alarm::KEYRING),
            Self::Certificate => Some(alarm::CERTIFICATE),
            // Whoever can mend it is at the gateway.
            Self::Exposed | Self::Link => None,
        }
    }
}
