//! The product's binaries: built with the profile of this very program, found beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Where the binaries are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `wardline`.
    pub agent: PathBuf,
    /// `wardline-sink`.
    pub sink: PathBuf,
    /// `ward`, which can be a broker.
    pub ward: PathBuf,
}

impl Programs {
    /// Builds both product binaries through `$CARGO`; a second call costs a fraction of a second.
    ///
    /// # Errors
    /// The build fails.
    pub fn build() -> Result<Self> {
        let exe = std::env::current_exe().context("who am I?")?;
        let mut folder = exe.parent().context("no folder")?;
        if folder.ends_with("deps") {
            folder = folder.parent().context("no folder")?;
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        // `tests` too: with the features that it brings in, nothing is built a second time.
        let packages = ["-p", "agent", "-p", "cloud-sink", "-p", "tests"];
        command.args(["build", "--locked", "--quiet", "--bins"]).args(packages);
        command.arg("--manifest-path").arg(manifest);
        match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => {}
            Some(profile) => drop(command.args(["--profile", profile])),
        }
        let target = folder.parent().filter(|target| target.join("CACHEDIR.TAG").exists());
        if let Some(target) = target {
            command.arg("--target-dir").arg(target);
        }
        let built = command.status().context("cannot start cargo")?;
        if !built.success() {
            bail!("wardline and wardline-sink were not built ({built})");
        }
        let beside = |name: &str| {
            let path = folder.join(name);
            if path.exists() { Ok(path) } else { bail!("{} is not there", path.display()) }
        };
        let (agent, sink) = (beside("wardline")?, beside("wardline-sink")?);
        // A test has `ward` beside it only if it was built; only the rig's broker needs it.
        Ok(Self { agent, sink, ward: folder.join("ward") })
    }
}
