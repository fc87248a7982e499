//! The hazards by name.

use std::num::NonZeroU16;
use std::time::Duration;

use rig::proxy::{Deed, Hazards, Hole, Kind, Lies, Rule, Way};
use rig::site::Role;

/// One hazard.
pub struct Hazard {
    pub name: &'static str,
    pub words: &'static str,
    pub deed: Action,
    pub lasts: Duration,
    /// The connection ends when the hazard comes and when it goes: it is in the greeting.
    pub fresh: bool,
    /// Records must be parked meanwhile.
    pub parks: bool,
    /// The watchdog must rebuild the client meanwhile.
    pub rebuilds: bool,
}

/// What happens.
pub enum Action {
    /// The proxy does it.
    Proxy(Hazards),
    /// A process is killed with SIGKILL, stays away, and comes back.
    Kill(Role),
}

/// Long enough for a few of everything.
const SHORT: Duration = Duration::from_secs(12);
/// Until the client's own window is full of what was never acknowledged, and two deadlines more.
const LONGEST: Duration = Duration::from_secs(60);
/// Past two deadlines of the receipt watchdog.
const LONG: Duration = Duration::from_secs(34);

fn hazard(name: &'static str, words: &'static str, deed: Action) -> Hazard {
    let (lasts, fresh, parks, rebuilds) = (SHORT, false, false, false);
    Hazard { name, words, deed, lasts, fresh, parks, rebuilds }
}

fn ruled(
    name: &'static str,
    words: &'static str,
    (way, kind): (Way, Kind),
    deed: Deed,
    every: u64,
) -> Hazard {
    let rules = Hazards::rules([Rule { way, kind, deed, every }]);
    hazard(name, words, Action::Proxy(rules))
}

fn lying(name: &'static str, words: &'static str, lies: Lies) -> Hazard {
    Hazard { fresh: true, ..hazard(name, words, Action::Proxy(Hazards::lies(lies))) }
}

const RECORDS: (Way, Kind) = (Way::Up, Kind::Record);
const PUBACKS: (Way, Kind) = (Way::Down, Kind::PubAck);
const RECEIPTS: (Way, Kind) = (Way::Down, Kind::Receipt);
const LATER: Deed = Deed::Delay(Duration::from_millis(400));

/// All of them.
pub fn all() -> Vec<Hazard> {
    packets().into_iter().chain(links()).chain(brokers()).collect()
}

/// A broker that handles single packets wrongly.
fn packets() -> Vec<Hazard> {
    let all_late = |way, kind| Rule { way, kind, deed: LATER, every: 1 };
    let delays = Hazards::rules([
        all_late(Way::Up, Kind::Record),
        all_late(Way::Down, Kind::PubAck),
        all_late(Way::Down, Kind::Receipt),
    ]);
    let forget = Hazards { forget: true, ..Hazards::default() };
    let stale = |kind| Action::Proxy(Hazards { stale: Some(kind), ..Hazards::default() });
    vec![
        Hazard {
            lasts: LONGEST,
            rebuilds: true,
            ..ruled("withhold-pubacks", "no PUBACK comes", PUBACKS, Deed::Drop, 1)
        },
        ruled("drop-records", "every third record vanishes", RECORDS, Deed::Drop, 3),
        ruled("drop-pubacks", "every third PUBACK vanishes", PUBACKS, Deed::Drop, 3),
        ruled("drop-receipts", "no receipt comes", RECEIPTS, Deed::Drop, 1),
        hazard("delay", "everything takes 400 ms longer", Action::Proxy(delays)),
        ruled("repeat-records", "every second record comes twice", RECORDS, Deed::Repeat, 2),
        ruled("repeat-receipts", "every receipt comes twice", RECEIPTS, Deed::Repeat, 1),
        ruled("reorder-records", "every second record is overtaken", RECORDS, LATER, 2),
        ruled("reorder-receipts", "every second receipt is overtaken", RECEIPTS, LATER, 2),
        ruled("pubacks-out-of-order", "every second PUBACK is overtaken", PUBACKS, LATER, 2),
        Hazard {
            lasts: LONG,
            rebuilds: true,
            ..hazard("forget", "acknowledged and forgotten", Action::Proxy(forget))
        },
        hazard("stale-receipts", "old receipts are said again", stale(Kind::Receipt)),
        hazard("stale-keyring", "the keyring is said again and again", stale(Kind::Keyring)),
    ]
}

/// A link that fails without a word, or with far too many.
fn links() -> Vec<Hazard> {
    let holes = |up, down| Action::Proxy(Hazards { up, down, ..Hazards::default() });
    let (open, swallowed, not_read) = (Hole::Open, Hole::Swallowed, Hole::NotRead);
    let long =
        |name, words, deed| Hazard { lasts: LONG, rebuilds: true, ..hazard(name, words, deed) };
    let reset = Hazards { reset: true, ..Hazards::default() };
    vec![
        long("black-hole", "both ways swallow everything", holes(swallowed, swallowed)),
        long("black-hole-up", "what goes up vanishes", holes(swallowed, open)),
        long("black-hole-down", "what comes down vanishes", holes(open, swallowed)),
        long("black-hole-frozen", "neither way is read", holes(not_read, not_read)),
        long("zero-window", "nobody reads from the gateway", holes(not_read, open)),
        hazard("reset-storm", "every connection is reset", Action::Proxy(reset)),
    ]
}

/// A broker that lies in its greeting, and processes that are killed.
fn brokers() -> Vec<Hazard> {
    let one = NonZeroU16::new(1);
    let small = Lies { max_packet: Some(1500), ..Lies::default() };
    vec![
        lying(
            "receive-maximum-one",
            "one publish at a time",
            Lies { receive_maximum: one, ..Lies::default() },
        ),
        Hazard { parks: true, ..lying("small-packets", "no packet over 1,500 bytes", small) },
        Hazard {
            lasts: LONG,
            ..lying(
                "no-connack",
                "the greeting never comes",
                Lies { silent: true, ..Lies::default() },
            )
        },
        lying(
            "session-present",
            "it claims to know us",
            Lies { session_present: true, ..Lies::default() },
        ),
        hazard("broker-emptied", "killed, comes back empty", Action::Kill(Role::Broker)),
        hazard("agent-killed", "killed, meets the broker again", Action::Kill(Role::Agent)),
        hazard("sink-killed", "killed, comes back", Action::Kill(Role::Sink)),
    ]
}
