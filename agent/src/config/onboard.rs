//! Sensors on the gateway's own buses, as they are configured.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wire::identity::{DeviceId, GatewayId};

use super::ConfigError;
use super::file::OnboardSection;

/// A chip that we know.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum SensorKind {
    /// Temperature, 1/16 °C.
    Tmp105,
    /// Temperature, 0.5 °C.
    Lm75,
    /// Temperature, 0.125 °C.
    Lm75b,
    /// Temperature, 1/128 °C.
    Tmp117,
    /// Temperature by infrared light.
    Mlx90614,
    /// Temperature, humidity and pressure of the room.
    Bme280,
    /// Voltage and current of a supply.
    Ina219,
    /// A clock with a battery.
    Ds3231,
    /// Light through a finger.
    Max30102,
    /// ECG and respiration.
    Ads1292r,
}

/// A sensor on one of our buses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Onboard {
    /// The chip.
    pub sensor: SensorKind,
    /// The bus.
    pub bus: PathBuf,
    /// Its address, on an I2C bus.
    pub address: u8,
    /// Milliseconds from one reading to the next, if not as fast as it measures.
    pub every_ms: Option<u32>,
    /// The device that it is.
    pub device: DeviceId,
    /// Beside an INA219.
    pub shunt_milliohms: u16,
    /// Chip and line of a pin, of an ADS1292R.
    pub ready: Option<(PathBuf, u32)>,
}

/// The chips measure once a second at the most: sooner, one measurement would be said twice.
const EVERY_MS_MIN: u32 = 1_000;
const EVERY_MS_MAX: u32 = 3_600_000;

impl SensorKind {
    /// The address that the chip has if no pin is tied.
    const fn address(self) -> u8 {
        match self {
            Self::Tmp105 | Self::Lm75 | Self::Lm75b | Self::Tmp117 => 0x48,
            Self::Mlx90614 => 0x5A,
            Self::Bme280 => 0x76,
            Self::Ina219 => 0x40,
            Self::Ds3231 => 0x68,
            Self::Max30102 => 0x57,
            Self::Ads1292r => 0,
        }
    }

    const fn has_samples(self) -> bool {
        matches!(self, Self::Max30102 | Self::Ads1292r)
    }
}

/// A sensor without a name: locally administered, the same at each start.
fn device_of(gateway: GatewayId, bus: &Path, address: u8) -> DeviceId {
    let mut words = Sha256::new();
    words.update(b"wardline onboard ");
    words.update(gateway.as_str());
    words.update(bus.as_os_str().as_encoded_bytes());
    words.update([0, address]);
    let mut id = [0; 8];
    id.copy_from_slice(&words.finalize()[..8]);
    id[0] = id[0] & 0xFC | 2;
    DeviceId(u64::from_be_bytes(id))
}

impl OnboardSection {
    /// Checks what was configured.
    pub(super) fn check(self, gateway: GatewayId) -> Result<Onboard, ConfigError> {
        let wrong = |key: &'static str, value: String, cure: &str| {
            Err(ConfigError::Value { key, value, cure: cure.into() })
        };
        if !cfg!(feature = "onboard") {
            let cure = "needs a build with `--features onboard`";
            return wrong("intake.onboard", self.bus.display().to_string(), cure);
        }
        let address = self.address.unwrap_or(self.sensor.address());
        let device = match self.device {
            None => device_of(gateway, &self.bus, address),
            Some(text) => match DeviceId::parse(&text) {
                Some(device) => device,
                None => return wrong("intake.onboard.device", text, "holds 16 hexadecimal digits"),
            },
        };
        let is_wrong = |every: &u32| {
            !(EVERY_MS_MIN..=EVERY_MS_MAX).contains(every) || self.sensor.has_samples()
        };
        if let Some(every) = self.every_ms.filter(is_wrong) {
            let cure = "holds 1000 to 3600000 ms, and nothing of a chip that gives samples";
            return wrong("intake.onboard.every_ms", every.to_string(), cure);
        }
        if self.sensor == SensorKind::Ads1292r && self.ready.is_none() {
            let cure = "an ADS1292R needs it: [\"/dev/gpiochip0\", 25]";
            return wrong("intake.onboard.ready", "nothing".into(), cure);
        }
        Ok(Onboard {
            sensor: self.sensor,
            bus: self.bus,
            address,
            every_ms: self.every_ms,
            device,
            shunt_milliohms: self.shunt_milliohms.unwrap_or(100),
            ready: self.ready,
        })
    }
}
