//! Associations: a person says whom a device measures, from now on and until somebody says
//! otherwise, also over restarts.
//!
//! command -> wish -> token -> line (a frame of the device that holds a context) -> durable -> kept

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wire::batch::Source;
use wire::identity::{DeviceId, SourceBoot};
use wire::link::DataWriter;
use wire::reading::Mode;
use wire::time::DeviceClock;

use super::admission::Proof;
use super::patients::Patients;
use super::runs::next_run;
use super::{Chunk, Device, FrameSpan, Names, Run};
use crate::clock::Clock;
use crate::seal::keep::{self, KeepError};

/// Devices with an association: more than the ports of a gateway can hold at once.
const DEVICES_MAX: usize = 4096;
/// A name of a person, bytes: as much as stands in a note.
const NAME_BYTES_MAX: usize = 24;
/// An association is durable within this, or whoever made it is told to make it again.
const DURABLE_WITHIN: Duration = Duration::from_secs(30);

/// What a person wants.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Wish {
    /// Version of this structure.
    pub schema: u32,
    /// The device's EUI-64; none: only what stands is asked.
    pub device: Option<String>,
    /// Who gives the identifier.
    #[serde(default)]
    pub authority: String,
    /// The patient's identifier; nobody if it is empty.
    #[serde(default)]
    pub patient: String,
    /// Who says it.
    #[serde(default)]
    pub by: String,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Answer {
    /// Version of this structure.
    pub schema: u32,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// What stands now.
    pub associations: Vec<Association>,
}

/// A device with a patient; whom, nobody is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Association {
    /// The device's EUI-64.
    pub device: String,
    /// Who said it.
    pub by: String,
}

/// What stands of one device.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kept {
    token: Vec<u8>,
    by: String,
}

/// Whom devices measure, by people's word.
pub struct Register {
    path: PathBuf,
    patients: Patients,
    line: mpsc::Sender<Chunk>,
    clock: Clock,
    run: u32,
    sequence: u32,
    kept: BTreeMap<String, Kept>,
    /// Whether the line knows what was kept.
    is_told: bool,
}

impl Register {
    /// What was kept in a folder.
    ///
    /// # Errors
    /// [`KeepError`]: without a number of its own nothing may be said.
    pub fn open(
        folder: PathBuf,
        patients: Patients,
        line: mpsc::Sender<Chunk>,
    ) -> Result<Self, KeepError> {
        let wrong = |error| KeepError::Write { path: folder.clone(), error };
        keep::folder(&folder).map_err(wrong)?;
        let (run, path) = (next_run(&folder, "run")?, folder.join("associations"));
        let understand =
            |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|error| error.to_string());
        let kept: BTreeMap<String, Kept> = match keep::load(&path, understand) {
            Ok(kept) => kept.value,
            Err(KeepError::Missing { .. }) => BTreeMap::new(),
            Err(error) => {
                tracing::error!(%error, "nobody knows any more whom devices measure");
                BTreeMap::new()
            }
        };
        let (clock, is_told) = (Clock::new(), kept.is_empty());
        Ok(Self { path, patients, line, clock, run, sequence: 0, kept, is_told })
    }

    /// Tells the line what was kept: associations last over restarts.
    pub async fn begin(&mut self) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        for (device, Kept { token, by }) in self.kept.clone() {
            let Some(device) = DeviceId::parse(&device) else { continue };
            if let Err(error) = self.say(device, &token, &by).await {
                tracing::error!(%device, %error, "an association does not last");
            }
        }
    }

    /// Carries out what a person wants; it is durable when this returns without an error.
    pub async fn carry_out(&mut self, wish: Wish) -> Answer {
        let done = match &wish.device {
            Some(device) => self.associate(device, &wish).await,
            None => Ok(()),
        };
        let associations = self
            .kept
            .iter()
            .map(|(device, kept)| Association { device: device.clone(), by: kept.by.clone() });
        let error = done.err().map(|error| format!("{error:#}"));
        Answer { schema: 1, error, associations: associations.collect() }
    }

    async fn associate(&mut self, device: &str, wish: &Wish) -> anyhow::Result<()> {
        let id = DeviceId::parse(device)
            .with_context(|| format!("{device}: a device has 16 hexadecimal digits"))?;
        let by = wish.by.trim();
        ensure!(!by.is_empty(), "say who says so, with --by");
        ensure!(by.len() <= NAME_BYTES_MAX, "--by has at most {NAME_BYTES_MAX} bytes");
        let known = self.kept.contains_key(&id.to_string());
        ensure!(
            known || self.kept.len() < DEVICES_MAX,
            "there are {DEVICES_MAX}; end others first"
        );
        let token = self.patients.token(&wish.authority, &wish.patient);
        if token.is_empty() && !wish.patient.is_empty() {
            bail!("`patients = \"none\"` in [intake]: readings belong to nobody here");
        }
        self.say(id, &token, by).await?;
        if token.is_empty() {
            self.kept.remove(&id.to_string());
        } else {
            self.kept.insert(id.to_string(), Kept { token, by: by.to_owned() });
        }
        let bytes = serde_json::to_vec(&self.kept)?;
        keep::store(&self.path, &bytes).context("it counts until the next restart")
    }

    /// Says it in a frame of the device, and waits until that is durable.
    async fn say(&mut self, device: DeviceId, token: &[u8], by: &str) -> anyhow::Result<()> {
        self.sequence += 1;
        let (boot, sequence) = (SourceBoot(self.run), self.sequence);
        let (clock, mode) = (DeviceClock::None, Mode::Normal);
        let source = Source { device, boot, clock, tick_exponent: 9, mode };
        let silent = Device::silent(source);
        let device = Device { port: by.into(), names: Names::Assigned, ..silent };
        let mut writer = DataWriter::new(0);
        ensure!(writer.context(token), "the token is too long");
        let bytes = writer.finish().as_slice().to_vec();
        let frame = FrameSpan { sequence, gap: false, start: 0, end: bytes.len(), age_ns: 0 };
        let run = Arc::new(Run::new(source.device, boot, Proof::Unasked));
        let mut durable = run.durable.subscribe();
        let chunk = Chunk {
            device: Arc::new(device),
            received: self.clock.monotonic(),
            bytes,
            frames: vec![frame],
            link_errors: 0,
            run,
            begun: None,
            within: Some(Duration::ZERO),
        };
        let ends = "the gateway stops; say it again";
        self.line.send(chunk).await.ok().context(ends)?;
        let wait = durable.wait_for(|known| *known >= Some(sequence));
        let waited = tokio::time::timeout(DURABLE_WITHIN, wait).await;
        waited.ok().context("it could not be made durable in time; say it again")?.context(ends)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::link::{Entries, Entry};

    /// Device, token, and by whose word.
    type Said = (DeviceId, Vec<u8>, String);

    /// A line that makes everything durable, and the contexts that it hears.
    fn line() -> (mpsc::Sender<Chunk>, tokio::task::JoinHandle<Vec<Said>>) {
        let (line, mut chunks) = mpsc::channel::<Chunk>(1);
        let heard = tokio::spawn(async move {
            let mut said = Vec::new();
            while let Some(chunk) = chunks.recv().await {
                let device = chunk.device.source.device;
                for entry in Entries::read(&chunk.bytes).unwrap() {
                    let Entry::Context(token) = entry else { panic!("no context: {entry:?}") };
                    said.push((device, token.to_vec(), chunk.device.port.to_string()));
                }
                chunk.run.is_durable_to(chunk.frames[0].sequence);
            }
            said
        });
        (line, heard)
    }

    fn wish(device: &str, patient: &str, by: &str) -> Wish {
        let (authority, patient, by) = (String::new(), patient.to_owned(), by.to_owned());
        Wish { schema: 1, device: Some(device.to_owned()), authority, patient, by }
    }

    #[tokio::test]
    async fn an_association_is_durable_lasts_over_restarts_and_ends_when_it_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |line| Register::open(folder.path().to_owned(), Patients::default(), line).unwrap();
        let (said, heard) = line();
        let mut register = open(said);
        for wrong in [wish("12", "4711", "nurse"), wish("0000000000000007", "4711", " ")] {
            assert!(register.carry_out(wrong).await.error.is_some());
        }
        let done = register.carry_out(wish("0000000000000007", "4711", "nurse")).await;
        assert!(done.error.is_none(), "{done:?}");
        assert_eq!((done.associations.len(), done.associations[0].by.as_str()), (1, "nurse"));
        drop(register);
        let one = (DeviceId(7), b"4711".to_vec(), "nurse".to_owned());
        assert_eq!(heard.await.unwrap(), vec![one.clone()]);

        let (said, heard) = line();
        let mut register = open(said);
        register.begin().await;
        register.begin().await;
        assert!(register.carry_out(wish("0000000000000007", "", "porter")).await.error.is_none());
        drop(register);
        let end = (DeviceId(7), Vec::new(), "porter".to_owned());
        assert_eq!(heard.await.unwrap(), [one, end]);

        let (said, heard) = line();
        open(said).begin().await;
        assert!(heard.await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_not_durable_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (said, chunks) = mpsc::channel(1);
        drop(chunks);
        let mut register =
            Register::open(folder.path().to_owned(), Patients::default(), said).unwrap();
        let answer = register.carry_out(wish("0000000000000007", "4711", "nurse")).await;
        assert!(answer.error.unwrap().contains("say it again") && answer.associations.is_empty());
    }
}
