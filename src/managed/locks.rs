//! The locks of those who write, as the store takes, shows and breaks them.

use std::fmt;
use std::time::Duration;

use hypostyle_lock::{Fence, Held, LocalLocks, LockError, LockSet, Locks, Mode, Proof, Standing};
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

/// Where the locks are granted.
pub(super) struct Place(Box<dyn Locks>);

impl Place {
    /// By this machine.
    pub(super) fn local(layout: &Layout) -> Result<Self> {
        Ok(Self(Box::new(LocalLocks::open(layout.locks()).map_err(from_lock)?)))
    }

    /// By a coordinator.
    #[cfg(feature = "etcd")]
    pub(super) fn by(locks: impl Locks + 'static) -> Self {
        Self(Box::new(locks))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Grant {
    /// Waits for all of these tables.
    pub(super) fn take(
        managed: &Managed,
        exclusive: &[String],
        shared: &[String],
        wait: Option<Duration>,
    ) -> Result<Self> {
        let of = |names: &'_ [String], mode| {
            names.iter().map(move |name| (name.clone(), mode)).collect::<Vec<_>>()
        };
        let set = LockSet::new([of(exclusive, Mode::Exclusive), of(shared, Mode::Shared)].concat());
        let set = set.map_err(from_lock)?;
        if !managed.point.compares_proofs() {
            // Locks that this machine forgot must not be given out with old fences.
            let on_record = on_record(&managed.newest()?, &set)?;
            managed.locks.0.ensure_beyond(on_record).map_err(from_lock)?;
        }
        managed.locks.0.acquire(&set, wait.unwrap_or(PATIENCE)).map(Self).map_err(from_lock)
    }

    /// What a commit point compares that can.
    pub(super) fn proofs(&self) -> Vec<Proof> {
        self.0.proofs().to_vec()
    }

    /// Refuses a grant that is older than what `newest`, looked up after it was granted, has on record: whoever
    /// grants the locks has forgotten what was granted before.
    pub(super) fn compare(&self, newest: &Snapshot<'_>) -> Result<()> {
        for (name, _) in self.0.set().iter() {
            let on_record = newest.table(name)?.map_or(0, |table| table.fence);
            if on_record <= self.fence() {
                continue;
            }
            return Err(Error::corrupt(format!(
                "the fence granted is {}, and the table was written under {on_record}: what grants the locks was \
                 wiped, or is another one",
                self.fence()
            ))
            .table(name)
            .hint("`hypostyle repair` says what can be done"));
        }
        Ok(())
    }

    /// The error of a holder that did not find what it had seen: if it was stopped for so long that it holds nothing
    /// any more, others have gone on, and that is why.
    pub(super) fn explain(&self, error: Error) -> Error {
        match self.0.check() {
            Err(lost @ LockError::Lost(_)) if error.kind() == ErrorKind::Corrupt => {
                from_lock(lost).source(error)
            }
            _ => error,
        }
    }

    pub(super) fn fence(&self) -> u64 {
        self.0.fence().0
    }

    /// Whether a commit upon `head` may still be made: the locks are held, and nobody was granted them since, by
    /// what the locks say (unless the commit itself compares that) and by what the store has on record.
    pub(super) fn check(&self, managed: &Managed, head: &Snapshot<'_>) -> Result<()> {
        let tables: Vec<&str> = self.0.set().iter().map(|(name, _)| name).collect();
        let newest = if managed.point.compares_proofs() {
            0
        } else {
            self.0.check().map_err(from_lock)?;
            managed.locks.0.newest_exclusive(&tables).map_err(from_lock)?.0
        };
        for name in tables {
            let floor = head.floor(name)?.max(newest);
            if self.fence() < floor {
                return Err(stale(self.fence(), floor).table(name));
            }
        }
        Ok(())
    }
}

/// The newest fence that a snapshot knows of for any of the tables.
fn on_record(newest: &Snapshot<'_>, set: &LockSet) -> Result<Fence> {
    let mut on_record = 0;
    for (name, _) in set.iter() {
        on_record =
            on_record.max(newest.floor(name)?).max(newest.table(name)?.map_or(0, |table| table.fence));
    }
    Ok(Fence(on_record))
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
        Ok(self.locks.0.list().map_err(from_lock)?.into_iter().map(report).collect())
    }

    /// Breaks a lock. What its holder is about to commit is refused from here on: a commit of our own raises the
    /// least fence that may write, before anybody else is granted the tables.
    pub(crate) fn break_lock(&self, id: &str) -> Result<u64> {
        let condemned = self.locks.0.condemn(id).map_err(from_lock)?;
        let tables: Vec<String> = condemned.ticket.set.iter().map(|(name, _)| name.to_owned()).collect();
        let floor = condemned.floor.0;
        let wish =
            Wish::new(format!("break the lock of {} on {}", condemned.ticket.owner, tables.join(", ")));
        let made = commit(self.ground(), &wish, |head| {
            let floor =
                |name: &String| Ok((names::floor(name), Some(Entry::Floor(floor.max(head.floor(name)?)))));
            tables.iter().map(floor).collect()
        })?;
        self.locks.0.free(&condemned).map_err(from_lock)?;
        Ok(made.number)
    }
}

/// What the caller can do about a lock that is not to be had.
pub(crate) fn from_lock(error: LockError) -> Error {
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
        LockError::Denied { .. } => (
            ErrorKind::Unavailable,
            "set HYPOSTYLE_ETCD_USER and HYPOSTYLE_ETCD_PASSWORD, or the certificates",
        ),
        LockError::OtherCluster { .. } => (ErrorKind::Corrupt, "`hypostyle repair` says what can be done"),
        LockError::Io { path, kind, .. } => {
            return Error::from_io(path, std::io::Error::from(*kind)).source(error);
        }
        _ => (ErrorKind::InvalidRequest, "see `hypostyle --help`"),
    };
    Error::new(kind, text).hint(hint).source(error)
}
