//! Published vectors: the locked crates, and our own calls where they take such input, give what
//! the publishers say.
//!
//! Project Wycheproof's files and RFC 8949's appendix A lie beside the repository, in
//! `../shared/data/vectors`. What our calls cannot be asked is asked of the crate under them, with
//! the types that we use: a segment's keys come out of HKDF, and what is signed is a `COSE_Sign1`.
//! The vectors of RFC 9180 go through our very call, in `wire/src/seal/recipient/tests.rs`.

mod files;

mod schedule;

mod aes_gcm;

mod derivation;

mod ed25519;

mod x25519;

mod xwing;

mod ml_kem;

mod cbor;
