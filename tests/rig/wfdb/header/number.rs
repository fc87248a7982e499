//! Numbers, rates and times as header(5) writes them, without rounding.

use super::super::{BaseDate, BaseTime, Decimal, Rate};

/// Reads `-12.50e3` exactly; `None` when it is no such number or does not fit.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
    }
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mantissa = if negative { -mantissa } else { mantissa };
    Some(Decimal { mantissa, exponent: i8::try_from(exponent).ok()? })
}

/// Reads a rate above zero as a reduced fraction.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let number = decimal(text)?;
    let mantissa = u64::try_from(number.mantissa).ok().filter(|mantissa| *mantissa > 0)?;
    let scale = 10_u64.checked_pow(u32::from(number.exponent.unsigned_abs()));
    let (numerator, denominator) = match number.exponent {
        0.. => (mantissa.checked_mul(scale?)?, 1),
        _ => (mantissa, scale?),
    };
    let common = greatest_common_divisor(numerator, denominator);
    Some(Rate { numerator: numerator / common, denominator: denominator / common })
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads `[[hour:]minute:]second[.fraction]` and, where there is one, `day/month/year`.
pub(super) fn base_time(time: &str, date: Option<&str>) -> Option<BaseTime> {
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.rsplit(':');
    let second = below(parts.next()?, 60)?;
    let minute = parts.next().map_or(Some(0), |text| below(text, 60))?;
    let hour = parts.next().map_or(Some(0), |text| below(text, 24))?;
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanosecond = match fraction {
        "" => 0,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().ok()?
        }
        _ => return None,
    };
    let date = match date {
        Some(text) => Some(base_date(text)?),
        None => None,
    };
    Some(BaseTime { hour, minute, second, nanosecond, date })
}

fn below(text: &str, end: u8) -> Option<u8> {
    text.parse().ok().filter(|value| *value < end)
}

fn base_date(text: &str) -> Option<BaseDate> {
    let mut parts = text.split('/');
    let day: u8 = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let year: u16 = parts.next()?.parse().ok()?;
    let fits = (1..=31).contains(&day) && (1..=12).contains(&month) && (1..=9999).contains(&year);
    (fits && parts.next().is_none()).then_some(BaseDate { day, month, year })
}
