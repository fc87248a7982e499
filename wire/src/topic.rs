//! MQTT topic names, built and parsed in one place.

use core::fmt;

use crate::identity::{GatewayId, Lane};

/// Where the keyring stands, retained.
pub const KEYRING: &str = "wardline/v1/keyring";
/// What a sink subscribes to: every lane of every gateway.
pub const ALL_LANES: [&str; 4] =
    ["wardline/v1/+/alert", "wardline/v1/+/vital", "wardline/v1/+/wave", "wardline/v1/+/health"];
/// Status of every gateway.
pub const ALL_STATUS: &str = "wardline/v1/+/status";

/// What is said about or to a gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Records of a lane. Gateway to sink.
    Lane(Lane),
    /// Signed receipts. Sink to gateway.
    Receipt,
    /// A hint whether it is connected; retained, last will. Gateway to all.
    Status,
    /// Signed commands. Sink to gateway.
    Command,
}

/// One gateway's topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Whose.
    pub gateway: GatewayId,
    /// Which.
    pub level: Level,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Lane(lane) => lane.name(),
            Level::Receipt => "receipt",
            Level::Status => "status",
            Level::Command => "command",
        };
        write!(f, "wardline/v1/{}/{level}", self.gateway)
    }
}

impl Topic {
    /// Parses a topic name; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (gateway, level) = name.strip_prefix("wardline/v1/")?.split_once('/')?;
        let gateway = GatewayId::new(gateway).ok()?;
        let level = match level {
            "receipt" => Level::Receipt,
            "status" => Level::Status,
            "command" => Level::Command,
            lane => Level::Lane(Lane::from_name(lane)?),
        };
        Some(Self { gateway, level })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_topic_comes_back_from_its_name() {
        let gateway = GatewayId::new("gw-1").unwrap();
        for level in [Level::Lane(Lane::Wave), Level::Receipt, Level::Status, Level::Command] {
            let topic = Topic { gateway, level };
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
        assert_eq!(Topic::parse("wardline/v1/gw-1/vital/x"), None);
    }
}
