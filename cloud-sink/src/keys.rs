//! The sink's keys: one file each, mode 0600; nothing is shared and nothing is a default.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
pub use wire::hex::{hex, unhex};
use wire::keyring::Audience;
use wire::seal::RecipientSecret;
use wire::segment::Suite;

/// Each kind of recipient key that a site has.
pub const RECIPIENTS: [(Audience, Suite, &str); 4] = [
    (Audience::Clinical, Suite::XWing, "clinical-x-wing.key"),
    (Audience::Clinical, Suite::X25519, "clinical-x25519.key"),
    (Audience::Health, Suite::XWing, "health-x-wing.key"),
    (Audience::Health, Suite::X25519, "health-x25519.key"),
];

/// Writes a new file that only we may read, whole or not at all.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let placed = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    placed?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// 32 random bytes.
///
/// # Errors
/// The kernel gives none.
pub fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the kernel gives no random bytes")?;
    Ok(bytes)
}

/// The folder of keys.
#[derive(Clone, Debug)]
pub struct KeyFolder(pub PathBuf);

impl KeyFolder {
    /// A file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is not there; the message names it.
    pub fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path(name);
        fs::read(&path).with_context(|| path.display().to_string())
    }

    fn seed(&self, name: &str) -> anyhow::Result<[u8; 32]> {
        let bytes = self.read(name)?;
        let seed: Result<[u8; 32], _> = bytes.try_into();
        seed.map_err(|_| anyhow::anyhow!("{}: is no key of 32 bytes", self.path(name).display()))
    }

    /// An Ed25519 key.
    ///
    /// # Errors
    /// The file is missing or no key.
    pub fn signing(&self, name: &str) -> anyhow::Result<SigningKey> {
        Ok(SigningKey::from_bytes(&self.seed(name)?))
    }

    /// The key that protects segment secrets in the store.
    ///
    /// # Errors
    /// The file is missing or no key.
    pub fn store_key(&self) -> anyhow::Result<[u8; 32]> {
        self.seed("store.key")
    }

    /// All recipient keys that are here, of every generation, newest first; a sink without clinical
    /// keys has fewer.
    ///
    /// # Errors
    /// A file is there and no key, or there is none at all.
    pub fn recipients(&self) -> anyhow::Result<Vec<RecipientSecret>> {
        let mut found = Vec::new();
        for (_, suite, name) in RECIPIENTS {
            for (_, file) in recipient_files(self, name)?.iter().rev() {
                let bytes = self.read(file)?;
                let secret = RecipientSecret::from_bytes(suite, &bytes);
                let path = self.path(file);
                found.push(secret.with_context(|| format!("{}: is no key", path.display()))?);
            }
        }
        if found.is_empty() {
            bail!("{}: holds no recipient key", self.0.display());
        }
        Ok(found)
    }
}

/// The files of a kind of recipient key with their generations, oldest first: `NAME.key`,
/// `NAME-2.key` and so on.
///
/// # Errors
/// The folder cannot be read.
pub fn recipient_files(keys: &KeyFolder, name: &str) -> anyhow::Result<Vec<(u32, String)>> {
    let stem = name.strip_suffix(".key").unwrap_or(name);
    let mut found = Vec::new();
    for entry in fs::read_dir(&keys.0).with_context(|| keys.0.display().to_string())? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let generation = file.strip_suffix(".key").and_then(|own| own.strip_prefix(stem));
        let generation = match generation {
            Some("") => Some(1),
            Some(number) => number.strip_prefix('-').and_then(|number| number.parse().ok()),
            None => None,
        };
        found.extend(generation.map(|generation| (generation, file)));
    }
    found.sort_unstable();
    Ok(found)
}
