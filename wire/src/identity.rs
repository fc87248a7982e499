//! Who and which: newtypes without conversions between each other.

use core::fmt;

use crate::limits::GATEWAY_NAME_BYTES_MAX;

/// A gateway's name: lower-case letters, digits and hyphens, 1 to 32 bytes, no hyphen at an end.
///
/// It is the common name of the gateway's certificate and a level of its topics.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GatewayId {
    bytes: [u8; GATEWAY_NAME_BYTES_MAX],
    length: u8,
}

/// Why a text is no gateway name. Ask for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAGatewayName;

impl fmt::Display for NotAGatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a gateway name has 1 to {GATEWAY_NAME_BYTES_MAX} of a-z, 0-9 and '-', no '-' at an end"
        )
    }
}

impl core::error::Error for NotAGatewayName {}

impl GatewayId {
    /// # Errors
    /// [`NotAGatewayName`] for any other character or length.
    pub fn new(name: &str) -> Result<Self, NotAGatewayName> {
        let text = name.as_bytes();
        let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        let edge = text.first() == Some(&b'-') || text.last() == Some(&b'-');
        let length = u8::try_from(text.len()).map_err(|_| NotAGatewayName)?;
        if text.is_empty() || text.len() > GATEWAY_NAME_BYTES_MAX || edge || !text.iter().all(plain)
        {
            return Err(NotAGatewayName);
        }
        let mut bytes = [0; GATEWAY_NAME_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes, length })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A device's EUI-64.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceId(pub u64);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl DeviceId {
    /// Reads 16 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// A run of a device from power-up to power-down, chosen by the device at start.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SourceBoot(pub u32);

macro_rules! bytes_identity {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub [u8; $length]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl $name {
            /// From a slice of exactly the right length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }
    };
}

bytes_identity! {
    /// A segment: 128 random bits. With an index it names a frame for ever.
    SegmentId, 16
}
bytes_identity! {
    /// One run of a gateway's kernel: its 128-bit boot id.
    BootId, 16
}
bytes_identity! {
    /// A public key: the first 8 bytes of SHA-256 over its suite and its bytes.
    KeyId, 8
}
bytes_identity! {
    /// One life of a sink's store; a restored store starts another.
    StoreEpoch, 16
}
bytes_identity! {
    /// SHA-256 of a signed part: what the next record of the chain names.
    RecordHash, 32
}

/// The four lanes, in their sending order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Lane {
    /// Alerts; flushed within 100 ms.
    Alert = 0,
    /// Numerics, events, contexts.
    Vital = 1,
    /// Waveforms.
    Wave = 2,
    /// About the gateway itself; sealed to the fleet's key, without patient data.
    Health = 3,
}

impl Lane {
    /// All lanes in sending order.
    pub const ALL: [Self; 4] = [Self::Alert, Self::Vital, Self::Wave, Self::Health];

    /// From the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| *lane as u64 == number)
    }

    /// The word in topics, logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Vital => "vital",
            Self::Wave => "wave",
            Self::Health => "health",
        }
    }

    /// From the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_name_is_a_plain_label() {
        for good in ["a", "gw-1", "ward-3-bed-12"] {
            assert_eq!(GatewayId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a+b", "a#", "é", &"x".repeat(33)] {
            assert!(GatewayId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_device_is_sixteen_digits() {
        assert_eq!(DeviceId::parse("0123456789ABCDEF"), Some(DeviceId(0x0123_4567_89AB_CDEF)));
        assert_eq!(DeviceId::parse("+123456789ABCDEF"), None);
    }
}
