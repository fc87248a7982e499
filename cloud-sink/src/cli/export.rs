//! `wardline-sink export`: readings as files.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use wire::identity::DeviceId;

use super::{ConfigArg, Failure, write_down};
use crate::audit::Deed;
use crate::clock;
use crate::export::fhir::{Fhir, audit_event};
use crate::export::hl7::Hl7;
use crate::export::parquet::Parquet;
use crate::export::parts::Folder;
use crate::export::read::{Kind, Reader, Selection};
use crate::export::{self, Writing, csv};
use crate::inventory;
use crate::store::db::Db;

/// Writes readings into files. What was interrupted goes on where it stood, by the same command.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    config: ConfigArg,
    /// Format of the files.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// The device's EUI-64, 16 hexadecimal digits.
    #[arg(long, value_name = "ID", required_unless_present = "all")]
    device: Option<String>,
    /// Every device.
    #[arg(long, conflicts_with = "device")]
    all: bool,
    /// From this moment on, as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Before this moment.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// HL7: values that are not valid, too, each with its flags.
    #[arg(long)]
    flagged: bool,
    /// FHIR: transactions in place of single resources.
    #[arg(long)]
    bundles: bool,
    /// Folder to write into: empty, or of an export that was interrupted.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// One file a signal, of one device.
    Csv,
    /// Columns: numerics, waves and notes.
    Parquet,
    /// FHIR R4, one resource a line.
    Fhir,
    /// HL7 v2.6: IHE PCD-01 and PCD-04.
    Hl7,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let device = self.device.as_deref().map(parse).transpose()?;
        let db = Db::open(&config.store)?;
        let of = device.map_or_else(|| "all devices".to_owned(), |device| device.to_string());
        let words = format!("readings as {:?} files", self.format).to_lowercase();
        write_down(&db, Deed::Export, &of, &words)?;
        if self.format == Format::Csv {
            return self.write_csv(&db, device).map_err(Failure::from);
        }
        self.write(&db, device, &of).map_err(Failure::from)
    }

    fn write_csv(&self, db: &Db, device: Option<DeviceId>) -> anyhow::Result<()> {
        let device = device.context("CSV is of one device: name it with --device")?;
        if self.from.is_some() || self.to.is_some() {
            bail!("CSV holds everything of a device; --from and --to are for the other formats");
        }
        let written = csv::export(db, device, &self.out)?;
        println!("{} files, {} rows in {}", written.files, written.rows, self.out.display());
        Ok(())
    }

    fn write(&self, db: &Db, device: Option<DeviceId>, of: &str) -> anyhow::Result<()> {
        let ns = |moment: Option<jiff::Timestamp>| {
            moment.map(|moment| i64::try_from(moment.as_nanosecond())).transpose()
        };
        let (from_ns, to_ns) = (ns(self.from)?, ns(self.to)?);
        let wanted = Selection { device, from_ns, to_ns, code: None };
        let mut reader = Reader::open(db, wanted)?
            .with_context(|| format!("device {of} is not in this store; see `device ls`"))?;
        let mut until = [0; 3];
        for kind in Kind::ALL {
            until[kind as usize] = reader.last(kind)?;
        }
        let asked = format!(
            "{:?} {of} {from_ns:?} {to_ns:?} {} {}",
            self.format, self.flagged, self.bundles
        );
        let mut folder = Folder::open(&self.out, &asked, until)?;
        let bar = progress(&folder);
        let mut format = self.writing(db)?;
        let mut said = |rows| bar.set_position(rows);
        export::write(&mut reader, &mut folder, format.as_mut(), &mut said)?;
        if self.format == Format::Fhir {
            write_audit(&folder, of)?;
        }
        bar.finish_and_clear();
        let state = &folder.state;
        println!("{} rows in {}", state.rows - state.left_out, self.out.display());
        if state.left_out > 0 {
            println!("{} rows are not in it, by the rules of the format", state.left_out);
        }
        Ok(())
    }

    fn writing(&self, db: &Db) -> anyhow::Result<Box<dyn Writing>> {
        Ok(match self.format {
            Format::Csv => bail!("CSV is written by itself"),
            Format::Parquet => Box::new(Parquet::default()),
            Format::Fhir => {
                let devices = inventory::devices(db, None)?.into_iter();
                let assets = devices.map(|device| (device.device, device.asset));
                Box::new(Fhir::new(assets.collect::<BTreeMap<_, _>>(), self.bundles))
            }
            Format::Hl7 => Box::new(Hl7::new(self.flagged)),
        })
    }
}

pub(super) fn parse(text: &str) -> anyhow::Result<DeviceId> {
    DeviceId::parse(text).with_context(|| format!("{text}: a device has 16 hexadecimal digits"))
}

/// What a person at a terminal sees; nothing elsewhere.
fn progress(folder: &Folder) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{human_pos} rows, {per_sec}, {elapsed}");
    let bar = ProgressBar::new_spinner().with_position(folder.state.rows);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// That the readings were taken away is a part of what is taken away.
fn write_audit(folder: &Folder, of: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut part = export::parts::Part::of(folder, "AuditEvent.ndjson")?;
    let now = jiff::Timestamp::from_nanosecond(clock::now().0.into())?.to_string();
    writeln!(part.out, "{}", audit_event(of, &now))?;
    part.finish()
}
