//! What is asked for: names, and how each is to be held.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::LockError;

/// Whether others may hold the same resource at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Others may hold it shared as well.
    Shared,
    /// Nobody else may hold it.
    Exclusive,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        })
    }
}

/// The number of a grant. Of two grants that conflict, the later has the greater fence.
///
/// [`Fence::NEVER`] is older than every grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl Fence {
    /// Older than every grant.
    pub const NEVER: Self = Self(0);
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Resources to be locked together, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockSet(BTreeMap<String, Mode>);

impl LockSet {
    /// A set of named resources; of a name given twice the stronger mode counts.
    ///
    /// # Errors
    /// [`LockError::InvalidName`] for a name that could not be a table's: empty, over 255 bytes, with `/` or NUL,
    /// or with a leading `.` or `_`. [`LockError::Empty`] without any.
    ///
    /// ```
    /// use hypostyle_lock::{LockSet, Mode};
    ///
    /// let set = LockSet::new([("wind", Mode::Exclusive), ("grid", Mode::Shared)])?;
    /// assert_eq!(set.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["grid", "wind"]);
    /// assert!(LockSet::new([("a/b", Mode::Shared)]).is_err());
    /// # Ok::<(), hypostyle_lock::LockError>(())
    /// ```
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

    /// How many resources there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How `name` is asked for, if it is.
    pub fn mode(&self, name: &str) -> Option<Mode> {
        self.0.get(name).copied()
    }

    /// The names that are asked for exclusively.
    pub fn exclusive(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|(_, mode)| *mode == Mode::Exclusive).map(|(name, _)| name)
    }

    /// Whether a holder of `other` must go before a holder of this set may come.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.iter().any(|(name, mode)| {
            other.0.get(name).is_some_and(|theirs| mode == Mode::Exclusive || *theirs == Mode::Exclusive)
        })
    }
}

impl std::fmt::Display for LockSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, (name, mode)) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {mode}")?;
        }
        Ok(())
    }
}

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

    #[test]
    fn names_that_no_table_can_have_are_refused() {
        let long = "x".repeat(256);
        for name in ["", ".", "..", "_x", ".x", "a/b", "a\0", &long] {
            let error = LockSet::new([("good", Mode::Shared), (name, Mode::Shared)]).unwrap_err();
            assert_eq!(error, LockError::InvalidName(name.to_owned()));
        }
        assert_eq!(LockSet::new::<&str>([]).unwrap_err(), LockError::Empty);
        assert!(LockSet::new([("x".repeat(255), Mode::Shared), ("Wärme 2".into(), Mode::Shared)]).is_ok());
    }
}
