//! A gateway's keys as systemd gives them: out of a folder that the environment names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Site;

impl Site {
    /// Moves keys of the gateway into a folder of credentials; that folder. The gateway's programs
    /// are given it from their next start on.
    ///
    /// # Errors
    /// A key is not there.
    pub fn move_into_credentials(&mut self, keys: &[&str]) -> Result<PathBuf> {
        let (from, to) = (self.gateway_keys(), self.folder().join("credentials"));
        fs::create_dir_all(&to)?;
        for key in keys {
            fs::rename(from.join(key), to.join(format!("wardline.{key}")))
                .with_context(|| format!("{key} is not there"))?;
            let second = from.join(format!("{key}.2"));
            if second.exists() {
                fs::remove_file(second)?;
            }
        }
        self.give_credentials(Some(&to));
        Ok(to)
    }

    /// Gives the gateway's programs a folder of credentials from their next start on, or none.
    pub fn give_credentials(&mut self, folder: Option<&Path>) {
        self.layout.credentials = folder.map(Path::to_owned);
    }

    /// The gateway's key folder.
    #[must_use]
    pub fn gateway_keys(&self) -> PathBuf {
        self.layout.keys()
    }
}
