//! Keeps what is not acknowledged and sends it until it is (go-back-N).

use embedded_io::Write;
use wire::limits::LINK_PAYLOAD_BYTES_MAX;
use wire::link::{ENCODED_BYTES_MAX, Frame, Kind};
use wire::strict::Room;

/// One frame that waits for its acknowledgement.
#[derive(Clone, Debug, Default)]
struct Kept {
    gap: bool,
    payload: Room<LINK_PAYLOAD_BYTES_MAX>,
}

/// Frames of one boot on their way to the gateway; `N` of them are kept.
///
/// Invariant: the kept frames have the sequences `oldest .. oldest + kept`.
#[derive(Debug)]
pub struct Sender<const N: usize> {
    boot: u32,
    oldest: u32,
    kept: usize,
    sent: usize,
    frames: [Kept; N],
}

/// There is no room: the gateway has not acknowledged for too long. Declare a gap later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl<const N: usize> Sender<N> {
    /// A sender for one run of the device; `boot` must be new at every start.
    #[must_use]
    pub fn new(boot: u32) -> Self {
        let frames = core::array::from_fn(|_| Kept::default());
        Self { boot, oldest: 1, kept: 0, sent: 0, frames }
    }

    /// Takes a payload to be sent in its turn.
    ///
    /// # Errors
    /// [`Full`]; nothing was taken.
    pub fn push(&mut self, payload: Room<LINK_PAYLOAD_BYTES_MAX>, gap: bool) -> Result<u32, Full> {
        if self.kept == N {
            return Err(Full);
        }
        let sequence = self.oldest.wrapping_add(self.kept as u32);
        self.frames[sequence as usize % N] = Kept { gap, payload };
        self.kept += 1;
        Ok(sequence)
    }

    /// Writes the next frame that was not sent since the last [`Sender::go_back`].
    ///
    /// # Errors
    /// The writer's; the frame will be written again.
    pub fn send<W: Write>(&mut self, out: &mut W) -> Result<bool, W::Error> {
        if self.sent == self.kept {
            return Ok(false);
        }
        let sequence = self.oldest.wrapping_add(self.sent as u32);
        let kept = &self.frames[sequence as usize % N];
        let kind = if kept.gap { Kind::Gap } else { Kind::Data };
        let frame = Frame { kind, boot: self.boot, sequence, payload: kept.payload.as_slice() };
        let mut bytes = [0; ENCODED_BYTES_MAX];
        let length = frame.encode(&mut bytes);
        out.write_all(&bytes[..length])?;
        self.sent += 1;
        Ok(true)
    }

    /// Takes an acknowledgement: everything up to and with it is durable at the gateway.
    ///
    /// One of another boot, or of what was never sent, is ignored.
    pub fn acknowledge(&mut self, boot: u32, sequence: u32) {
        let count = sequence.wrapping_sub(self.oldest).wrapping_add(1) as usize;
        if boot != self.boot || count > self.sent {
            return;
        }
        self.oldest = self.oldest.wrapping_add(count as u32);
        self.kept -= count;
        self.sent -= count;
    }

    /// Sends everything again that is not acknowledged; after a time-out or a query.
    pub fn go_back(&mut self) {
        self.sent = 0;
    }

    /// Frames that wait for their acknowledgement.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;
    use wire::link::{DataWriter, Deframer};

    fn payload(time: i64) -> Room<LINK_PAYLOAD_BYTES_MAX> {
        let mut writer = DataWriter::new(time);
        assert!(writer.numerics(0, &[Ok(time)]));
        writer.finish()
    }

    fn sequences(bytes: &[u8]) -> Vec<u32> {
        let mut deframer = Deframer::default();
        let (mut rest, mut found) = (bytes, Vec::new());
        while !rest.is_empty() {
            let (taken, frame) = deframer.push(rest);
            rest = &rest[taken..];
            found.extend(frame.map(|frame| frame.unwrap().sequence));
        }
        found
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_and_only_that() {
        let mut sender = Sender::<4>::new(9);
        (0..4).for_each(|time| assert!(sender.push(payload(time), false).is_ok()));
        assert_eq!(sender.push(payload(4), false), Err(Full));
        let mut out: Vec<u8> = Vec::new();
        while sender.send(&mut out).unwrap() {}
        assert_eq!(sequences(&out), [1, 2, 3, 4]);

        sender.acknowledge(8, 4);
        assert_eq!(sender.waiting(), 4, "an acknowledgement of another boot is ignored");
        sender.acknowledge(9, 7);
        assert_eq!(sender.waiting(), 4, "one of what was never sent is ignored");
        sender.acknowledge(9, 2);
        sender.go_back();
        out.clear();
        while sender.send(&mut out).unwrap() {}

        assert_eq!(sequences(&out), [3, 4]);
    }
}
