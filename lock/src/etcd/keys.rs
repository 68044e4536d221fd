//! The keys in etcd. Nobody else makes them up.
//!
//! ```text
//! PREFIX/identity                 random, written once: a cluster that was wiped has another, or none
//! PREFIX/lock/NAME/x/LEASE        a ticket for NAME, exclusive, under its owner's lease (16 hexadecimal digits)
//!                                 all tickets of one set are created in one revision
//! PREFIX/lock/NAME/s/LEASE        the same, shared
//! PREFIX/newest/NAME              the newest fence granted exclusively; empty: the revision in which it was written
//! ```

use crate::{LockSet, Mode};

/// What all keys begin with.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// A ticket's key, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TicketKey {
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) lease: i64,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.trim_end_matches('/').to_owned() }
    }

    pub(super) fn identity(&self) -> String {
        format!("{}/identity", self.prefix)
    }

    pub(super) fn newest(&self, name: &str) -> String {
        format!("{}/newest/{name}", self.prefix)
    }

    /// All tickets.
    pub(super) fn tickets(&self) -> String {
        format!("{}/lock/", self.prefix)
    }

    /// All tickets for `name` that one in this mode may have to wait for.
    pub(super) fn rivals(&self, name: &str, mode: Mode) -> String {
        match mode {
            Mode::Exclusive => format!("{}/lock/{name}/", self.prefix),
            Mode::Shared => format!("{}/lock/{name}/x/", self.prefix),
        }
    }

    pub(super) fn ticket(&self, name: &str, mode: Mode, lease: i64) -> String {
        let letter = match mode {
            Mode::Exclusive => 'x',
            Mode::Shared => 's',
        };
        format!("{}/lock/{name}/{letter}/{lease:016x}", self.prefix)
    }

    pub(super) fn all(&self, set: &LockSet, lease: i64) -> Vec<String> {
        set.iter().map(|(name, mode)| self.ticket(name, mode, lease)).collect()
    }

    /// Reads a ticket's key; `None` for what is none of ours.
    pub(super) fn parse(&self, key: &[u8]) -> Option<TicketKey> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.tickets())?;
        let mut parts = rest.split('/');
        let (name, letter, lease) = (parts.next()?, parts.next()?, parts.next()?);
        let mode = match letter {
            "x" => Mode::Exclusive,
            "s" => Mode::Shared,
            _ => return None,
        };
        if parts.next().is_some() || lease.len() != 16 {
            return None;
        }
        // A lease's number is what `ticket` writes: its bits.
        let lease = u64::from_str_radix(lease, 16).ok()?.cast_signed();
        Some(TicketKey { name: name.to_owned(), mode, lease })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let keys = Keys::new("/stores/a/");
        for (name, mode, lease) in [("wind", Mode::Exclusive, 1), ("Wärme 2", Mode::Shared, i64::MAX)] {
            let key = keys.ticket(name, mode, lease);
            assert_eq!(keys.parse(key.as_bytes()), Some(TicketKey { name: name.into(), mode, lease }));
            assert!(key.starts_with(&keys.rivals(name, Mode::Exclusive)) && key.starts_with(&keys.tickets()));
            assert_eq!(key.starts_with(&keys.rivals(name, Mode::Shared)), mode == Mode::Exclusive);
        }
        for key in [
            "",
            "/stores/a/lock/x",
            "/stores/a/lock/n/y/0000000000000001",
            "/stores/a/lock/n/x/1",
            "/stores/ab/lock/n/x/0000000000000001",
        ] {
            assert_eq!(keys.parse(key.as_bytes()), None, "{key}");
        }
    }
}
