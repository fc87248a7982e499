//! Ed25519 as records, receipts, keyrings and commands are verified: `verify_strict`.
//!
//! The product signs `COSE_Sign1` only, so the published messages go to the crate by the two calls
//! that `wire::signed::verify` makes. The published *signatures* go through that function, in a
//! part that somebody else signed: none may pass, whatever its length, its R and its S.

use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use wire::signed::{Purpose, SignatureError, sign, verify};

use super::files::{Case, Verdict, cases, say, unhex};

/// `0x58 0x40` and 64 bytes of signature end what we sign.
const SIGNATURE_BYTES: usize = 2 + 64;

fn key_of(case: &Case) -> VerifyingKey {
    let bytes = unhex(case.of_group("/publicKey/pk").as_str().unwrap());
    VerifyingKey::from_bytes(&bytes.try_into().unwrap()).unwrap()
}

/// The signed part with this signature in the place of its own.
fn with_signature(signed: &[u8], signature: &[u8]) -> Vec<u8> {
    let length = u8::try_from(signature.len()).unwrap();
    let head = if length < 24 { vec![0x40 | length] } else { vec![0x58, length] };
    [&signed[..signed.len() - SIGNATURE_BYTES], &head, signature].concat()
}

#[test]
fn ed25519_verifies_what_is_published_and_nothing_else() {
    let Some(cases) = cases("ed25519_test.json", 151) else { return };
    let (mut good, mut refused) = (0, 0);

    for case in &cases {
        let (id, key, message) = (case.id(), key_of(case), case.bytes("msg"));
        let signature = Signature::from_slice(&case.bytes("sig"));
        let holds = signature.is_ok_and(|one| key.verify_strict(&message, &one).is_ok());

        // Strict asks more than RFC 8032, yet no valid case has a key or an R of small order: there
        // is no deviation to allow.
        match case.verdict() {
            Verdict::Valid => good += usize::from(holds),
            Verdict::Invalid => refused += usize::from(!holds),
            Verdict::Acceptable => panic!("case {id}: a signature holds or does not"),
        }
        assert_eq!(holds, case.verdict() == Verdict::Valid, "case {id}: {}", case.comment());
    }

    assert_eq!((good, refused), (88, 63));
    say("Ed25519, 151 cases: 88 verified, 63 refused");
}

#[test]
fn no_published_signature_passes_for_one_of_a_record() {
    let Some(cases) = cases("ed25519_test.json", 151) else { return };
    let signer = SigningKey::from_bytes(&[7; 32]);
    let signed = sign(&signer, Purpose::Record, b"what we say".to_vec());
    let own = with_signature(&signed, &signed[signed.len() - 64..]);
    assert_eq!(own, signed);
    assert!(verify(&signer.verifying_key(), Purpose::Record, &own).is_ok());
    let (mut forged, mut no_shape) = (0, 0);

    for case in &cases {
        let signature = case.bytes("sig");
        let lent = with_signature(&signed, &signature);
        let result = verify(&key_of(case), Purpose::Record, &lent);

        match result {
            Err(SignatureError::Forged { .. }) if signature.len() == 64 => forged += 1,
            Err(SignatureError::Shape(_)) if signature.len() != 64 => no_shape += 1,
            other => panic!("case {}: {other:?}", case.id()),
        }
    }

    assert_eq!((forged, no_shape), (139, 12));
    say("Ed25519, 151 signatures in wire::signed::verify: 139 forged, 12 of a wrong length");
}
