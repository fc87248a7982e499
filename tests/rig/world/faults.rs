//! Everything that can go wrong in a world, by name, and how it is made to.

use std::time::Duration;

use agent::uplink::driver::MessageKind;
use anyhow::Result;

use super::World;
use super::forger::Forgery;
use super::sink::Kill;
use crate::random::Random;

macro_rules! faults {
    ($($name:ident $text:literal,)*) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Fault {
            $(#[doc = $text] $name,)*
        }

        /// All of them.
        pub const ALL: &[Fault] = &[$(Fault::$name,)*];

        impl Fault {
            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

faults! {
    PowerCut "power cut",
    Killed "agent killed",
    SyncFails "fdatasync fails",
    WriteFails "write fails",
    WriteShort "write fails half-way",
    DiskFull "disk full",
    ReadOnly "read-only",
    BitRot "bit rot",
    BlockLost "block destroyed",
    ReadFails "read fails",
    ReadMisdirected "read misdirected",
    ReadStale "stale read",
    SlowDisk "slow disk",
    FlushLies "flush lies",
    CardCloned "card cloned",
    CardSwapped "card swapped with its clone",
    RandomStuck "randomness stuck",
    DeviceReset "device reset",
    LineBroken "device line broken",
    LineGarbled "device line garbled",
    LinkCut "link cut",
    BlackHole "black hole",
    HalfOpenUp "half-open, upwards lost",
    HalfOpenDown "half-open, downwards lost",
    Delayed "delay and reordering",
    Duplicated "duplicates",
    ThinLink "1 kbit/s",
    BrokerForgets "broker acknowledges and forgets",
    ReceiptsLost "receipts dropped",
    BrokerSilent "broker withholds acknowledgements",
    OneByOne "broker takes one record at a time",
    ReceiptByStranger "receipt by a stranger's key",
    ReceiptOfAnother "receipt of another gateway",
    ReceiptStolenKey "receipt by a stolen key",
    ReceiptReplayed "old receipt replayed",
    KeyringReplayed "old keyring replayed",
    BrokerRestart "broker restarts empty",
    SinkKilledBefore "sink killed before its commit",
    SinkKilledAfter "sink killed before its receipt",
    SinkAway "sink away",
    StoreFull "store full",
    StoreBackedUp "store copied",
    StoreRestored "store restored from a copy",
    ClockForward "clock years ahead",
    ClockBack "clock years back",
    Clock1970 "clock in 1970",
    ClockStopped "clock stopped",
    ClockRight "clock set right",
}

/// Faults that may take readings with them: the world then asks for gaps instead.
const LOSING: [Fault; 5] =
    [Fault::BitRot, Fault::BlockLost, Fault::ReadFails, Fault::ReadMisdirected, Fault::ReadStale];

const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;

/// The faults of one world: a good half of all, its own for each seed.
#[must_use]
pub fn chosen(random: &mut Random) -> Vec<Fault> {
    let quiet = random.once_in(8);
    let healthy = random.once_in(3);
    // What a medium that lies has lost cannot be told from a loss of ours.
    let lying = random.once_in(12);
    // A branch of another card brings the numbers again that a restored store is asked for.
    let cloned = random.once_in(3);
    let wanted = |fault: &Fault, random: &mut Random| match fault {
        Fault::PowerCut | Fault::Killed => true,
        Fault::FlushLies => lying,
        Fault::CardCloned | Fault::CardSwapped => cloned,
        Fault::StoreRestored if cloned => false,
        fault if LOSING.contains(fault) && healthy => false,
        _ => !quiet && random.below(10) < 6,
    };
    ALL.iter().copied().filter(|fault| wanted(fault, random)).collect()
}

impl World {
    /// Makes one fault happen now; whether it could.
    pub(super) fn inject(&mut self, fault: Fault) -> Result<bool> {
        let now = self.elapsed();
        let spell = Spell {
            now,
            long: now + Duration::from_millis(500 + self.random.below(30_000)),
            short: now + Duration::from_millis(100 + self.random.below(3000)),
        };
        if let Some(happened) = self.harm_disk(fault, spell) {
            return Ok(happened);
        }
        if self.harm_network(fault, spell) || self.harm_bedside(fault, spell) {
            return Ok(true);
        }
        match fault {
            Fault::Killed => self.gateway_ends(spell.short, false),
            Fault::CardCloned => return Ok(self.clone_card()),
            Fault::CardSwapped => return Ok(self.swap_card()),
            Fault::RandomStuck => {
                self.gateway.stick_random(true);
                self.line_well_at = spell.long;
            }
            Fault::ReceiptReplayed => {
                return Ok(self.network.replay(now, MessageKind::Receipt, &mut self.random));
            }
            Fault::KeyringReplayed => {
                return Ok(self.network.replay(now, MessageKind::Keyring, &mut self.random));
            }
            Fault::SinkKilledBefore => self.sinks.kill_one(Kill::BeforeCommit, &mut self.random),
            Fault::SinkKilledAfter => self.sinks.kill_one(Kill::BeforeReceipt, &mut self.random),
            Fault::SinkAway => self.sinks.end(spell.long),
            Fault::StoreFull => self.sinks.fill(spell.long),
            Fault::StoreBackedUp => self.sinks.back_up()?,
            Fault::StoreRestored => {
                self.seen.leave_store();
                return self.sinks.restore();
            }
            Fault::ClockForward => self.gateway.time.step_wall(7 * YEAR_NS),
            Fault::ClockBack => self.gateway.time.step_wall(-7 * YEAR_NS),
            Fault::Clock1970 => self.gateway.time.step_wall(-super::time::START_NS),
            Fault::ClockStopped => self.gateway.time.stop_wall(),
            Fault::ClockRight => self.gateway.time.step_wall(0),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Faults of the medium; `None` if it is none.
    fn harm_disk(&mut self, fault: Fault, spell: Spell) -> Option<bool> {
        let disk = self.gateway.disk.clone();
        match fault {
            Fault::PowerCut => {
                let operations = 1 + self.random.below(24);
                disk.ail(|ails| ails.cut_in = Some(operations));
            }
            Fault::SyncFails => {
                let count = 1 + self.random.below(3);
                disk.ail(|ails| ails.syncs_fail = count);
            }
            Fault::WriteFails | Fault::WriteShort => {
                let count = 1 + self.random.below(2);
                disk.ail(|ails| ails.writes_fail = count);
                disk.ail(|ails| ails.writes_short = fault == Fault::WriteShort);
            }
            Fault::DiskFull => {
                disk.ail(|ails| ails.full = true);
                self.disk_well_at = spell.long;
            }
            Fault::ReadOnly => {
                disk.ail(|ails| ails.read_only = true);
                self.disk_well_at = spell.short;
            }
            Fault::SlowDisk => {
                disk.ail(|ails| ails.sync_takes = Duration::from_millis(400));
                self.disk_well_at = spell.short;
            }
            Fault::FlushLies => {
                disk.ail(|ails| ails.lies = true);
                self.disk_well_at = spell.short;
                self.books.borrow_mut().medium_lied = true;
            }
            Fault::BitRot => return Some(disk.rot(".seg")),
            Fault::BlockLost => return Some(disk.destroy_block(".seg")),
            Fault::ReadFails => {
                self.disk_well_at = spell.short;
                return Some(disk.make_unreadable(".seg"));
            }
            Fault::ReadMisdirected => disk.ail(|ails| ails.reads_misdirected = 1),
            Fault::ReadStale => disk.ail(|ails| ails.reads_stale = 1),
            _ => return None,
        }
        Some(true)
    }

    /// Faults between gateway and sink; whether it was one.
    fn harm_network(&mut self, fault: Fault, Spell { now, long, short }: Spell) -> bool {
        let forged = match fault {
            Fault::ReceiptByStranger => Some(Forgery::Stranger),
            Fault::ReceiptOfAnother => Some(Forgery::OtherGateway),
            Fault::ReceiptStolenKey => Some(Forgery::StolenKey),
            _ => None,
        };
        let trouble = &mut self.network.trouble;
        if let Some(how) = forged {
            trouble.forged = (long, how);
            self.network.forger = Some(self.sinks.robbed());
            return true;
        }
        match fault {
            Fault::LinkCut => self.network.cut(now, long),
            Fault::BlackHole => {
                (trouble.up_lost_until, trouble.down_lost_until) = (long, long);
            }
            Fault::HalfOpenUp => trouble.up_lost_until = long,
            Fault::HalfOpenDown => trouble.down_lost_until = long,
            Fault::Delayed => trouble.delay = (long, Duration::from_secs(3)),
            Fault::Duplicated => trouble.twice_until = long,
            Fault::ThinLink => trouble.thin_until = long,
            Fault::BrokerForgets => trouble.forgets_until = long,
            Fault::ReceiptsLost => trouble.receipts_lost_until = long,
            Fault::BrokerSilent => trouble.silent_until = long,
            Fault::OneByOne => trouble.one_by_one_until = long,
            Fault::BrokerRestart => {
                self.network.cut(now, short);
                self.network.trouble.refused_until = short;
                self.network.keyring = None;
                self.sinks.end(short);
            }
            _ => return false,
        }
        true
    }

    /// Faults of a device and its line; whether it was one.
    fn harm_bedside(&mut self, fault: Fault, spell: Spell) -> bool {
        let now = self.gateway.now();
        if !matches!(fault, Fault::DeviceReset | Fault::LineBroken | Fault::LineGarbled) {
            return false;
        }
        if fault == Fault::LineGarbled {
            self.line_well_at = spell.long;
        }
        let Some(device) = self.pick_device() else { return true };
        match fault {
            Fault::DeviceReset => device.reset(now),
            Fault::LineGarbled => device.garbled = 200,
            _ => {
                device.broken_until = spell.short;
                device.hang_up(now);
            }
        }
        true
    }
}

/// When a fault begins, and when it is over.
#[derive(Clone, Copy)]
struct Spell {
    now: Duration,
    long: Duration,
    short: Duration,
}
