//! HKDF-SHA256 and HMAC-SHA256: keys, nonces and salts of a segment, tokens of patients.
//!
//! What we derive has our own labels for salt and info, and salts of blocks are eight bytes of
//! message: the one published HMAC that fits that goes through `SegmentKeys::salt`, in
//! `wire/src/seal/tests.rs`.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::files::{Verdict, cases, say};

#[test]
fn hkdf_derives_what_is_published_and_refuses_more_than_it_can_give() {
    let Some(cases) = cases("hkdf_sha256_test.json", 86) else { return };
    let (mut derived, mut refused) = (0, 0);

    for case in &cases {
        let (id, salt, key) = (case.id(), case.bytes("salt"), case.bytes("ikm"));
        let mut output = vec![0; case.number("size")];
        let result =
            Hkdf::<Sha256>::new(Some(&salt), &key).expand(&case.bytes("info"), &mut output);

        match case.verdict() {
            Verdict::Valid => {
                assert!(result.is_ok(), "case {id}");
                assert_eq!(output, case.bytes("okm"), "case {id}");
                derived += 1;
            }
            Verdict::Invalid => {
                assert!(case.flagged("SizeTooLarge") && output.len() > 255 * 32, "case {id}");
                assert!(result.is_err(), "case {id}");
                assert!(output.iter().all(|byte| *byte == 0), "case {id}: gives a part");
                refused += 1;
            }
            Verdict::Acceptable => panic!("case {id}: HKDF leaves nothing open"),
        }
        if case.flagged("EmptySalt") {
            let mut unsalted = vec![0; output.len()];
            Hkdf::<Sha256>::new(None, &key).expand(&case.bytes("info"), &mut unsalted).unwrap();
            assert_eq!(unsalted, output, "case {id}: no salt is a salt of zeros");
        }
    }

    assert_eq!((derived, refused), (83, 3));
    say("HKDF-SHA256, 86 cases: 83 derived, 3 refused");
}

#[test]
fn hmac_makes_the_published_tags_and_no_other() {
    let Some(cases) = cases("hmac_sha256_test.json", 174) else { return };
    let (mut right, mut wrong) = (0, 0);

    for case in &cases {
        let (id, tag) = (case.id(), case.bytes("tag"));
        assert_eq!(case.of_group("/tagSize"), tag.len() * 8, "case {id}");
        let mut mac = Hmac::<Sha256>::new_from_slice(&case.bytes("key")).unwrap();
        mac.update(&case.bytes("msg"));
        let same = mac.clone().finalize().into_bytes()[..tag.len()] == tag[..];
        let verified = mac.verify_truncated_left(&tag).is_ok();

        assert_eq!(verified, same, "case {id}");
        match case.verdict() {
            Verdict::Valid => {
                assert!(verified, "case {id}");
                right += 1;
            }
            Verdict::Invalid => {
                assert!(case.flagged("ModifiedTag") && !verified, "case {id}");
                wrong += 1;
            }
            Verdict::Acceptable => panic!("case {id}: HMAC leaves nothing open"),
        }
    }

    assert_eq!((right, wrong), (66, 108));
    say("HMAC-SHA256, 174 cases: 66 right, 108 refused");
}
