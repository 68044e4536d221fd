//! Joins through a mount of which one request fails, each request and each fault in its turn; or several do, by lot.
//!
//! A join of 20 tables is run once to see what it reads. Then, for each of these reads and each fault, it is run in a
//! process of its own while just that read meets just that fault. It must give the right frame, or a typed error with
//! the exit code of its kind; never another frame, never a death, never no end. Where there is a second root, it must
//! give the right frame.
//!
//! Where nothing can be mounted it says `NOT RUN` and why, and shows nothing. `./test faults` counts it so.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod cases;
mod hangs;
mod join;
mod random;
mod single;
