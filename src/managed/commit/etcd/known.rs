//! The last head that this machine knows, for reads while etcd does not answer.
//!
//! One small file a store, in a folder that is this user's alone: `HYPOSTYLE_ETCD_STATE`, or
//! `/var/tmp/hypostyle-UID`. Nobody is harmed by its loss but who reads while etcd is gone.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::super::unique::unique;
use super::head::Head;

/// What was last heard of etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The cluster that said so.
    pub(super) cluster: String,
    /// Its revision then: a lower one, later, is another's.
    pub(super) revision: i64,
    pub(super) head: Head,
    /// When, in nanoseconds since 1970.
    pub(super) at: u64,
}

/// Where it is written down.
#[derive(Debug)]
pub(super) struct Place(Option<PathBuf>);

impl Place {
    pub(super) fn of(store: &str) -> Self {
        let folder = std::env::var_os("HYPOSTYLE_ETCD_STATE").filter(|folder| !folder.is_empty());
        let uid = rustix::process::getuid().as_raw();
        let folder = folder.map_or_else(|| PathBuf::from(format!("/var/tmp/hypostyle-{uid}")), PathBuf::from);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        // Who finds somebody else's folder there must not believe it.
        let is_ours = std::fs::symlink_metadata(&folder)
            .is_ok_and(|found| found.is_dir() && found.uid() == uid && found.mode() & 0o022 == 0);
        if !is_ours {
            tracing::warn!(folder = %folder.display(), ?made, "no place to keep what etcd said last");
        }
        Self(is_ours.then(|| folder.join(format!("{store}.json"))))
    }

    pub(super) fn read(&self, cluster: &str) -> Option<Known> {
        let known: Known = serde_json::from_slice(&std::fs::read(self.0.as_ref()?).ok()?).ok()?;
        (known.cluster == cluster).then_some(known)
    }

    /// Replaces what is there, unless that is newer.
    pub(super) fn write(&self, known: &Known) {
        let Some(path) = &self.0 else { return };
        if self.read(&known.cluster).is_some_and(|there| there.revision > known.revision) {
            return;
        }
        if let Err(error) = replace(path, known) {
            tracing::debug!(%error, "what etcd said last was not written down");
        }
    }
}

fn replace(path: &Path, known: &Known) -> std::io::Result<()> {
    let beside = path.with_extension(unique());
    std::fs::write(&beside, serde_json::to_vec(known)?)?;
    std::fs::rename(&beside, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}
