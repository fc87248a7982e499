//! Why a record could not be read or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a record could not be read or written.
///
/// Every message names the file, the line where there is one, the problem and the cure.
#[derive(Debug, Eq, PartialEq)]
pub enum WfdbError {
    /// The disk did not give or take the file. Look at the path and its permissions.
    Disk {
        /// The file asked for.
        file: PathBuf,
        /// The header line that names it, 0 when none does.
        line: usize,
        /// What the system answered.
        problem: io::ErrorKind,
    },
    /// A header says something that header(5) does not allow. Correct the header.
    Malformed {
        /// The header.
        file: PathBuf,
        /// The line, counted from 1; 0 when the file as a whole is meant.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        cure: &'static str,
    },
    /// The header names a file outside the record's own folder. Do not trust this record.
    Outside {
        /// The header.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The name it gives.
        name: String,
    },
    /// The signal file is in a format that is not read here. Convert it.
    Format {
        /// The header.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The number of the format.
        format: u32,
    },
    /// The signal file ends before the frames its header promises. Fetch it again.
    Truncated {
        /// The signal file.
        file: PathBuf,
        /// The line of the header that names it.
        line: usize,
        /// Bytes that the header asks for.
        need_bytes: u64,
        /// Bytes that are there.
        got_bytes: u64,
    },
    /// The record asks for more than is held in memory at once. Cut it into shorter records.
    TooLarge {
        /// The header.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What is too many, in words.
        what: &'static str,
        /// How many there may be.
        max: u64,
    },
}

impl WfdbError {
    pub(super) fn disk(file: &Path, line: usize, error: &io::Error) -> Self {
        Self::Disk { file: file.to_path_buf(), line, problem: error.kind() }
    }
}

impl fmt::Display for WfdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = match self {
            Self::Disk { file, line, .. }
            | Self::Malformed { file, line, .. }
            | Self::Outside { file, line, .. }
            | Self::Format { file, line, .. }
            | Self::Truncated { file, line, .. }
            | Self::TooLarge { file, line, .. } => (file, line),
        };
        write!(f, "{}", file.display())?;
        match (self, line) {
            (_, 0) => write!(f, ": ")?,
            (Self::Disk { .. } | Self::Truncated { .. }, line) => {
                write!(f, " (named in line {line} of its header): ")?;
            }
            (_, line) => write!(f, ", line {line}: ")?,
        }
        match self {
            Self::Disk { problem, .. } => {
                write!(f, "{problem}; check that the file is there and may be opened")
            }
            Self::Malformed { problem, cure, .. } => write!(f, "{problem}; {cure}"),
            Self::Outside { name, .. } => write!(
                f,
                "the name {name:?} is not a plain file name; put the file beside the header"
            ),
            Self::Format { format, .. } => write!(
                f,
                "format {format} is not read here; convert the record to format 16 with `xform`"
            ),
            Self::Truncated { need_bytes, got_bytes, .. } => write!(
                f,
                "{got_bytes} bytes where the header needs {need_bytes}; fetch the file again"
            ),
            Self::TooLarge { what, max, .. } => {
                write!(f, "more than {max} {what}; cut the record into shorter ones")
            }
        }
    }
}

impl std::error::Error for WfdbError {}
