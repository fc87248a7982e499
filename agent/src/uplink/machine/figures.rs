//! What the machine has counted.

/// Figures for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Connections made.
    pub connects: u64,
    /// Times the client was rebuilt because receipts stalled.
    pub rebuilds: u64,
    /// Records published.
    pub published: u64,
    /// Of these, not for the first time on their connection.
    pub repeated: u64,
}
