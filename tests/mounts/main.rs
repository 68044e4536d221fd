//! Joins of tables on a mount that is slow, fails, hangs or is gone.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod command;
mod deadlines;
mod descriptors;
mod doctor;
mod models;
mod roots;
mod waves;
mod world;
