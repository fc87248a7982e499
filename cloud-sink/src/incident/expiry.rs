//! Rules about ends: of what gateways have, as they report it, and of certificates that sinks show
//! or believe others by.

use wire::time::UnixNanos;

use super::{Finding, Kind};
use crate::store::StoreError;
use crate::store::db::Db;
use crate::trust::ends::{self, Noted};

/// Each of these, days before something ends, is an incident of its own.
const DAYS: [(u64, &str); 3] = [(1, "1 day"), (7, "7 days"), (30, "30 days")];

/// Within which span something ends, and in how many days.
fn within(left_s: u64) -> Option<(&'static str, u64)> {
    let days = left_s / 86_400;
    let (_, within) = DAYS.into_iter().find(|(most, _)| days < *most)?;
    Some((within, days))
}

/// Within which span something of a gateway ends, and words for it.
pub(super) fn of_gateway(what: &str, left_s: u64) -> Option<(&'static str, String)> {
    let (within, days) = within(left_s)?;
    let words = match left_s {
        0 => format!("the gateway's {what} has expired; it goes on collecting"),
        _ => format!("the gateway's {what} ends in {days} days"),
    };
    Some((within, words))
}

/// Which certificates of sinks end soon, or have ended.
pub(super) fn judge(db: &Db, now: UnixNanos, lasting: &mut Vec<Finding>) -> Result<(), StoreError> {
    for Noted { which, end, sink } in ends::noted(db, now)? {
        let left_s = end.0.saturating_sub(now.0).max(0).unsigned_abs() / 1_000_000_000;
        let Some((within, days)) = within(left_s) else { continue };
        let (word, cure) = (which.word(), which.cure());
        let words = match left_s {
            0 => format!("the {word} of {sink} has ended: {cure}"),
            _ => format!("the {word} of {sink} ends in {days} days: {cure}"),
        };
        let subject = format!("{word} of {sink}, {within}");
        lasting.push(Finding { kind: Kind::Expiry, gateway: None, subject, words, count: 1 });
    }
    Ok(())
}
