//! The file as it is written: every key, its default and its bounds.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::onboard::SensorKind;
use crate::intake::patients::Naming;

/// Configuration of the Wardline gateway agent. Relative paths count from the file's folder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wardline.toml")]
pub(super) struct File {
    pub(super) gateway: GatewaySection,
    pub(super) broker: BrokerSection,
    #[serde(default)]
    pub(super) intake: IntakeSection,
    #[serde(default)]
    pub(super) buffer: BufferSection,
    #[serde(default)]
    pub(super) seal: SealSection,
    pub(super) metrics: Option<MetricsSection>,
}

/// Prometheus metrics, and whether the agent lives and takes readings. Without this section nothing
/// listens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsSection {
    /// Loopback address and port.
    #[schemars(with = "String")]
    pub(super) listen: SocketAddr,
}

/// Who the gateway is, and where it keeps what it has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewaySection {
    /// The gateway's name. It is the certificate's name and stands in its topics.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"))]
    pub(super) id: String,
    /// Folder of keys and buffer; made with mode 0700.
    pub(super) state: PathBuf,
}

/// The MQTT 5 broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BrokerSection {
    /// Name or address; must stand in its certificate.
    #[schemars(length(min = 1))]
    pub(super) host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub(super) port: u16,
    /// CA of the site, PEM. Default: `keys/ca.pem` in the state folder.
    pub(super) ca: Option<PathBuf>,
    /// Our certificate, PEM. Default: `keys/gateway.pem` in the state folder.
    pub(super) certificate: Option<PathBuf>,
    /// Our key, PEM. Default: `keys/gateway-tls.key` in the state folder.
    pub(super) key: Option<PathBuf>,
    /// Lists of revoked certificates, PEM, read anew for each connection; if it cannot be read, no
    /// broker is believed. Without it none is looked at.
    pub(super) crl: Option<PathBuf>,
}

const fn default_port() -> u16 {
    8883
}

/// Where devices speak.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IntakeSection {
    /// Whether devices without a key are taken; their runs are labelled so. Keys: `wardline device
    /// add`.
    pub(super) strangers: bool,
    /// What one port or connection may say, KiB a second; who says more is slowed down.
    #[schemars(range(min = 1, max = 65_536))]
    pub(super) port_kib_s: u64,
    /// Sensors on the gateway's own buses, one block each.
    pub(super) onboard: Vec<OnboardSection>,
    /// What becomes of patients' identifiers: `pseudonym`, `clear` or `none`.
    pub(super) patients: Naming,
    /// Where HL7 v2 messages come by MLLP, one block each.
    pub(super) hl7: Vec<Hl7Section>,
    /// Serial ports or pseudo-terminals, one block each.
    pub(super) serial: Vec<SerialSection>,
    /// Unix sockets.
    pub(super) unix: Vec<PathBuf>,
    /// TCP addresses, device side only: `address:port`.
    #[schemars(with = "Vec<String>")]
    pub(super) tcp: Vec<SocketAddr>,
}

impl Default for IntakeSection {
    fn default() -> Self {
        Self {
            strangers: false,
            port_kib_s: 128,
            onboard: Vec::new(),
            patients: Naming::default(),
            hl7: Vec::new(),
            serial: Vec::new(),
            unix: Vec::new(),
            tcp: Vec::new(),
        }
    }
}

/// A sensor on the gateway's own bus.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnboardSection {
    /// The chip.
    pub(super) sensor: SensorKind,
    /// The bus: `/dev/i2c-1`, or `/dev/spidev0.0`.
    pub(super) bus: PathBuf,
    /// Its address on an I2C bus; the chip's usual one without it.
    #[schemars(range(min = 3, max = 0x77))]
    pub(super) address: Option<u8>,
    /// Milliseconds from one reading to the next, of a chip that gives numbers alone; as fast as it
    /// measures without it.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub(super) every_ms: Option<u32>,
    /// EUI-64 of the device that it is to be; made from the gateway's name, bus and address without
    /// it.
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{16}$"))]
    pub(super) device: Option<String>,
    /// Beside an INA219, thousandths of an ohm; 100 without it.
    #[schemars(range(min = 1))]
    pub(super) shunt_milliohms: Option<u16>,
    /// Chip and line of the pin by which an ADS1292R says that a sample waits.
    pub(super) ready: Option<(PathBuf, u32)>,
}

/// A place where HL7 v2 messages come.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hl7Section {
    /// Address and port; 2575 is usual.
    #[schemars(with = "String")]
    pub(super) listen: SocketAddr,
    /// Without TLS, on an address that is not loopback; never on all addresses.
    #[serde(default)]
    pub(super) plain: bool,
    /// Our certificate, PEM. Default: `keys/gateway.pem` in the state folder.
    pub(super) certificate: Option<PathBuf>,
    /// Its key, PEM. Default: `keys/gateway-tls.key` in the state folder.
    pub(super) key: Option<PathBuf>,
    /// Who signs the certificates of senders, PEM. Default: `keys/ca.pem` in the state folder.
    pub(super) ca: Option<PathBuf>,
    /// How long a message waits for others before it is made durable, milliseconds.
    #[serde(default = "default_gather")]
    #[schemars(range(max = 1_000))]
    pub(super) gather_ms: u64,
}

const fn default_gather() -> u64 {
    10
}

/// A serial port.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SerialSection {
    /// The device file; one `*` in its last part stands for any letters, and ports that fit are
    /// opened when they come.
    pub(super) path: PathBuf,
    /// Bits a second.
    #[serde(default = "default_baud")]
    #[schemars(range(min = 300, max = 4_000_000))]
    pub(super) baud: u32,
}

const fn default_baud() -> u32 {
    115_200
}

/// Room for what waits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BufferSection {
    /// All buffer files together, MiB. When full, receipted segments go first, then the oldest of
    /// the lowest lane under a signed gap.
    #[schemars(range(min = 8, max = 16_777_216))]
    pub(super) quota_mib: u64,
    /// What the file system keeps free, MiB.
    #[schemars(range(max = 1_048_576))]
    pub(super) free_mib: u64,
    /// How long receipted segments stay while there is room, hours.
    #[schemars(range(max = 8760))]
    pub(super) keep_hours: u64,
}

impl Default for BufferSection {
    fn default() -> Self {
        Self { quota_mib: 4096, free_mib: 256, keep_hours: 72 }
    }
}

/// When batches are closed, and how they are sealed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SealSection {
    /// How secrets are wrapped: `x-wing` (X25519 and ML-KEM-768) or `x25519`.
    #[schemars(regex(pattern = "^(x-wing|x25519)$"))]
    pub(super) suite: String,
    /// Longest wait of an alert for others, milliseconds.
    #[schemars(range(min = 10, max = 60_000))]
    pub(super) alert_ms: u64,
    /// The same of a numeric.
    #[schemars(range(min = 10, max = 60_000))]
    pub(super) vital_ms: u64,
    /// The same of a waveform.
    #[schemars(range(min = 10, max = 60_000))]
    pub(super) wave_ms: u64,
    /// Between two health reports, milliseconds.
    #[schemars(range(min = 10, max = 60_000))]
    pub(super) health_ms: u64,
    /// Bytes sent beyond receipts, KiB.
    #[schemars(range(min = 256, max = 65_536))]
    pub(super) window_kib: u64,
}

impl Default for SealSection {
    fn default() -> Self {
        Self {
            suite: "x-wing".into(),
            alert_ms: 100,
            vital_ms: 1000,
            wave_ms: 1000,
            health_ms: 15_000,
            window_kib: 4096,
        }
    }
}

/// Every key and section that may stand in the file.
pub(super) fn known_keys() -> Vec<String> {
    let schema = super::schema();
    let definitions = schema.get("$defs").and_then(|definitions| definitions.as_object());
    let sections = definitions.into_iter().flat_map(|sections| sections.values());
    let objects = sections.chain([schema.as_value()]);
    let properties = objects.filter_map(|object| object.get("properties")?.as_object());
    properties.flat_map(|properties| properties.keys().cloned()).collect()
}
