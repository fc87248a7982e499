//! `ward board`: from a thermometer's pins to the store.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rig::board::{Board, Taken, give_key, mantissa_of};
use rig::cable::Cable;
use rig::random::Random;
use rig::site::{Intake, Plan, Programs, Site};

#[path = "board/oracle.rs"]
mod oracle;

use oracle::{Stored, judge, stored_labels};

/// Runs real firmware on an emulated board before a real gateway: temperatures are set, and exactly
/// these must be in the sink's store. With `--kills`, its plug is pulled again and again.
#[derive(Debug, clap::Args)]
pub struct BoardCommand {
    /// The firmware, an ELF file.
    #[arg(long, value_name = "FILE")]
    firmware: PathBuf,
    /// How often the board's plug is pulled.
    #[arg(long, default_value_t = 0)]
    kills: u32,
    /// Of a thousand bytes on the cable so many are flipped, dropped or preceded by another.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=200))]
    noise: u64,
    /// The board has a key, and its gateway too.
    #[arg(long)]
    keyed: bool,
    /// Seed of everything random; a new one without it.
    #[arg(long)]
    seed: Option<u64>,
    /// One line of JSON at the end.
    #[arg(long)]
    json: bool,
}

/// Thousandths of a °C.
const TEMPERATURES: [i64; 4] = [36_600, 39_250, -12_345, 0];
/// Readings of each.
const READINGS_EACH: usize = 20;
/// The firmware's word to take nothing more.
const STOP: i64 = 127_000;
const SOCKET: &str = "board.sock";
/// For a temperature to be read often enough, at twenty readings a second.
const PATIENCE: Duration = Duration::from_secs(25);
/// For what was taken to be stored, on a cable that damages every tenth byte: much more than seen.
const DRAIN_PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(250);
/// Life of a board whose plug is pulled, milliseconds.
const LIFE: (u64, u64) = (50, 1_500);
/// Temperatures of such a board, thousandths of a °C.
const FELT: (i64, u64) = (-40_000, 160_000);

impl BoardCommand {
    /// Runs it; whether everything agrees.
    ///
    /// # Errors
    /// The site or the emulator fails.
    pub async fn run(self) -> Result<bool> {
        let seed = self.seed.unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("ward: seed {seed}");
        let plan = Plan { broker: None, intakes: vec![Intake::Unix(SOCKET.into())], flush: None };
        let mut site = Site::prepare(Programs::build()?, &plan).await?;
        site.start_all(Duration::from_secs(15)).await?;
        let gateway = site.intake_folder().join(SOCKET);
        let cable = Cable::new(site.folder().join("cable.sock"), gateway, seed)?;
        let mut random = Random::new(seed);
        if self.keyed {
            give_key(site.folder(), &site.add_device(oracle::DEVICE)?)?;
        }
        // A gateway answers for what a device takes from the first time on that it hears it.
        let mut taken = self.be_heard(&site, &cable).await?;
        cable.damage(self.noise);
        for _ in 0..self.kills {
            taken.extend(self.live(&site, &cable, &mut random).await?);
        }
        let stored = self.end(&site, &cable, &mut taken).await;
        let mut report =
            judge(seed, &taken, &stored.with_context(|| site.last_words())?, self.noise > 0);
        let labels = stored_labels(&site)?;
        let wanted = i64::from(self.keyed);
        if labels.is_empty() || labels.iter().any(|label| *label != wanted) {
            report.wrong.push(format!("runs are labelled {labels:?} in place of {wanted}"));
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{} readings taken, {} stored", report.taken, report.stored);
        }
        report.wrong.iter().for_each(|wrong| eprintln!("ward: {wrong}"));
        Ok(report.wrong.is_empty())
    }

    /// The first life of the board, on a good cable, until something of it is stored.
    async fn be_heard(&self, site: &Site, cable: &Cable) -> Result<Vec<Taken>> {
        let mut board = Board::start(&self.firmware, site.folder(), cable.socket()).await?;
        board.feel(TEMPERATURES[0]).await?;
        board.go_on().await?;
        let (mut taken, location, until) =
            (Vec::new(), site.location()?, Instant::now() + PATIENCE);
        while !Stored::read(&location)?.has_any(&taken) {
            taken.extend(board.take().await?);
            if Instant::now() > until {
                bail!("nothing of {} readings is stored\n{}", taken.len(), site.last_words());
            }
        }
        taken.extend(board.kill().await?);
        Ok(taken)
    }

    /// One life of the board, which ends when its plug is pulled.
    async fn live(&self, site: &Site, cable: &Cable, random: &mut Random) -> Result<Vec<Taken>> {
        let mut board = Board::start(&self.firmware, site.folder(), cable.socket()).await?;
        board.feel(FELT.0 + random.below(FELT.1).cast_signed()).await?;
        board.go_on().await?;
        let life = LIFE.0 + random.below(LIFE.1 - LIFE.0);
        let until = tokio::time::Instant::now() + Duration::from_millis(life);
        let mut taken = Vec::new();
        // Whoever does not listen to the mirror keeps the board from going on.
        while let Ok(new) = tokio::time::timeout_at(until, board.take()).await {
            taken.extend(new?);
        }
        taken.extend(board.kill().await?);
        Ok(taken)
    }

    /// The last life: known temperatures, then nothing more, until all of it is stored.
    async fn end(&self, site: &Site, cable: &Cable, taken: &mut Vec<Taken>) -> Result<Stored> {
        let mut board = Board::start(&self.firmware, site.folder(), cable.socket()).await?;
        board.feel(TEMPERATURES[0]).await?;
        board.go_on().await?;
        let before = taken.len();
        for temperature in TEMPERATURES {
            board.feel(temperature).await?;
            watch(&mut board, temperature, taken).await?;
        }
        board.feel(STOP).await?;
        // What was taken until it felt that.
        while let Ok(new) = tokio::time::timeout(LOOK, board.take()).await {
            taken.extend(new?);
        }
        let until = Instant::now() + DRAIN_PATIENCE;
        let location = site.location()?;
        loop {
            let stored = Stored::read(&location)?;
            let (count, wanted) = (stored.count_of(&taken[before..]), taken.len() - before);
            if count >= wanted {
                board.kill().await?;
                return Ok(stored);
            }
            if Instant::now() > until {
                bail!("{wanted} readings were taken in the last run, and {count} are stored");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Watches until a temperature was read often enough.
async fn watch(board: &mut Board, temperature: i64, taken: &mut Vec<Taken>) -> Result<()> {
    let (wanted, until) = (Some(mantissa_of(temperature)), Instant::now() + PATIENCE);
    let mut seen = 0;
    while seen < READINGS_EACH {
        let new = board.take().await?;
        seen += new.iter().filter(|one| one.mantissa == wanted).count();
        taken.extend(new);
        if Instant::now() > until {
            bail!("{temperature} thousandths of a degree were set, and not read: {taken:?}");
        }
    }
    Ok(())
}
