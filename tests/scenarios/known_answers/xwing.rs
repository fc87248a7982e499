//! X-Wing, suite 1, as the product opens a segment's secret: two published encapsulations.

use serde_json::Value;
use sha2::{Digest, Sha256};
use wire::seal::{OpenError, RecipientSecret};
use wire::segment::Suite;

use super::files::{say, unhex};
use super::schedule;
use super::x25519::opened;

const PUBLISHED: &str = include_str!("../../vectors/xwing.json");

#[test]
fn suite_one_opens_the_published_encapsulations_and_no_flipped_one() {
    let file: Value = serde_json::from_str(PUBLISHED).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);

    for (at, vector) in vectors.iter().enumerate() {
        let bytes = |name: &str| unhex(vector[name].as_str().unwrap());
        let (key, own) = RecipientSecret::pair_from_bytes(Suite::XWing, &bytes("skRm")).unwrap();
        let shared: [u8; 32] = bytes("shared_secret").try_into().unwrap();
        let encapsulated = bytes("enc");

        assert_eq!(Sha256::digest(&own.public).as_slice(), bytes("pkRm_sha256"), "vector {at}");
        let result = opened(&key, schedule::XWING, encapsulated.clone(), &shared);
        assert!(result.is_ok(), "vector {at}: {result:?}");
        // One bit in the half of ML-KEM, one in the half of X25519: the secret becomes another.
        for byte in [0, encapsulated.len() - 1] {
            let mut bad = encapsulated.clone();
            bad[byte] ^= 1;
            let result = opened(&key, schedule::XWING, bad, &shared);
            assert_eq!(result, Err(OpenError::Unwrap { key: key.id() }), "vector {at}, {byte}");
        }
    }

    say("X-Wing, 2 vectors in wire::seal::unwrap_secret: opened; 4 flipped bits refused");
}
