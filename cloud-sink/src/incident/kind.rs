//! The kinds of incident: their words, what ends them, and what to do.

/// What ends an incident.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Its condition is over.
    Condition,
    /// It has not happened again for ten minutes.
    Quiet,
    /// A person closes it.
    Person,
}

/// Without another one for so long, ten minutes, what only happens is over.
pub const QUIET_NS: i64 = 600 * 1_000_000_000;

macro_rules! kinds {
    ($($kind:ident $name:literal $ending:ident $remedy:literal,)*) => {
        /// A kind of incident.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Kind {
            $(#[doc = $name] $kind,)*
        }

        impl Kind {
            /// All, worst first.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The word in tables and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What ends it.
            #[must_use]
            pub const fn ending(self) -> Ending {
                match self { $(Self::$kind => Ending::$ending,)* }
            }

            /// What to do first.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy,)* }
            }
        }
    };
}

kinds! {
    Integrity "integrity" Person "keep both sides as they are, isolate the gateway, call security",
    Fork "fork" Person "look for a cloned or old card, else replace a forgetful one; both are kept",
    Clone "clone" Person "two machines speak as one: take one off the net, then enrol it by itself",
    OldCard "old card" Person "an older image of its card was started: see why; both are kept",
    Revoked "revoked speaker" Person "find it; look at what is held; then `gateway release`",
    StolenKey "retired key" Person "a key that has a successor speaks: call security, then look",
    Rollback "old keyring" Person "somebody publishes keyrings who may not: check the access list",
    Withheld "withheld" Condition "a lane is held back on its way: check broker and access list",
    Audit "audit" Person "`wardline-sink audit --gateway ID --verify`; `wardline audit` there",
    SignIns "sign-ins refused" Quiet "somebody tries to come in: see `wardline-sink audit`",
    Unsigned "unsigned" Person "somebody publishes without a known key: check the access list",
    Receipts "receipts refused" Person "somebody signs receipts who may not: check the broker",
    Gap "gap" Person "readings are lost: the cause and the numbers stand in the gap's record",
    DeviceLoss "device loss" Person "a device lost readings before it was heard: check its cable",
    Outage "outage" Condition "many gateways at once: check the broker and the network first",
    Silent "silent" Condition "check the gateway's power, then its network, then its card",
    Storage "storage" Quiet "the medium fails now and then: replace the card",
    SlowDisk "slow disk" Quiet "syncs take over 250 ms: replace the card before it fails",
    Worn "card worn" Condition "the medium has used most of its life: replace the card",
    Machine "machine" Quiet "check the gateway's power supply and its cooling",
    Room "room low" Condition "restore the link, or raise the quota; then the oldest goes",
    Late "late" Condition "check the link, then how fast the backlog drains",
    Slow "slow line" Quiet "live readings take over 5 s: check what else uses the link",
    Stalled "stalled" Quiet "no receipts although connected: check sink, keyring, broker limits",
    TooLarge "too large" Condition "raise the broker's packet limit: records wait for it",
    Expiry "expiry" Condition
        "`wardline provision --renew`, `wardline-sink root request` or `keys certify`",
    Held "held" Condition "records cannot be opened: bring the key or the newer program",
    Gateway "gateway" Condition "wardline status on the gateway says what to do",
    NoClock "no clock" Condition "check the gateway's time source and battery",
    ClockStep "clock step" Quiet "check the gateway's time source; order is kept by number",
    Device "device silent" Condition "check the device, its cable and its port",
    Line "line errors" Quiet "check the device's cable and its settings",
    Restart "restart" Quiet "the agent started anew: check power and its log",
}

impl Kind {
    /// From its word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
