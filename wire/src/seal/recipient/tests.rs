//! The published vectors of RFC 9180 through the very calls that wrap and open our secrets.

extern crate std;

use super::*;

const PUBLISHED: &str = include_str!("rfc9180.txt");

fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

fn fact(mode: &str, name: &str) -> Vec<u8> {
    let lines = PUBLISHED.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut found = lines.filter_map(|words| match words[..] {
        [in_mode, named, value] if (in_mode, named) == (mode, name) => Some(unhex(value)),
        _ => None,
    });
    found.next().unwrap_or_else(|| panic!("rfc9180.txt has no {name} of mode {mode}"))
}

/// Enc, info, aad and ct: all that an opener is told.
fn told(mode: &str) -> [Vec<u8>; 4] {
    ["enc", "info", "aad", "ct"].map(|name| fact(mode, name))
}

fn opened(mode: &str, [enc, info, aad, ct]: &[Vec<u8>; 4]) -> Option<Vec<u8>> {
    open_once::<X25519HkdfSha256>(&fact(mode, "skRm"), enc, info, aad, ct)
}

/// Gives the seed of the published ephemeral key, and has no more.
struct Published(Vec<u8>);

impl TryRng for Published {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("HPKE asks for one seed")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("HPKE asks for one seed")
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&core::mem::take(&mut self.0));
        Ok(())
    }
}

impl TryCryptoRng for Published {}

#[test]
fn the_published_ciphertext_opens_with_the_call_that_opens_our_secrets() {
    assert_eq!(opened("base", &told("base")), Some(fact("base", "pt")));

    let pair = RecipientSecret::pair_from_bytes(Suite::X25519, &fact("base", "skRm"));
    assert_eq!(pair.unwrap().1.public, fact("base", "pkRm"));
    std::println!("RFC 9180: 1 vector of suite 2 opened");
}

#[test]
fn the_call_that_wraps_our_secrets_makes_the_published_bytes() {
    let [enc, info, aad, ct] = told("base");
    let mut random = Published(fact("base", "ikmE"));

    let made = seal_once::<X25519HkdfSha256>(
        &fact("base", "pkRm"),
        &info,
        &aad,
        &fact("base", "pt"),
        &mut random,
    );

    assert_eq!(made, Some((enc, ct)));
    std::println!("RFC 9180: 1 vector of suite 2 sealed, byte for byte");
}

#[test]
fn any_flipped_bit_of_the_published_vector_is_refused() {
    let mut flipped = 0;
    for part in 0..4 {
        for bit in 0..told("base")[part].len() * 8 {
            let mut bad = told("base");
            bad[part][bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened("base", &bad), None, "part {part} bit {bit}");
            flipped += 1;
        }
    }

    // 32 bytes of enc, 20 of info, 7 of aad, 29 and a tag of 16 of ct.
    assert_eq!(flipped, (32 + 20 + 7 + 29 + 16) * 8);
}

#[test]
fn a_vector_of_another_mode_is_refused() {
    let modes = ["psk", "auth", "auth_psk"];

    for mode in modes {
        assert_eq!(opened(mode, &told(mode)), None, "{mode}");
    }
    std::println!("RFC 9180: {} vectors of other modes refused", modes.len());
}
