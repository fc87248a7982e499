//! The file as it is written: every key, its default and its bounds.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration of the Wardline cloud sink. Relative paths count from the file's folder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "sink.toml")]
pub(super) struct File {
    pub(super) sink: SinkSection,
    pub(super) broker: BrokerSection,
    pub(super) view: Option<ViewSection>,
    pub(super) enrol: Option<EnrolSection>,
    pub(super) metrics: Option<MetricsSection>,
    #[serde(default)]
    pub(super) retention: Vec<RetentionSection>,
    pub(super) sign_on: Option<SignOnSection>,
    #[serde(default)]
    pub(super) notify: Vec<NotifySection>,
    /// Other systems that get what is stored, as it comes.
    #[serde(default)]
    pub(super) export: Vec<ExportSection>,
}

/// The hospital's own sign-on, OpenID Connect. Without this section there is none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignOnSection {
    /// The provider's address, as it calls itself; https, or loopback.
    pub(super) issuer: String,
    /// What the provider calls us.
    pub(super) client: String,
    /// File in the folder of keys with what we show the provider.
    #[serde(default = "default_secret")]
    pub(super) secret: String,
    /// The provider's CA, PEM; those of the system without it.
    pub(super) ca: Option<PathBuf>,
    /// What is asked for.
    #[serde(default = "default_scope")]
    pub(super) scope: String,
    /// Claim that says viewer, engineer, auditor or admin.
    #[serde(default = "default_role_claim")]
    pub(super) role_claim: String,
    /// Claim that says a person's ward. With it, who has none sees nothing.
    pub(super) ward_claim: Option<String>,
}

fn default_secret() -> String {
    "sign-on.secret".into()
}

fn default_scope() -> String {
    "openid profile".into()
}

fn default_role_claim() -> String {
    "wardline_role".into()
}

/// How long the readings of a lane are kept after they were stored. Without a rule they stay for
/// ever. Hashes and the chain stay in any case.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionSection {
    /// `alert`, `vital`, `wave` or `health`.
    #[schemars(regex(pattern = "^(alert|vital|wave|health)$"))]
    pub(super) lane: String,
    /// The ward whose readings it is about; those of all wards that have no rule of their own
    /// without it.
    pub(super) ward: Option<String>,
    /// Days.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) days: u32,
}

/// Prometheus metrics at /metrics, without a sign-in and without patient data.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsSection {
    /// Where they are served, `address:port`; loopback only.
    #[schemars(with = "String")]
    pub(super) listen: SocketAddr,
}

/// The page for clinical engineers. Without this section there is none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewSection {
    /// Where it is served, `address:port`; loopback only, unless it has a certificate.
    #[schemars(with = "String")]
    pub(super) listen: SocketAddr,
    /// How people reach it, if not by that address.
    pub(super) url: Option<String>,
    /// The page's certificate and what leads to its CA, PEM.
    pub(super) certificate: Option<PathBuf>,
    /// The certificate's key, PEM.
    pub(super) key: Option<PathBuf>,
}

/// Who the sink is, and where it keeps what it has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkSection {
    /// This sink's name, the name in its certificate.
    pub(super) name: String,
    /// Folder of keys.
    #[serde(default = "default_keys")]
    pub(super) keys: PathBuf,
    /// One SQLite file, or `postgres://user@localhost/database` for any number of sinks; on another
    /// machine with `?sslrootcert=FILE`, the CA of its TLS.
    #[serde(default = "default_store")]
    pub(super) store: String,
    /// Days after which new recipient keys follow by themselves; 0 if only people let them follow,
    /// by `wardline-sink keys rotate`. Default 7, and 0 with PostgreSQL: its sinks share their
    /// keys.
    #[schemars(range(min = 0, max = 365))]
    pub(super) rotate_days: Option<u32>,
}

/// The MQTT 5 broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BrokerSection {
    /// Name or address; must stand in its certificate.
    pub(super) host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub(super) port: u16,
}

/// Who is told of incidents: a webhook, which may be a work-order system's, or people by mail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifySection {
    /// Its name; what was sent is remembered under it.
    pub(super) name: String,
    /// Where messages are posted; https, or loopback. For mail the server, `smtps://user@host`, or
    /// `smtp://host` of one that begins TLS.
    pub(super) url: String,
    /// Who is told by mail; a webhook without.
    #[serde(default)]
    pub(super) to: Vec<String>,
    /// Who writes the mail.
    pub(super) from: Option<String>,
    /// File in the folder of keys with what the receiver is shown: a bearer token, or the password
    /// of a mail server.
    pub(super) token: Option<String>,
    /// The receiver's CA, PEM; those of the system without it.
    pub(super) ca: Option<PathBuf>,
    /// Only incidents that last for so long, seconds.
    #[serde(default = "default_after")]
    pub(super) after_seconds: u32,
    /// Only these kinds of incident; all without.
    #[serde(default)]
    pub(super) kinds: Vec<String>,
    /// Only gateways of this ward; all without.
    pub(super) ward: Option<String>,
}

/// Another system that gets what is stored, as it comes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportSection {
    /// Its name; how far it has come is remembered under it.
    pub(super) name: String,
    /// `mllp://HOST:PORT` for HL7 v2.6, or the base address of a FHIR R4 server: https, or near.
    pub(super) to: String,
    /// MLLP without TLS: on loopback, or if this says so.
    #[serde(default)]
    pub(super) plain: bool,
    /// The receiver's CA, PEM. Without it `ca.pem` in the folder of keys for MLLP, and those of the
    /// system for FHIR.
    pub(super) ca: Option<PathBuf>,
    /// File in the folder of keys with the bearer token that a FHIR server is shown.
    pub(super) token: Option<String>,
    /// HL7: values that are not valid, too, with their flags, and moments that nobody knows.
    #[serde(default)]
    pub(super) flagged: bool,
}

/// Where gateways enrol by a one-time token, and renew their certificates. TLS 1.3 with `enrol.pem`
/// of the folder of keys. Without this section requests and grants are carried as files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolSection {
    /// Address and port.
    #[schemars(with = "String")]
    pub(super) listen: SocketAddr,
    /// How gateways reach it: https, and a name that stands in its certificate. The broker's host
    /// and this port without it.
    pub(super) url: Option<String>,
}

const fn default_after() -> u32 {
    60
}

fn default_keys() -> PathBuf {
    "keys".into()
}

fn default_store() -> String {
    "store.sqlite".into()
}

const fn default_port() -> u16 {
    8883
}
