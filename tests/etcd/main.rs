//! Stores that a real etcd coordinates: what they promise, and what becomes of them when etcd does not answer, is
//! killed, wiped or set back.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod gone;
mod promises;
mod proxy;
#[path = "../../lock/tests/locks/server.rs"]
mod server;
mod world;
