//! Kinds that may come in storms: the first is written at once, the others once an hour, with a
//! count.

use std::collections::BTreeMap;

use wire::audit::AuditKind;
use wire::time::MonotonicNanos;

use super::Deed;

/// Between two entries of such a kind.
const HOUR_NANOS: u64 = 3_600_000_000_000;

/// Whether somebody else, or a broken part, may bring any number of a kind.
const fn is_stormy(kind: AuditKind) -> bool {
    matches!(
        kind,
        AuditKind::KeyringRefused
            | AuditKind::ClockStep
            | AuditKind::Integrity
            | AuditKind::Command
            | AuditKind::Values
    )
}

/// One kind.
#[derive(Debug)]
struct Storm {
    /// When it was written last.
    since: MonotonicNanos,
    more: u64,
    last: Option<Deed>,
}

/// All that was written within the hour.
#[derive(Debug, Default)]
pub(super) struct Pace(BTreeMap<AuditKind, Storm>);

impl Pace {
    /// What is to be written at once.
    pub(super) fn take(&mut self, deed: Deed, now: MonotonicNanos) -> Option<Deed> {
        if !is_stormy(deed.kind) {
            return Some(deed);
        }
        if let Some(storm) = self.0.get_mut(&deed.kind)
            && (storm.more > 0 || now.0.saturating_sub(storm.since.0) < HOUR_NANOS)
        {
            storm.more += 1;
            storm.last = Some(deed);
            return None;
        }
        self.0.insert(deed.kind, Storm { since: now, more: 0, last: None });
        Some(deed)
    }

    /// What is to be said of now; with `all`, of every kind that has something to say.
    pub(super) fn due(&mut self, now: MonotonicNanos, all: bool) -> Vec<Deed> {
        let due = |storm: &Storm| all || now.0.saturating_sub(storm.since.0) >= HOUR_NANOS;
        let mut deeds = Vec::new();
        for storm in self.0.values_mut().filter(|storm| due(storm)) {
            let Some(Deed { kind, object, words }) = storm.last.take() else { continue };
            let count = std::mem::take(&mut storm.more);
            storm.since = now;
            deeds.push(Deed::new(kind, object, format!("{count} times more, the last: {words}")));
        }
        deeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_storm_the_first_is_written_and_the_rest_once_an_hour_with_its_count() {
        let mut pace = Pace::default();
        let at = |minutes: u64| MonotonicNanos(minutes * 60_000_000_000);
        let deed = |kind, words: &str| Deed::new(kind, "", words);
        assert!(pace.take(deed(AuditKind::Values, "1"), at(0)).is_some());
        for words in ["2", "3"] {
            assert_eq!(pace.take(deed(AuditKind::Values, words), at(1)), None);
        }
        assert!(pace.take(deed(AuditKind::ClockStep, "of another kind"), at(2)).is_some());
        assert!(pace.due(at(59), false).is_empty());

        let due = pace.due(at(60), false);

        assert_eq!(due, [deed(AuditKind::Values, "2 times more, the last: 3")]);
        assert!(pace.due(at(900), false).is_empty());
        assert_eq!(pace.take(deed(AuditKind::Values, "4"), at(61)), None);
        assert_eq!(pace.due(at(62), true).len(), 1, "an end lets nothing go untold");
        assert!(pace.take(deed(AuditKind::Values, "5"), at(999)).is_some());
        for _ in 0..3 {
            assert!(pace.take(deed(AuditKind::Start, "no storm"), at(999)).is_some());
        }
    }
}
