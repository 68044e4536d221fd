//! What stands in etcd about the newest snapshot.
//!
//! ```text
//! PREFIX/head   {"snapshot":42,"manifest":"00…042-….manifest","bytes":…,"checksum":…,"commit":"…"}
//! ```
//!
//! The other keys below the prefix are those of the locks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::super::layout::Layout;
use super::super::super::manifest::Manifest;
use crate::{Error, ErrorKind, Result};

/// For how long a manifest that etcd names is looked for: mounts may show a new name late.
const LATE: Duration = Duration::from_secs(1);

/// The newest snapshot, and the manifest that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) snapshot: u64,
    /// Its file's name, which nobody else gave to another file.
    pub(super) manifest: String,
    pub(super) bytes: u64,
    pub(super) checksum: u32,
    pub(super) commit: String,
}

impl Head {
    /// A head for a manifest under a name that is new.
    pub(super) fn of(manifest: &Manifest, encoded: &[u8]) -> Self {
        Self {
            snapshot: manifest.number,
            manifest: Layout::proposed_name(manifest.number, &super::super::unique()),
            bytes: encoded.len() as u64,
            checksum: crc32fast::hash(encoded),
            commit: manifest.commit.clone(),
        }
    }

    pub(super) fn encode(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::internal("a head is no JSON").source(e))
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let head: Self = serde_json::from_slice(value).map_err(|e| {
            Error::corrupt(format!("what etcd says of the newest snapshot cannot be read: {e}"))
                .hint("`hypostyle repair` says what can be done")
        })?;
        if Layout::proposed_number(&head.manifest) == Some(head.snapshot) {
            return Ok(head);
        }
        Err(Error::corrupt(format!("etcd names {:?}, which cannot be a manifest", head.manifest)))
    }

    /// The file under the name that etcd gives.
    pub(super) fn path(&self, layout: &Layout) -> PathBuf {
        layout.snapshots().join(&self.manifest)
    }

    /// Reads the manifest, under its own name or its number, and compares it with what etcd says of it.
    pub(super) fn read(&self, layout: &Layout) -> Result<(Arc<Manifest>, u32)> {
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(5));
        loop {
            for path in [self.path(layout), layout.snapshot(self.snapshot)] {
                match Manifest::read(&path, self.snapshot) {
                    Ok((manifest, checksum)) if checksum == self.checksum => {
                        return Ok((Arc::new(manifest), checksum));
                    }
                    Ok(_) => {
                        return Err(Error::corrupt(format!(
                            "it is not the manifest that etcd has for snapshot {}",
                            self.snapshot
                        ))
                        .path(&path)
                        .hint("`hypostyle repair` says what can be done"));
                    }
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
            if waited >= LATE {
                return Err(Error::corrupt(format!(
                    "the manifest of snapshot {}, which etcd names, is missing",
                    self.snapshot
                ))
                .path(self.path(layout))
                .hint("`hypostyle repair` says what can be done"));
            }
            std::thread::sleep(pause);
            waited += pause;
            pause *= 2;
        }
    }
}
