//! What the fleet tells a gateway: signed, numbered, and meant for one boot of one gateway.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::FORMAT_VERSION;
use crate::identity::{BootId, GatewayId};
use crate::limits::COMMAND_BYTES_MAX;
use crate::signed::canonical;
use crate::signed::{Purpose, SignatureError, sign, verify};
use crate::strict::StrictError;

/// One command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// For whom.
    pub gateway: GatewayId,
    /// For which of its boots; another boot ignores it.
    pub boot: BootId,
    /// Rises by every command; a number that does not rise is ignored.
    pub number: u64,
    /// What to do; an open list, unknown ones are refused and reported.
    pub action: u16,
    /// Its argument, strict CBOR.
    pub argument: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct CommandWire(u8, String, ByteArray<16>, u64, u16, ByteBuf);

impl Command {
    /// Signs it.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let wire = CommandWire(
            FORMAT_VERSION,
            self.gateway.as_str().into(),
            self.boot.0.into(),
            self.number,
            self.action,
            self.argument.clone().into(),
        );
        let payload = serde_cbor::to_vec(&wire).expect("plain numbers and bytes encode");
        sign(key, Purpose::Command, payload)
    }

    /// Reads a command that the command key has signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, SignatureError> {
        let wrong = SignatureError::Shape(StrictError::Unexpected);
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(wrong);
        }
        let payload = verify(key, Purpose::Command, bytes)?;
        let wire: CommandWire = canonical(payload).map_err(|_| wrong)?;
        if wire.0 != FORMAT_VERSION {
            return Err(wrong);
        }
        Ok(Self {
            gateway: GatewayId::new(&wire.1).map_err(|_| wrong)?,
            boot: BootId(*wire.2),
            number: wire.3,
            action: wire.4,
            argument: wire.5.into_vec(),
        })
    }
}
