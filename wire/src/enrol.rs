//! What a gateway proves when it asks for a certificate, beside the words of its request.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::FORMAT_VERSION;
use crate::identity::GatewayId;
use crate::limits::REQUEST_BYTES_MAX;
use crate::signed::{Purpose, SignatureError, canonical, sign, verify};
use crate::strict::StrictError;

/// "This is the key that speaks for me from its first record on", signed by the key before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endorsement {
    /// Who says so.
    pub gateway: GatewayId,
    /// The successor.
    pub successor: VerifyingKey,
}

#[derive(Serialize, Deserialize)]
struct EndorsementWire(u8, String, ByteArray<32>);

const WRONG: SignatureError = SignatureError::Shape(StrictError::Unexpected);

impl Endorsement {
    /// Signs with the key that is to retire.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let successor = (*self.successor.as_bytes()).into();
        let wire = EndorsementWire(FORMAT_VERSION, self.gateway.as_str().into(), successor);
        let payload = serde_cbor::to_vec(&wire).expect("plain text and bytes encode");
        sign(key, Purpose::Endorsement, payload)
    }

    /// Reads what the key that is to retire has signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, SignatureError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(WRONG);
        }
        let payload = verify(key, Purpose::Endorsement, bytes)?;
        let wire: EndorsementWire = canonical(payload).map_err(|_| WRONG)?;
        if wire.0 != FORMAT_VERSION {
            return Err(WRONG);
        }
        Ok(Self {
            gateway: GatewayId::new(&wire.1).map_err(|_| WRONG)?,
            successor: VerifyingKey::from_bytes(&wire.2).map_err(|_| WRONG)?,
        })
    }
}

/// Signs a request, so that the sink answers it without a token: the key is enrolled.
#[must_use]
pub fn sign_request(request: &[u8], key: &SigningKey) -> Vec<u8> {
    sign(key, Purpose::Request, request.to_vec())
}

/// The request that a key has signed.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_request<'a>(bytes: &'a [u8], key: &VerifyingKey) -> Result<&'a [u8], SignatureError> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(WRONG);
    }
    verify(key, Purpose::Request, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endorsement_is_by_the_key_before_and_for_nothing_else() {
        let (old, new) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let gateway = GatewayId::new("gw-1").unwrap();
        let said = Endorsement { gateway, successor: new.verifying_key() };
        let signed = said.sign(&old);

        assert_eq!(Endorsement::verify(&signed, &old.verifying_key()).unwrap(), said);
        assert!(Endorsement::verify(&said.sign(&new), &old.verifying_key()).is_err());
        assert!(verify_request(&signed, &old.verifying_key()).is_err());
        let request = sign_request(b"{}", &old);
        assert_eq!(verify_request(&request, &old.verifying_key()).unwrap(), b"{}");
        assert!(Endorsement::verify(&request, &old.verifying_key()).is_err());
    }
}
