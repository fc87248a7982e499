//! What a segment's file is called, and what that tells the next process.

use alloc::string::ToString;

use crate::identity::{Lane, SegmentId};

/// Twelve digits, so that names sort as numbers do.
const ORDINALS: u64 = 1_000_000_000_000;

/// A file's name says what is in it before it is opened: order, lane, segment, where it was
/// abandoned, whether receipted.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FileName {
    /// Grows by one a segment of this medium.
    pub ordinal: u64,
    /// Lane.
    pub lane: Lane,
    /// Segment.
    pub segment: SegmentId,
    /// Records behind this index were abandoned after a failed write or sync.
    pub cut: Option<u32>,
    /// Every record has a receipt.
    pub done: bool,
}

impl core::fmt::Display for FileName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let end = if self.done { "done" } else { "seg" };
        write!(f, "{:012}-{}-{}", self.ordinal, self.lane, self.segment)?;
        if let Some(cut) = self.cut {
            write!(f, "-{cut}")?;
        }
        write!(f, ".{end}")
    }
}

impl FileName {
    /// Reads a name; `None` for any other file.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, end) = name.rsplit_once('.')?;
        let mut parts = stem.split('-');
        let (ordinal, lane, segment) = (parts.next()?, parts.next()?, parts.next()?);
        let cut = parts.next().map(str::parse).transpose().ok()?;
        let segment = u128::from_str_radix(segment, 16).ok()?;
        let parsed = Self {
            ordinal: ordinal.parse().ok().filter(|ordinal| *ordinal < ORDINALS)?,
            lane: Lane::from_name(lane)?,
            segment: SegmentId(segment.to_be_bytes()),
            cut,
            done: end == "done",
        };
        // Only what we would write ourselves: any other spelling would not be found again.
        (parsed.to_string() == name).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_comes_back() {
        for (cut, done) in [(None, true), (Some(7), false)] {
            let segment = SegmentId([0xab; 16]);
            let name = FileName { ordinal: 12, lane: Lane::Wave, segment, cut, done };
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
        assert_eq!(FileName::parse("spare-1"), None);
        let upper = "000000000012-wave-ABABABABABABABABABABABABABABABAB.seg";
        assert_eq!(FileName::parse(upper), None, "it would not be found under our spelling");
    }
}
