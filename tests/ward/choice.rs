//! What several commands ask for in the same way.

use std::time::Duration;

use rig::site::BrokerKind;

/// Which broker the line runs through.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum BrokerChoice {
    /// mosquitto where it is installed, else the rig's own.
    #[default]
    Auto,
    /// The rig's own small MQTT 5 broker.
    Rig,
    /// Eclipse mosquitto: in PATH, in /usr/sbin, or named by WARD_MOSQUITTO.
    Mosquitto,
}

impl BrokerChoice {
    pub fn kind(self) -> Option<BrokerKind> {
        match self {
            Self::Auto => None,
            Self::Rig => Some(BrokerKind::Rig),
            Self::Mosquitto => Some(BrokerKind::Mosquitto),
        }
    }
}

/// How a broker is called in what we print.
pub fn broker_name(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Mosquitto => "mosquitto",
        BrokerKind::Rig => "the rig's own broker",
    }
}

/// Reads `20s`, `500ms`, `2m`, `1h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = number.parse::<u64>().ok().zip(unit_ms).and_then(|(n, unit)| n.checked_mul(unit));
    let ms = ms.filter(|ms| *ms <= 7 * 86_400_000);
    ms.map(Duration::from_millis).ok_or_else(|| "give a time such as 20s, 500ms or 2m".into())
}
