//! A folder of our own on the mount that is probed.

use std::io;
use std::path::{Path, PathBuf};

/// It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it below `path`. The dot hides it from those who look for tables.
    pub(super) fn new(path: &Path, name: Option<&str>) -> io::Result<Self> {
        let name =
            name.map_or_else(|| format!(".hypostyle-doctor-{}", crate::managed::unique()), str::to_owned);
        let folder = path.join(name);
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A second time for mounts that still list what was just removed.
        if std::fs::remove_dir_all(&self.0).is_err()
            && let Err(error) = std::fs::remove_dir_all(&self.0)
        {
            tracing::debug!(%error, "what was made to probe the mount was left behind");
        }
    }
}
