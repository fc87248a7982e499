//! What may happen to one file, and to which.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use agent::buffer::disk::{Disk, Folder};
use agent::buffer::segment::{FileName, Scan, scan};
use agent::seal::keyring::veil_beside;
use rig::targets::crc32c;
use sha2::{Digest, Sha256};
use wire::frame::{Record, RecordError};

/// What a file of the gateway's folder is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Segment,
    Spare,
    Kept,
    Plain,
}

/// One file that can be damaged.
pub struct Target {
    path: PathBuf,
    kind: Kind,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    FlipHead,
    FlipMiddle,
    FlipTail,
    CutToNothing,
    CutToHalf,
    Zeroed,
    Swapped,
    Version,
    Folder,
    Gone,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl Target {
    /// By its path below the gateway's folder.
    pub fn new(path: &Path) -> Self {
        let name = path.to_string_lossy();
        let kind = match () {
            () if FileName::parse(name.rsplit('/').next().unwrap()).is_some() => Kind::Segment,
            () if name.contains("spare-") => Kind::Spare,
            () if name.ends_with(".pem") || name.ends_with("-tls.key") => Kind::Plain,
            () if name.ends_with(".toml") => Kind::Plain,
            () => Kind::Kept,
        };
        Self { path: path.to_owned(), kind }
    }

    pub fn file_name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    pub fn is_segment(&self) -> bool {
        self.kind == Kind::Segment
    }

    fn is_config(&self) -> bool {
        self.file_name() == "wardline.toml"
    }

    /// What an alarm must name after this; `None` where nothing is lost or the link alone suffers.
    pub fn alarm(&self, damage: Damage) -> Option<&str> {
        let whole = matches!(damage, Damage::Version | Damage::Swapped | Damage::Gone);
        let good = self.file_name().starts_with("wardline.toml.good");
        let silent = self.kind != Kind::Kept && !self.is_config() || good && whole;
        (!silent).then(|| self.file_name().trim_end_matches(".2"))
    }

    /// With which file it is swapped.
    fn partner(&self, folder: &Path) -> PathBuf {
        let keys = |name: &str| folder.join("state/keys").join(name);
        match (self.kind, self.file_name()) {
            (Kind::Segment | Kind::Spare, own) => {
                let files = fs::read_dir(folder.join("state/buffer")).unwrap();
                let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
                files.sort();
                let other = |path: &&PathBuf| {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    name != own && FileName::parse(name).is_some()
                };
                files.iter().find(other).unwrap().clone()
            }
            (_, "keyring" | "keyring.2") => keys("roots"),
            (_, "gateway.pem") => keys("gateway-tls.key"),
            (_, "wardline.toml") => keys("ca.pem"),
            _ => keys("keyring"),
        }
    }
}

impl Damage {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::FlipHead,
        Self::FlipMiddle,
        Self::FlipTail,
        Self::CutToNothing,
        Self::CutToHalf,
        Self::Zeroed,
        Self::Swapped,
        Self::Version,
        Self::Folder,
        Self::Gone,
    ];

    /// Whether every byte of the bad file must still be somewhere afterwards: not what was healed
    /// in place from the header's other slot, and not an older good configuration.
    pub fn is_kept_aside(self, target: &Target) -> bool {
        let healed = target.is_segment() && self == Self::FlipHead;
        let older = target.file_name().contains(".good") && self == Self::Version;
        target.kind != Kind::Spare && !healed && !older
    }

    /// Damages the file; what it holds then, `None` if there is nothing to damage.
    pub fn strike(self, folder: &Path, target: &Target) -> Option<Vec<u8>> {
        let path = folder.join(&target.path);
        let bytes = fs::read(&path).unwrap();
        match self {
            Self::Folder => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
                return Some(Vec::new());
            }
            // A name that is gone says nothing: only where another copy shows that it was there.
            Self::Gone if target.kind != Kind::Kept && !target.is_config() => return None,
            Self::Gone => {
                fs::remove_file(&path).unwrap();
                return Some(Vec::new());
            }
            Self::Swapped => {
                let partner = target.partner(folder);
                let other = fs::read(&partner).unwrap();
                fs::write(&partner, bytes).unwrap();
                fs::write(&path, &other).unwrap();
                return Some(other);
            }
            _ => {}
        }
        let bad = self.bad_bytes(target, &path, bytes);
        fs::write(&path, &bad).unwrap();
        Some(bad)
    }

    fn bad_bytes(self, target: &Target, path: &Path, mut bytes: Vec<u8>) -> Vec<u8> {
        let marks = marks(target, path, bytes.len());
        match self {
            Self::FlipHead => bytes[marks[0]] ^= 0x80,
            Self::FlipMiddle => bytes[marks[1]] ^= 0x80,
            Self::FlipTail => bytes[marks[2]] ^= 0x80,
            Self::CutToNothing => bytes.clear(),
            Self::CutToHalf => bytes.truncate(marks[1]),
            Self::Zeroed => bytes.fill(0),
            _ => return other_version(target, path, bytes),
        }
        bytes
    }
}

/// A byte in the head, in the middle and at the end of what is used.
fn marks(target: &Target, path: &Path, length: usize) -> [usize; 3] {
    if target.kind != Kind::Segment {
        return [0, length / 2, length - 1];
    }
    let found = scanned(target, path);
    let inside =
        |at: usize| found.places[at].offset as usize + found.places[at].length as usize / 2;
    let last = found.places.len() - 1;
    [90, inside(last / 2), inside(last)]
}

fn scanned(target: &Target, path: &Path) -> Scan {
    let id = FileName::parse(target.file_name()).unwrap().segment;
    let folder = path.parent().unwrap();
    let disk = Folder::existing(folder).unwrap().under(veil_beside(folder));
    scan(&disk.open(target.file_name()).unwrap(), id).unwrap()
}

/// The same file as a later version of the program might have written it.
fn other_version(target: &Target, path: &Path, mut bytes: Vec<u8>) -> Vec<u8> {
    match target.kind {
        Kind::Spare => bytes.fill(0xff),
        Kind::Plain => bytes.extend_from_slice(b"\n[future]\nversion = 2\n"),
        Kind::Kept => {
            let rest = [&[2], &bytes[32..]].concat();
            bytes = [&Sha256::digest(&rest)[..], &rest].concat();
        }
        Kind::Segment => {
            let segment = FileName::parse(target.file_name()).unwrap().segment;
            let (_, header, _) = scanned(target, path).header.unwrap();
            let later = |at: &usize| {
                let mut later = header.clone();
                later[*at] ^= 3;
                matches!(Record::parse(&later), Err(RecordError::Version { .. }))
            };
            let at = (0..header.len()).find(later).expect("a header states its version");
            for slot in [0, 120 * 1024] {
                let record = &mut bytes[slot..slot + 16 + header.len()];
                record[16 + at] ^= 3;
                let sums = [&segment.0[..], &0u32.to_le_bytes(), &record[4..8], &record[16..]];
                let sum = crc32c(&sums.concat());
                record[12..16].copy_from_slice(&sum.to_le_bytes());
            }
        }
    }
    bytes
}
