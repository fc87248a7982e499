//! X25519: in the crate, and in suite 2 as the product wraps and opens a segment's secret.
//!
//! Wycheproof calls 254 cases acceptable, because RFC 7748 lets a party refuse points of the twist,
//! values that are not reduced, and a shared secret of zeros. Here: twist and unreduced values are
//! taken, with the published result, for RFC 9180 asks no check of them; zeros are refused, for its
//! section 7.1.4 demands that.

use ed25519_dalek::SigningKey;
use wire::identity::{BootId, GatewayId, KeyId, Lane, SegmentId};
use wire::seal::{
    OpenError, Recipient, RecipientSecret, SegmentSecret, seal_header, unwrap_secret,
};
use wire::segment::{Found, Header, Suite, Wrapped};
use wire::signed::signing_key_id;
use wire::time::{ClockState, MonotonicNanos, TimeSource};
use x25519_dalek::{PublicKey, StaticSecret};

use super::files::{Case, Verdict, cases, say};
use super::schedule;

const CORE: &[u8] = b"the core of a header";
const SECRET: [u8; 32] = [0x5e; 32];

/// A header of this suite; what it says of the line is of no matter here.
fn header(suite: Suite, signing_key: KeyId) -> Header {
    Header {
        suite,
        lane: Lane::Vital,
        gateway: GatewayId::new("gw-1").unwrap(),
        segment: SegmentId([2; 16]),
        boot: BootId([7; 16]),
        start_count: 1,
        sequence_next: 1,
        continues: None,
        found: Found::Nothing,
        signing_key,
        clock: ClockState {
            epoch: 0,
            monotonic: MonotonicNanos(1),
            utc: None,
            error_us: 0,
            source: TimeSource::None,
        },
        receipt_seen: 0,
        software: "0.1.0".to_owned(),
    }
}

/// Opens what a sender with this KEM secret would send to this key.
pub fn opened(
    key: &RecipientSecret,
    kem: u16,
    encapsulated: Vec<u8>,
    shared: &[u8; 32],
) -> Result<[u8; 32], OpenError> {
    let sealed = schedule::seal(kem, shared, &schedule::info_of(CORE), &SECRET);
    let wrapped = Wrapped { recipient: key.id(), encapsulated, sealed };
    let header = header(key.suite(), KeyId::default());
    unwrap_secret(&header, CORE, &[wrapped], key).map(|secret| *secret.as_bytes())
}

/// Whether a header can be sealed for this public key.
fn can_be_sealed_for(public: Vec<u8>) -> bool {
    let signer = SigningKey::from_bytes(&[1; 32]);
    let header = header(Suite::X25519, signing_key_id(&signer.verifying_key()));
    let recipient = Recipient { suite: Suite::X25519, public };
    let (secret, seed) = (SegmentSecret::from_bytes(SECRET), SegmentSecret::from_bytes([3; 32]));
    seal_header(&header, &secret, &seed, &[recipient], &signer).is_ok()
}

fn is_zero(case: &Case) -> bool {
    case.array("shared") == [0; 32]
}

#[test]
fn x25519_comes_to_the_published_secret_also_on_the_twist_and_unreduced() {
    let Some(cases) = cases("x25519_test.json", 518) else { return };

    for case in &cases {
        let id = case.id();
        let private = StaticSecret::from(case.array("private"));
        let shared = private.diffie_hellman(&PublicKey::from(case.array("public")));

        assert_eq!(shared.to_bytes(), case.array("shared"), "case {id}");
        assert_eq!(shared.was_contributory(), !is_zero(case), "case {id}");
        assert_eq!(case.flagged("ZeroSharedSecret"), is_zero(case), "case {id}");
        let open_to_choice = ["Twist", "NonCanonicalPublic", "ZeroSharedSecret"];
        let flagged = open_to_choice.iter().any(|flag| case.flagged(flag));
        let verdict = if flagged { Verdict::Acceptable } else { Verdict::Valid };
        assert_eq!(case.verdict(), verdict, "case {id}");
    }

    let acceptable = cases.iter().filter(|case| case.verdict() == Verdict::Acceptable).count();
    assert_eq!(acceptable, 254);
    say("X25519, 518 cases: all with the published secret; 264 valid, 254 acceptable");
}

#[test]
fn suite_two_opens_every_published_agreement_and_refuses_a_secret_of_zeros() {
    let Some(cases) = cases("x25519_test.json", 518) else { return };
    let (mut agreed, mut refused) = (0, 0);

    for case in &cases {
        let (id, public) = (case.id(), case.bytes("public"));
        let (key, own) =
            RecipientSecret::pair_from_bytes(Suite::X25519, &case.bytes("private")).unwrap();
        let shared = schedule::dhkem(&case.array("shared"), &public, &own.public);
        let result = opened(&key, schedule::X25519, public.clone(), &shared);

        if is_zero(case) {
            assert_eq!(result, Err(OpenError::Unwrap { key: key.id() }), "case {id}");
            refused += 1;
        } else {
            assert_eq!(result, Ok(SECRET), "case {id}");
            agreed += 1;
        }
        assert_eq!(can_be_sealed_for(public), !is_zero(case), "case {id}");
    }

    assert_eq!((agreed, refused), (487, 31));
    say("X25519, 518 cases in wire::seal: 487 opened and sealed for, 31 of low order refused");
}
