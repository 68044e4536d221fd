//! What nobody can ask for any more is removed: first a commit says which snapshots are gone, and only after a grace
//! do their files go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::commit::{Wish, commit};
use super::layout::Layout;
use super::manifest::{Entry, names};
use super::snapshot::Snapshot;
use super::{Managed, unique};
use crate::{Error, Result};

/// How long what nobody needs stays.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GcOptions {
    /// Longer than the longest read and the longest write: 24 hours.
    pub grace: Duration,
    /// Whether files are removed, or only said to be.
    pub remove: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { grace: Duration::from_secs(24 * 3600), remove: false }
    }
}

/// What gc removed, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GcReport {
    /// Whether files were removed.
    pub removed: bool,
    /// The oldest snapshot that is kept, but for tagged ones.
    pub horizon: u64,
    /// Files below the root.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

impl Managed {
    /// Removes what nobody can ask for any more.
    ///
    /// A snapshot is gone when another took its place longer ago than the grace. What only such snapshots have is
    /// removed when they have been gone for the grace; what no snapshot has, when it is older than the grace.
    pub(crate) fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        let cutoff =
            unique::now().saturating_sub(u64::try_from(options.grace.as_nanos()).unwrap_or(u64::MAX));
        let newest = self.newest()?;
        // What was the newest at the cutoff was superseded after it.
        let at_cutoff = self.newest_at(&newest, cutoff)?;
        let mut horizon =
            at_cutoff.map_or(newest.manifest.horizon, |number| number.max(newest.manifest.horizon));
        if options.remove && horizon > newest.manifest.horizon {
            let wish = Wish { horizon: Some(horizon), ..Wish::new(format!("gc before {horizon}")) };
            commit(self.ground()?, &wish, |_| Ok(Default::default()))?;
        }
        // Gone for the grace are those that a snapshot of the cutoff said to be gone.
        let newest = self.newest()?;
        horizon = horizon.max(newest.manifest.horizon);
        let gone = if options.grace.is_zero() {
            if options.remove { newest.manifest.horizon } else { horizon }
        } else {
            match self.newest_at(&newest, cutoff)? {
                Some(number) => self.kept.manifest(&self.layout, number)?.0.horizon,
                None => 0,
            }
        };
        // In this order: a writer whose locks were free after its files were seen has committed them or never will.
        let there = self.there(options.grace)?;
        let held: BTreeSet<u64> = self.held_locks()?.into_iter().filter_map(|lock| lock.fence).collect();
        let newest = self.newest()?;
        let needed = self.needed(&newest, gone)?;
        let doomed = there.into_iter().filter(|(path, what, _)| {
            !needed.contains(path)
                && match what {
                    What::Manifest(number) => *number < gone,
                    // Whoever has just written it can still build upon it.
                    What::Checkpoint(number) => number + super::commit::FURTHEST <= newest.number(),
                    // The newest may have no other name yet, and one that follows it may be about to be committed,
                    // however long ago it was written. All before have the names of their numbers, or lost.
                    What::Proposed(number) => *number < newest.number(),
                    What::Staged => true,
                    What::Data(fence) => !held.contains(fence),
                }
        });
        let mut report = GcReport { removed: options.remove, horizon, ..GcReport::default() };
        for (path, _, bytes) in doomed {
            if options.remove {
                self.files.remove(&path)?;
            }
            report.bytes += bytes;
            report.files.push(path.strip_prefix(self.layout.root()).unwrap_or(&path).display().to_string());
        }
        Ok(report)
    }

    /// The snapshot that was the newest at a moment.
    fn newest_at(&self, newest: &Snapshot<'_>, moment: u64) -> Result<Option<u64>> {
        match super::as_of::resolve(self, newest, &super::AsOf::Time(moment)) {
            Ok(snapshot) => Ok(Some(snapshot.number())),
            Err(e) if e.kind() == crate::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// All files that the snapshots from `gone` on, and the tagged ones, are made of.
    fn needed(&self, newest: &Snapshot<'_>, gone: u64) -> Result<BTreeSet<PathBuf>> {
        let mut needed = BTreeSet::new();
        let whole = |number: u64, needed: &mut BTreeSet<PathBuf>| -> Result<()> {
            let snapshot = Snapshot::read(&self.layout, &self.kept, number)?;
            for (name, entry) in snapshot.entries("")? {
                self.needed_by(&name, &entry, needed)?;
            }
            self.needed_to_read(&snapshot, needed)
        };
        whole(gone, &mut needed)?;
        // Of the later ones only what they changed is new.
        for number in gone + 1..=newest.number() {
            let snapshot = Snapshot::read(&self.layout, &self.kept, number)?;
            for (name, entry) in snapshot.changes()? {
                if let Some(entry) = entry {
                    self.needed_by(&name, &entry, &mut needed)?;
                }
            }
            self.needed_to_read(&snapshot, &mut needed)?;
        }
        for number in newest.tags()?.into_values().filter(|number| *number < gone) {
            whole(number, &mut needed)?;
        }
        Ok(needed)
    }

    /// The files that an entry names.
    fn needed_by(&self, entry_name: &str, entry: &Entry, needed: &mut BTreeSet<PathBuf>) -> Result<()> {
        match (entry, entry_name.strip_prefix(names::TABLE)) {
            (Entry::Table(table), Some(name)) => {
                for file in &table.files {
                    needed.insert(self.layout.data(name, &file.name)?);
                }
            }
            (Entry::Model(model), _) => {
                for version in &model.versions {
                    needed.insert(self.layout.pack(&version.file)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The manifests and the checkpoint that a snapshot is read from.
    fn needed_to_read(&self, snapshot: &Snapshot<'_>, needed: &mut BTreeSet<PathBuf>) -> Result<()> {
        needed.insert(self.layout.snapshot(snapshot.number()));
        needed.extend(snapshot.manifest.recent.values().map(|number| self.layout.snapshot(*number)));
        for checkpoint in snapshot.manifest.checkpoint.iter().chain(&snapshot.manifest.lists) {
            needed.insert(self.layout.checkpoint(&checkpoint.file)?);
        }
        Ok(())
    }

    /// All files of ours that are old enough.
    fn there(&self, grace: Duration) -> Result<Vec<(PathBuf, What, u64)>> {
        let mut there = Vec::new();
        let mut look = |folder: &Path, grace: Duration, what: &dyn Fn(&str) -> Option<What>| -> Result<()> {
            for entry in list(folder)? {
                let Ok(metadata) = entry.metadata() else { continue };
                let is_old = metadata.modified().is_ok_and(|modified| {
                    SystemTime::now().duration_since(modified).unwrap_or_default() >= grace
                });
                if let Some(what) = entry.file_name().to_str().and_then(what)
                    && is_old
                    && metadata.is_file()
                {
                    there.push((entry.path(), what, metadata.len()));
                }
            }
            Ok(())
        };
        let number = |name: &str| Layout::snapshot_number(name.as_ref()).map(What::Manifest);
        look(&self.layout.snapshots(), Duration::ZERO, &number)?;
        look(&self.layout.snapshots(), grace, &|name| Layout::proposed_number(name).map(What::Proposed))?;
        look(&self.layout.staging(), grace, &|_| Some(What::Staged))?;
        look(&self.layout.checkpoints(), grace, &|name| {
            Layout::checkpoint_number(name).map(What::Checkpoint)
        })?;
        if self.layout.models().is_dir() {
            look(&self.layout.models(), grace, &|name| Layout::pack_fence(name).map(What::Data))?;
        }
        for entry in list(self.layout.root())? {
            let is_table =
                entry.file_name().to_str().is_some_and(|name| super::layout::check_table_name(name).is_ok());
            if is_table && entry.file_type().is_ok_and(|t| t.is_dir()) {
                look(&entry.path(), grace, &|name| Layout::data_fence(name).map(What::Data))?;
            }
        }
        there.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        Ok(there)
    }
}

/// A file of ours, by its name.
enum What {
    Manifest(u64),
    /// A manifest by a name of its own.
    Proposed(u64),
    Checkpoint(u64),
    Staged,
    /// With the fence of its writer.
    Data(u64),
}

fn list(folder: &Path) -> Result<Vec<std::fs::DirEntry>> {
    let from_io = |e| Error::from_io(folder, e);
    std::fs::read_dir(folder).map_err(from_io)?.collect::<std::io::Result<_>>().map_err(from_io)
}
