//! HL7's moments: `YYYYMMDDHHMM[SS[.S[S[S[S]]]]][+/-ZZZZ]`.

use jiff::civil::{Date, Time};

/// One tick: a hundred microseconds, the finest that HL7 writes.
pub const TICK_EXPONENT: u8 = 5;
const TICKS_A_SECOND: i64 = 10_000;

/// A moment as it was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// Ticks since 1970-01-01T00:00 of its own zone.
    pub civil_ticks: i64,
    /// Its zone's offset from UTC, minutes, if it says one.
    pub offset_minutes: Option<i64>,
}

impl Written {
    /// Ticks of UTC, with a zone of its own or this one.
    #[must_use]
    pub fn utc_ticks(&self, offset_minutes: Option<i64>) -> Option<i64> {
        let offset = self.offset_minutes.or(offset_minutes)?;
        Some(self.civil_ticks - offset * 60 * TICKS_A_SECOND)
    }
}

fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Reads a moment; none if it is written otherwise, or is in no calendar.
#[must_use]
pub fn read(text: &str) -> Option<Written> {
    if !text.is_ascii() {
        return None;
    }
    let (civil, offset_minutes) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], Some(offset(&text[at..])?)),
        None => (text, None),
    };
    let (whole, fraction) = civil.split_once('.').unwrap_or((civil, "0"));
    let part = |from: usize, to: usize| number(whole.get(from..to)?);
    let (year, month, day) = (number(whole.get(..4)?)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute) = (part(8, 10)?, part(10, 12)?);
    let second = match whole.len() {
        12 if !civil.contains('.') => 0,
        14 => part(12, 14)?,
        _ => return None,
    };
    if fraction.is_empty() || fraction.len() > 4 {
        return None;
    }
    let scale = 10i64.pow(4 - fraction.len() as u32);
    let ticks = number::<i64>(fraction)? * scale;
    // A leap second is the first moment after it.
    let time = Time::new(hour, minute, second.min(59), 0).ok()?;
    let time = Date::new(year, month, day).ok()?.to_datetime(time);
    let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let leap = i64::from(second == 60);
    (second <= 60).then_some(Written {
        civil_ticks: (seconds + leap) * TICKS_A_SECOND + ticks,
        offset_minutes,
    })
}

/// `+ZZZZ` or `-ZZZZ` in minutes.
fn offset(text: &str) -> Option<i64> {
    let digits = text.get(1..).filter(|digits| digits.len() == 4)?;
    let (hours, minutes): (i64, i64) = (number(&digits[..2])?, number(&digits[2..])?);
    let minutes = Some(hours * 60 + minutes).filter(|_| hours <= 14 && minutes < 60)?;
    Some(if text.starts_with('-') { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_digits_and_its_zone() {
        let utc = |text: &str| read(text).unwrap().utc_ticks(None);
        assert_eq!(utc("20211122115600.567+0100"), Some(16_375_785_605_670));
        assert_eq!(utc("20211122105600.567+0000"), Some(16_375_785_605_670));
        assert_eq!(utc("19700101000000.0001-0000"), Some(1));
        assert_eq!(utc("202111221156+0000"), Some(16_375_821_600_000));
        assert_eq!(utc("20211122115600"), None);
        let local = read("20211122115600").unwrap();
        assert_eq!(local.utc_ticks(Some(60)), utc("20211122115600+0100"));
        assert_eq!(utc("20161231235960+0000"), utc("20170101000000+0000"), "a leap second");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2021",
            "20211122",
            "2021112211",
            "20211322115600",
            "20211122245600",
            "20211122115661",
            "20211122115600.",
            "20211122115600.00001",
            "202111221156.5",
            "20211122115600+1",
            "20211122115600+1500",
            "20211122115600+0060",
            "+0100",
            "2021112211560x",
            "２０２１",
            "-20211122115600",
            "20211122115600+01:0",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
