//! Locks on sets of resources, for those who write tables together.
//!
//! Readers of a store take no lock and wait for nobody. Writers take a set of resources, each shared or exclusive,
//! all or nothing ([`LockSet`]), from where locks are granted ([`Locks`]); what they get ([`Held`]) bears a
//! [`Fence`], a number that only grows. A lock alone proves nothing: a holder that was paused past its lease, or
//! whose lock was broken, may believe that it still holds. What makes it safe is that the commit compares fences,
//! and refuses one that is older than the newest granted exclusively.
//!
//! ```
//! use std::time::Duration;
//! use hypostyle_lock::{LocalLocks, LockSet, Locks, Mode};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("locks");
//! let locks = LocalLocks::open(&folder)?.named("nightly load");
//! let set = LockSet::new([("wind", Mode::Exclusive), ("grid", Mode::Shared)])?;
//! let held = locks.acquire(&set, Duration::from_secs(10))?;
//!
//! // … what is written here is committed only if this holds at the commit point:
//! held.check()?;
//! assert!(held.fence() >= locks.newest_exclusive(&["wind", "grid"])?);
//!
//! let held_by_others = locks.acquire(&LockSet::new([("wind", Mode::Shared)])?, Duration::ZERO);
//! assert!(held_by_others.is_err());
//! held.release()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `README.md` beside this crate has the protocols, what they promise, and the tests that show it.
#![deny(clippy::indexing_slicing)]

mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
mod local;
mod locks;
mod set;
mod ticket;

pub use error::LockError;
pub use local::{LocalLocks, local_file_system};
pub use locks::{Held, Locks, Proof};
pub use set::{Fence, LockSet, Mode};
pub use ticket::{Condemned, Owner, Standing, Ticket};
