//! Writing several tables so that all of it is seen at once, or nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use hypostyle_engine::KeyPoint;
use hypostyle_io::Run;
use serde::Serialize;

use super::commit::{Changes, UNKNOWN, Wish, commit, conflict};
use super::files::Syncing;
use super::layout::check_table_name;
use super::locks::Grant;
use super::manifest::{ColumnEntry, Entry, FileEntry, Manifest, TableEntry, names};
use super::models::ModelChanges;
use super::snapshot::Snapshot;
use super::write::{self, Action, NewRows, Publisher, Range};
use super::{Managed, no_table, unique};
use crate::{Error, ErrorKind, Result};

/// What a write does with rows whose keys are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Keys must be new.
    #[default]
    Append,
    /// Rows of the same key are replaced, the others added.
    Upsert,
    /// All rows of the table, or of a range of keys, are replaced.
    Replace,
}

impl WriteMode {
    /// Its name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Upsert => "upsert",
            Self::Replace => "replace",
        }
    }
}

impl FromStr for WriteMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Append, Self::Upsert, Self::Replace].into_iter().find(|mode| mode.name() == text).ok_or_else(
            || Error::invalid(format!("there is no mode `{text}`")).hint("append, upsert or replace"),
        )
    }
}

/// How a table is written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// What becomes of keys that are there.
    pub mode: WriteMode,
    /// The key columns; a table keeps those of its first write, and later ones may leave them out.
    pub key: Vec<String>,
    /// The first key that is replaced, for [`WriteMode::Replace`]; from the least when left out.
    pub from: Option<String>,
    /// The first key that is no longer replaced.
    pub to: Option<String>,
}

impl WriteOptions {
    /// Writes in this mode.
    pub fn new(mode: WriteMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The key columns.
    #[must_use]
    pub fn key<S: Into<String>>(mut self, key: impl IntoIterator<Item = S>) -> Self {
        self.key = key.into_iter().map(Into::into).collect();
        self
    }

    /// Only keys from `from` up to, without, `to` are replaced.
    #[must_use]
    pub fn range(mut self, from: Option<String>, to: Option<String>) -> Self {
        (self.from, self.to) = (from, to);
        self
    }
}

/// How a transaction is begun.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// Tables that it reads and that must not change until it commits.
    pub shared: Vec<String>,
    /// Models that it changes. Others may be changed as well: they are waited for when they are.
    pub models: Vec<String>,
    /// Whether it may change any model, and nobody else may meanwhile.
    pub all_models: bool,
    /// The snapshot it is based on; the newest when left out.
    pub base: Option<u64>,
    /// How long to wait for others who write the same tables; 60 seconds when left out.
    pub wait: Option<Duration>,
    /// A run of the caller's own: cancelled, it ends the transaction at its next step, up to its commit and not after.
    pub run: Option<Arc<Run>>,
}

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Committed {
    /// The snapshot that it made; the one it was based on if there was nothing to change.
    pub snapshot: u64,
    /// Its id, empty if there was nothing to change.
    pub commit: String,
    /// Its time, in nanoseconds since 1970.
    pub time_ns: u64,
    /// Tables that it changed, and the rows they have now.
    pub tables: BTreeMap<String, u64>,
    /// Models that it gave a version, and the newest of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, u64>,
}

/// Changes of some tables that become visible together. Dropped without [`Transaction::commit`], nothing happened.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Float64Array, Int64Array, RecordBatch};
/// # let folder = tempfile::tempdir()?;
/// # let keys = Arc::new(Int64Array::from(vec![1, 2]));
/// # let batch = RecordBatch::try_from_iter([("ts", keys as _), ("x", Arc::new(Float64Array::from(vec![0.5, 1.5])) as _)])?;
/// use hypostyle::{Coordination, Store, WriteMode, WriteOptions, init};
///
/// init(folder.path(), &Coordination::Local)?;
/// let store = Store::open(folder.path())?;
/// let mut both = store.transaction(["wind", "load"])?;
/// both.write("wind", &batch, &WriteOptions::new(WriteMode::Upsert).key(["ts"]))?;
/// both.write("load", &batch, &WriteOptions::new(WriteMode::Append).key(["ts"]))?;
/// assert_eq!(both.commit()?.snapshot, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Transaction {
    pub(super) managed: Arc<Managed>,
    pub(super) run: Arc<Run>,
    pub(super) base: u64,
    /// Whether the caller chose what it is based on.
    pub(super) is_pinned: bool,
    pub(super) wait: Option<Duration>,
    /// The tables that may be written.
    tables: Vec<String>,
    /// Tables that must not have changed, and when they had at the base.
    guarded: BTreeMap<String, Option<u64>>,
    pending: BTreeMap<String, TableEntry>,
    written: Vec<PathBuf>,
    pub(super) models: ModelChanges,
    pub(super) wish: Wish,
    pub(super) grant: Grant,
}

impl Transaction {
    pub(crate) fn begin(
        managed: Arc<Managed>,
        tables: Vec<String>,
        options: &TransactionOptions,
        run: Arc<Run>,
    ) -> Result<Self> {
        if tables.is_empty() && options.models.is_empty() && !options.all_models {
            return Err(Error::invalid("a transaction without tables and models changes nothing"));
        }
        for name in tables.iter().chain(&options.shared) {
            check_table_name(name)?;
        }
        let models = ModelChanges::begin(options)?;
        let (grant, newest) = Grant::take(&managed, &tables, &options.shared, models.locks(), options.wait)?;
        // Whoever asked may have gone while others had the tables.
        run.check()?;
        let base = match options.base {
            Some(base) => super::as_of::resolve(&managed, &newest, &super::AsOf::Snapshot(base))?,
            None => newest.clone(),
        };
        let guarded = tables
            .iter()
            .chain(&options.shared)
            .map(|name| Ok((name.clone(), base.table(name)?.map(|table| table.changed))));
        let guarded = guarded.collect::<Result<_>>()?;
        let base = base.number();
        Ok(Self {
            run,
            base,
            is_pinned: options.base.is_some(),
            wait: options.wait,
            tables,
            guarded,
            pending: BTreeMap::new(),
            written: Vec::new(),
            models,
            wish: Wish { proofs: grant.proofs(), ..Wish::new("") },
            grant,
            managed,
        })
    }

    /// The snapshot it is based on: read as of it to see what it will change.
    pub fn snapshot(&self) -> u64 {
        self.base
    }

    /// Its id, by which `hypostyle log` shows it once it is committed.
    pub fn commit_id(&self) -> &str {
        &self.wish.commit
    }

    /// Writes rows to a table; what this transaction wrote before is seen.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) for a table that the transaction does not name, a schema that
    /// clashes with the table's, keys that are null or repeat; those of storage.
    pub fn write(&mut self, table: &str, data: &RecordBatch, options: &WriteOptions) -> Result<()> {
        self.change(table, |before| {
            let rows = write::prepare(data, &options.key, before)?;
            let action = match options.mode {
                WriteMode::Append => Action::Append,
                WriteMode::Upsert => Action::Upsert,
                WriteMode::Replace => {
                    Action::Replace(range(&rows, options.from.as_deref(), options.to.as_deref())?)
                }
            };
            if options.mode != WriteMode::Replace && (options.from.is_some() || options.to.is_some()) {
                return Err(Error::invalid(format!("`{}` takes no range of keys", options.mode.name()))
                    .hint("a range goes with replace"));
            }
            Ok((action, rows))
        })?;
        self.note(format!("{} {table}", options.mode.name()));
        Ok(())
    }

    /// Deletes the rows from `from` up to, without, `to`; all, when both are left out.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for a table that is not there; those of [`Transaction::write`].
    pub fn delete(&mut self, table: &str, from: Option<&str>, to: Option<&str>) -> Result<()> {
        self.change(table, |before| {
            let before = before.ok_or_else(|| no_table(table, &[]))?;
            let schema = write::schema_of(before)?;
            let rows = write::prepare(&RecordBatch::new_empty(schema), &before.key, Some(before))?;
            Ok((Action::Replace(range(&rows, from, to)?), rows))
        })?;
        self.note(format!("delete {table}"));
        Ok(())
    }

    /// Replaces a table's files by others with the same rows.
    pub(super) fn rewrite(&mut self, table: &str, entry: TableEntry, kept: (Vec<PathBuf>, Vec<Syncing>)) {
        self.pending.insert(table.to_owned(), entry);
        self.keep(kept);
        self.note(format!("compact {table}"));
    }

    pub(super) fn publisher(&self) -> Publisher<'_> {
        Publisher::new(&self.managed.layout, &self.managed.files, &self.run, self.grant.fence())
    }

    pub(super) fn entry(&self, table: &str) -> Result<Option<TableEntry>> {
        match self.pending.get(table) {
            Some(entry) => Ok(Some(entry.clone())),
            None => Snapshot::read(&self.managed.layout, &self.managed.kept, self.base)?.table(table),
        }
    }

    fn change(
        &mut self,
        table: &str,
        of: impl FnOnce(Option<&TableEntry>) -> Result<(Action, NewRows)>,
    ) -> Result<()> {
        check_table_name(table)?;
        if !self.tables.iter().any(|name| name == table) {
            return Err(Error::invalid("the transaction was not begun for this table")
                .table(table)
                .hint(format!("it is for {}", self.tables.join(", "))));
        }
        let before = self.entry(table)?;
        let (action, rows) = of(before.as_ref()).map_err(|e| e.table(table))?;
        let mut publisher = self.publisher();
        let files = write::apply(&mut publisher, table, before.as_ref(), &action, &rows)
            .map_err(|e| self.grant.explain(e.table(table)))?;
        let Some(files) = files else { return Ok(()) };
        publisher.settle(table)?;
        let entry = self.table_entry(&rows, files);
        let kept = publisher.keep();
        self.keep(kept);
        self.pending.insert(table.to_owned(), entry);
        Ok(())
    }

    fn keep(&mut self, (written, syncing): (Vec<PathBuf>, Vec<Syncing>)) {
        self.written.extend(written);
        self.wish.syncs.extend(syncing);
    }

    fn table_entry(&self, rows: &NewRows, files: Vec<FileEntry>) -> TableEntry {
        let columns = rows.schema.fields().iter();
        let columns = columns
            .map(|field| ColumnEntry { name: field.name().clone(), data_type: field.data_type().to_string() })
            .collect();
        TableEntry { changed: 0, key: rows.key.clone(), columns, files, fence: self.grant.fence() }
    }

    pub(super) fn note(&mut self, what: String) {
        if !self.wish.what.is_empty() {
            self.wish.what += ", ";
        }
        self.wish.what += &what;
    }

    /// Makes all of it visible, durably, in one snapshot.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict), which says who was first, if one of its tables changed since its base;
    /// [`Unavailable`](ErrorKind::Unavailable) when storage fails, with `outcome unknown` if the commit may stand.
    pub fn commit(mut self) -> Result<Committed> {
        self.run.check()?;
        if self.pending.is_empty() && self.models.is_empty() {
            let base = Snapshot::read(&self.managed.layout, &self.managed.kept, self.base)?;
            return Ok(Committed {
                snapshot: self.base,
                commit: String::new(),
                time_ns: base.manifest.time,
                tables: BTreeMap::new(),
                models: BTreeMap::new(),
            });
        }
        self.models.settle()?;
        if let Some(what) = self.models.summary() {
            self.note(what);
        }
        let managed = Arc::clone(&self.managed);
        let made = commit(managed.ground()?, &self.wish, |head| self.upon(head));
        match made {
            Ok(manifest) => {
                self.written.clear();
                self.models.keep();
                if managed.point.compares_proofs() {
                    self.grant.was_given_back();
                    self.models.were_given_back();
                }
                managed.known.fetch_max(manifest.number, std::sync::atomic::Ordering::AcqRel);
                Ok(self.committed(&manifest))
            }
            Err(error) => {
                if error.kind() == ErrorKind::Unavailable && error.message().starts_with(UNKNOWN) {
                    // The files may be part of the store.
                    self.written.clear();
                    self.models.keep();
                }
                Err(error)
            }
        }
    }

    /// The changes, for a head upon which they can be made.
    fn upon(&self, head: &Snapshot<'_>) -> Result<Changes> {
        self.run.check()?;
        for (name, changed) in &self.guarded {
            let now = head.table(name)?.map(|table| table.changed);
            if now != *changed {
                let by = now.unwrap_or(head.number());
                let by = Snapshot::read(&self.managed.layout, &self.managed.kept, by)?;
                return Err(conflict(name, &by.manifest));
            }
        }
        self.grant.check(&self.managed, head)?;
        let number = head.number() + 1;
        let change = |(name, entry): (&String, &TableEntry)| {
            (names::table(name), Some(Entry::Table(TableEntry { changed: number, ..entry.clone() })))
        };
        let mut changes: Changes = self.pending.iter().map(change).collect();
        self.models.upon(&self.managed, head, &mut changes)?;
        Ok(changes)
    }

    fn committed(&self, manifest: &Manifest) -> Committed {
        Committed {
            snapshot: manifest.number,
            commit: manifest.commit.clone(),
            time_ns: manifest.time,
            tables: self.pending.iter().map(|(name, entry)| (name.clone(), entry.rows())).collect(),
            models: super::models::committed(&self.models),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        write::discard(&self.managed.files, &self.written);
    }
}

impl Committed {
    /// Its time, as people write it.
    pub fn time(&self) -> String {
        unique::moment(self.time_ns)
    }
}

fn range(rows: &NewRows, from: Option<&str>, to: Option<&str>) -> Result<Range> {
    let first = rows.key.first().and_then(|name| rows.schema.field_with_name(name).ok());
    let first = first.ok_or_else(|| Error::internal("a table without a key"))?;
    let (from, to) = KeyPoint::bounds(from, to, first.data_type())?;
    Ok(Range { from, to })
}

impl Transaction {
    /// Joins the small files of a table to large ones; its rows stay the same.
    ///
    /// # Errors
    /// Those of reading and writing its files.
    pub fn compact(&mut self, table: &str) -> Result<()> {
        super::compact::compact(self, table).map(drop)
    }
}
