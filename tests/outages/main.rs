//! A thousand joins in one process, while its mount is killed and comes back, or the tables are rewritten.
//!
//! Apart from `tests/mounts`, which measures milliseconds: these keep all cores busy.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod killed;
mod rewrites;
#[expect(dead_code, reason = "it has more than is needed here")]
#[path = "../mounts/world.rs"]
mod world;
