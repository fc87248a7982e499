//! `wardline-sink keys`: which keys there are, and their followers.

use clap::ValueEnum;
use serde::Serialize;
use wire::keyring::Audience;
use wire::signed::signing_key_id;
use wire::words;

use super::{ConfigArg, Failure, table, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::keys::KeyFolder;
use crate::store::db::Db;
use crate::trust::certificates::{self, Service};
use crate::trust::{keeper, keyring, retire};

/// Shows the site's keys, lets new ones follow, and destroys what nothing waits for.
#[derive(Debug, clap::Subcommand)]
pub enum Keys {
    /// Lists keys with what they are for and what keeps an old one.
    Ls(Ls),
    /// Lets a new key follow: it is published first and used when gateways have it.
    Rotate(Rotate),
    /// Destroys old recipient keys that nothing can come under any more.
    Destroy(Destroy),
    /// Gives broker, enrolment endpoint and sink new certificates, over the keys that they have.
    Certify(Certify),
}

/// How to list.
#[derive(Debug, clap::Args)]
pub struct Ls {
    #[command(flatten)]
    config: ConfigArg,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

/// Which kind of key.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// What segments are wrapped for.
    Recipient,
    /// What signs receipts.
    Receipt,
    /// What signs commands.
    Command,
}

/// Which key follows.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    #[command(flatten)]
    config: ConfigArg,
    /// Which kind; fleet and root keys follow by `wardline-sink root`.
    kind: Which,
    /// The old one was stolen: the receipt key is replaced at once and believed by nobody; until
    /// gateways have the keyring they refuse receipts and send again.
    #[arg(long)]
    stolen: bool,
}

/// Where.
#[derive(Debug, clap::Args)]
pub struct Destroy {
    #[command(flatten)]
    config: ConfigArg,
}

/// Under which names.
#[derive(Debug, clap::Args)]
pub struct Certify {
    #[command(flatten)]
    config: ConfigArg,
    /// Another name or address under which gateways reach broker and endpoint.
    #[arg(long, value_name = "NAME")]
    also: Vec<String>,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    keyring: (u64, u64),
    roots_needed: usize,
    keys: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    kind: &'static str,
    id: String,
    words: String,
    state: String,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Rotate(rotate) => rotate.run(),
            Self::Destroy(destroy) => destroy.run(),
            Self::Certify(certify) => certify.run(),
        }
    }
}

impl Ls {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let listing = list(&KeyFolder(config.keys), &Db::open(&config.store)?)?;
        if self.json {
            println!("{}", serde_json::to_string(&listing)?);
            return Ok(());
        }
        let (root, fleet) = listing.keyring;
        println!("keyring {root}.{fleet}, {} root signatures needed", listing.roots_needed);
        let mut rows = table(["kind", "key id", "in words", "state"]);
        for Listed { kind, id, words, state } in listing.keys {
            rows.add_row([kind.to_owned(), id, words, state]);
        }
        println!("{rows}");
        Ok(())
    }
}

fn list(keys: &KeyFolder, db: &Db) -> anyhow::Result<Listing> {
    let (_, keyring) = keyring::load(keys)?;
    let roots = keyring::roots(keys)?;
    let mut listed = Vec::new();
    let mut add = |kind, id: wire::identity::KeyId, state: String| {
        listed.push(Listed { kind, id: id.to_string(), words: words::of_key(id), state });
    };
    for root in &roots.keys {
        add("root", signing_key_id(root), "signs the root part, offline".into());
    }
    let ends = clock::words(keyring.root.expires.0);
    add("fleet", signing_key_id(&keyring.root.fleet_key), format!("signs the rest, to {ends}"));
    for receipt in &keyring.fleet.receipt_keys {
        let is_ours = keys.signing("receipt.key").is_ok_and(|own| own.verifying_key() == *receipt);
        let state = if is_ours { "signs receipts here" } else { "announced, or another sink's" };
        add("receipt", signing_key_id(receipt), state.into());
    }
    add("command", signing_key_id(&keyring.fleet.command_key), "signs commands".into());
    for (_, recovery) in &keyring.root.recovery {
        add("recovery", recovery.id(), "opens everything, offline".into());
    }
    for own in keyring::own_recipients(keys, &keyring)? {
        let kind = match own.audience {
            Audience::Clinical => "clinical",
            Audience::Health => "health",
        };
        let key = own.public.id();
        let state = match retire::why_kept(db, &keyring, own.audience, key)? {
            _ if own.is_newest => "segments are wrapped for it".into(),
            Some(why) => format!("kept: {why}"),
            None => "kept for 35 days; nothing waits for it".into(),
        };
        add(kind, key, state);
    }
    let (keyring, roots_needed) = (keyring.versions(), roots.needed);
    Ok(Listing { schema: 1, keyring, roots_needed, keys: listed })
}

impl Rotate {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let keys = KeyFolder(config.keys);
        let db = Db::open(&config.store)?;
        let kind = self.kind.to_possible_value();
        let kind = kind.as_ref().map_or("", clap::builder::PossibleValue::get_name);
        write_down(&db, Deed::Keys, kind, if self.stolen { "stolen" } else { "rotated" })?;
        let version = keyring::locked(&keys, || self.rotate(&keys))?;
        println!("keyring {version}; a running sink publishes it within seconds");
        Ok(())
    }
}

impl Rotate {
    fn rotate(&self, keys: &KeyFolder) -> anyhow::Result<u64> {
        match self.kind {
            Which::Recipient => keyring::rotate_recipients(keys),
            Which::Command => keyring::rotate_command_key(keys),
            Which::Receipt => {
                if !keyring::receipt_key_waits(keys) {
                    keyring::announce_receipt_key(keys)?;
                }
                if self.stolen {
                    return keyring::promote_receipt_key(keys, true);
                }
                println!("it signs as soon as every gateway has the keyring");
                Ok(keyring::load(keys)?.1.fleet.version)
            }
        }
    }
}

impl Destroy {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let (keys, db) = (KeyFolder(config.keys), Db::open(&config.store)?);
        write_down(&db, Deed::Keys, "recipient", "old ones are destroyed, as far as they may be")?;
        for words in keeper::destroy_old(&keys, &db, clock::now())? {
            println!("{words}");
        }
        println!("what stays, and why: wardline-sink keys ls");
        Ok(())
    }
}

impl Certify {
    fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let (keys, db) = (KeyFolder(config.keys), Db::open(&config.store)?);
        let mut names = vec![config.broker_host, "localhost".into(), "127.0.0.1".into()];
        names.extend(self.also);
        names.dedup();
        write_down(&db, Deed::Keys, "certificates", &names.join(", "))?;
        let (now, enrolment) = (clock::now(), Service::Enrolment(names.clone()));
        certificates::certify(&keys, "broker", &Service::Broker(names), now)?;
        certificates::certify(&keys, "enrolment", &enrolment, now)?;
        certificates::certify(&keys, &config.name, &Service::Sink, now)?;
        certificates::list_revoked(&keys, &db, now)?;
        println!("new certificates for broker, enrolment endpoint and sink");
        println!(
            "next: kill -HUP of mosquitto; the endpoint takes its own within a minute, the sink \
                  with its next connection"
        );
        Ok(())
    }
}
