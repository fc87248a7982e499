//! ML-KEM-768, the half of X-Wing that outlives X25519.
//!
//! X-Wing stretches its 32 bytes of private key into ML-KEM's seed, so the product's calls take no
//! seed that is published: these go to the crate that X-Wing stands on. What X-Wing makes of it is
//! asked in `xwing.rs`.

use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::{Decapsulate, KeyExport, Seed};

use super::files::{Case, Verdict, cases, say};

/// The key and the shared secret; `None` for a seed or a ciphertext of a wrong length, which are no
/// values of the crate's types. Every ciphertext of the right length has a secret: a forged one
/// gets another, silently, by FIPS 203's implicit rejection.
fn decapsulated(case: &Case) -> (Option<DecapsulationKey>, Option<Vec<u8>>) {
    let seed = Seed::try_from(case.bytes("seed").as_slice());
    let key = seed.ok().map(DecapsulationKey::from_seed);
    let secret = key.as_ref().and_then(|key| key.decapsulate_slice(&case.bytes("c")).ok());
    (key, secret.map(|secret| secret.as_slice().to_vec()))
}

#[test]
fn ml_kem_comes_to_the_published_keys_and_secrets_and_refuses_wrong_lengths() {
    let Some(cases) = cases("mlkem_768_test.json", 193) else { return };
    let (mut agreed, mut no_key, mut no_secret) = (0, 0, 0);

    for case in &cases {
        let (id, remark) = (case.id(), case.comment());
        let (key, secret) = decapsulated(case);

        match (case.verdict(), key) {
            (Verdict::Valid, Some(key)) => {
                let public = key.encapsulation_key().to_bytes();
                assert_eq!(public.as_slice(), case.bytes("ek"), "case {id}: {remark}");
                assert_eq!(secret, Some(case.bytes("K")), "case {id}: {remark}");
                agreed += 1;
            }
            (Verdict::Invalid, Some(_)) => {
                assert!(remark.starts_with("Ciphertext too "), "case {id}: {remark}");
                assert_eq!(secret, None, "case {id}: {remark}");
                no_secret += 1;
            }
            (Verdict::Invalid, None) => {
                assert!(remark.starts_with("Private key too "), "case {id}: {remark}");
                no_key += 1;
            }
            (verdict, _) => panic!("case {id}: {verdict:?}, {remark}"),
        }
    }

    assert_eq!((agreed, no_key, no_secret), (153, 20, 20));
    say("ML-KEM-768, 193 cases: 153 agreed, 40 of a wrong length refused");
}
