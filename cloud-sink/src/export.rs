//! Export: portability. What leaves says that Wardline is informational.

pub mod csv;
