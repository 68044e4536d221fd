//! The command as its users meet it: flags in, bytes and exit codes out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod failures;
mod joins;
mod managed;
mod models;
mod outputs;
mod usage;
mod world;
