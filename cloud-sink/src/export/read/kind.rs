//! The kinds of row, and what is asked of the table of each.

/// The three kinds of row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Numbers.
    Numerics,
    /// Waveforms.
    Waves,
    /// Everything else.
    Notes,
}

impl Kind {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Numerics, Self::Waves, Self::Notes];

    /// The highest number of a page behind a row; none if nothing is there.
    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::Numerics => {
                "SELECT max(id) FROM (SELECT id FROM block WHERE id > ?1 AND id <= ?2 ORDER BY id
                   LIMIT ?3) AS page"
            }
            Self::Waves => {
                "SELECT max(id) FROM (SELECT id FROM wave WHERE id > ?1 AND id <= ?2 ORDER BY id
                   LIMIT ?3) AS page"
            }
            Self::Notes => {
                "SELECT max(id) FROM (SELECT id FROM note WHERE id > ?1 AND id <= ?2 ORDER BY id
                   LIMIT ?3) AS page"
            }
        }
    }

    /// The first row behind one that another frame brought.
    pub(super) const fn next_frame(self) -> &'static str {
        match self {
            Self::Numerics => {
                "SELECT min(id) FROM block WHERE id > ?1
                   AND evidence <> (SELECT evidence FROM block WHERE id = ?1)"
            }
            Self::Waves => {
                "SELECT min(id) FROM wave WHERE id > ?1
                   AND evidence <> (SELECT evidence FROM wave WHERE id = ?1)"
            }
            Self::Notes => {
                "SELECT min(id) FROM note WHERE id > ?1
                   AND evidence <> (SELECT evidence FROM note WHERE id = ?1)"
            }
        }
    }

    /// Rows of a kind that nobody has dated yet.
    pub(crate) const fn guessed(self) -> &'static str {
        match self {
            Self::Numerics => "SELECT id FROM block WHERE id > ?1 AND id <= ?2 AND dated = 2",
            Self::Waves => "SELECT id FROM wave WHERE id > ?1 AND id <= ?2 AND dated = 2",
            Self::Notes => "SELECT id FROM note WHERE id > ?1 AND id <= ?2 AND dated = 2",
        }
    }

    /// Rows of a kind that wait for a feed and have a date now.
    pub(crate) const fn dated_by_now(self) -> &'static str {
        match self {
            Self::Numerics => {
                "SELECT feed_waiting.id FROM feed_waiting JOIN block ON block.id = feed_waiting.id
                 WHERE name = ?1 AND feed_waiting.kind = ?2 AND (dated IS NULL OR dated <> 2)
                 ORDER BY 1 LIMIT ?3"
            }
            Self::Waves => {
                "SELECT feed_waiting.id FROM feed_waiting JOIN wave ON wave.id = feed_waiting.id
                 WHERE name = ?1 AND feed_waiting.kind = ?2 AND (dated IS NULL OR dated <> 2)
                 ORDER BY 1 LIMIT ?3"
            }
            Self::Notes => {
                "SELECT feed_waiting.id FROM feed_waiting JOIN note ON note.id = feed_waiting.id
                 WHERE name = ?1 AND feed_waiting.kind = ?2 AND (dated IS NULL OR dated <> 2)
                 ORDER BY 1 LIMIT ?3"
            }
        }
    }

    pub(super) const fn last(self) -> &'static str {
        match self {
            Self::Numerics => "SELECT max(id) FROM block",
            Self::Waves => "SELECT max(id) FROM wave",
            Self::Notes => "SELECT max(id) FROM note",
        }
    }
}
