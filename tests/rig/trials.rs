//! Trials: rules that a world would break too seldom to notice, each put to one hard question.
//!
//! Each names the oracle that it speaks for and says what was wrong.

mod bedside;
mod device;
mod log;
mod seal;
mod sending;
mod sink;

/// One trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Its name.
    pub name: &'static str,
    /// For which oracle it speaks.
    pub oracle: &'static str,
    /// What was wrong, if anything.
    pub run: fn() -> Result<(), String>,
}

/// All of them.
pub const ALL: &[Trial] = &[
    Trial { name: "nonces", oracle: "O3 nonce", run: seal::nonces },
    Trial { name: "associated data", oracle: "O4 chain", run: seal::associated_data },
    Trial { name: "flipped header", oracle: "O4 chain", run: seal::flipped_header },
    Trial { name: "lax bytes", oracle: "O2 bytes", run: seal::lax_bytes },
    Trial { name: "one bad record", oracle: "O1 lost", run: log::one_bad_record },
    Trial { name: "spoilt length", oracle: "O12 total", run: log::spoilt_length },
    Trial { name: "both headers spoilt", oracle: "O1 lost", run: log::both_headers_spoilt },
    Trial { name: "forged header", oracle: "O8 bounded", run: sink::forged_header },
    Trial { name: "broker's limit", oracle: "O7 alive", run: sending::over_the_limit },
    Trial { name: "refused record", oracle: "O7 alive", run: log::refused_record },
    Trial { name: "live alert first", oracle: "O7 alive", run: sending::live_alert_first },
    Trial { name: "reconnects", oracle: "O7 alive", run: sending::reconnects },
    Trial { name: "repeated link frame", oracle: "O1 lost", run: bedside::repeated_frame },
    Trial { name: "acknowledgement of another boot", oracle: "O1 lost", run: bedside::other_boot },
    Trial { name: "heard is kept", oracle: "O1 lost", run: device::heard_is_kept },
    Trial { name: "no room is declared", oracle: "O1 lost", run: device::no_room_is_declared },
    Trial { name: "age is known", oracle: "O2 bytes", run: device::age_is_known },
    Trial { name: "run's end is declared", oracle: "O1 lost", run: device::run_end_is_declared },
    Trial { name: "unheard runs", oracle: "O1 lost", run: device::unheard_runs_are_counted },
    Trial { name: "open words", oracle: "O4 chain", run: device::open_words_are_nobodys },
    Trial { name: "oldest record", oracle: "O1 lost", run: device::oldest_is_waited_for },
    Trial { name: "new challenges", oracle: "O3 nonce", run: device::challenges_are_new },
];

/// `Err` with these words unless `good`.
fn demand(good: bool, words: impl Into<String>) -> Result<(), String> {
    if good { Ok(()) } else { Err(words.into()) }
}
