//! MLLP: messages out of a stream of bytes, however TCP splits or joins them.
//!
//! Shape: 0B, the message, 1C 0D. What stands between two messages is noise and passed over.

/// Longest message, bytes: a thousand observations, and more than any device sends at once.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

const BEGIN: u8 = 0x0B;
const END: u8 = 0x1C;
const AFTER: u8 = 0x0D;

/// What bytes brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Framed {
    /// A whole message.
    Message(Vec<u8>),
    /// A message that is longer than [`MESSAGE_BYTES_MAX`]: the connection is of no use any more.
    TooLong,
}

/// Collects one message at a time.
///
/// Invariant: holds at most [`MESSAGE_BYTES_MAX`] and one read.
#[derive(Debug, Default)]
pub struct Deframer {
    /// Inside a message.
    message: Option<Vec<u8>>,
    noise_bytes: u64,
}

impl Deframer {
    /// Takes bytes up to the end of the next message; how many were taken.
    pub fn push(&mut self, bytes: &[u8]) -> (usize, Option<Framed>) {
        let mut taken = 0;
        while taken < bytes.len() {
            let Some(message) = &mut self.message else {
                let begin = bytes[taken..].iter().position(|byte| *byte == BEGIN);
                let noise = begin.unwrap_or(bytes.len() - taken);
                // Between messages, an end of line is nobody's fault.
                let is_noise = |byte: &&u8| !b"\r\n".contains(byte);
                let odd = bytes[taken..taken + noise].iter().filter(is_noise).count();
                self.noise_bytes += odd as u64;
                taken += noise + usize::from(begin.is_some());
                self.message = begin.map(|_| Vec::new());
                continue;
            };
            let rest = &bytes[taken..];
            let end = rest.iter().position(|byte| *byte == AFTER).map_or(rest.len(), |at| at + 1);
            message.extend_from_slice(&rest[..end]);
            taken += end;
            if message.ends_with(&[END, AFTER]) {
                let mut message = self.message.take().unwrap_or_default();
                message.truncate(message.len() - 2);
                return (taken, Some(Framed::Message(message)));
            }
            if message.len() > MESSAGE_BYTES_MAX {
                self.message = None;
                return (taken, Some(Framed::TooLong));
            }
        }
        (taken, None)
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        self.message.is_some()
    }

    /// Bytes that stood outside of messages.
    #[must_use]
    pub const fn noise_bytes(&self) -> u64 {
        self.noise_bytes
    }
}

/// A message as it is sent.
#[must_use]
pub fn framed(message: &str) -> Vec<u8> {
    [&[BEGIN], message.as_bytes(), &[END, AFTER]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(deframer: &mut Deframer, mut bytes: &[u8]) -> Vec<Framed> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (taken, framed) = deframer.push(bytes);
            found.extend(framed);
            bytes = &bytes[taken..];
        }
        found
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let messages = ["MSH|one\rPID|\r", "", "\u{1c}a\rMSH|two\r"];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
        let wanted: Vec<Framed> =
            messages.iter().map(|message| Framed::Message(message.as_bytes().to_vec())).collect();
        for size in 1..=bytes.len() {
            let mut deframer = Deframer::default();
            let found: Vec<Framed> =
                bytes.chunks(size).flat_map(|part| pushed(&mut deframer, part)).collect();
            assert_eq!(found, wanted, "in parts of {size}");
            assert!(!deframer.is_inside());
        }
    }

    #[test]
    fn noise_is_passed_over_and_counted_and_an_endless_message_is_given_up() {
        let mut deframer = Deframer::default();
        let bytes = [b"GET / HTTP\r\n".as_slice(), &framed("MSH|a\r")].concat();
        assert_eq!(pushed(&mut deframer, &bytes), [Framed::Message(b"MSH|a\r".to_vec())]);
        assert_eq!(deframer.noise_bytes(), 10);
        let endless = [&[BEGIN][..], &vec![b'x'; MESSAGE_BYTES_MAX + 1]].concat();
        assert_eq!(pushed(&mut deframer, &endless), [Framed::TooLong]);
        assert!(!deframer.is_inside());
    }
}
