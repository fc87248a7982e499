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
    StatusCode::CONFLICT,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// A server.
#[derive(Clone)]
pub struct Server {
    address: String,
    token: Option<String>,
    client: Client,
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
        Ok(Self { address, token, client: client.build()? })
    }

    /// Sends resources together; what is refused together is sent alone, each.
    ///
    /// # Errors
    /// The server is away, or does not know us.
    pub(super) async fn send(&self, resources: &[Made]) -> anyhow::Result<Vec<Answer>> {
        if self.post(resources).await? == Answer::Taken {
            return Ok(vec![Answer::Taken; resources.len()]);
        }
        let mut answers = Vec::with_capacity(resources.len());
        for one in resources {
            let answer = match resources.len() {
                1 => Answer::Refused,
                _ => self.post(std::slice::from_ref(one)).await?,
            };
            if answer == Answer::Refused {
                let Made { kind, id, .. } = one;
                tracing::error!(kind, id, "a FHIR server refuses a resource; it goes without it");
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn post(&self, resources: &[Made]) -> anyhow::Result<Answer> {
        let request = self.client.post(&self.address).body(transaction(resources));
        let mut request = request.header("Content-Type", "application/fhir+json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        let status = answer.context("the FHIR server")?.status();
        match status {
            status if status.is_success() => Ok(Answer::Taken),
            status if NEVER.contains(&status) => Ok(Answer::Refused),
            status => bail!("the FHIR server answers {status}"),
        }
    }
}
