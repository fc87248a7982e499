//! A one-time token: `wl1-SECRET-AUTHORITY`, both 32 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use wire::hex::{hex, unhex};

/// A token.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// What the sink knows it by.
    pub secret: String,
    /// The first half of the SHA-256 of the site's CA certificate.
    pub authority: [u8; 16],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why something is no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no token: it looks like wl1-…-… and was cut or mistyped; copy it whole")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.trim().strip_prefix("wl1-").ok_or(BadToken)?;
        let (secret, authority) = rest.split_once('-').ok_or(BadToken)?;
        let bytes = unhex(secret).filter(|bytes| bytes.len() == 16).ok_or(BadToken)?;
        let authority = unhex(authority).ok_or(BadToken)?;
        Ok(Self { secret: hex(&bytes), authority: authority.try_into().map_err(|_| BadToken)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_cut_is_none() {
        let whole = format!("wl1-{}-{}", "ab".repeat(16), "01".repeat(16));
        let token: Token = whole.parse().unwrap();
        assert_eq!((token.secret.as_str(), token.authority), (&*"ab".repeat(16), [1; 16]));
        for cut in 0..whole.len() {
            assert_eq!(whole[..cut].parse::<Token>(), Err(BadToken), "{cut}");
        }
        assert!(!format!("{token:?}").contains("ab"), "a token stands in no log");
    }
}
