//! What a store can do that is managed: write, and tell of its snapshots.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use hypostyle_io::Run;

use super::resolve::Place;
use super::roots::Wanted;
use super::{JoinOptions, Store};
use crate::managed::{
    AsOf, Committed, Difference, GcOptions, GcReport, LockReport, Managed, RepairReport, SnapshotReport,
    Transaction, TransactionOptions, View, WriteOptions,
};
use crate::{Error, Result};

/// How soon a folder on a mount is looked at again, whether it has become a managed store.
const AGAIN: Duration = Duration::from_secs(1);

/// The managed store under a root, once it was found to be one.
#[derive(Debug, Default)]
pub(super) struct Found(Mutex<Seen>);

#[derive(Debug, Default)]
enum Seen {
    #[default]
    Nothing,
    NotAt(Instant),
    Managed(Arc<Managed>),
}

impl Store {
    /// The managed store under the root, if it is one. A folder may become one while it is open.
    pub(super) fn managed(&self) -> Result<Option<Arc<Managed>>> {
        self.managed_within(&Run::default())
    }

    /// The same, asked for as a run says. That a mount is none, which takes a request to learn, holds for a while.
    pub(super) fn managed_within(&self, run: &Run) -> Result<Option<Arc<Managed>>> {
        let found = self.managed.get();
        let poisoned = || Error::internal("the lock of the managed store is poisoned");
        {
            let found = found.0.lock().map_err(|_| poisoned())?;
            match &*found {
                Seen::Managed(managed) => return Ok(Some(Arc::clone(managed))),
                Seen::NotAt(moment) if moment.elapsed() < AGAIN && self.roots.may_hang() => return Ok(None),
                _ => {}
            }
        }
        // Nobody waits for a lock while a mount is asked.
        let seen = self.roots.managed(run)?.map(Arc::new);
        let mut found = found.0.lock().map_err(|_| poisoned())?;
        match (&*found, seen) {
            (Seen::Managed(managed), _) => Ok(Some(Arc::clone(managed))),
            (_, Some(managed)) => {
                *found = Seen::Managed(Arc::clone(&managed));
                Ok(Some(managed))
            }
            (_, None) => {
                *found = Seen::NotAt(Instant::now());
                Ok(None)
            }
        }
    }

    pub(super) fn must_be_managed(&self) -> Result<Arc<Managed>> {
        self.managed()?.ok_or_else(|| {
            let root =
                if self.base().as_os_str().is_empty() { std::path::Path::new(".") } else { self.base() };
            Error::invalid("the root is no managed store")
                .path(root)
                .hint("`hypostyle init` makes it one; files that are there already stay as they are")
        })
    }

    /// Whether the root is a managed store: its tables have snapshots and can be written.
    ///
    /// # Errors
    /// Those of looking there, and of a store that is damaged or that this version does not know.
    pub fn is_managed(&self) -> Result<bool> {
        self.managed().map(|found| found.is_some())
    }

    /// Writes rows to one table, durably when this returns. A table is made by its first write.
    ///
    /// # Errors
    /// Those of [`Transaction::write`] and [`Transaction::commit`].
    pub fn write(&self, table: &str, data: &RecordBatch, options: &WriteOptions) -> Result<Committed> {
        self.change(table, |transaction| transaction.write(table, data, options))
    }

    /// Deletes the rows of a table from `from` up to, without, `to`; all, when both are left out.
    ///
    /// # Errors
    /// Those of [`Transaction::delete`] and [`Transaction::commit`].
    pub fn delete(&self, table: &str, from: Option<&str>, to: Option<&str>) -> Result<Committed> {
        self.change(table, |transaction| transaction.delete(table, from, to))
    }

    /// Joins the small files of a table to large ones; its rows stay the same.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such table; those of reading and writing.
    pub fn compact(&self, table: &str) -> Result<Committed> {
        self.must_be_managed()?.view(None, Duration::ZERO)?.table(table)?;
        self.change(table, |transaction| transaction.compact(table))
    }

    fn change(&self, table: &str, work: impl FnOnce(&mut Transaction) -> Result<()>) -> Result<Committed> {
        let mut transaction = self.transaction([table])?;
        work(&mut transaction)?;
        transaction.commit()
    }

    /// Begins to change some tables together.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the root is no managed store, or a name can be no
    /// table's.
    pub fn transaction<S: Into<String>>(&self, tables: impl IntoIterator<Item = S>) -> Result<Transaction> {
        self.transaction_with(tables, &TransactionOptions::default())
    }

    /// The same, in the way that `options` says.
    ///
    /// # Errors
    /// Those of [`Store::transaction`].
    pub fn transaction_with<S: Into<String>>(
        &self,
        tables: impl IntoIterator<Item = S>,
        options: &TransactionOptions,
    ) -> Result<Transaction> {
        let tables = tables.into_iter().map(Into::into).collect();
        let run = options.run.clone().unwrap_or_else(|| JoinOptions::default().run());
        Transaction::begin(self.must_be_managed()?, tables, options, run)
    }

    /// The Parquet files of a table, for other tools: in a managed store those of one snapshot.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such table or snapshot.
    pub fn files(&self, table: &str, as_of: Option<&AsOf>) -> Result<Vec<PathBuf>> {
        match self.managed()? {
            Some(managed) => Ok(managed.view(as_of, Duration::ZERO)?.table(table)?.paths()),
            None if as_of.is_some() => self.must_be_managed().map(|_| Vec::new()),
            None => {
                let run = Run::default();
                let found = self.roots.find(Wanted::Table(table.to_owned()), &run).wait(&run);
                let found = found.map_err(|e| e.table(table))?;
                Ok(found.iter().map(|place| place.path().to_owned()).collect())
            }
        }
    }

    /// The columns of a table; `None` if there is no such table yet.
    ///
    /// # Errors
    /// Those of reading manifests.
    pub fn schema(&self, table: &str) -> Result<Option<arrow_schema::SchemaRef>> {
        self.must_be_managed()?.view(None, Duration::ZERO)?.schema(table)
    }

    /// The number of the newest snapshot, or of the one that is meant.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such snapshot.
    pub fn snapshot(&self, as_of: Option<&AsOf>) -> Result<u64> {
        Ok(self.must_be_managed()?.view(as_of, Duration::ZERO)?.number())
    }

    /// The newest `most` commits, the newest first; of one table alone, if it is named.
    ///
    /// # Errors
    /// Those of reading manifests.
    pub fn log(&self, table: Option<&str>, most: usize) -> Result<Vec<SnapshotReport>> {
        self.must_be_managed()?.log(table, most)
    }

    /// What differs between two snapshots.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such snapshot.
    pub fn diff(&self, from: &AsOf, to: &AsOf) -> Result<Difference> {
        self.must_be_managed()?.diff(from, to)
    }

    /// Names a snapshot, the newest if none is given; gc keeps it. `replace` moves a tag that names another.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) if the tag names another snapshot.
    pub fn tag(&self, tag: &str, as_of: Option<&AsOf>, replace: bool) -> Result<u64> {
        self.must_be_managed()?.tag(tag, as_of, replace)
    }

    /// Takes a tag away.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such tag.
    pub fn untag(&self, tag: &str) -> Result<()> {
        self.must_be_managed()?.untag(tag)
    }

    /// The tags and the snapshots they name.
    ///
    /// # Errors
    /// Those of reading manifests.
    pub fn tags(&self) -> Result<BTreeMap<String, u64>> {
        self.must_be_managed()?.tags()
    }

    /// The snapshot that a commit made, if it was made after snapshot `after`: how to tell what became of a commit
    /// that got no answer.
    ///
    /// # Errors
    /// Those of reading manifests.
    pub fn find_commit(&self, commit: &str, after: u64) -> Result<Option<u64>> {
        self.must_be_managed()?.find_commit(commit, after)
    }

    /// Removes, or says that it would remove, what nobody can ask for any more.
    ///
    /// # Errors
    /// Those of reading manifests and removing files.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        self.must_be_managed()?.gc(options)
    }

    /// Who holds or waits for which tables.
    ///
    /// # Errors
    /// Those of looking.
    pub fn locks(&self) -> Result<Vec<LockReport>> {
        self.must_be_managed()?.held_locks()
    }

    /// Breaks a lock, by its id in [`Store::locks`]: its holder can commit nothing any more. The number of the
    /// snapshot that says so.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if nobody holds or waits under that id.
    pub fn break_lock(&self, id: &str) -> Result<u64> {
        self.must_be_managed()?.break_lock(id)
    }

    /// Looks for damage and says what it would do about it; `apply` does it.
    ///
    /// # Errors
    /// Those of looking.
    pub fn repair(&self, apply: bool) -> Result<RepairReport> {
        self.must_be_managed()?.repair(apply)
    }
}

/// Whether a path, where a table's name could stand, is a name.
pub(super) fn as_name(path: &str) -> bool {
    crate::spec::is_identifier(path)
}

/// Refuses a path into a managed table's folder: its files belong to snapshots, and all of them together to none.
pub(super) fn check_path(view: &View<'_>, place: &Place, path: &str) -> Result<()> {
    let below = std::path::Path::new(path);
    let below = below.strip_prefix(&place.base).unwrap_or(below);
    let first = below.components().find_map(|part| match part {
        std::path::Component::Normal(name) => Some(name.to_str()),
        std::path::Component::CurDir => None,
        _ => Some(None),
    });
    let Some(Some(first)) = first else { return Ok(()) };
    if !as_name(first) || view.find(first)?.is_none() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the path leads into the managed table `{first}`, whose files belong to snapshots"
    ))
    .path(path)
    .hint(format!("name the table: `name: {first}`, or --table {first}:COLUMN,…")))
}
