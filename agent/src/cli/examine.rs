//! Looks at a gateway: files first, then what is around it, then the agent that runs.

mod around;

mod files;

mod running;

pub(super) use around::{broker, time};
pub(super) use files::files;
pub(super) use running::running;
