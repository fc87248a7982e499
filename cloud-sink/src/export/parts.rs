//! Parts: an export is written in files of bounded size, and goes on where it was interrupted.
//!
//! Order: a part is durable under its name before the state says that it is there. What was begun
//! and not finished is written anew.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::read::Kind;

/// How far an export has come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct State {
    schema: u32,
    /// What was asked: only the same goes on.
    pub asked: String,
    /// The last row of each kind that it goes up to.
    pub until: [i64; 3],
    /// The last row of each kind that is written.
    pub after: [i64; 3],
    /// Parts of each kind that are there.
    pub parts: [u32; 3],
    /// Rows that are written.
    pub rows: u64,
    /// Rows that were left out, and are counted here: by the rules of the format.
    pub left_out: u64,
    /// Whether everything is written.
    pub is_done: bool,
}

const STATE: &str = "export.json";

/// A folder that an export is written into.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// How far it has come.
    pub state: State,
}

impl Folder {
    /// Takes up an export where it stands, or begins one in an empty folder.
    ///
    /// # Errors
    /// The folder cannot be written, or holds something else.
    pub fn open(path: &Path, asked: &str, until: [i64; 3]) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        let place = path.join(STATE);
        let state = match fs::read(&place) {
            Ok(bytes) => {
                let state: State = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{}: is no state of an export", place.display()))?;
                if state.asked != asked {
                    let place = path.display();
                    bail!("{place}: holds an export of something else; name an empty folder");
                }
                state
            }
            Err(_) => {
                if fs::read_dir(path)?.next().is_some() {
                    let place = path.display();
                    bail!("{place}: is not empty; name an empty folder, or one of an export");
                }
                State {
                    schema: 1,
                    asked: asked.to_owned(),
                    until,
                    after: [0; 3],
                    parts: [0; 3],
                    rows: 0,
                    left_out: 0,
                    is_done: false,
                }
            }
        };
        let folder = Self { path: path.to_owned(), state };
        folder.keep()?;
        Ok(folder)
    }

    /// Where a file of it stands.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn keep(&self) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec(&self.state)?;
        let mut part = Part::begin(&self.path, STATE)?;
        part.out.write_all(&bytes)?;
        part.finish()
    }

    /// Begins the next part of a kind; `name` is its file's without number.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn part(&self, kind: Kind, name: &str, ending: &str) -> anyhow::Result<Part> {
        let number = self.state.parts[kind as usize] + 1;
        Part::begin(&self.path, &format!("{name}-{number:05}.{ending}"))
    }

    /// A part of a kind is there, and what it holds up to this row.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn reached(
        &mut self,
        kind: Kind,
        after: i64,
        rows: u64,
        wrote: bool,
    ) -> anyhow::Result<()> {
        self.state.after[kind as usize] = after;
        self.state.parts[kind as usize] += u32::from(wrote);
        self.state.rows += rows;
        self.keep()
    }

    /// Everything is there.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn done(&mut self) -> anyhow::Result<()> {
        self.state.is_done = true;
        self.keep()
    }
}

/// A file that is being written, under another name until it is whole.
#[derive(Debug)]
pub struct Part {
    /// Where it is written.
    pub out: BufWriter<File>,
    fresh: PathBuf,
    path: PathBuf,
}

impl Part {
    fn begin(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let (path, fresh) = (folder.join(name), folder.join(format!("{name}.part")));
        let file = File::create(&fresh).with_context(|| fresh.display().to_string())?;
        Ok(Self { out: BufWriter::with_capacity(1 << 18, file), fresh, path })
    }

    /// The same in a folder, for what has no number.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn of(folder: &Folder, name: &str) -> anyhow::Result<Self> {
        Self::begin(&folder.path, name)
    }

    /// Makes it durable under its name.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn finish(self) -> anyhow::Result<()> {
        let place = self.path.display().to_string();
        let file = self.out.into_inner().context(place.clone())?;
        file.sync_all().context(place.clone())?;
        fs::rename(&self.fresh, &self.path).context(place)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    }
}
