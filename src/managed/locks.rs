//! The locks of those who write, as the store takes, shows and breaks them.

use std::collections::BTreeSet;
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

/// What stands before a model's name among the locks: a table and a model may have the same name.
const MODEL: &str = "model:";

/// All models: held shared by whoever holds some of them, exclusively by whoever writes many at once.
const ALL_MODELS: &str = "models:";

/// So many models are locked by their names; whoever writes more locks all.
const BY_NAME: usize = 32;

/// What is locked of models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ModelLocks {
    #[default]
    None,
    Named(BTreeSet<String>),
    All,
}

impl ModelLocks {
    pub(super) fn of(names: &[String], all: bool) -> Self {
        match names.len() {
            _ if all => Self::All,
            0 => Self::None,
            1..=BY_NAME => Self::Named(names.iter().cloned().collect()),
            _ => Self::All,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }

    fn resources(&self) -> Vec<(String, Mode)> {
        match self {
            Self::None => Vec::new(),
            Self::All => vec![(ALL_MODELS.to_owned(), Mode::Exclusive)],
            Self::Named(names) => {
                let named = names.iter().map(|name| (format!("{MODEL}{name}"), Mode::Exclusive));
                named.chain([(ALL_MODELS.to_owned(), Mode::Shared)]).collect()
            }
        }
    }
}

/// The fence under which a resource was written last.
fn written_under(snapshot: &Snapshot<'_>, resource: &str) -> Result<u64> {
    match resource.strip_prefix(MODEL) {
        _ if resource == ALL_MODELS => Ok(0),
        Some(model) => Ok(snapshot.model(model)?.map_or(0, |model| model.fence)),
        None => Ok(snapshot.table(resource)?.map_or(0, |table| table.fence)),
    }
}

/// An error about a resource, which it names.
fn about(error: Error, resource: &str) -> Error {
    match resource.strip_prefix(MODEL) {
        _ if resource == ALL_MODELS => error,
        Some(model) => {
            let message = format!("model `{model}`: {}", error.message());
            let hint = error.hint_text().map(str::to_owned);
            let named = Error::new(error.kind(), message);
            hint.into_iter().fold(named, Error::hint)
        }
        None => error.table(resource),
    }
}

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

/// Where the locks are granted, or why none are: then the store can be read and not written.
pub(super) struct Place(Result<Box<dyn Locks>, LockError>);

impl Place {
    /// By this machine.
    pub(super) fn local(layout: &Layout) -> Result<Self> {
        match LocalLocks::open(layout.locks()) {
            Ok(locks) => Ok(Self(Ok(Box::new(locks)))),
            // Somebody else writes it, where it lies; here it is seen through a mount.
            Err(error @ LockError::Unsupported { .. }) => Ok(Self(Err(error))),
            Err(error) => Err(from_lock(error)),
        }
    }

    /// The locks.
    pub(super) fn get(&self) -> Result<&dyn Locks> {
        match &self.0 {
            Ok(locks) => Ok(locks.as_ref()),
            Err(error) => Err(from_lock(error.clone())),
        }
    }

    /// By a coordinator.
    #[cfg(feature = "etcd")]
    pub(super) fn by(locks: impl Locks + 'static) -> Self {
        Self(Ok(Box::new(locks)))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Grant {
    /// Waits for all of these tables; and the newest snapshot, which has what whoever had them before committed.
    ///
    /// A grant is refused that is older than what that snapshot has on record: whoever grants the locks has forgotten
    /// what was granted before.
    pub(super) fn take<'m>(
        managed: &'m Managed,
        exclusive: &[String],
        shared: &[String],
        models: &ModelLocks,
        wait: Option<Duration>,
    ) -> Result<(Self, Snapshot<'m>)> {
        let of = |names: &'_ [String], mode| {
            names.iter().map(move |name| (name.clone(), mode)).collect::<Vec<_>>()
        };
        let tables = [of(exclusive, Mode::Exclusive), of(shared, Mode::Shared)];
        let set = LockSet::new([tables.concat(), models.resources()].concat());
        let set = set.map_err(from_lock)?;
        let wait = wait.unwrap_or(PATIENCE);
        let (grant, newest) = if let Some(both) = managed.point.lock(&set, wait) {
            let (held, newest) = both?;
            (Self(held), managed.seen(&newest)?)
        } else {
            // Locks that this machine forgot must not be given out with old fences.
            let on_record = on_record(&managed.newest()?, &set)?;
            let locks = managed.locks.get()?;
            locks.ensure_beyond(on_record).map_err(from_lock)?;
            (Self(locks.acquire(&set, wait).map_err(from_lock)?), managed.newest()?)
        };
        grant.compare(&newest)?;
        Ok((grant, newest))
    }

    /// A commit was made that gives back what it compares, and this was part of it.
    pub(super) fn was_given_back(&mut self) {
        self.0.was_given_back();
    }

    /// What a commit point compares that can.
    pub(super) fn proofs(&self) -> Vec<Proof> {
        self.0.proofs().to_vec()
    }

    fn compare(&self, newest: &Snapshot<'_>) -> Result<()> {
        for (name, _) in self.0.set().iter() {
            let on_record = written_under(newest, name)?;
            if on_record <= self.fence() {
                continue;
            }
            let error = Error::corrupt(format!(
                "the fence granted is {}, and it was written under {on_record}: what grants the locks was wiped, or \
                 is another one",
                self.fence()
            ));
            return Err(about(error.hint("`hypostyle repair` says what can be done"), name));
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
            managed.locks.get()?.newest_exclusive(&tables).map_err(from_lock)?.0
        };
        for name in tables {
            let floor = head.floor(name)?.max(newest);
            if self.fence() < floor {
                return Err(about(stale(self.fence(), floor), name));
            }
        }
        Ok(())
    }
}

/// The newest fence that a snapshot knows of for any of the tables.
fn on_record(newest: &Snapshot<'_>, set: &LockSet) -> Result<Fence> {
    let mut on_record = 0;
    for (name, _) in set.iter() {
        on_record = on_record.max(newest.floor(name)?).max(written_under(newest, name)?);
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
        Ok(self.locks.get()?.list().map_err(from_lock)?.into_iter().map(report).collect())
    }

    /// Breaks a lock. What its holder is about to commit is refused from here on: a commit of our own raises the
    /// least fence that may write, before anybody else is granted the tables.
    pub(crate) fn break_lock(&self, id: &str) -> Result<u64> {
        let condemned = self.locks.get()?.condemn(id).map_err(from_lock)?;
        // Whoever holds some models holds all of them shared: others who do so are none of this.
        let is_meant = |name: &str, mode| name != ALL_MODELS || mode == Mode::Exclusive;
        let set = condemned.ticket.set.iter().filter(|(name, mode)| is_meant(name, *mode));
        let tables: Vec<String> = set.map(|(name, _)| name.to_owned()).collect();
        let floor = condemned.floor.0;
        let wish =
            Wish::new(format!("break the lock of {} on {}", condemned.ticket.owner, tables.join(", ")));
        let made = commit(self.ground()?, &wish, |head| {
            let floor =
                |name: &String| Ok((names::floor(name), Some(Entry::Floor(floor.max(head.floor(name)?)))));
            tables.iter().map(floor).collect()
        })?;
        self.locks.get()?.free(&condemned).map_err(from_lock)?;
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
