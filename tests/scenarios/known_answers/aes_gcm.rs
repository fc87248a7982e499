//! AES-GCM: what frames, wrapped secrets and the store's secrets are sealed with.
//!
//! The product has one type, `Aes256Gcm`: 32 bytes of key, 12 of nonce. The other sizes go through
//! the same code of the crate, which is generic over them.

use aes_gcm::aead::consts::{U1, U2, U4, U6, U8, U10, U12, U15, U16, U20, U32, U64, U128, U257};
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use aes_gcm::aes::cipher::{BlockCipherEncrypt, BlockSizeUser};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{Aes256Gcm, AesGcm, Error};

use super::files::{Case, Verdict, cases, say};

fn judge<C: KeyInit + AeadInOut>(case: &Case) {
    let cipher = C::new_from_slice(&case.bytes("key")).unwrap();
    let nonce = Nonce::<C>::try_from(case.bytes("iv").as_slice()).unwrap();
    let (aad, plaintext) = (case.bytes("aad"), case.bytes("msg"));
    let received = [case.bytes("ct"), case.bytes("tag")].concat();

    let mut sealed = plaintext.clone();
    cipher.encrypt_in_place(&nonce, &aad, &mut sealed).unwrap();
    let mut opened = received.clone();
    let result = cipher.decrypt_in_place(&nonce, &aad, &mut opened);

    let id = case.id();
    match case.verdict() {
        Verdict::Valid => {
            assert_eq!(sealed, received, "case {id}");
            assert_eq!((result, opened), (Ok(()), plaintext), "case {id}");
        }
        Verdict::Invalid => {
            assert!(case.flagged("ModifiedTag"), "case {id}");
            assert_eq!(result, Err(Error), "case {id}");
            assert_ne!(sealed, received, "case {id}");
            assert_ne!(opened, plaintext, "case {id} gives away what it refuses");
        }
        Verdict::Acceptable => panic!("case {id}: AES-GCM leaves nothing open"),
    }
}

fn by_nonce<A>(case: &Case)
where
    A: BlockSizeUser<BlockSize = U16> + BlockCipherEncrypt + KeyInit,
{
    match case.bytes("iv").len() {
        1 => judge::<AesGcm<A, U1>>(case),
        2 => judge::<AesGcm<A, U2>>(case),
        4 => judge::<AesGcm<A, U4>>(case),
        6 => judge::<AesGcm<A, U6>>(case),
        8 => judge::<AesGcm<A, U8>>(case),
        10 => judge::<AesGcm<A, U10>>(case),
        12 => judge::<AesGcm<A, U12>>(case),
        15 => judge::<AesGcm<A, U15>>(case),
        16 => judge::<AesGcm<A, U16>>(case),
        20 => judge::<AesGcm<A, U20>>(case),
        32 => judge::<AesGcm<A, U32>>(case),
        64 => judge::<AesGcm<A, U64>>(case),
        128 => judge::<AesGcm<A, U128>>(case),
        257 => judge::<AesGcm<A, U257>>(case),
        other => panic!("case {}: a nonce of {other} bytes", case.id()),
    }
}

/// A nonce of no bytes never reaches the cipher: it is no value of the type that we use.
fn refuse_empty_nonce(case: &Case) {
    assert_eq!(case.verdict(), Verdict::Invalid);
    assert!(case.flagged("ZeroLengthIv"));
    assert!(Nonce::<Aes256Gcm>::try_from(case.bytes("iv").as_slice()).is_err());
}

#[test]
fn aes_gcm_seals_and_opens_what_is_published_and_refuses_the_rest() {
    let Some(cases) = cases("aes_gcm_test.json", 316) else { return };
    let (mut ours, mut others, mut empty) = (0, 0, 0);

    for case in &cases {
        match (case.bytes("key").len(), case.bytes("iv").len()) {
            (_, 0) => {
                refuse_empty_nonce(case);
                empty += 1;
                continue;
            }
            (32, 12) => {
                judge::<Aes256Gcm>(case);
                ours += 1;
                continue;
            }
            (16, _) => by_nonce::<Aes128>(case),
            (24, _) => by_nonce::<Aes192>(case),
            (32, _) => by_nonce::<Aes256>(case),
            (other, _) => panic!("case {}: a key of {other} bytes", case.id()),
        }
        others += 1;
    }

    assert_eq!((ours, others, empty), (66, 244, 6));
    let refused = cases.iter().filter(|case| case.verdict() == Verdict::Invalid).count();
    assert_eq!(refused, 81 + empty);
    say("AES-GCM, 316 cases: 229 sealed and opened, 87 refused; 66 are of the product's sizes");
}
