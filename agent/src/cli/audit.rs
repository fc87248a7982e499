//! `wardline audit`: what happened to this gateway, by its own signed trail.

use anyhow::Context;
use ed25519_dalek::VerifyingKey;
use jiff::Timestamp;
use serde::Serialize;
use wire::audit::{AuditEntry, entry_hash};
use wire::hex::hex;

use super::{ConfigArg, Failure, printable};
use crate::audit::{FOLDER, Kept, read};
use crate::buffer::disk::Folder;
use crate::config::Config;
use crate::seal::keyring::load_signing_key;

/// Shows what happened to this gateway, oldest first, as far as it is kept here; the sink has all.
#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(flatten)]
    config: ConfigArg,
    /// Entries to show: the newest.
    #[arg(long, default_value_t = 50)]
    last: usize,
    /// Checks signatures and hashes of all that is kept, and says the head: who keeps that
    /// elsewhere sees a cut end, too. Exit code 1 if anything does not hold.
    #[arg(long)]
    verify: bool,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    gateway: String,
    head: Option<Head>,
    entries: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
}

/// Where the trail stands.
#[derive(Serialize)]
struct Head {
    number: u64,
    /// SHA-256 of its signed bytes, hexadecimal.
    hash: String,
}

#[derive(Serialize)]
struct Line {
    number: u64,
    at_ns: Option<i64>,
    kind: &'static str,
    object: String,
    words: String,
    hash: String,
}

/// What a check has found.
#[derive(Debug, Default, Serialize)]
struct Verdict {
    /// Entries that the gateway's present key has signed.
    signed: u64,
    /// Those before a change of keys, for which the entries behind them vouch.
    vouched_for: u64,
    wrong: Vec<String>,
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load_to_ask()?;
        let place = config.state.join(FOLDER);
        let shown = || format!("{}: no trail is kept yet", place.display());
        let kept = read(&Folder::existing(&place).with_context(shown)?)?;
        let verdict = if self.verify { Some(check(&kept, &key_of(&config)?)) } else { None };
        let wrong = verdict.as_ref().map_or(0, |verdict| verdict.wrong.len());
        let listing = self.list(&config, &kept, verdict);
        if self.json {
            println!("{}", serde_json::to_string(&listing)?);
        } else {
            show(&listing);
        }
        if wrong > 0 {
            return Err(anyhow::anyhow!("{wrong} things in this trail do not hold").into());
        }
        Ok(())
    }

    fn list(&self, config: &Config, kept: &Kept, verdict: Option<Verdict>) -> Listing {
        let line = |(entry, signed): &(AuditEntry, Vec<u8>)| Line {
            number: entry.number,
            at_ns: entry.utc.map(|utc| utc.0),
            kind: entry.kind.name(),
            object: entry.object.clone(),
            words: entry.words.clone(),
            hash: hex(&entry_hash(signed)),
        };
        let skipped = kept.entries.len().saturating_sub(self.last);
        let last = kept.entries.last();
        Listing {
            schema: 1,
            gateway: config.gateway.to_string(),
            head: last.map(|(entry, signed)| Head {
                number: entry.number,
                hash: hex(&entry_hash(signed)),
            }),
            entries: kept.entries.iter().skip(skipped).map(line).collect(),
            verdict,
        }
    }
}

/// The key that signs now.
fn key_of(config: &Config) -> anyhow::Result<VerifyingKey> {
    let files = config.key_files();
    let key = load_signing_key(&files.signing());
    let key =
        key.or_else(|error| load_signing_key(&files.provisional().into()).map_err(|_| error))?;
    Ok(key.verifying_key())
}

/// Whether each entry follows the one before it, and each is signed, or named by one that is.
fn check(kept: &Kept, key: &VerifyingKey) -> Verdict {
    let mut verdict = Verdict::default();
    for pair in kept.entries.windows(2) {
        let [(before, signed), (entry, _)] = pair else { continue };
        let follows = (before.number + 1, entry_hash(signed)) == (entry.number, entry.previous);
        if entry.number != 1 && !follows {
            let words = format!("entry {} does not follow entry {}", entry.number, before.number);
            verdict.wrong.push(words);
        }
    }
    let mut named = None;
    for (entry, signed) in kept.entries.iter().rev() {
        if AuditEntry::verify(signed, key).is_ok() {
            verdict.signed += 1;
        } else if named == Some(entry_hash(signed)) {
            verdict.vouched_for += 1;
        } else {
            let words = "is not by the present key, and nothing behind it vouches for it";
            verdict.wrong.push(format!("entry {} {words}", entry.number));
            named = None;
            continue;
        }
        named = Some(entry.previous);
    }
    if kept.torn || kept.damaged {
        verdict.wrong.push("on the medium stands what is no entry: it is damaged".into());
    }
    verdict
}

fn show(listing: &Listing) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["number", "at", "kind", "object", "words"]);
    for Line { number, at_ns, kind, object, words, .. } in &listing.entries {
        let at = at_ns.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
        table.add_row([
            number.to_string(),
            at.map_or_else(|| "no clock".into(), |at| format!("{at:.0}")),
            (*kind).to_owned(),
            printable(object),
            printable(words),
        ]);
    }
    println!("{table}");
    if let Some(Verdict { signed, vouched_for, wrong }) = &listing.verdict {
        wrong.iter().for_each(|words| println!("WRONG  {words}"));
        println!("{signed} entries are signed, the next ones vouch for {vouched_for} before them");
    }
    if let Some(Head { number, hash }) = &listing.head {
        println!("head: entry {number}, {hash}");
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use wire::audit::{AuditKind, BEGIN};
    use wire::identity::{BootId, GatewayId};
    use wire::time::MonotonicNanos;

    use super::*;

    /// Entries by these keys, each of which follows the one before it.
    fn kept(keys: &[u8]) -> Kept {
        let (mut kept, mut previous) = (Kept::default(), BEGIN);
        for (number, key) in (1..).zip(keys) {
            let entry = AuditEntry {
                gateway: GatewayId::new("gw-1").unwrap(),
                number,
                previous,
                boot: BootId([1; 16]),
                monotonic: MonotonicNanos(number),
                utc: None,
                kind: AuditKind::Start,
                object: "1.0".into(),
                words: "again".into(),
            };
            let signed = entry.sign(&SigningKey::from_bytes(&[*key; 32]));
            previous = entry_hash(&signed);
            kept.entries.push((entry, signed));
        }
        kept
    }

    #[test]
    fn entries_behind_a_change_of_keys_vouch_for_those_before_it_and_no_changed_one_holds() {
        let key = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let good = check(&kept(&[7, 7, 8, 8]), &key);
        assert_eq!((good.signed, good.vouched_for, good.wrong.len()), (2, 2, 0));

        let mut changed = kept(&[7, 7, 8, 8]);
        let (entry, signed) = &mut changed.entries[1];
        entry.words = "once".into();
        *signed = entry.sign(&SigningKey::from_bytes(&[9; 32]));
        let found = check(&changed, &key).wrong;
        assert_eq!(found[0], "entry 3 does not follow entry 2");
        assert!(found[1].starts_with("entry 2 is not by the present key"), "{found:?}");
        let mut taken_out = kept(&[8, 8, 8]);
        taken_out.entries.remove(1);
        assert_eq!(check(&taken_out, &key).wrong, ["entry 3 does not follow entry 1"]);
        let torn = Kept { torn: true, ..kept(&[8]) };
        assert_eq!(check(&torn, &key).wrong.len(), 1);
    }
}
