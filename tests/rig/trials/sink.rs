//! What the sink does for bytes that nobody it knows has signed: nothing.

use cloud_sink::verify::dispose::{Registry, Verifier};
use cloud_sink::verify::keyring::Keys;
use cloud_sink::verify::{Disposed, Enrolled, Unsigned};
use ed25519_dalek::SigningKey;
use wire::identity::{GatewayId, Lane, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::seal::seal_frame;

use super::demand;
use super::seal::{Sealed, core, plaintext, sealed_by};
use crate::fleet::{Fleet, named};

/// One gateway, and no segment yet.
struct Known(Enrolled);

impl Registry for Known {
    fn enrolled(&mut self, id: GatewayId, _: bool) -> Option<&Enrolled> {
        (id == named("gw-1")).then_some(&self.0)
    }

    fn segment(&mut self, _: i64, _: SegmentId) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        None
    }

    fn is_anothers(&mut self, _: i64, _: SegmentId) -> bool {
        false
    }
}

/// A header by a stranger's key is dropped before anything is unwrapped: its segment stays unknown.
pub(super) fn forged_header() -> Result<(), String> {
    let stranger = SigningKey::from_bytes(&[0x77; 32]);
    let Sealed { fleet, header, hash, keys, segment } = sealed_by(&stranger)?;
    let forged = Sealed { fleet, header, hash, keys, segment };
    let recipients = forged.fleet.pairs.iter().map(|pair| pair.secret.clone()).collect();
    let gateway = named("gw-1");
    let enrolled = Enrolled { row: 1, keys: vec![Fleet::signer(gateway).verifying_key()] };
    let keys = Keys::new(recipients, forged.fleet.store_key);
    let mut verifier = Verifier::new(Known(enrolled), keys);
    let dropped = verifier.dispose(gateway, Lane::Vital, forged.header.clone());
    demand(matches!(dropped, Err(Unsigned::Signature(_))), "a forged header is taken")?;
    let signer = Fleet::signer(gateway);
    let made = seal_frame(&forged.keys, &signer, &core(&forged, 1), plaintext());
    let (bytes, _) = made.map_err(|error| error.to_string())?;
    let disposed = verifier.dispose(gateway, Lane::Vital, bytes);
    let parked = |disposed: &Disposed| {
        (disposed.disposition, disposed.reason) == (Disposition::Held, Reason::NoHeader)
    };
    demand(disposed.is_ok_and(|disposed| parked(&disposed)), "a forged header opened a segment")
}
