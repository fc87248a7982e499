//! What an erasure leaves of a batch: some blocks with their salts, of the others digests alone.
//! The content root that the gateway has signed still holds over all of them.

use alloc::vec::Vec;

use super::{BlockProof, SegmentKeys, leaf, merkle_path, merkle_root};
use crate::strict::{Reader, StrictError, Writer};

/// A batch of which some blocks may be erased.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remnant(Vec<Left>);

/// What is left of one block.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Left {
    /// The block, provable by its salt.
    Whole { salt: [u8; 16], bytes: Vec<u8> },
    /// Its leaf of the tree: nobody who lacks the salt can tell of which bytes.
    Digest([u8; 32]),
}

impl Left {
    fn leaf(&self) -> [u8; 32] {
        match self {
            Self::Whole { salt, bytes } => leaf(salt, bytes),
            Self::Digest(digest) => *digest,
        }
    }
}

impl Remnant {
    /// A batch with all of its blocks.
    ///
    /// # Errors
    /// [`StrictError`] if the plaintext is no array of byte strings.
    pub fn whole(keys: &SegmentKeys, index: u32, plaintext: &[u8]) -> Result<Self, StrictError> {
        let mut reader = Reader::new(plaintext);
        let count = reader.array()?;
        let mut left = Vec::with_capacity(count);
        for block in 0..count as u32 {
            let bytes = reader.bytes()?.to_vec();
            left.push(Left::Whole { salt: keys.salt(index, block), bytes });
        }
        reader.done()?;
        Ok(Self(left))
    }

    /// Erases a block for good; whether it was there.
    pub fn erase(&mut self, block: u32) -> bool {
        let left = usize::try_from(block).ok().and_then(|at| self.0.get_mut(at));
        let Some(left @ Left::Whole { .. }) = left else { return false };
        *left = Left::Digest(left.leaf());
        true
    }

    /// The blocks that are left, with their numbers; number 0 is the head.
    pub fn blocks(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..).zip(&self.0).filter_map(|(at, left)| match left {
            Left::Whole { bytes, .. } => Some((at, bytes.as_slice())),
            Left::Digest(_) => None,
        })
    }

    /// A batch of the blocks that are left.
    #[must_use]
    pub fn plaintext(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::new(Vec::new());
        writer.array(self.blocks().count());
        for (_, bytes) in self.blocks() {
            writer.bytes(bytes);
        }
        writer.finish()
    }

    /// The content root over what is left and what is not.
    #[must_use]
    pub fn content_root(&self) -> [u8; 32] {
        merkle_root(&self.leaves())
    }

    /// What proves a block that is left.
    #[must_use]
    pub fn prove(&self, block: u32) -> Option<BlockProof> {
        let at = usize::try_from(block).ok()?;
        let Left::Whole { salt, .. } = self.0.get(at)? else { return None };
        let mut path = Vec::new();
        merkle_path(&self.leaves(), at, &mut path);
        Some(BlockProof { salt: *salt, path })
    }

    fn leaves(&self) -> Vec<[u8; 32]> {
        self.0.iter().map(Left::leaf).collect()
    }

    /// As a store keeps it: an array, of a block `[salt, bytes]`, of an erased one `[digest]`.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::new(Vec::new());
        writer.array(self.0.len());
        for left in &self.0 {
            match left {
                Left::Whole { salt, bytes } => writer.array(2).bytes(salt).bytes(bytes),
                Left::Digest(digest) => writer.array(1).bytes(digest),
            };
        }
        writer.finish()
    }

    /// Reads what a store kept.
    ///
    /// # Errors
    /// [`StrictError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StrictError> {
        let mut reader = Reader::new(bytes);
        let count = reader.array()?;
        let mut left = Vec::with_capacity(count);
        for _ in 0..count {
            left.push(match reader.array()? {
                1 => Left::Digest(reader.array_of()?),
                2 => Left::Whole { salt: reader.array_of()?, bytes: reader.bytes()?.to_vec() },
                _ => return Err(StrictError::Unexpected),
            });
        }
        reader.done()?;
        Ok(Self(left))
    }
}
