//! `wardline-sink erase`: a patient's, a device's or a period's readings, for good.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::export::parse;
use super::{ConfigArg, Failure, table, user, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::config::Config;
use crate::keys::{KeyFolder, hex, unhex};
use crate::retention::erase::{self, Erased, Order};
use crate::store::db::{Db, values};
use crate::verify::keyring::Keys;

/// Erases readings and their sealed blocks, with a signed proof; all else stays verifiable. The
/// order holds for what comes later, too, and for a store that is put back from a backup.
#[derive(Debug, clap::Args)]
pub struct Erase {
    #[command(flatten)]
    config: ConfigArg,
    /// A device's readings: its EUI-64, 16 hexadecimal digits.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// A patient's readings: the token, as readings and exports show it.
    #[arg(long, value_name = "TOKEN")]
    patient: Option<String>,
    /// Only from this moment on, as 2026-11-28T10:00:00Z.
    #[arg(long)]
    from: Option<jiff::Timestamp>,
    /// Only before this moment; before now without it.
    #[arg(long)]
    to: Option<jiff::Timestamp>,
    /// Why: it stands in the proof and in the audit trail. No patient's name belongs here.
    #[arg(long, required_unless_present_any = ["list", "again"])]
    reason: Option<String>,
    /// Counts the rows that would go, and leaves them.
    #[arg(long)]
    dry_run: bool,
    /// Erases without asking back.
    #[arg(long)]
    yes: bool,
    /// Where to write the proof; never over another file.
    #[arg(long, value_name = "FILE", default_value = "erasure.proof")]
    proof: PathBuf,
    /// Lists the orders that were given here, oldest first, with their numbers.
    #[arg(long, conflicts_with_all = ["device", "patient", "from", "to", "dry_run"])]
    list: bool,
    /// Carries this order out again, and writes its proof: after an interruption, or a hold.
    #[arg(long, value_name = "N", conflicts_with_all = ["device", "patient", "from", "to", "list"])]
    again: Option<usize>,
    /// One line of JSON with "schema": 1.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    schema: u32,
    dry_run: bool,
    #[serde(flatten)]
    erased: Erased,
    order: Order,
}

#[derive(Serialize)]
struct Listing {
    schema: u32,
    orders: Vec<Order>,
}

impl Erase {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let keys = KeyFolder(config.keys.clone());
        if self.list {
            return Ok(list(&keys, self.json)?);
        }
        let db = Db::open(&config.store)?;
        let order = match self.again {
            Some(number) => {
                let known = erase::list(&keys)?.into_iter().nth(number.wrapping_sub(1));
                known.with_context(|| format!("--again {number}: see `erase --list`"))?
            }
            None => self.order(&db)?,
        };
        let mut opener = Keys::new(keys.recipients()?, keys.store_key()?);
        if self.dry_run {
            let erased = erase::apply(&db, &mut opener, &order, true)?;
            return Ok(self.tell(order, erased)?);
        }
        ensure_yes(self.yes, &order.object(&keys.store_key()?))?;
        let erased = self.erase(&config, &db, &order, &mut opener)?;
        let Erased { held, closed, .. } = erased;
        self.tell(order, erased)?;
        if held + closed > 0 {
            let words = "not everything went: held rows go within a day after their hold ends; \
                         bring the key that opens the sealed records, and say --again";
            return Err(anyhow::anyhow!(words).into());
        }
        Ok(())
    }

    /// What is meant, if there is such a device or patient.
    fn order(&self, db: &Db) -> anyhow::Result<Order> {
        let nanos = |moment: jiff::Timestamp| i64::try_from(moment.as_nanosecond());
        let now = clock::now().0;
        let is_all = self.device.is_none() && self.patient.is_none();
        ensure!(
            !is_all || self.from.is_some() || self.to.is_some(),
            "say what: --device, --patient, or --from and --to"
        );
        let device = self.device.as_deref().map(parse).transpose()?.map(|id| id.to_string());
        if let Some(device) = &device {
            let known = db.row("SELECT 1 FROM device WHERE eui = ?1", values![device])?;
            ensure!(
                known.is_some(),
                "{device}: no reading of this device has come; see `device ls`"
            );
        }
        let patient = self.patient.as_deref().map(|text| token(db, text)).transpose()?;
        let from_ns = self.from.map(nanos).transpose()?;
        let to_ns = self.to.map(nanos).transpose()?.map(|to| to.min(now));
        let is_later = |from: i64| from < to_ns.unwrap_or(now);
        ensure!(from_ns.is_none_or(is_later), "--to has to be later than --from");
        let reason = self.reason.clone().unwrap_or_default();
        Ok(Order { device, patient, from_ns, to_ns, reason, who: user(), at_ns: now })
    }

    fn erase(
        &self,
        config: &Config,
        db: &Db,
        order: &Order,
        opener: &mut Keys,
    ) -> anyhow::Result<Erased> {
        let keys = KeyFolder(config.keys.clone());
        let shown = || self.proof.display().to_string();
        // Made before anything is gone: an erasure without its proof is none.
        let mut file = File::create_new(&self.proof).with_context(shown)?;
        write_down(db, Deed::Erasure, &order.object(&keys.store_key()?), &order.reason)?;
        erase::write_down(&keys, std::slice::from_ref(order))?;
        let erased = erase::carry_out(db, opener, order)?;
        erase::destroy_secrets(db, opener, clock::now().0)?;
        let proof = erase::prove(db, &keys, order, erased)?;
        file.write_all(serde_json::to_string_pretty(&proof)?.as_bytes()).with_context(shown)?;
        file.sync_all().with_context(shown)?;
        Ok(erased)
    }

    fn tell(&self, order: Order, erased: Erased) -> anyhow::Result<()> {
        if self.json {
            let answer = Answer { schema: 1, dry_run: self.dry_run, erased, order };
            println!("{}", serde_json::to_string(&answer)?);
            return Ok(());
        }
        let Erased { rows, blocks, held, closed } = erased;
        if self.dry_run {
            println!("{rows} rows would go, and the sealed blocks that they came in");
            return Ok(());
        }
        println!("{rows} rows and {blocks} sealed blocks are gone; {}", self.proof.display());
        if held > 0 {
            println!("{held} rows are kept by a legal hold: see `hold ls`");
        }
        if closed > 0 {
            println!("{closed} rows stay: their sealed records do not open here");
        }
        println!("next: backups, exports and systems that were fed are yours to see to");
        Ok(())
    }
}

/// A patient's token, hexadecimal, as it is shown: in its own letters, or in digits.
fn token(db: &Db, shown: &str) -> anyhow::Result<String> {
    let known = |token: &[u8]| db.row("SELECT 1 FROM context WHERE token = ?1", values![token]);
    if known(shown.as_bytes())?.is_some() {
        return Ok(hex(shown.as_bytes()));
    }
    let token = unhex(&shown.to_ascii_lowercase());
    let token = token.filter(|token| matches!(known(token), Ok(Some(_))));
    let cure = "no reading of this patient has come; exports show their tokens";
    Ok(hex(&token.with_context(|| format!("--patient {shown}: {cure}"))?))
}

fn ensure_yes(yes: bool, object: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    print!("readings of {object} will be gone for good. Type `erase`: ");
    io::stdout().flush()?;
    let mut said = String::new();
    io::stdin().read_line(&mut said)?;
    ensure!(said.trim() == "erase", "nothing was erased");
    Ok(())
}

fn list(keys: &KeyFolder, json: bool) -> anyhow::Result<()> {
    let (orders, store_key) = (erase::list(keys)?, keys.store_key()?);
    if json {
        println!("{}", serde_json::to_string(&Listing { schema: 1, orders })?);
        return Ok(());
    }
    let mut rows = table(["number", "at", "who", "of", "reason"]);
    for (number, order) in (1..).zip(orders) {
        let (at, of) = (clock::words(order.at_ns), order.object(&store_key));
        rows.add_row([number.to_string(), at, order.who, of, order.reason]);
    }
    println!("{rows}");
    Ok(())
}
