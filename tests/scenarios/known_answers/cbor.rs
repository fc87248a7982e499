//! Appendix A of RFC 8949 through the strict reader: each item is read and written again to the
//! same bytes, or refused for the reason that the profile names.

use serde_json::Value;
use wire::strict::{Reader, StrictError, Writer, check};

use super::files::{read, say, unhex};

/// What the profile in `wire/FORMAT.md` says of a published item, by its bytes.
///
/// Refused: indefinite lengths and floats that are longer than they need be, which the file marks
/// as not coming back the same; all other floats; simple values but false, true and null. `f818` is
/// refused for its form: a simple value under 32 has no second byte, since RFC 8949 section 3.3.
/// Tags, booleans and maps are strict in general, although no format of ours has them.
fn demanded(hex: &str, comes_back: bool) -> Result<(), StrictError> {
    let float = ["f9", "fa", "fb", "c1fb"].iter().any(|head| hex.starts_with(head));
    match hex {
        "f818" => Err(StrictError::NonMinimal),
        "f0" | "f7" | "f8ff" => Err(StrictError::Unsupported),
        _ if float || !comes_back => Err(StrictError::Unsupported),
        _ => Ok(()),
    }
}

/// Reads one item, compares it with what is published, and writes it.
fn copy(bytes: &[u8], reader: &mut Reader<'_>, writer: &mut Writer<Vec<u8>>, published: &Value) {
    match bytes[reader.position()] {
        0x00..=0x1b => {
            let value = reader.uint().unwrap();
            assert_eq!(published.as_u64(), Some(value));
            writer.uint(value);
        }
        0x20..=0x3b => copy_negative(reader, writer, published),
        0x40..=0x5b => {
            let value = reader.bytes().unwrap();
            let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(published.as_str(), Some(&*format!("h'{digits}'")));
            writer.bytes(value);
        }
        0x60..=0x7b => {
            let value = reader.text(usize::MAX).unwrap();
            assert_eq!(published.as_str(), Some(value));
            writer.text(value);
        }
        0x80..=0x9b => {
            let length = reader.array().unwrap();
            assert_eq!(published.as_array().map(Vec::len), Some(length));
            writer.array(length);
            for at in 0..length {
                copy(bytes, reader, writer, &published[at]);
            }
        }
        0xf6 => {
            assert!(reader.null() && published.is_null());
            writer.null();
        }
        // A map, a tag or a boolean: no format has one, so a reader only steps over it.
        _ => {
            writer.item(reader.item().unwrap());
        }
    }
}

/// A negative number; one that no 64 bits with a sign hold is well formed and still out of range.
fn copy_negative(reader: &mut Reader<'_>, writer: &mut Writer<Vec<u8>>, published: &Value) {
    let mut ahead = *reader;
    match ahead.int() {
        Ok(value) => {
            assert_eq!(published.as_i64(), Some(value));
            writer.int(value);
            *reader = ahead;
        }
        Err(error) => {
            assert_eq!((error, published.as_i64()), (StrictError::Unexpected, None));
            writer.item(reader.item().unwrap());
        }
    }
}

#[test]
fn every_item_of_appendix_a_is_read_or_refused_as_the_profile_says() {
    let Some(file) = read("cbor_appendix_a.json") else { return };
    let items = file.as_array().unwrap();
    assert_eq!(items.len(), 82);
    let (mut taken, mut unsupported, mut longer) = (0, 0, 0);

    for item in items {
        let hex = item["hex"].as_str().unwrap();
        let bytes = unhex(hex);
        let result = check(&bytes);
        assert_eq!(result, demanded(hex, item["roundtrip"].as_bool().unwrap()), "{hex}");
        match result {
            Ok(()) => taken += 1,
            Err(StrictError::NonMinimal) => longer += 1,
            Err(_) => unsupported += 1,
        }
        if result.is_err() {
            continue;
        }

        let published = item.get("decoded").unwrap_or(&item["diagnostic"]);
        let (mut reader, mut writer) = (Reader::new(&bytes), Writer::new(Vec::new()));
        copy(&bytes, &mut reader, &mut writer, published);
        assert_eq!(reader.done(), Ok(()), "{hex}");
        assert_eq!(writer.finish().as_deref(), Some(&bytes[..]), "{hex}");
        assert_eq!(check(&[&bytes[..], &[0]].concat()), Err(StrictError::Trailing), "{hex}");
        assert_eq!(check(&bytes[..bytes.len() - 1]), Err(StrictError::Truncated), "{hex}");
    }

    assert_eq!((taken, unsupported, longer), (44, 37, 1));
    say("RFC 8949 appendix A, 82 items: 44 read, 38 refused");
}
