//! Mail: everything that is to be told at a time in one message, by SMTP.

use std::fmt::Write as _;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use sha2::{Digest, Sha256};

use super::{Channel, Event, Message, NOTICE, ReceiverError};
use crate::clock;
use crate::keys::hex;

/// A server that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ports of submission: with TLS from the beginning, with STARTTLS.
const PORTS: (u16, u16) = (465, 587);
/// Incidents in one message; the others come in the next.
pub(super) const TOLD_MAX: usize = 50;
/// Letters of a subject line, at most.
const SUBJECT_MAX: usize = 120;

/// Who writes to whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// Whom answers go to.
    pub from: Mailbox,
    /// Who is told.
    pub to: Mailbox,
}

/// A mail server that takes messages of a channel.
pub struct Mail {
    channel: Channel,
    addresses: Addresses,
    server: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mail {
    /// The server of a channel: `smtps://host` has TLS from the beginning; `smtp://host` must begin
    /// it, but on this machine without a CA.
    ///
    /// # Errors
    /// Address or CA is none.
    pub fn new(channel: Channel, addresses: Addresses) -> Result<Self, ReceiverError> {
        let wrong = |error: String| ReceiverError::Mail(channel.name.clone(), error);
        let url = mail_server(&channel.url).map_err(wrong)?;
        let host = url.host_str().unwrap_or_default();
        let is_wrapped = url.scheme() == "smtps";
        let is_near = matches!(host, "127.0.0.1" | "localhost");
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        server = server.port(url.port().unwrap_or(if is_wrapped { PORTS.0 } else { PORTS.1 }));
        server = server.timeout(Some(PATIENCE));
        if is_wrapped || !is_near || channel.ca.is_some() {
            let parameters = tls(host, channel.ca.as_deref()).map_err(|e| wrong(e.to_string()))?;
            let tls = if is_wrapped { Tls::Wrapper(parameters) } else { Tls::Required(parameters) };
            server = server.tls(tls);
        }
        let server = signed_in(server, &url, &addresses, &channel).build();
        Ok(Self { channel, addresses, server })
    }

    /// Its channel.
    pub(super) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sends all in one; they were taken when this returns.
    pub(super) async fn send(&self, messages: &[Message]) -> Result<(), ReceiverError> {
        let wrong = |error: String| ReceiverError::Mail(self.channel.name.clone(), error);
        let Addresses { from, to } = &self.addresses;
        let mail = lettre::Message::builder().from(from.clone()).to(to.clone());
        let id = message_id(to.email.as_ref(), messages);
        let mail = mail.message_id(Some(id)).subject(subject(messages));
        let body = SinglePart::plain(body(messages));
        let mail = mail.multipart(MultiPart::mixed().singlepart(body));
        let mail = mail.map_err(|error| wrong(error.to_string()))?;
        // The library's own patience ends with the connection; a server may stall behind it.
        match tokio::time::timeout(PATIENCE, self.server.send(mail)).await {
            Ok(sent) => sent.map(drop).map_err(|error| wrong(error.to_string())),
            Err(_) => Err(wrong(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

/// The same words that are sent again have the same name: a server may drop the second.
fn message_id(to: &str, messages: &[Message]) -> String {
    let mut hash = Sha256::new_with_prefix(to);
    for message in messages {
        hash.update(message.idempotency_key.as_bytes());
        hash.update(b"\n");
    }
    format!("<{}@wardline>", hex(&hash.finalize()))
}

/// The address of a mail server: a scheme, a host, and perhaps a user and a port.
///
/// # Errors
/// What is wrong with it.
pub fn mail_server(address: &str) -> Result<Url, String> {
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
    match () {
        () if url.host_str().is_none_or(str::is_empty) => Err("the address has no host".into()),
        () if url.password().is_some() => {
            Err("the password does not stand in the address, but in the file of `token`".into())
        }
        () if !is_bare || url.fragment().is_some() => {
            Err("the address ends with its host or port".into())
        }
        () => Ok(url),
    }
}

fn tls(host: &str, ca: Option<&[u8]>) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(ca) = ca {
        parameters = parameters
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(ca)?);
    }
    parameters.build_rustls()
}

/// With the address's user, or the sender, if there is something to show.
fn signed_in(
    server: AsyncSmtpTransportBuilder,
    url: &Url,
    addresses: &Addresses,
    channel: &Channel,
) -> AsyncSmtpTransportBuilder {
    let Some(token) = &channel.token else { return server };
    let user = match url.username() {
        "" => addresses.from.email.to_string(),
        user => percent_decode_str(user).decode_utf8_lossy().into_owned(),
    };
    server.credentials(Credentials::new(user, token.clone()))
}

fn subject(messages: &[Message]) -> String {
    let of = |event: Event| messages.iter().filter(|message| message.event == event).count();
    let counts = match (of(Event::Opened), of(Event::Closed)) {
        (opened, 0) => format!("{opened} opened"),
        (0, closed) => format!("{closed} over"),
        (opened, closed) => format!("{opened} opened, {closed} over"),
    };
    let mut names: Vec<String> = Vec::new();
    for Message { incident, .. } in messages {
        let gateway = incident.gateway.as_deref().unwrap_or("all");
        let name = format!("{} {gateway}", incident.kind);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let subject = format!("Wardline: {counts}: {}", names.join(", "));
    subject.chars().take(SUBJECT_MAX).collect()
}

fn body(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let incident = &message.incident;
        let event = if message.event == Event::Opened { "OPENED" } else { "OVER" };
        let gateway = incident.gateway.as_deref().unwrap_or("all gateways");
        let ward = incident.ward.as_ref().map(|ward| format!(" ({ward})")).unwrap_or_default();
        let since = clock::words(incident.opened_ns);
        let lines = [
            format!("{event}  {}  {gateway}{ward}  since {since}", incident.kind),
            format!("  {}", incident.words),
            format!("  do: {}", incident.remedy),
            asset(message),
        ];
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _: std::fmt::Result = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    text + "-- \n" + NOTICE + "\n"
}

fn asset(message: &Message) -> String {
    let Some(asset) = &message.asset else { return String::new() };
    let parts = [&asset.maker, &asset.model, &asset.serial, &asset.place, &asset.udi];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).cloned().collect();
    if parts.is_empty() { String::new() } else { format!("  device: {}", parts.join(", ")) }
}
