//! Why a set is not held, sorted by what the caller must do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Ticket;

/// Why a set is not held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError {
    /// No resource was named.
    Empty,
    /// A name that no resource can have.
    InvalidName(String),
    /// More resources than the coordinator takes in one transaction.
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many it takes.
        most: usize,
    },
    /// Others held the resources for the whole time.
    Timeout {
        /// How long that was.
        waited: Duration,
        /// Who was before us, the first first.
        before: Vec<Ticket>,
    },
    /// The set was held, or its place in the queue, and is no more; the text says why.
    Lost(String),
    /// Nobody holds or waits under that id.
    NoSuchTicket(String),
    /// The coordinator does not answer. What was asked may have been done.
    Unavailable {
        /// Which one.
        endpoints: String,
        /// Its last words.
        why: String,
    },
    /// The coordinator refuses us: user, password or certificate.
    Denied {
        /// Which one.
        endpoints: String,
        /// Its words.
        why: String,
    },
    /// The coordinator is another one than that on record, or its data was wiped.
    OtherCluster {
        /// What is on record.
        expected: String,
        /// What answered.
        found: String,
    },
    /// What the user set cannot be meant.
    Settings(String),
    /// File locks do not hold there.
    Unsupported {
        /// Where.
        path: PathBuf,
        /// On what.
        file_system: String,
    },
    /// The operating system refused.
    Io {
        /// On which file.
        path: PathBuf,
        /// For what kind of reason.
        kind: std::io::ErrorKind,
        /// In its words.
        why: String,
    },
}

impl LockError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), kind: error.kind(), why: error.to_string() }
    }
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("a lock on nothing"),
            Self::InvalidName(name) => write!(f, "no resource can be called {name:?}"),
            Self::TooMany { asked, most } => {
                write!(f, "{asked} resources at once, where {most} are the most")
            }
            Self::Timeout { waited, before } => {
                write!(f, "others held the resources for all of {} ms", waited.as_millis())?;
                before.iter().try_for_each(|ticket| write!(f, "; {ticket}"))
            }
            Self::Lost(why) => write!(f, "the lock is lost: {why}"),
            Self::NoSuchTicket(id) => write!(f, "nobody holds or waits under {id:?}"),
            Self::Unavailable { endpoints, why } => write!(f, "etcd at {endpoints} does not answer: {why}"),
            Self::Denied { endpoints, why } => write!(f, "etcd at {endpoints} refuses us: {why}"),
            Self::OtherCluster { expected, found } => {
                write!(
                    f,
                    "this is not the etcd on record, or its data was wiped: {expected} was, {found} answers"
                )
            }
            Self::Settings(what) => f.write_str(what),
            Self::Unsupported { path, file_system } => write!(
                f,
                "file locks do not hold on {file_system}, where {} is: use ext4, xfs, btrfs, zfs, tmpfs or overlay, \
                 or coordinate through etcd",
                path.display()
            ),
            Self::Io { path, why, .. } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for LockError {}
