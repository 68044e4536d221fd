//! Locks as their users meet them: each promise through one `check` over the local backend, and with the feature
//! `etcd` over a real etcd as well.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod both;
mod child;
#[cfg(feature = "etcd")]
mod cluster;
mod histories;
#[cfg(feature = "etcd")]
mod leases;
mod local;
#[cfg(feature = "etcd")]
#[expect(dead_code, reason = "tests of stores do more with it")]
#[path = "../../../tests/etcd/proxy.rs"]
mod proxy;
#[cfg(feature = "etcd")]
#[expect(dead_code, reason = "others put its members into networks of their own")]
mod server;
mod world;
