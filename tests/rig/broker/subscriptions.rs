//! Who gets a topic: plain and shared subscriptions of all sessions.
//!
//! Filters without a wildcard are found by their name, so that a thousand gateways with three
//! topics each cost one look-up per publish; filters with a wildcard are few and are all tried.

use std::collections::{BTreeMap, HashMap};

use rumqttc::{QoS, has_wildcards, matches, valid_filter};

/// Names a session inside one broker; never used again.
pub(super) type SessionId = u64;

/// A filter as a client writes it, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Filter<'a> {
    /// The group of a shared subscription.
    pub(super) group: Option<&'a str>,
    /// The topic filter itself.
    pub(super) topics: &'a str,
}

impl<'a> Filter<'a> {
    /// Takes `$share/group/filter` or a plain filter; `None` when it is malformed.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (group, topics) = match text.strip_prefix("$share/") {
            Some(shared) => {
                let (group, topics) = shared.split_once('/')?;
                if group.is_empty() || has_wildcards(group) {
                    return None;
                }
                (Some(group), topics)
            }
            None => (None, text),
        };
        valid_filter(topics).then_some(Self { group, topics })
    }
}

/// One session's wish to get what matches a filter.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    /// Who gets it.
    pub(super) session: SessionId,
    /// At which quality at most.
    pub(super) qos: QoS,
    /// Not what the session itself published.
    pub(super) no_local: bool,
    /// With the retain flag that the publisher set.
    pub(super) keeps_retain: bool,
    /// The number to send along.
    pub(super) id: Option<usize>,
}

/// One delivery of one publish: a session gets it once, however many of its filters match.
#[derive(Debug)]
pub(super) struct Match {
    /// Who gets it.
    pub(super) session: SessionId,
    /// The best quality of all its matching subscriptions.
    pub(super) qos: QoS,
    /// With the retain flag that the publisher set.
    pub(super) keeps_retain: bool,
    /// The numbers of its matching subscriptions.
    pub(super) ids: Vec<usize>,
}

#[derive(Debug, Default)]
struct Entry {
    plain: Vec<Subscription>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    name: String,
    members: Vec<Subscription>,
    turn: usize,
}

/// All subscriptions of one broker.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    exact: HashMap<String, Entry>,
    wild: BTreeMap<String, Entry>,
}

impl Subscriptions {
    /// Adds or replaces one; true when the session did not have it before.
    pub(super) fn insert(&mut self, filter: Filter<'_>, subscription: Subscription) -> bool {
        let name = filter.topics.to_owned();
        let entry = if has_wildcards(&name) {
            self.wild.entry(name).or_default()
        } else {
            self.exact.entry(name).or_default()
        };
        let members = entry.members(filter.group);
        match members.iter_mut().find(|member| member.session == subscription.session) {
            Some(known) => {
                *known = subscription;
                false
            }
            None => {
                members.push(subscription);
                true
            }
        }
    }

    /// Takes one away; false when the session did not have it.
    pub(super) fn remove(&mut self, filter: Filter<'_>, session: SessionId) -> bool {
        let name = filter.topics;
        let entry = match has_wildcards(name) {
            true => self.wild.get_mut(name),
            false => self.exact.get_mut(name),
        };
        let Some(entry) = entry else { return false };
        let members = entry.members(filter.group);
        let before = members.len();
        members.retain(|member| member.session != session);
        let removed = members.len() < before;
        entry.groups.retain(|group| !group.members.is_empty());
        if entry.plain.is_empty() && entry.groups.is_empty() {
            self.wild.remove(name);
            self.exact.remove(name);
        }
        removed
    }

    /// Finds who gets a publish of `from`; a group's turn goes round those who are online.
    pub(super) fn matching(
        &mut self,
        topic: &str,
        from: Option<SessionId>,
        is_online: impl Fn(SessionId) -> bool,
    ) -> Vec<Match> {
        let mut found = Vec::new();
        let wild = self.wild.iter_mut().filter(|(filter, _)| matches(topic, filter));
        for entry in self.exact.get_mut(topic).into_iter().chain(wild.map(|(_, entry)| entry)) {
            for subscription in &entry.plain {
                if !(subscription.no_local && Some(subscription.session) == from) {
                    merge(&mut found, subscription);
                }
            }
            for group in &mut entry.groups {
                if let Some(subscription) = group.next(&is_online) {
                    found.push(Match::of(subscription));
                }
            }
        }
        found
    }
}

impl Entry {
    fn members(&mut self, group: Option<&str>) -> &mut Vec<Subscription> {
        let Some(name) = group else {
            return &mut self.plain;
        };
        let known = self.groups.iter().position(|group| group.name == name);
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group { name: name.to_owned(), members: Vec::new(), turn: 0 });
            self.groups.len() - 1
        });
        &mut self.groups[index].members
    }
}

impl Group {
    fn next(&mut self, is_online: impl Fn(SessionId) -> bool) -> Option<&Subscription> {
        let count = self.members.len();
        let in_turn = (0..count).map(|step| (self.turn + step) % count);
        let chosen = in_turn
            .clone()
            .find(|&index| is_online(self.members[index].session))
            .or_else(|| in_turn.clone().next())?;
        self.turn = chosen + 1;
        self.members.get(chosen)
    }
}

impl Match {
    fn of(subscription: &Subscription) -> Self {
        Self {
            session: subscription.session,
            qos: subscription.qos,
            keeps_retain: subscription.keeps_retain,
            ids: subscription.id.into_iter().collect(),
        }
    }
}

fn merge(found: &mut Vec<Match>, subscription: &Subscription) {
    match found.iter_mut().find(|known| known.session == subscription.session) {
        Some(known) => {
            if (subscription.qos as u8) > known.qos as u8 {
                known.qos = subscription.qos;
            }
            known.keeps_retain |= subscription.keeps_retain;
            known.ids.extend(subscription.id);
        }
        None => found.push(Match::of(subscription)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(session: SessionId) -> Subscription {
        let qos = QoS::AtLeastOnce;
        Subscription { session, qos, no_local: false, keeps_retain: false, id: None }
    }

    fn insert(all: &mut Subscriptions, text: &str, session: SessionId) -> bool {
        all.insert(Filter::parse(text).expect("a filter of this test"), subscription(session))
    }

    fn sessions(found: &[Match]) -> Vec<SessionId> {
        found.iter().map(|found| found.session).collect()
    }

    #[test]
    fn a_session_gets_one_copy_however_many_of_its_filters_match() {
        let mut all = Subscriptions::default();

        assert!(insert(&mut all, "a/b", 1));
        assert!(insert(&mut all, "a/+", 1));
        assert!(insert(&mut all, "a/#", 2));
        assert!(!insert(&mut all, "a/b", 1));

        assert_eq!(sessions(&all.matching("a/b", None, |_| true)), [1, 2]);
        assert_eq!(sessions(&all.matching("a", None, |_| true)), [2]);
    }

    #[test]
    fn a_group_takes_turns_among_those_who_are_online() {
        let mut all = Subscriptions::default();
        for session in 1..=3 {
            insert(&mut all, "$share/g/a/#", session);
        }

        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.extend(sessions(&all.matching("a/b", None, |session| session != 2)));
        }

        assert_eq!(taken, [1, 3, 1, 3]);
        assert_eq!(all.matching("a/b", None, |_| false).len(), 1);
    }

    #[test]
    fn the_last_one_to_leave_takes_the_filter_along() {
        let mut all = Subscriptions::default();
        let shared = Filter::parse("$share/g/a").expect("a filter of this test");
        insert(&mut all, "$share/g/a", 1);

        assert!(all.remove(shared, 1));
        assert!(!all.remove(shared, 1));
        assert!(all.exact.is_empty());
        assert_eq!(Filter::parse("$share/g"), None);
        assert_eq!(Filter::parse("a/#/b"), None);
    }
}
