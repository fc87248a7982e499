//! Reads what stands open on a TLS connection: the heads of records and the first greeting.

/// Content type of a handshake message.
pub const HANDSHAKE: u8 = 0x16;
/// Content type of everything that is sealed.
pub const DATA: u8 = 0x17;
/// A sealed alert, bytes: level, description, content type and tag.
pub const SEALED_ALERT: usize = 2 + 1 + 16;

const HEAD: usize = 5;
/// A record is no longer than this, bytes.
const LENGTH_MAX: usize = (1 << 14) + 256;

/// The records of one connection, each with its content type; the last may be cut off while the
/// connection lasts.
///
/// # Panics
/// A byte stands outside of any record.
pub fn of(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        assert!((0x14..=DATA).contains(&bytes[0]), "no TLS: {:02x?}", &bytes[..bytes.len().min(9)]);
        if bytes.len() < HEAD {
            break;
        }
        assert!(bytes[1] == 3 && [1, 3].contains(&bytes[2]), "no TLS: {:02x?}", &bytes[..HEAD]);
        let length = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        assert!(length <= LENGTH_MAX, "no TLS: a record of {length} bytes");
        let end = (HEAD + length).min(bytes.len());
        records.push((bytes[0], &bytes[HEAD..end]));
        bytes = &bytes[end..];
    }
    records
}

/// A cursor over a greeting; `None` where it is cut off.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// Bytes behind their length, which has so many bytes itself.
    fn block(&mut self, prefix: usize) -> Option<&'a [u8]> {
        let length = self.number(prefix)?;
        self.take(length)
    }
}

/// The versions in a ClientHello's `supported_versions`; none if it has no such extension, `None`
/// if it is cut off.
pub fn offered_versions(hello: &[u8]) -> Option<Vec<u16>> {
    const CLIENT_HELLO: usize = 1;
    const SUPPORTED_VERSIONS: usize = 0x2b;
    let mut hello = Cut(hello);
    assert_eq!(hello.number(1)?, CLIENT_HELLO);
    let mut hello = Cut(hello.block(3)?);
    hello.take(2 + 32)?;
    // Session, cipher suites, compressions.
    for prefix in [1, 2, 1] {
        hello.block(prefix)?;
    }
    let mut extensions = Cut(hello.block(2)?);
    while !extensions.0.is_empty() {
        let (kind, body) = (extensions.number(2)?, extensions.block(2)?);
        if kind == SUPPORTED_VERSIONS {
            let versions = Cut(body).block(1)?.chunks_exact(2);
            return Some(versions.map(|two| u16::from_be_bytes([two[0], two[1]])).collect());
        }
    }
    Some(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "no TLS")]
    fn a_word_outside_of_a_record_is_noticed() {
        of(&[&[0x16, 3, 1, 0, 1, 1][..], b"MQTT"].concat());
    }
}
