//! Stores that a real etcd coordinates: what they promise, and what becomes of them when etcd does not answer, is
//! killed, wiped or set back.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod gone;
mod promises;
mod proxy;
#[expect(dead_code, reason = "others put its members into networks of their own")]
#[path = "../../lock/tests/locks/server.rs"]
mod server;
mod world;
