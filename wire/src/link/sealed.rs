//! Sealed frames: a device with a key proves itself, and so does its gateway; nobody between the
//! two reads, changes, repeats or invents anything.
//!
//! Shape:  payload = kind 1 ‖ ciphertext ‖ tag 16, under XChaCha20-Poly1305 without associated
//! data; nonce = challenge 12 ‖ version 1 ‖ kind 1 ‖ 00 00 ‖ boot 4 ‖ sequence 4.
//! Order:  the challenge is the gateway's, new on each line, so that nothing said before counts.
//! The boot is the device's, new at each start, so that a challenge that comes twice repeats no
//! nonce: one kind and sequence of a boot has one text.

use chacha20poly1305::{AeadInOut, Key, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroize;

use super::{Frame, Kind, LINK_VERSION};
use crate::limits::{LINK_SEAL_BYTES, LINK_TEXT_BYTES_MAX};
use crate::strict::{Reader, Room, Writer};

/// Length of a tag.
const TAG_BYTES: usize = 16;

/// A frame did not come from who holds the key, or belongs to another challenge. Drop it; offer the
/// challenge again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forged;

/// What a device and its gateway alone know.
#[derive(Clone, Eq, PartialEq)]
pub struct LinkKey([u8; Self::BYTES]);

impl core::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkKey")
    }
}

impl Drop for LinkKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl LinkKey {
    /// Length.
    pub const BYTES: usize = 32;

    /// A key of random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// What a gateway asks a device to prove itself by: random, new on each line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge(pub [u8; 12]);

impl Challenge {
    /// The payload of a query that offers it.
    #[must_use]
    pub fn write(&self) -> Room<LINK_TEXT_BYTES_MAX> {
        let mut writer = Writer::new(Room::default());
        writer.array(2).uint(super::LINK_LEVEL.into()).bytes(&self.0);
        writer.finish().unwrap_or_default()
    }

    /// What a query offers, if it offers anything.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let more = reader.array().ok()?.checked_sub(2)?;
        if reader.number::<u8>().ok()? < super::LINK_LEVEL {
            return None;
        }
        let challenge = reader.bytes().ok()?.try_into().ok()?;
        (0..more).try_for_each(|_| reader.skip()).ok()?;
        reader.done().ok()?;
        Some(Self(challenge))
    }
}

/// What one side of a line seals with, once a challenge is agreed.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// The device's key.
    pub key: LinkKey,
    /// The gateway's challenge.
    pub challenge: Challenge,
}

/// A sealed frame, or what stood in it.
#[derive(Clone, Debug)]
pub struct Opened {
    kind: Kind,
    boot: u32,
    sequence: u32,
    payload: Room<{ crate::limits::LINK_PAYLOAD_BYTES_MAX }>,
}

impl Opened {
    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        let Self { kind, boot, sequence, .. } = *self;
        Frame { kind, boot, sequence, payload: self.payload.as_slice() }
    }
}

impl Sealing {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.key.0))
    }

    fn nonce(&self, kind: u8, boot: u32, sequence: u32) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..12].copy_from_slice(&self.challenge.0);
        nonce[12..14].copy_from_slice(&[LINK_VERSION, kind]);
        nonce[16..20].copy_from_slice(&boot.to_be_bytes());
        nonce[20..].copy_from_slice(&sequence.to_be_bytes());
        nonce.into()
    }

    /// Seals a frame; none if it is sealed already or says too much.
    #[must_use]
    pub fn seal(&self, frame: &Frame<'_>) -> Option<Opened> {
        let Frame { kind, boot, sequence, payload } = *frame;
        let number = kind as u8;
        let mut text = [0; LINK_TEXT_BYTES_MAX];
        let text = text.get_mut(..payload.len()).filter(|_| kind != Kind::Sealed)?;
        text.copy_from_slice(payload);
        let nonce = self.nonce(number, boot, sequence);
        let tag = self.cipher().encrypt_inout_detached(&nonce, b"", (&mut *text).into()).ok()?;
        let mut sealed = Writer::new(Room::default());
        sealed.item(&[number]).item(text).item(&tag);
        Some(Opened { kind: Kind::Sealed, boot, sequence, payload: sealed.finish()? })
    }

    /// Opens a sealed frame.
    ///
    /// # Errors
    /// [`Forged`]
    pub fn open(&self, frame: &Frame<'_>) -> Result<Opened, Forged> {
        let Frame { kind: Kind::Sealed, boot, sequence, payload } = *frame else {
            return Err(Forged);
        };
        if payload.len() < LINK_SEAL_BYTES {
            return Err(Forged);
        }
        let (number, (text, tag)) =
            (payload[0], payload[1..].split_at(payload.len() - LINK_SEAL_BYTES));
        let kind = Kind::from_number(number).filter(|kind| *kind != Kind::Sealed).ok_or(Forged)?;
        let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| Forged)?;
        let mut opened = [0; LINK_TEXT_BYTES_MAX];
        let opened = opened.get_mut(..text.len()).ok_or(Forged)?;
        opened.copy_from_slice(text);
        let nonce = self.nonce(number, boot, sequence);
        let result = self.cipher().decrypt_inout_detached(
            &nonce,
            b"",
            (&mut *opened).into(),
            &Tag::from(tag),
        );
        result.map_err(|_| Forged)?;
        let mut payload = Writer::new(Room::default());
        payload.item(opened);
        let payload = payload.finish().ok_or(Forged)?;
        Ok(Opened { kind, boot, sequence, payload })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn sealing() -> Sealing {
        Sealing { key: LinkKey::new([7; 32]), challenge: Challenge([9; 12]) }
    }

    const FRAME: Frame<'static> =
        Frame { kind: Kind::Data, boot: 3, sequence: 5, payload: &[0x82, 1, 0x83, 0, 0, 0x80] };

    #[test]
    fn a_sealed_frame_says_what_was_written_to_who_holds_the_key() {
        let long = [0x55; LINK_TEXT_BYTES_MAX];
        for payload in [&[][..], FRAME.payload, &long] {
            let frame = Frame { payload, ..FRAME };
            let sealed = sealing().seal(&frame).unwrap();
            assert_eq!(sealed.frame().payload.len(), payload.len() + LINK_SEAL_BYTES);
            assert_eq!(sealing().open(&sealed.frame()).unwrap().frame(), frame);
        }
        assert!(
            sealing().seal(&Frame { payload: &[0; LINK_TEXT_BYTES_MAX + 1], ..FRAME }).is_none()
        );
        let twice = sealing().seal(&FRAME).unwrap();
        assert!(sealing().seal(&twice.frame()).is_none());
    }

    #[test]
    fn whatever_is_changed_about_a_sealed_frame_is_refused() {
        let sealed = sealing().seal(&FRAME).unwrap();
        let good = sealed.frame();
        for bit in 0..good.payload.len() * 8 {
            let mut payload: Vec<u8> = good.payload.to_vec();
            payload[bit / 8] ^= 1 << (bit % 8);
            let bad = Frame { payload: &payload, ..good };
            assert_eq!(sealing().open(&bad).err(), Some(Forged), "bit {bit}");
        }
        for cut in 0..good.payload.len() {
            assert!(sealing().open(&Frame { payload: &good.payload[..cut], ..good }).is_err());
        }
        assert!(sealing().open(&Frame { boot: 4, ..good }).is_err());
        assert!(sealing().open(&Frame { sequence: 6, ..good }).is_err());
        assert!(sealing().open(&Frame { kind: Kind::Data, ..good }).is_err());
        let other = Sealing { challenge: Challenge([8; 12]), ..sealing() };
        assert!(other.open(&good).is_err(), "another line's");
        assert!(Sealing { key: LinkKey::new([6; 32]), ..sealing() }.open(&good).is_err());
    }

    #[test]
    fn a_challenge_is_read_as_it_was_offered_and_nothing_else_is_one() {
        let offer = Challenge([9; 12]).write();
        assert_eq!(offer.as_slice()[..3], [0x82, 2, 0x4c]);
        assert_eq!(Challenge::read(offer.as_slice()), Some(Challenge([9; 12])));
        assert_eq!(Challenge::read(&[]), None);
        assert_eq!(Challenge::read(&offer.as_slice()[..14]), None);
    }

    #[test]
    fn the_cipher_is_xchacha20_poly1305_as_its_draft_has_it() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1, with its associated data.
        let key: [u8; 32] = core::array::from_fn(|at| 0x80 + at as u8);
        let nonce: [u8; 24] = core::array::from_fn(|at| 0x40 + at as u8);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let mut text = *b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
            tip for the future, sunscreen would be it.";
        let cipher = XChaCha20Poly1305::new(&Key::from(key));
        let tag =
            cipher.encrypt_inout_detached(&nonce.into(), &aad, (&mut text[..]).into()).unwrap();
        assert_eq!(text[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(tag[..4], [0xc0, 0x87, 0x59, 0x24]);
    }
}
