//! Webhook: messages as JSON, posted until their receiver has taken them.

use std::time::Duration;

use reqwest::{Certificate, Client};

use super::{Channel, Message, ReceiverError};

/// A receiver that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A receiver.
pub struct Webhook {
    channel: Channel,
    client: Client,
}

impl Webhook {
    /// The receiver of a channel.
    ///
    /// # Errors
    /// Its CA is none.
    pub fn new(channel: Channel) -> Result<Self, ReceiverError> {
        let wrong = |error| ReceiverError::Http(channel.name.clone(), error);
        let mut client =
            Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &channel.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(ca).map_err(wrong)?);
        }
        let client = client.build().map_err(wrong)?;
        Ok(Self { channel, client })
    }

    /// Its channel.
    #[must_use]
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Posts a message; it was taken when this returns.
    ///
    /// # Errors
    /// [`ReceiverError`].
    pub async fn post(&self, message: &Message) -> Result<(), ReceiverError> {
        let Channel { name, url, token, .. } = &self.channel;
        let mut request = self.client.post(url).json(message);
        request = request.header("Idempotency-Key", &message.idempotency_key);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| ReceiverError::Http(name.clone(), error.without_url()))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(ReceiverError::Refused(name.clone(), answer.status().as_u16()))
        }
    }
}
