//! Complaints: what is wrong with devices at the ports, for whoever looks at the gateway.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use wire::time::MonotonicNanos;

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Complaint {
    /// A device is not taken.
    Stranger,
    /// A device says more than it may.
    Babble,
    /// A message is not taken.
    Message,
}

/// By what is wrong and of whom: in words, and when it was said last.
type Said = BTreeMap<(Complaint, String), (String, MonotonicNanos)>;

/// Complaints of all ports; one that is not repeated is forgotten after a minute.
#[derive(Clone, Debug, Default)]
pub struct Complaints(Arc<Mutex<Said>>);

/// A complaint stands for so long.
const LASTS_NANOS: u64 = 60_000_000_000;
/// Of each kind, more than fit on a screen: the rest is one of them in a minute.
const COMPLAINTS_MAX: usize = 16;

impl Complaints {
    /// Complains of somebody, in words; the log has it once.
    pub fn say(&self, what: Complaint, of: String, words: String, now: MonotonicNanos) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, since)| now.0.saturating_sub(since.0) < LASTS_NANOS);
        let key = (what, of);
        if !all.contains_key(&key) {
            if all.keys().filter(|(kind, _)| *kind == what).count() >= COMPLAINTS_MAX {
                return;
            }
            tracing::warn!("{words}");
        }
        all.insert(key, (words, now));
    }

    /// What is complained of now.
    #[must_use]
    pub fn words(&self, what: Complaint, now: MonotonicNanos) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |since: &MonotonicNanos| now.0.saturating_sub(since.0) < LASTS_NANOS;
        let of = all.iter().filter(|((kind, _), (_, since))| *kind == what && lasts(since));
        of.map(|(_, (words, _))| words.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_stands_for_a_minute_after_it_was_said_last() {
        let complaints = Complaints::default();
        let at = |second: u64| MonotonicNanos(second * 1_000_000_000);
        complaints.say(Complaint::Stranger, "7".into(), "who is 7?".into(), at(0));
        complaints.say(Complaint::Stranger, "7".into(), "who is 7?".into(), at(50));
        assert_eq!(complaints.words(Complaint::Stranger, at(100)), ["who is 7?"]);
        assert!(complaints.words(Complaint::Babble, at(100)).is_empty());
        assert!(complaints.words(Complaint::Stranger, at(110)).is_empty());
        (0..99).for_each(|n| complaints.say(Complaint::Babble, n.to_string(), "x".into(), at(200)));
        assert_eq!(complaints.words(Complaint::Babble, at(200)).len(), COMPLAINTS_MAX);
    }
}
