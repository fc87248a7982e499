//! The only file that reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

use wire::time::UnixNanos;

/// Now, in UTC.
#[must_use]
pub fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A moment in words, RFC 3339; UTC nanoseconds.
#[must_use]
pub fn words(ns: i64) -> String {
    let moment = jiff::Timestamp::from_nanosecond(ns.into());
    moment.map_or_else(|_| ns.to_string(), |moment| format!("{moment:.0}"))
}
