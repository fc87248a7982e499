//! FHIR: transactions to a server's base address.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Certificate, Client, StatusCode};

use super::Answer;
use crate::export::fhir::{Made, transaction};

/// A server that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a server says that will never take a transaction as it is.
const NEVER: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::UNPROCESSABLE_ENTITY,
];
/// A conflict may be over at the next attempt: as often as this.
const CONFLICTS_MAX: u32 = 5;

/// A server.
#[derive(Clone)]
pub struct Server {
    address: String,
    token: Option<String>,
    client: Client,
    conflicts: u32,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address)
    }
}

impl Server {
    /// By its base address, the token that it is shown, and its CA as PEM.
    ///
    /// # Errors
    /// The CA is none.
    pub fn new(address: String, token: Option<String>, ca: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut client =
            Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(ca)?);
        }
        Ok(Self { address, token, client: client.build()?, conflicts: 0 })
    }

    /// Sends resources together; what is refused together is sent in halves, down to each alone.
    ///
    /// # Errors
    /// The server is away, or does not know us.
    pub(super) async fn send(&mut self, resources: &[Made]) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(resources.len());
        let mut parts = vec![resources];
        while let Some(part) = parts.pop() {
            match (self.post(part).await?, part) {
                (Answer::Taken, part) => answers.extend(part.iter().map(|_| Answer::Taken)),
                (Answer::Refused, []) => {}
                (Answer::Refused, [Made { kind, id, .. }]) => {
                    tracing::error!(kind, id, "a FHIR server refuses a resource for good");
                    answers.push(Answer::Refused);
                }
                (Answer::Refused, part) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(answers)
    }

    async fn post(&mut self, resources: &[Made]) -> anyhow::Result<Answer> {
        let request = self.client.post(&self.address).body(transaction(resources));
        let mut request = request.header("Content-Type", "application/fhir+json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        let status = answer.context("the FHIR server")?.status();
        match status {
            status if status.is_success() => {
                self.conflicts = 0;
                Ok(Answer::Taken)
            }
            StatusCode::CONFLICT if self.conflicts >= CONFLICTS_MAX => Ok(Answer::Refused),
            StatusCode::CONFLICT => {
                self.conflicts += 1;
                bail!("the FHIR server answers 409")
            }
            status if NEVER.contains(&status) => Ok(Answer::Refused),
            status => bail!("the FHIR server answers {status}"),
        }
    }
}
