//! Attacks on the line, one after the other: what somebody does who means no good, and in which
//! words the product's own agent and sink refuse it.
//!
//! Agents, sink, keyring and receipts are the real ones, in this process; only who attacks is ours.

mod cards;
mod network;
mod scene;
mod thieves;

use std::fmt::Display;

use scene::Scene;

/// In which words it was detected, or what was believed.
type Outcome = Result<String, String>;

/// One attack.
struct Attack {
    name: &'static str,
    /// What the attacker does.
    does: &'static str,
    run: fn(&mut Scene) -> Outcome,
}

/// What became of one attack.
#[derive(Debug)]
pub struct Told {
    /// Its name.
    pub name: &'static str,
    /// What the attacker did.
    pub did: &'static str,
    /// In which words it was detected, or what was believed.
    pub outcome: Result<String, String>,
}

/// What became of all of them, and of the genuine readings among them.
#[derive(Debug)]
pub struct Tour {
    /// Attack by attack.
    pub attacks: Vec<Told>,
    /// Readings that the devices said.
    pub said: usize,
    /// Readings that are stored.
    pub stored: usize,
    /// What is stored is what was said, each once, and no gateway owes anything.
    pub is_whole: bool,
}

impl Tour {
    /// Whether everything was detected and nothing genuine is missing.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_whole && self.attacks.iter().all(|told| told.outcome.is_ok())
    }
}

/// All of them, in an order in which each finds what it needs.
const ALL: &[Attack] = &[
    Attack {
        name: "tampering",
        does: "flips single bits of a frame on its way",
        run: network::flips_bits,
    },
    Attack { name: "truncation", does: "cuts a frame short", run: network::cuts_short },
    Attack {
        name: "splice",
        does: "puts the ciphertext of one frame behind the signature of another",
        run: network::splices,
    },
    Attack { name: "other lane", does: "moves records to another lane", run: network::moves_lane },
    Attack {
        name: "other gateway",
        does: "says a gateway's records in another's name",
        run: network::moves_gateway,
    },
    Attack {
        name: "unknown key",
        does: "signs a frame with a key of its own",
        run: network::signs_as_stranger,
    },
    Attack {
        name: "omission",
        does: "takes one record out of the middle",
        run: network::takes_one_out,
    },
    Attack { name: "replay", does: "says every record again", run: network::replays },
    Attack {
        name: "false status",
        does: "says that a gateway is there, in its name",
        run: network::says_status,
    },
    Attack {
        name: "false device",
        does: "speaks on the cable without the device's key",
        run: network::speaks_as_device,
    },
    Attack {
        name: "forged receipts",
        does: "signs receipts: with its own key, for another gateway, of another store",
        run: thieves::forges_receipts,
    },
    Attack {
        name: "forged command",
        does: "commands a gateway with a receipt key",
        run: thieves::commands,
    },
    Attack {
        name: "forged keyring",
        does: "publishes a keyring that no root has signed",
        run: thieves::forges_keyring,
    },
    Attack {
        name: "receipt key stolen",
        does: "signs for a record whose hash it does not know",
        run: thieves::guesses_hash,
    },
    Attack {
        name: "early trim",
        does: "reads the hash off the network and signs for a record that it keeps back",
        run: thieves::trims_early,
    },
    Attack {
        name: "rollback",
        does: "publishes the keyring of before again",
        run: thieves::rolls_back,
    },
    Attack {
        name: "gateway key stolen",
        does: "moves a frame into another segment and signs it again",
        run: thieves::moves_segment,
    },
    Attack {
        name: "suite downgrade",
        does: "calls a segment one of the weaker suite and signs it again",
        run: thieves::downgrades,
    },
    Attack {
        name: "two truths",
        does: "wraps one secret for the sink and another one for the recovery key",
        run: thieves::tells_two,
    },
    Attack {
        name: "cloned card",
        does: "starts a gateway twice from one card",
        run: cards::clones,
    },
    Attack {
        name: "revoked speaker",
        does: "goes on speaking with a gateway that was revoked",
        run: cards::speaks_when_revoked,
    },
    Attack {
        name: "stolen card",
        does: "tries every 32 bytes of a card as the key of its frames",
        run: cards::searches,
    },
    Attack {
        name: "insider",
        does: "changes one byte of the store's evidence",
        run: cards::changes_store,
    },
];

/// Runs all of them against one site.
///
/// # Errors
/// The site itself cannot be built on this machine.
pub fn tour() -> Result<Tour, String> {
    let mut scene = Scene::open()?;
    let mut attacks = Vec::with_capacity(ALL.len());
    for attack in ALL {
        let outcome = (attack.run)(&mut scene);
        attacks.push(Told { name: attack.name, did: attack.does, outcome });
    }
    let stored = scene.settle()?;
    let said = scene.said();
    let is_whole = stored == said && scene.owed() == 0;
    Ok(Tour { attacks, said: said.len(), stored: stored.len(), is_whole })
}

/// `Err` with these words unless `good`.
fn demand(good: bool, words: impl Into<String>) -> Result<(), String> {
    if good { Ok(()) } else { Err(words.into()) }
}

/// An error of the scene itself, in words.
fn words(error: impl Display) -> String {
    error.to_string()
}
