//! Asking storage that may not answer.
//!
//! A decoder never calls into a mount that can hang. It makes a [`Request`], which a thread of that mount's [`lane`]
//! carries out, and waits for the answer until its run's deadline. A call that does not return keeps its thread;
//! such threads are counted, and from a number on the mount is asked no more for a while ([`breaker`]). A request
//! may have several *ways*, the same file under other roots: the next is asked when one fails, is late, or (hedged)
//! is later than usual.

mod breaker;
mod lane;
mod patience;
mod request;
mod speed;
mod transient;

pub use lane::{Depth, threads_left_behind};
pub(crate) use lane::{Lane, lane_of};
pub(crate) use patience::Patience;
pub(crate) use request::{Call, Request, Rules, goes_on};
pub(crate) use transient::retried;
