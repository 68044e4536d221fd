//! Stores that many write and many read: snapshots of all tables together, made by one commit after another.
//!
//! Data files are immutable and have unique names; a manifest says which of them are which table's; whoever gives a
//! manifest the next number has committed. So a reader needs the number of the newest manifest and nothing else: no
//! lock, no waiting, and no mixture. `docs/consistency.md` says what is promised, and which test shows it.

mod as_of;
mod checkpoint;
mod commit;
mod compact;
mod files;
mod gc;
mod head;
mod history;
mod init;
mod layout;
mod locks;
mod manifest;
mod models;
mod repair;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;
mod unique;
mod write;

pub(crate) use unique::unique;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::doctor::Medium;
use crate::{Error, Result};
use commit::{CommitPoint, Ground, Newest};
use files::Files;
use hypostyle_io::{IoMode, ParquetFile, Run};
use layout::Layout;
use manifest::{FileEntry, TableEntry};
use snapshot::{Kept, Snapshot};

pub use as_of::AsOf;
pub use gc::{GcOptions, GcReport};
pub use history::{Difference, ModelChange, SnapshotReport, TableChange};
pub use init::{Coordination, Initialized, init};
pub use locks::LockReport;
pub(crate) use locks::from_lock;
pub(crate) use models::{Card, FoundModel, MOST_CARD, unpack};
pub use models::{ModelData, ModelInfo, ModelKind, ModelReport, ModelVersion, NewModel, PutOptions};
pub use repair::{Finding, RepairReport};
pub use transaction::{Committed, Transaction, TransactionOptions, WriteMode, WriteOptions};

/// A managed store, opened.
#[derive(Debug)]
pub(crate) struct Managed {
    layout: Layout,
    files: Files,
    point: Box<dyn CommitPoint>,
    kept: Kept,
    locks: locks::Place,
    is_local: bool,
    medium: Medium,
    /// The newest snapshot that this process has seen.
    known: AtomicU64,
    /// When it was looked for last.
    looked: Mutex<Option<Instant>>,
    /// Opened files that were found to be those that are listed, by their number.
    checked: Mutex<std::collections::HashSet<u64>>,
}

/// The files of a table as of a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct ListedTable {
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
    files: Vec<(PathBuf, FileEntry)>,
}

/// Tables as of one snapshot.
#[derive(Debug)]
pub(crate) struct View<'s> {
    managed: &'s Managed,
    snapshot: Snapshot<'s>,
    known_at: Option<u64>,
}

impl Managed {
    /// The store in a folder, if it is managed.
    pub(crate) fn at(root: &Path) -> Result<Option<Self>> {
        Self::with(root, Files::default())
    }

    fn with(root: &Path, files: Files) -> Result<Option<Self>> {
        let layout = Layout::of(root);
        let Some(marker) = init::read_marker(&layout)? else { return Ok(None) };
        let (point, locks) = init::open(&marker, &layout, &files)?;
        Ok(Some(Self {
            point,
            locks,
            is_local: marker.is_local(),
            medium: Medium::at(root),
            layout,
            files,
            kept: Kept::default(),
            known: AtomicU64::new(0),
            looked: Mutex::new(None),
            checked: Mutex::default(),
        }))
    }

    /// What a commit needs; where locks do not hold, commits do not either.
    fn ground(&self) -> Result<Ground<'_>> {
        self.locks.get()?;
        let Self { layout, files, kept, point, .. } = self;
        Ok(Ground { layout, files, kept, point: point.as_ref() })
    }

    /// The newest snapshot, for those who are about to change something.
    fn newest(&self) -> Result<Snapshot<'_>> {
        self.seen(&self.point.newest(self.known.load(Ordering::Acquire))?)
    }

    /// What the commit point found to be the newest snapshot.
    fn seen(&self, newest: &Newest) -> Result<Snapshot<'_>> {
        self.known.fetch_max(newest.number, Ordering::AcqRel);
        Snapshot::newest(&self.layout, &self.kept, newest)
    }

    /// The newest snapshot for a reader, or one that was the newest not longer ago than `staleness`. Where nobody
    /// can be asked, the last one that is known, and since when.
    fn newest_to_read(&self, staleness: Duration) -> Result<(Snapshot<'_>, Option<u64>)> {
        let poisoned = |_| Error::internal("the lock of the newest snapshot is poisoned");
        let known = self.known.load(Ordering::Acquire);
        let fresh = !staleness.is_zero()
            && self.looked.lock().map_err(poisoned)?.is_some_and(|looked| looked.elapsed() <= staleness);
        if fresh && let Ok(snapshot) = Snapshot::read(&self.layout, &self.kept, known) {
            return Ok((snapshot, None));
        }
        let newest: Newest = self.point.newest_to_read(known)?;
        self.known.fetch_max(newest.number, Ordering::AcqRel);
        if newest.as_of.is_none() {
            let mut looked = self
                .looked
                .lock()
                .map_err(|_| Error::internal("the lock of the newest snapshot is poisoned"))?;
            *looked = Some(Instant::now());
        }
        Ok((Snapshot::newest(&self.layout, &self.kept, &newest)?, newest.as_of))
    }

    /// The tables of the snapshot that a reader asks for.
    pub(crate) fn view(&self, as_of: Option<&AsOf>, staleness: Duration) -> Result<View<'_>> {
        // A snapshot by its number is what it is; what a time or a tag means may have changed.
        let staleness = match as_of {
            None => staleness,
            Some(AsOf::Snapshot(number)) if *number <= self.known.load(Ordering::Acquire) => staleness,
            Some(_) => Duration::ZERO,
        };
        let (newest, known_at) = self.newest_to_read(staleness)?;
        let snapshot = match as_of {
            None => newest,
            Some(as_of) => as_of::resolve(self, &newest, as_of)?,
        };
        Ok(View { managed: self, snapshot, known_at })
    }

    /// Where the store lies.
    pub(crate) fn root(&self) -> &Path {
        self.layout.root()
    }

    /// How a table's files are read, where the caller leaves it open: published files never change, so those on
    /// local disks are mapped.
    pub(crate) fn io_mode(&self, asked: IoMode) -> IoMode {
        match asked {
            IoMode::Auto if self.medium.may_map() => IoMode::Mmap,
            asked => asked,
        }
    }

    /// Checks, once for an opened file, that it is the one that is listed.
    fn check(&self, opened: &ParquetFile, table: &ListedTable, at: usize, run: &Run) -> Result<()> {
        let poisoned = |()| Error::internal("the lock of the checked files is poisoned");
        if self.checked.lock().map_err(|_| poisoned(()))?.contains(&opened.number()) {
            return Ok(());
        }
        // Nobody waits while a file is read.
        if let Some((_, listed)) = table.files.get(at) {
            write::open(opened, listed, &table.name, run)?;
        }
        let mut checked = self.checked.lock().map_err(|_| poisoned(()))?;
        if checked.len() > 1 << 16 {
            checked.clear();
        }
        checked.insert(opened.number());
        Ok(())
    }
}

impl ListedTable {
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// An error of opening one of its files.
    pub(crate) fn gone(&self, error: Error) -> Error {
        write::gone(error, &self.name)
    }
}

impl View<'_> {
    /// The snapshot's number.
    pub(crate) fn number(&self) -> u64 {
        self.snapshot.number()
    }

    /// If nobody could be asked for the newest: when the one that was taken for it was, in nanoseconds since 1970.
    pub(crate) fn known_at(&self) -> Option<u64> {
        self.known_at
    }

    /// How a table's files are read, where the caller leaves it open.
    pub(crate) fn io_mode(&self, asked: IoMode) -> IoMode {
        self.managed.io_mode(asked)
    }

    /// Checks that an opened file is the one that is listed.
    pub(crate) fn check(
        &self,
        opened: &ParquetFile,
        table: &ListedTable,
        at: usize,
        run: &Run,
    ) -> Result<()> {
        self.managed.check(opened, table, at, run)
    }

    /// The names of all tables.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        Ok(self.snapshot.tables()?.into_keys().collect())
    }

    /// The columns of a table.
    pub(crate) fn schema(&self, name: &str) -> Result<Option<arrow_schema::SchemaRef>> {
        self.snapshot.table(name)?.map(|table| write::schema_of(&table)).transpose()
    }

    /// The table of that name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<ListedTable>> {
        let Some(entry) = self.snapshot.table(name)? else { return Ok(None) };
        let TableEntry { key, files, .. } = entry;
        let files = files.into_iter().map(|file| Ok((self.managed.layout.data(name, &file.name)?, file)));
        Ok(Some(ListedTable { name: name.to_owned(), key, files: files.collect::<Result<_>>()? }))
    }

    /// The same; there must be one.
    pub(crate) fn table(&self, name: &str) -> Result<ListedTable> {
        self.find(name)?.ok_or_else(|| no_table(name, &self.names().unwrap_or_default()))
    }
}

fn no_table(name: &str, names: &[String]) -> Error {
    let error = Error::not_found("the store has no such table").table(name);
    match hypostyle_io::did_you_mean(name, names.iter().map(String::as_str)) {
        Some(hint) => error.hint(hint),
        None => error.hint("`hypostyle write` makes tables; files that were put there otherwise are none"),
    }
}
