//! Lock: what a device with a key says and believes.
//!
//! | the device | says | believes |
//! |---|---|---|
//! | has no key | all, open | all, open |
//! | has one, and no challenge yet | who it is, open | an offer of a challenge |
//! | has both | who it is, and all of it sealed | what is sealed, and a new offer |

use wire::link::{Challenge, Frame, Kind, LinkKey, Opened, Sealing};

/// The key, if there is one, and what was agreed.
#[derive(Debug, Default)]
pub enum Lock {
    /// There is no key.
    #[default]
    None,
    /// The gateway has not offered a challenge yet.
    Closed(LinkKey),
    /// It has.
    Agreed(Sealing),
}

impl Lock {
    pub(crate) const fn new(key: LinkKey) -> Self {
        Self::Closed(key)
    }

    pub(crate) const fn is_agreed(&self) -> bool {
        matches!(self, Self::Agreed(_))
    }

    /// What is agreed.
    pub(crate) const fn challenge(&self) -> Option<Challenge> {
        match self {
            Self::Agreed(sealing) => Some(sealing.challenge),
            Self::None | Self::Closed(_) => None,
        }
    }

    /// Whether readings may be said.
    pub(crate) const fn may_speak(&self) -> bool {
        !matches!(self, Self::Closed(_))
    }

    /// What a frame from the gateway says, if it is believed; an offer is taken.
    pub(crate) fn hear(&mut self, frame: &Frame<'_>) -> Option<(Kind, u32, u32)> {
        let heard = |frame: Frame<'_>| (frame.kind, frame.boot, frame.sequence);
        match self {
            Self::None => Some(heard(*frame)).filter(|(kind, ..)| *kind != Kind::Sealed),
            Self::Closed(key) | Self::Agreed(Sealing { key, .. }) if frame.kind == Kind::Query => {
                let challenge = Challenge::read(frame.payload)?;
                *self = Self::Agreed(Sealing { key: key.clone(), challenge });
                Some(heard(*frame))
            }
            Self::Agreed(sealing) => Some(heard(sealing.open(frame).ok()?.frame())),
            Self::Closed(_) => None,
        }
    }

    /// A frame under seal, once that is agreed.
    pub(crate) fn seal(&self, frame: &Frame<'_>) -> Option<Opened> {
        match self {
            Self::Agreed(sealing) => sealing.seal(frame),
            Self::None | Self::Closed(_) => None,
        }
    }
}
