//! The two seams: where locks are granted, and what a grant is held by.

use std::time::Duration;

use crate::{Condemned, Fence, LockError, LockSet, Ticket};

/// Where locks are granted: one machine's file locks, or a cluster's coordinator.
///
/// Every call blocks, may be made from any thread, and does not outlast its timeout by more than a call to the
/// backend takes.
pub trait Locks: Send + Sync {
    /// Waits for the whole set, first come first served, at most `timeout`; with a timeout of zero, takes it or
    /// not. Who holds a resource and asks for it once more waits for himself.
    ///
    /// # Errors
    /// [`LockError::Timeout`] with nothing held and no place in the queue kept; [`LockError::Unavailable`];
    /// [`LockError::TooMany`]; [`LockError::Lost`] if the place in the queue was broken.
    fn acquire(&self, set: &LockSet, timeout: Duration) -> Result<Box<dyn Held>, LockError>;

    /// The newest fence that was granted exclusively for any of `names`, [`Fence::NEVER`] without one.
    ///
    /// A backend that forgets may answer a newer one, yet none that is newer than a grant that is still held and
    /// that no exclusive grant followed. So a commit that refuses older fences refuses no holder wrongly.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] or [`LockError::Io`].
    fn newest_exclusive(&self, names: &[&str]) -> Result<Fence, LockError>;

    /// Who holds or waits for what, in the order in which they asked.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] or [`LockError::Io`].
    fn list(&self) -> Result<Vec<Ticket>, LockError>;

    /// The first half of breaking a lock: from now on its holder's [`Held::check`] fails, and
    /// [`newest_exclusive`](Self::newest_exclusive) is newer than its fence for what it held exclusively; but
    /// nobody else is granted anything yet that it kept them from.
    ///
    /// This is for a store whose commit compares fences with its own last commit, as opposed to a coordinator
    /// that compares while it commits: such a store first commits [`Condemned::floor`], so that a holder that is
    /// between its check and its commit finds the place taken, and calls [`free`](Self::free) after that.
    ///
    /// # Errors
    /// [`LockError::NoSuchTicket`] if it is gone already.
    fn condemn(&self, id: &str) -> Result<Condemned, LockError>;

    /// The second half of breaking a lock: others are granted what it held.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] or [`LockError::Io`]; the ticket stays condemned.
    fn free(&self, condemned: &Condemned) -> Result<(), LockError>;

    /// Breaks a lock of another, or takes away its place in the queue.
    ///
    /// # Errors
    /// As [`condemn`](Self::condemn) and [`free`](Self::free).
    fn break_lock(&self, id: &str) -> Result<Ticket, LockError> {
        let condemned = self.condemn(id)?;
        self.free(&condemned)?;
        Ok(condemned.ticket)
    }

    /// Makes sure that every grant to come is newer than `fence`, which the caller has on record.
    ///
    /// # Errors
    /// [`LockError::OtherCluster`] by a coordinator that is older than that: it was wiped, or is another one.
    fn ensure_beyond(&self, fence: Fence) -> Result<(), LockError>;
}

/// A set that is held until this is dropped, or lost.
pub trait Held: Send + Sync {
    /// The grant's number, for the commit to compare.
    fn fence(&self) -> Fence;

    /// What is held.
    fn set(&self) -> &LockSet;

    /// What [`Locks::list`] calls it.
    fn id(&self) -> &str;

    /// Whether the lock is known to be lost; once lost it stays so. `false` proves nothing: only the commit's
    /// comparison does.
    fn is_lost(&self) -> bool;

    /// Asks the backend whether the set is still held.
    ///
    /// # Errors
    /// [`LockError::Lost`] if it is not; [`LockError::Unavailable`] or [`LockError::Io`] if that cannot be told.
    fn check(&self) -> Result<(), LockError>;

    /// Waits until the lock is lost, at most `timeout`, and says whether it is.
    fn wait_lost(&self, timeout: Duration) -> bool;

    /// What a transaction of the same coordinator compares, so that it commits only while all of the set is held.
    /// Empty where there are no such transactions.
    fn proofs(&self) -> &[Proof] {
        &[]
    }

    /// Tells that a transaction of the same coordinator, which compared all of [`proofs`](Self::proofs) and so held,
    /// has deleted their keys: nothing is held any more, and nothing is left to give back when this is dropped.
    fn was_given_back(&mut self) {}

    /// Gives the set back, as dropping does, and says when that could not be done. It is given back then by itself,
    /// soon after.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] or [`LockError::Io`].
    fn release(self: Box<Self>) -> Result<(), LockError>;
}

/// A key of a coordinator, and the revision in which it was created: while both agree, a ticket is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The ticket's key.
    pub key: Vec<u8>,
    /// Its `create_revision`; a key that is gone has 0.
    pub create_revision: i64,
}
