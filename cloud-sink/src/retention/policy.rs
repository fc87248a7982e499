//! What goes: rules, holds, and where each gateway stood when.

use std::collections::{BTreeMap, BTreeSet};

use wire::identity::Lane;
use wire::time::UnixNanos;

use super::{Hold, Rule, holds};
use crate::inventory;
use crate::store::StoreError;
use crate::store::coverage::MINUTE_NS;
use crate::store::db::{Db, values};

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;
/// What readings say of the time may be behind our clock; more, and it is our clock that is wrong.
const BEHIND_NS: i64 = 2 * DAY_NS;

/// Why nothing is disposed of.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A rule is of a ward that nobody knows.
    #[error("[[retention]] ward = \"{0}\": no gateway stands or stood there; is it spelt so?")]
    Ward(String),
    /// The clock may be wrong.
    #[error(
        "the newest reading is of over {days} days ago by this clock: set the clock right, or say \
         `wardline-sink dispose --force` if the line has stood still for so long"
    )]
    Clock {
        /// So many days.
        days: i64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A moment, and the ward that a gateway stands in from then on.
type Move = (i64, Option<String>);

/// Rules and holds together, at one moment of the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    rules: Vec<Rule>,
    holds: Vec<Hold>,
    /// Where each gateway has stood, oldest first.
    moves: BTreeMap<i64, Vec<Move>>,
    /// Gateways that ever heard a device that is held.
    held_gateways: BTreeSet<i64>,
}

/// A row of readings, or a sealed record.
pub(super) struct Candidate {
    pub(super) gateway: i64,
    pub(super) lane: Lane,
    /// Its device; a sealed record is of several.
    pub(super) device: Option<String>,
    pub(super) stored_ns: i64,
}

impl Policy {
    /// The rules, with the holds of now.
    pub(super) fn read(db: &Db, rules: &[Rule]) -> Result<Self, StoreError> {
        let mut holds = holds(db)?;
        holds.retain(|hold| hold.ended_ns.is_none());
        let mut moves = BTreeMap::<i64, Vec<Move>>::new();
        let sql = "SELECT gateway, from_ns, ward FROM ward_history ORDER BY gateway, from_ns";
        for row in db.rows(sql, &[])? {
            moves.entry(row.at(0)?).or_default().push((row.at(1)?, row.at(2)?));
        }
        let mut held_gateways = BTreeSet::new();
        for device in holds.iter().filter_map(|hold| hold.device.as_deref()) {
            let sql = "SELECT DISTINCT gateway FROM heard JOIN device ON device.id = heard.device
                       WHERE eui = ?1";
            for row in db.rows(sql, values![device])? {
                held_gateways.insert(row.at(0)?);
            }
        }
        Ok(Self { rules: rules.to_owned(), holds, moves, held_gateways })
    }

    /// Whether it may be carried out: every ward is known, and the clock agrees with the readings.
    pub(super) fn check(db: &Db, rules: &[Rule], now: UnixNanos) -> Result<(), PolicyError> {
        for ward in rules.iter().filter_map(|rule| rule.ward.as_ref()) {
            if !inventory::knows_ward(db, ward)? {
                return Err(PolicyError::Ward(ward.clone()));
            }
        }
        let sql = "SELECT max(newest) FROM (SELECT (SELECT max(minute) FROM coverage
                     WHERE coverage.gateway = gateway.id) AS newest FROM gateway) AS newest_of";
        let newest: Option<i64> = db.one(sql, &[])?;
        let behind = now.0.saturating_sub(newest.unwrap_or(0).saturating_mul(MINUTE_NS));
        if behind > BEHIND_NS { Err(PolicyError::Clock { days: behind / DAY_NS }) } else { Ok(()) }
    }

    /// Where a gateway stood at a moment; before it was first said, where that was.
    pub(super) fn ward_at(&self, gateway: i64, at_ns: i64) -> Option<&str> {
        let moves = self.moves.get(&gateway)?;
        let last = moves.iter().take_while(|(from, _)| *from <= at_ns).last();
        last.or_else(|| moves.first())?.1.as_deref()
    }

    /// Before which moment what was stored of a lane and ward goes; none if it stays.
    pub(super) fn stored_before(
        &self,
        lane: Lane,
        ward: Option<&str>,
        now: UnixNanos,
    ) -> Option<i64> {
        let of =
            |rule: &&Rule, ward: Option<&str>| rule.lane == lane && rule.ward.as_deref() == ward;
        let own = self.rules.iter().find(|rule| ward.is_some() && of(rule, ward));
        let rule = own.or_else(|| self.rules.iter().find(|rule| of(rule, None)))?;
        Some(now.0.saturating_sub(i64::from(rule.days) * DAY_NS))
    }

    /// The latest moment before which anything may go: nothing newer need be looked at.
    pub(super) fn horizon(&self, now: UnixNanos) -> Option<i64> {
        let days = self.rules.iter().map(|rule| rule.days).min()?;
        Some(now.0.saturating_sub(i64::from(days) * DAY_NS))
    }

    /// Before which moment whole days go, whatever is in them; none if somebody may need some.
    pub(super) fn whole_days_before(&self, now: UnixNanos) -> Option<i64> {
        let has_rule = |lane: &Lane| self.stored_before(*lane, None, now).is_some();
        // The health lane has neither numerics nor waveforms.
        let clinical = [Lane::Alert, Lane::Vital, Lane::Wave];
        if !self.holds.is_empty() || !clinical.iter().all(has_rule) {
            return None;
        }
        let days = self.rules.iter().map(|rule| rule.days).max()?;
        Some(now.0.saturating_sub(i64::from(days) * DAY_NS))
    }

    /// Whether a row goes.
    pub(super) fn goes(&self, row: &Candidate, now: UnixNanos) -> bool {
        let ward = self.ward_at(row.gateway, row.stored_ns);
        let before = self.stored_before(row.lane, ward, now);
        before.is_some_and(|before| row.stored_ns < before) && !self.is_held(row)
    }

    /// Whether a hold keeps it, whatever the rules say.
    pub(super) fn is_held(&self, row: &Candidate) -> bool {
        // A sealed record is of a whole gateway: it is held with any device that was heard there.
        if row.device.is_none() && self.held_gateways.contains(&row.gateway) {
            return true;
        }
        self.holds.iter().any(|hold| {
            let is_device = match (&hold.device, &row.device) {
                (None, _) => true,
                (Some(held), Some(device)) => held == device,
                (Some(_), None) => false,
            };
            is_device && hold.ward.as_ref().is_none_or(|ward| self.ever_stood(row.gateway, ward))
        })
    }

    /// A ward's hold covers what its gateways ever brought, wherever they stood then.
    fn ever_stood(&self, gateway: i64, ward: &str) -> bool {
        let mut moves = self.moves.get(&gateway).into_iter().flatten();
        moves.any(|(_, stood)| stood.as_deref() == Some(ward))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

    fn rule(lane: Lane, ward: Option<&str>, days: u32) -> Rule {
        Rule { lane, ward: ward.map(Into::into), days }
    }

    fn policy(rules: &[Rule], holds: &[(Option<&str>, Option<&str>)]) -> Policy {
        let holds = holds.iter().map(|(device, ward)| Hold {
            id: 1,
            device: device.map(Into::into),
            ward: ward.map(Into::into),
            reason: "claim".into(),
            begun_ns: 0,
            ended_ns: None,
        });
        // Gateway 1 stood in the ICU until 100 days ago, and since in the ER; gateway 2 nowhere.
        let moves = vec![(0, Some("ICU".into())), (NOW.0 - 100 * DAY_NS, Some("ER".into()))];
        Policy {
            rules: rules.to_vec(),
            holds: holds.collect(),
            moves: BTreeMap::from([(1, moves)]),
            held_gateways: BTreeSet::new(),
        }
    }

    fn row(gateway: i64, lane: Lane, device: Option<&str>, days: i64) -> Candidate {
        let device = device.map(Into::into);
        Candidate { gateway, lane, device, stored_ns: NOW.0 - days * DAY_NS }
    }

    #[test]
    fn a_reading_follows_the_rule_of_the_ward_in_which_it_was_stored() {
        let rules = [rule(Lane::Wave, None, 30), rule(Lane::Wave, Some("ICU"), 365)];
        let policy = policy(&rules, &[]);
        let goes = |gateway, lane, days| policy.goes(&row(gateway, lane, None, days), NOW);
        assert!(!goes(1, Lane::Wave, 200), "it is of the ICU, where its gateway no longer stands");
        assert!(
            goes(1, Lane::Wave, 400) && goes(1, Lane::Wave, 90),
            "the ER has no rule of its own"
        );
        assert!(goes(2, Lane::Wave, 200) && !goes(2, Lane::Wave, 29));
        assert!(!goes(1, Lane::Vital, 4000), "without a rule it stays for ever");
        assert_eq!(policy.horizon(NOW), Some(NOW.0 - 30 * DAY_NS));
        assert_eq!(policy.whole_days_before(NOW), None, "numerics have no rule");
    }

    #[test]
    fn whole_days_go_only_if_every_lane_has_a_rule_and_nothing_is_held() {
        let mut rules =
            [Lane::Alert, Lane::Vital, Lane::Wave].map(|lane| rule(lane, None, 30)).to_vec();
        rules.push(rule(Lane::Wave, Some("ICU"), 60));
        let before = policy(&rules, &[]).whole_days_before(NOW);
        assert_eq!(before, Some(NOW.0 - 60 * DAY_NS), "the longest counts");
        assert_eq!(policy(&rules, &[(Some("D1"), None)]).whole_days_before(NOW), None);
    }

    #[test]
    fn a_hold_covers_its_device_or_what_its_ward_ever_brought() {
        let rules = [rule(Lane::Wave, None, 30)];
        let goes = |hold, gateway, device| {
            policy(&rules, &[hold]).goes(&row(gateway, Lane::Wave, device, 50), NOW)
        };
        assert!(
            !goes((Some("D1"), None), 1, Some("D1")) && goes((Some("D1"), None), 1, Some("D2"))
        );
        assert!(!goes((None, Some("ICU")), 1, Some("D2")) && !goes((None, Some("ICU")), 1, None));
        assert!(goes((None, Some("ICU")), 2, Some("D2")) && goes((None, Some("ICU")), 2, None));
        assert!(!goes((None, None), 2, None), "a hold of everything");

        let mut both = policy(&rules, &[(Some("D1"), Some("ICU")), (Some("D2"), None)]);
        both.held_gateways.insert(2);
        assert!(!both.goes(&row(2, Lane::Wave, None, 50), NOW), "its records may hold D2");
        assert!(both.goes(&row(2, Lane::Wave, Some("D1"), 50), NOW), "gateway 2 never stood there");
    }
}
