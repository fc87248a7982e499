//! Bytes as hexadecimal digits, for files and words that people carry.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes as lower-case digits, two a byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that digits stand for, of either case; `None` for anything else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_and_nothing_else_is_taken() {
        assert_eq!(unhex(&hex(&[0, 0x9f, 0xff])).as_deref(), Some(&[0, 0x9f, 0xff][..]));
        assert_eq!(unhex("AbCd").as_deref(), Some(&[0xab, 0xcd][..]));
        for wrong in ["a", "+a", "0g", "0x10", "é0", " 00"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
