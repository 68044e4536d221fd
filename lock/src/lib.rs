//! Locks on sets of resources, for those who write tables together. **A door with a sign on it: there is the
//! contract, and no implementation yet.**
//!
//! Readers of a store take no lock and wait for nobody. Writers take a set of resources, each shared or exclusive,
//! all or nothing ([`LockSet`]); a grant ([`Held`]) bears a [`Fence`], a number that only grows. A lease needs a
//! clock to end, so a lock alone proves nothing: a holder that was paused past its lease believes that it still
//! holds. What makes it safe is that the commit compares fences, and refuses one that is older than the newest
//! granted exclusively.
//!
//! ```
//! use hypostyle_lock::{LockSet, Mode};
//!
//! let set = LockSet::new([("wind", Mode::Exclusive), ("grid", Mode::Shared)])?;
//! assert_eq!(set.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["grid", "wind"]);
//! assert!(LockSet::new([("a/b", Mode::Shared)]).is_err());
//! # Ok::<(), hypostyle_lock::LockError>(())
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

/// Whether others may hold the same resource at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Others may hold it shared as well.
    Shared,
    /// Nobody else may hold it.
    Exclusive,
}

/// The number of a grant. Of two grants that conflict, the later has the greater fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// Resources to be locked together, in the order of their names, so that no two sets wait for one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSet(BTreeMap<String, Mode>);

impl LockSet {
    /// A set of named resources; of a name given twice the stronger mode counts.
    ///
    /// # Errors
    /// [`LockError::InvalidName`] for a name that could not be a table's: empty, over 255 bytes, with `/` or NUL,
    /// or with a leading `.` or `_`. [`LockError::Empty`] without any.
    pub fn new<N: Into<String>>(resources: impl IntoIterator<Item = (N, Mode)>) -> Result<Self, LockError> {
        let mut set = BTreeMap::new();
        for (name, mode) in resources {
            let name = name.into();
            if name.is_empty()
                || name.len() > 255
                || name.contains(['/', '\0'])
                || name.starts_with(['.', '_'])
            {
                return Err(LockError::InvalidName(name));
            }
            let entry = set.entry(name).or_insert(mode);
            *entry = mode.max(*entry);
        }
        if set.is_empty() { Err(LockError::Empty) } else { Ok(Self(set)) }
    }

    /// The resources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Mode)> {
        self.0.iter().map(|(name, mode)| (name.as_str(), *mode))
    }

    /// Whether a holder of `other` must go before a holder of this set may come.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.iter().any(|(name, mode)| {
            other.0.get(name).is_some_and(|theirs| mode == Mode::Exclusive || *theirs == Mode::Exclusive)
        })
    }
}

/// Where locks are granted: one machine's file locks, or a cluster's coordinator.
pub trait Locks: Send + Sync {
    /// What a grant is held by.
    type Held: Held;

    /// Waits for the whole set, first come first served, at most `timeout`.
    ///
    /// # Errors
    /// [`LockError::Timeout`] with nothing held, or [`LockError::Unavailable`].
    fn acquire(&self, set: &LockSet, timeout: Duration) -> Result<Self::Held, LockError>;
}

/// A set that is held until this is dropped, or lost.
pub trait Held: Send {
    /// The grant's number, for the commit to compare.
    fn fence(&self) -> Fence;

    /// Whether the lock is known to be lost. `false` proves nothing: only the commit's comparison does.
    fn is_lost(&self) -> bool;
}

/// Why a set is not held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError {
    /// No resource was named.
    Empty,
    /// A name that no resource can have.
    InvalidName(String),
    /// Others held the resources for the whole time.
    Timeout,
    /// The coordinator does not answer.
    Unavailable(String),
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("a lock on nothing"),
            Self::InvalidName(name) => write!(f, "no resource can be called {name:?}"),
            Self::Timeout => f.write_str("others held the resources for the whole time"),
            Self::Unavailable(why) => write!(f, "the coordinator does not answer: {why}"),
        }
    }
}

impl std::error::Error for LockError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_conflict_when_one_of_both_is_exclusive_on_a_common_name() {
        let set = |s: &[(&str, Mode)]| LockSet::new(s.iter().map(|(n, m)| (*n, *m))).unwrap();
        for (a, b, expected) in [
            (set(&[("x", Mode::Shared)]), set(&[("x", Mode::Shared)]), false),
            (set(&[("x", Mode::Shared)]), set(&[("x", Mode::Exclusive)]), true),
            (set(&[("x", Mode::Exclusive)]), set(&[("y", Mode::Exclusive)]), false),
            (set(&[("x", Mode::Shared), ("x", Mode::Exclusive)]), set(&[("x", Mode::Shared)]), true),
        ] {
            assert_eq!(a.conflicts_with(&b), expected);
            assert_eq!(b.conflicts_with(&a), expected);
        }
    }
}
