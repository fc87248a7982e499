//! What a demo or a replay says at its end: for people as a table, for machines as one line.

use rig::ledger::Ledger;
use serde::Serialize;

/// The last line of `ward --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DemoReport {
    pub schema: u32,
    pub seed: u64,
    /// Values that the devices said.
    pub produced: u64,
    /// Values of those that the store holds unaltered.
    pub stored: u64,
    /// Gap records in the store.
    pub gaps_declared: u64,
    pub lost: u64,
    pub duplicates_stored: u64,
    pub altered: u64,
    /// Records that reached the sink more than once and are stored once.
    pub redelivered: u64,
    /// Connections to the broker beyond the first.
    pub reconnects: u64,
    /// Processes that were killed with SIGKILL.
    pub kills: u64,
    /// Most bytes without a receipt that the gateway showed.
    pub backlog_peak: u64,
    pub beds: u32,
    /// Alerts that the devices raised or ended; counted with lost, doubled and altered.
    pub alerts: u64,
    /// Link frames that devices sent again.
    pub frames_resent: u64,
    /// Bytes from gateway to broker, TLS included.
    pub bytes_up: u64,
    /// Time from the last word of the beds to the last receipt, milliseconds.
    pub drain_ms: u64,
    pub broker: &'static str,
}

impl DemoReport {
    /// Takes over what the ledger found.
    pub fn judge(&mut self, ledger: &Ledger) {
        (self.produced, self.stored, self.alerts) = (ledger.produced, ledger.stored, ledger.alerts);
        (self.lost, self.altered) = (ledger.lost, ledger.altered);
        self.duplicates_stored = ledger.duplicates_stored;
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let per_value = self.bytes_up as f64 / self.produced.max(1) as f64;
        let rows = [
            ("values said by the beds", self.produced.to_string()),
            ("stored unaltered", self.stored.to_string()),
            ("lost", self.lost.to_string()),
            ("stored twice", self.duplicates_stored.to_string()),
            ("altered", self.altered.to_string()),
            ("declared as gaps", self.gaps_declared.to_string()),
            ("alerts, compared too", self.alerts.to_string()),
            ("records delivered again, stored once", self.redelivered.to_string()),
            ("link frames sent again by devices", self.frames_resent.to_string()),
            ("reconnects", self.reconnects.to_string()),
            ("processes killed", self.kills.to_string()),
            ("largest backlog, bytes", self.backlog_peak.to_string()),
            ("bytes on the wire a value", format!("{per_value:.2}")),
            ("from last word to last receipt, ms", self.drain_ms.to_string()),
        ];
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let line = |(name, value): &(&str, String)| format!("  {name:<width$}  {value:>12}\n");
        rows.iter().map(line).collect()
    }
}

/// Says on standard error what the ledger found.
pub fn show_differences(ledger: &Ledger) {
    ledger.differences.iter().for_each(|difference| eprintln!("ward: {difference}"));
}
