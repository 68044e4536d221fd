//! The part of the probe that costs next to nothing: what a store asks whenever it is opened or made.

use std::fs::File;
use std::path::Path;

use hypostyle_io::{MountReport, mount_of};
use rustix::fs::{FlockOperation, flock};

use super::scratch::Scratch;
use crate::managed::from_lock;
use crate::{Error, Result};

/// What is known of a file system without asking it more than its name.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    pub(super) mount: Option<MountReport>,
    /// Its name, if it is one of those on which stores are coordinated locally.
    local: Option<&'static str>,
}

impl Medium {
    pub(crate) fn at(path: &Path) -> Self {
        let mount = mount_of(path);
        // A mount that may hang is not asked for what its kind says already.
        let is_remote = mount.as_ref().is_some_and(|mount| mount.is_remote);
        let local = if is_remote { None } else { hypostyle_lock::local_file_system(path).ok() };
        Self { mount, local }
    }

    /// Its name, if stores there can be coordinated locally.
    pub(crate) fn local(&self) -> Option<&'static str> {
        self.local
    }

    /// The type of its file system.
    pub(crate) fn kind(&self) -> &str {
        self.mount.as_ref().map(|mount| mount.kind.as_str()).or(self.local).unwrap_or("unknown")
    }

    pub(crate) fn is_remote(&self) -> bool {
        self.mount.as_ref().is_some_and(|mount| mount.is_remote)
    }

    /// Whether files that never change are safely mapped: a disk of this machine does not go away under a map.
    pub(crate) fn may_map(&self) -> bool {
        self.local.is_some()
    }

    /// Does what a commit depends on, once: a second name for a file, one that is taken, and a lock.
    ///
    /// # Errors
    /// What the file system does not do, or does otherwise.
    pub(crate) fn check(&self, root: &Path, needs_locks: bool) -> Result<()> {
        let scratch = Scratch::new(root, None).map_err(|e| Error::from_io(root, e))?;
        let (one, other, taken) =
            (scratch.path().join("1"), scratch.path().join("2"), scratch.path().join("3"));
        let refused = |what: &str, why: String| {
            Error::unsupported(format!("the file system {what}, on which a commit depends{why}"))
                .path(root)
                .hint("`hypostyle doctor` says what can be done there")
        };
        let from_io = |e| Error::from_io(root, e);
        std::fs::write(&one, "1").and_then(|()| std::fs::write(&taken, "3")).map_err(from_io)?;
        if let Err(error) = std::fs::hard_link(&one, &other) {
            return Err(refused("gives no file a second name", format!(": {error}")));
        }
        let again = std::fs::hard_link(&one, &taken);
        if !again.is_err_and(|e| e.kind() == std::io::ErrorKind::AlreadyExists) {
            return Err(refused("links to a name that is taken", String::new()));
        }
        if needs_locks {
            let lock = || File::options().read(true).write(true).open(&one);
            let (first, second) = (lock().map_err(from_io)?, lock().map_err(from_io)?);
            let lock = |file: &File| flock(file, FlockOperation::NonBlockingLockExclusive);
            if let Err(error) = lock(&first) {
                return Err(refused("has no file locks", format!(": {error}")));
            }
            if lock(&second).is_ok() {
                return Err(refused("gives a file lock to two at once", String::new()));
            }
        }
        Ok(())
    }
}

/// Why a store cannot be coordinated locally here.
pub(crate) fn not_local(path: &Path) -> Option<Error> {
    hypostyle_lock::local_file_system(path).err().map(from_lock)
}
