//! What a certificate's name may publish and subscribe.
//!
//! The same rules as the access list that `wardline-sink init` writes for mosquitto: a gateway
//! has its own topics and no others, a sink has everything of ours.

use std::collections::HashSet;

/// Every topic of ours begins with this.
const PREFIX: &str = "wardline/v1/";

/// The last level of a topic that a gateway may publish under its own name.
const GATEWAY_PUBLISHES: [&str; 5] = ["alert", "vital", "wave", "health", "status"];

/// The last level of a topic that a gateway may subscribe under its own name.
const GATEWAY_SUBSCRIBES: [&str; 2] = ["receipt", "command"];

/// The one topic that all gateways share.
const KEYRING: &str = "keyring";

/// The access list.
#[derive(Debug)]
pub(super) struct Access {
    sinks: HashSet<String>,
}

impl Access {
    /// Everybody who is not in `sinks` is a gateway.
    pub(super) fn new(sinks: Vec<String>) -> Self {
        Self { sinks: sinks.into_iter().collect() }
    }

    /// Whether `identity` may publish to `topic`.
    pub(super) fn may_publish(&self, identity: &str, topic: &str) -> bool {
        let Some(rest) = topic.strip_prefix(PREFIX) else {
            return false;
        };
        self.sinks.contains(identity) || is_own(identity, rest, &GATEWAY_PUBLISHES)
    }

    /// Whether `identity` may subscribe `filter`, given without its `$share/group/`.
    pub(super) fn may_subscribe(&self, identity: &str, filter: &str) -> bool {
        let Some(rest) = filter.strip_prefix(PREFIX) else {
            return false;
        };
        self.sinks.contains(identity)
            || rest == KEYRING
            || is_own(identity, rest, &GATEWAY_SUBSCRIBES)
    }
}

fn is_own(identity: &str, rest: &str, leaves: &[&str]) -> bool {
    rest.split_once('/').is_some_and(|(name, leaf)| name == identity && leaves.contains(&leaf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_has_its_own_topics_and_no_others() {
        let access = Access::new(vec!["sink".into()]);

        assert!(access.may_publish("7", "wardline/v1/7/alert"));
        assert!(!access.may_publish("7", "wardline/v1/8/alert"));
        assert!(!access.may_publish("7", "wardline/v1/7/receipt"));
        assert!(!access.may_publish("7", "wardline/v1/keyring"));
        assert!(!access.may_publish("7", "elsewhere/7/alert"));
        assert!(access.may_subscribe("7", "wardline/v1/keyring"));
        assert!(access.may_subscribe("7", "wardline/v1/7/command"));
        assert!(!access.may_subscribe("7", "wardline/v1/+/command"));
        assert!(!access.may_subscribe("7", "wardline/v1/#"));
        assert!(!access.may_subscribe("7", "wardline/v1/7/alert"));
    }

    #[test]
    fn a_sink_has_all_of_ours_and_nothing_else() {
        let access = Access::new(vec!["sink".into()]);

        assert!(access.may_publish("sink", "wardline/v1/keyring"));
        assert!(access.may_subscribe("sink", "wardline/v1/#"));
        assert!(!access.may_subscribe("sink", "#"));
    }
}
