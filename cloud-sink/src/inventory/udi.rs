//! Unique device identification: what is printed on a device, read and checked.

use serde::Serialize;
use utoipa::ToSchema;

/// What a UDI says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Udi {
    /// Which agency's: `GS1` or `HIBCC`.
    pub agency: &'static str,
    /// Device identifier: what kind of device it is.
    pub identifier: String,
    /// Lot.
    pub lot: Option<String>,
    /// Made on, as printed: `YYMMDD`.
    pub made: Option<String>,
    /// Good until, as printed: `YYMMDD`.
    pub expires: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
}

/// Why a UDI is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UdiError {
    /// It is of no form that is known.
    #[error("this is no UDI: write it as printed, `(01)00012345678905(21)…` or `+…`")]
    Form,
    /// A part is not known.
    #[error("({0}) is no part of a UDI: there are (01), (10), (11), (17) and (21)")]
    Part(String),
    /// A part has not the length or the digits that it must have.
    #[error("({0}) is not as it must be: {1}")]
    Value(&'static str, &'static str),
    /// The check digit is another.
    #[error("the check digit is wrong: read {found}, should be {should}; read the label again")]
    Check {
        /// What stands there.
        found: char,
        /// What belongs there.
        should: char,
    },
}

impl Udi {
    /// Reads a UDI as it is printed: GS1 with its brackets, or HIBC.
    ///
    /// # Errors
    /// [`UdiError`].
    pub fn parse(text: &str) -> Result<Self, UdiError> {
        match text.chars().next() {
            Some('(') => gs1(text),
            Some('+') => hibc(text),
            _ => Err(UdiError::Form),
        }
    }
}

fn gs1(text: &str) -> Result<Udi, UdiError> {
    let mut udi = Udi { agency: "GS1", ..Udi::default() };
    for part in text.split('(').skip(1) {
        let (number, value) = part.split_once(')').ok_or(UdiError::Form)?;
        let value = value.trim();
        match number {
            "01" => udi.identifier = gtin(value)?,
            "10" => udi.lot = Some(short("10", value)?),
            "11" => udi.made = Some(date("11", value)?),
            "17" => udi.expires = Some(date("17", value)?),
            "21" => udi.serial = Some(short("21", value)?),
            _ => return Err(UdiError::Part(number.chars().take(8).collect())),
        }
    }
    if udi.identifier.is_empty() { Err(UdiError::Value("01", "it is missing")) } else { Ok(udi) }
}

/// GTIN-14: the last digit is chosen so that the weighted sum is a multiple of ten.
fn gtin(value: &str) -> Result<String, UdiError> {
    if value.len() != 14 || !value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(UdiError::Value("01", "it has 14 digits"));
    }
    let digits = || value.bytes().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits().take(13).zip([3, 1].into_iter().cycle()).map(|(d, w)| d * w).sum();
    let should = char::from_digit((10 - sum % 10) % 10, 10).ok_or(UdiError::Form)?;
    let found = value.chars().last().ok_or(UdiError::Form)?;
    if found == should { Ok(value.to_owned()) } else { Err(UdiError::Check { found, should }) }
}

fn short(part: &'static str, value: &str) -> Result<String, UdiError> {
    let is_plain = value.bytes().all(|letter| letter.is_ascii_graphic());
    if (1..=20).contains(&value.len()) && is_plain {
        Ok(value.to_owned())
    } else {
        Err(UdiError::Value(part, "it has 1 to 20 letters"))
    }
}

fn date(part: &'static str, value: &str) -> Result<String, UdiError> {
    let wrong = UdiError::Value(part, "it is YYMMDD; the day may be 00");
    if value.len() != 6 || !value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong);
    }
    let number = |at: usize| value[at..at + 2].parse::<u8>().unwrap_or(99);
    let is_date = (1..=12).contains(&number(2)) && number(4) <= 31;
    if is_date { Ok(value.to_owned()) } else { Err(wrong) }
}

/// The letters of HIBC in the order of their weights.
const HIBC: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%";

/// `+`, labeller and product, then after a slash serial or lot, and last a letter that checks.
fn hibc(text: &str) -> Result<Udi, UdiError> {
    let Some((at, found)) = text.char_indices().last().filter(|_| text.len() >= 8) else {
        return Err(UdiError::Form);
    };
    let weights = text[..at].chars().map(|letter| HIBC.find(letter).ok_or(UdiError::Form));
    let sum = weights.sum::<Result<usize, _>>()?;
    let should = HIBC.chars().nth(sum % HIBC.len()).ok_or(UdiError::Form)?;
    if found != should {
        return Err(UdiError::Check { found, should });
    }
    let (identifier, rest) = text[1..at].split_once('/').unwrap_or((&text[1..at], ""));
    let serial = rest.strip_prefix("$+").map(str::to_owned).filter(|text| !text.is_empty());
    let lot = rest.strip_prefix('$').filter(|_| serial.is_none());
    let lot = lot.map(str::to_owned).filter(|text| !text.is_empty());
    Ok(Udi { agency: "HIBCC", identifier: identifier.into(), lot, serial, ..Udi::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gs1_label_is_read_part_by_part() {
        let udi = Udi::parse("(01)00012345678905(11)240131(17)290100(10)L-7(21)123456").unwrap();
        assert_eq!((udi.agency, udi.identifier.as_str()), ("GS1", "00012345678905"));
        assert_eq!((udi.made.as_deref(), udi.expires.as_deref()), (Some("240131"), Some("290100")));
        assert_eq!((udi.lot.as_deref(), udi.serial.as_deref()), (Some("L-7"), Some("123456")));
    }

    #[test]
    fn a_hibc_label_is_read_and_checked() {
        let body = "+A123BJC5D6E71/$+S99";
        let sum: usize = body.chars().map(|letter| HIBC.find(letter).unwrap()).sum();
        let check = HIBC.chars().nth(sum % 43).unwrap();
        let udi = Udi::parse(&format!("{body}{check}")).unwrap();
        assert_eq!((udi.agency, udi.identifier.as_str()), ("HIBCC", "A123BJC5D6E71"));
        assert_eq!(udi.serial.as_deref(), Some("S99"));
        // Published example: its check letter is G.
        assert_eq!(Udi::parse("+A123BJC5D6E71G").unwrap().identifier, "A123BJC5D6E71");
        let other = Udi::parse("+A123BJC5D6E71H");
        assert_eq!(other, Err(UdiError::Check { found: 'H', should: 'G' }));
    }

    #[test]
    fn what_is_no_udi_is_refused_with_its_place() {
        let refused = |text: &str| Udi::parse(text).unwrap_err();
        let check = UdiError::Check { found: '6', should: '5' };
        assert_eq!(refused("(01)00012345678906(21)1"), check);
        assert_eq!(refused("(99)1"), UdiError::Part("99".into()));
        assert_eq!(refused("(21)1"), UdiError::Value("01", "it is missing"));
        assert_eq!(refused("(01)123"), UdiError::Value("01", "it has 14 digits"));
        for text in ["", "0001", "(01", "+", "+a1234567", "(01)00012345678905(17)291301"] {
            refused(text);
        }
        assert!(matches!(refused("(01)00012345678905(21)ü"), UdiError::Value("21", _)));
    }
}
