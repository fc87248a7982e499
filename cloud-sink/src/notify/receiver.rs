//! Receivers: a webhook is told of one incident at a time, a mail server of all in one message.

use std::time::Duration;

use super::mail::TOLD_MAX;
use super::{Channel, Mail, Message, Webhook};

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A webhook does not answer, or its CA is none.
    #[error("{0}: {1}; is the address right, and its receiver up?")]
    Http(String, reqwest::Error),
    /// A webhook refuses.
    #[error("{0} answers {1}; look into its log, and at the token")]
    Refused(String, u16),
    /// A mail server does not answer or refuses, or its CA is none.
    #[error("{0}: {1}; are the server's address, its CA and the password right?")]
    Mail(String, String),
}

/// Who takes the messages of a channel.
pub enum Receiver {
    /// A webhook.
    Webhook(Box<Webhook>),
    /// A mail server.
    Mail(Box<Mail>),
}

/// After a message to a webhook, and after a mail: people read fewer of them.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

impl Receiver {
    /// The receiver of a channel.
    ///
    /// # Errors
    /// Its address or its CA is none.
    pub fn new(channel: Channel) -> Result<Self, ReceiverError> {
        match channel.mail.clone() {
            None => Webhook::new(channel).map(|hook| Self::Webhook(Box::new(hook))),
            Some(addresses) => Mail::new(channel, addresses).map(|mail| Self::Mail(Box::new(mail))),
        }
    }

    /// Its channel.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        match self {
            Self::Webhook(hook) => hook.channel(),
            Self::Mail(mail) => mail.channel(),
        }
    }

    /// How long to wait before it is told more.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        match self {
            Self::Webhook(_) => PAUSES.0,
            Self::Mail(_) => PAUSES.1,
        }
    }

    /// Whether one message tells all, so that the rest has time.
    #[must_use]
    pub const fn tells_at_once(&self) -> bool {
        matches!(self, Self::Mail(_))
    }

    /// Tells the first of some messages, or the first few; how many it has taken.
    ///
    /// # Errors
    /// [`ReceiverError`]; none was taken.
    pub async fn tell(&self, messages: &[Message]) -> Result<usize, ReceiverError> {
        match (self, messages) {
            (_, []) => Ok(0),
            (Self::Webhook(hook), [first, ..]) => hook.post(first).await.map(|()| 1),
            (Self::Mail(mail), all) => {
                let told = &all[..all.len().min(TOLD_MAX)];
                mail.send(told).await.map(|()| told.len())
            }
        }
    }
}
