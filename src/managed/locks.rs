//! The locks of those who write, as the store takes, shows and breaks them.

use std::fmt;
use std::time::Duration;

use hypostyle_lock::{Held, LocalLocks, LockError, LockSet, Locks, Mode, Standing};
use serde::Serialize;

use super::Managed;
use super::commit::{Wish, commit};
use super::layout::Layout;
use super::manifest::{Entry, names};
use super::snapshot::Snapshot;
use crate::{Error, ErrorKind, Result};

/// How long a writer waits for others, unless it says.
const PATIENCE: Duration = Duration::from_secs(60);

/// Locks that a writer holds.
pub(super) struct Grant(Box<dyn Held>);

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({}, fence {})", self.0.id(), self.0.fence())
    }
}

/// A lock that is held or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockReport {
    /// What `hypostyle lock break` calls it.
    pub id: String,
    /// Who asked.
    pub owner: String,
    /// The tables, and whether others may hold them too.
    pub tables: Vec<(String, &'static str)>,
    /// `held`, `waiting` or `broken`.
    pub standing: &'static str,
    /// The fence, if it is held.
    pub fence: Option<u64>,
    /// Seconds since it was asked for.
    pub seconds: u64,
}

pub(super) fn open(layout: &Layout) -> Result<LocalLocks> {
    LocalLocks::open(layout.locks()).map_err(from_lock)
}

impl Grant {
    /// Waits for all of these tables. The fence is newer than any that `newest` has on record for them.
    pub(super) fn take(
        managed: &Managed,
        newest: &Snapshot<'_>,
        exclusive: &[String],
        shared: &[String],
        wait: Option<Duration>,
    ) -> Result<Self> {
        let locks = &managed.locks;
        let of = |names: &'_ [String], mode| {
            names.iter().map(move |name| (name.clone(), mode)).collect::<Vec<_>>()
        };
        let set = LockSet::new([of(exclusive, Mode::Exclusive), of(shared, Mode::Shared)].concat());
        let set = set.map_err(from_lock)?;
        let mut on_record = 0;
        for name in exclusive.iter().chain(shared) {
            on_record =
                on_record.max(newest.floor(name)?).max(newest.table(name)?.map_or(0, |table| table.fence));
        }
        locks.ensure_beyond(hypostyle_lock::Fence(on_record)).map_err(from_lock)?;
        locks.acquire(&set, wait.unwrap_or(PATIENCE)).map(Self).map_err(from_lock)
    }

    pub(super) fn fence(&self) -> u64 {
        self.0.fence().0
    }

    /// Whether a commit upon `head` may still be made: the locks are held, and nobody was granted them since, by
    /// what the locks say and by what the store has on record.
    pub(super) fn check(&self, managed: &Managed, head: &Snapshot<'_>) -> Result<()> {
        self.0.check().map_err(from_lock)?;
        let tables: Vec<&str> = self.0.set().iter().map(|(name, _)| name).collect();
        let newest = managed.locks.newest_exclusive(&tables).map_err(from_lock)?.0;
        for name in tables {
            let floor = head.floor(name)?.max(newest);
            if self.fence() < floor {
                return Err(stale(self.fence(), floor).table(name));
            }
        }
        Ok(())
    }
}

fn stale(fence: u64, floor: u64) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("the lock was broken: its fence is {fence}, and {floor} is the least that may write"),
    )
    .hint("nothing was written; begin again")
}

impl Managed {
    /// Who holds or waits for which tables, in the order in which they asked.
    pub(crate) fn held_locks(&self) -> Result<Vec<LockReport>> {
        let report = |ticket: hypostyle_lock::Ticket| LockReport {
            owner: ticket.owner.to_string(),
            tables: ticket
                .set
                .iter()
                .map(|(name, mode)| {
                    (name.to_owned(), if mode == Mode::Exclusive { "exclusive" } else { "shared" })
                })
                .collect(),
            standing: match ticket.standing {
                Standing::Held(_) => "held",
                Standing::Waiting => "waiting",
                Standing::Broken => "broken",
            },
            fence: ticket.fence().map(|fence| fence.0),
            seconds: ticket.since.elapsed().unwrap_or_default().as_secs(),
            id: ticket.id,
        };
        Ok(self.locks.list().map_err(from_lock)?.into_iter().map(report).collect())
    }

    /// Breaks a lock. What its holder is about to commit is refused from here on: a commit of our own raises the
    /// least fence that may write, before anybody else is granted the tables.
    pub(crate) fn break_lock(&self, id: &str) -> Result<u64> {
        let condemned = self.locks.condemn(id).map_err(from_lock)?;
        let tables: Vec<String> = condemned.ticket.set.iter().map(|(name, _)| name.to_owned()).collect();
        let floor = condemned.floor.0;
        let wish =
            Wish::new(format!("break the lock of {} on {}", condemned.ticket.owner, tables.join(", ")));
        let made = commit(self.ground(), &wish, |head| {
            let floor =
                |name: &String| Ok((names::floor(name), Some(Entry::Floor(floor.max(head.floor(name)?)))));
            tables.iter().map(floor).collect()
        })?;
        self.locks.free(&condemned).map_err(from_lock)?;
        Ok(made.number)
    }
}

/// What the caller can do about a lock that is not to be had.
pub(super) fn from_lock(error: LockError) -> Error {
    let text = error.to_string();
    let (kind, hint) = match &error {
        LockError::Timeout { .. } => {
            (ErrorKind::Timeout, "`hypostyle lock ls` shows who holds what; `hypostyle lock break` ends it")
        }
        LockError::Lost(_) => (ErrorKind::Conflict, "nothing was written; begin again"),
        LockError::NoSuchTicket(_) => (ErrorKind::NotFound, "`hypostyle lock ls` shows those that there are"),
        LockError::TooMany { .. } => (ErrorKind::LimitExceeded, "write fewer tables at once"),
        LockError::Unsupported { .. } => {
            (ErrorKind::Unsupported, "put the root on ext4, xfs, btrfs, zfs, tmpfs or overlay")
        }
        LockError::Unavailable { .. } => (ErrorKind::Unavailable, "try again"),
        LockError::Io { path, kind, .. } => {
            return Error::from_io(path, std::io::Error::from(*kind)).source(error);
        }
        _ => (ErrorKind::InvalidRequest, "see `hypostyle --help`"),
    };
    Error::new(kind, text).hint(hint).source(error)
}
