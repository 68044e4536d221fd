//! The command as its users meet it: flags in, bytes and exit codes out.

mod failures;
mod joins;
mod outputs;
mod usage;
mod world;
