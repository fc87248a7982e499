//! What a process takes of its machine.

use anyhow::{Context, Result};

/// Most memory and most open handles that were seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    /// Peak of resident memory, bytes.
    pub memory_bytes: u64,
    /// Open handles.
    pub handles: u64,
}

impl Vitals {
    /// Looks at a process.
    pub fn of(id: u32) -> Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes.context("the kernel does not say")?.parse()?;
        let handles = std::fs::read_dir(format!("/proc/{id}/fd"))?.count() as u64;
        Ok(Self { memory_bytes: kilobytes * 1024, handles })
    }

    /// The larger of both.
    pub fn or_more(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            handles: self.handles.max(other.handles),
        }
    }

    /// Peak of resident memory, MB.
    pub fn memory_mb(self) -> f64 {
        self.memory_bytes as f64 / 1e6
    }
}
