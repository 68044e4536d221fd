//! The commit point of one machine: the `link()` of a written and synced manifest to the next number's name.

use super::super::files::{Files, Syncs};
use super::super::head;
use super::super::layout::Layout;
use super::super::manifest::Manifest;
use super::turn::Turns;
use super::{CommitPoint, Newest, Turn, UNKNOWN, Wish};
use crate::{Error, ErrorKind, Result};

/// A folder on a local file system.
#[derive(Debug)]
pub(crate) struct Local {
    layout: Layout,
    files: Files,
    turns: Turns,
}

impl Local {
    pub(in super::super) fn new(layout: Layout, files: Files) -> Self {
        Self { layout, files, turns: Turns::default() }
    }
}

impl Local {
    /// Whether the name was free because gc had removed the snapshot that had it: whoever was stopped just before
    /// the link may find it so, long after.
    fn is_left_behind(&self, number: u64) -> Result<bool> {
        let newest = head::newest(&self.layout, 0)?;
        Ok(newest > number && Manifest::read(&self.layout.snapshot(newest), newest)?.0.horizon > number)
    }
}

impl CommitPoint for Local {
    fn newest(&self, known: u64) -> Result<Newest> {
        head::newest(&self.layout, known).map(Newest::from)
    }

    fn turn(&self, syncs: &Syncs) -> Result<Turn> {
        syncs.wait()?;
        Ok(self.turns.take(&self.layout.snapshots()))
    }

    /// A link compares nothing: whoever holds something asks about it just before.
    fn propose(&self, manifest: &Manifest, wish: &Wish, turn: Turn) -> Result<bool> {
        // Done before, by whoever took the turn.
        wish.syncs.wait()?;
        let staged = self.layout.staging().join(format!("{}.manifest", super::unique()));
        let target = self.layout.snapshot(manifest.number);
        let linked =
            self.files.create(&staged, &manifest.encode()?).and_then(|()| self.files.link(&staged, &target));
        // The next one need not wait for what makes this one durable.
        drop(turn);
        // Whatever came of it: what is staged is no part of the store.
        let removed = self.files.remove(&staged);
        if let Err(error) = removed {
            tracing::debug!(%error, "a staged manifest was left behind");
        }
        if !linked? {
            return Ok(false);
        }
        if self.is_left_behind(manifest.number)? {
            self.files.remove(&target)?;
            return Ok(false);
        }
        // Readers see it from here on; whether a power cut leaves it is known after this.
        self.files.sync_folder(&self.layout.snapshots()).map_err(|e| {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{UNKNOWN}: snapshot {} stands, but may not outlast a power cut: {}",
                    manifest.number,
                    e.message()
                ),
            )
            .path(&target)
            .source(e)
        })?;
        head::note(&self.layout, &self.files, manifest.number);
        Ok(true)
    }
}
