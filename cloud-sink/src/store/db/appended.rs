//! Rows that are only ever added: which numerics a record brought, and runs of samples.

/// Tables of which there are many rows, and whose rows nobody asks for in the same transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Appended {
    /// Which rows of `numeric` one record brought of a series.
    Block,
    /// Runs of samples.
    Wave,
}

impl Appended {
    pub(super) const ALL: [Self; 2] = [Self::Block, Self::Wave];

    pub(in crate::store) const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Wave => "wave",
        }
    }

    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Block => {
                "evidence, series, from_ns, to_ns, first_row, last_row, context, dated, place"
            }
            Self::Wave => {
                "evidence, series, at_ns, sample_first, count, status, samples, invalid, context,
                 dated, place"
            }
        }
    }

    pub(super) const fn insert(self) -> &'static str {
        match self {
            Self::Block => {
                "INSERT INTO block (evidence, series, from_ns, to_ns, first_row, last_row, context,
                   dated, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            }
            Self::Wave => {
                "INSERT INTO wave (evidence, series, at_ns, sample_first, count, status, samples,
                   invalid, context, dated, place)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
            }
        }
    }
}
