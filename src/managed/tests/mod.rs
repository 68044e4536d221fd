//! What the store as a whole promises.

mod damage;
mod faults;
mod locked;
#[cfg(feature = "etcd")]
mod over_etcd;
mod power;
mod snapshots;
mod writes;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use tempfile::TempDir;

use crate::{
    AsOf, Committed, Coordination, Error, JoinOptions, JoinSpec, Result, Store, TableSpec, WriteMode,
    WriteOptions, init,
};

/// A managed store in a folder of its own.
pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) store: Store,
}

/// Rows of `k` and `x`.
pub(super) fn rows(rows: &[(i64, f64)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1)));
    RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("x", values, true)]).unwrap()
}

/// As many rows, whose `x` is `k` times `factor`.
pub(super) fn many(keys: std::ops::Range<i64>, factor: f64) -> RecordBatch {
    rows(&keys.map(|k| (k, k as f64 * factor)).collect::<Vec<_>>())
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), &Coordination::Local).unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self { folder, store }
    }

    pub(super) fn write(&self, table: &str, batch: &RecordBatch, mode: WriteMode) -> Result<Committed> {
        self.store.write(table, batch, &WriteOptions::new(mode).key(["k"]))
    }

    pub(super) fn read_as_of(&self, table: &str, as_of: Option<&str>) -> Result<Vec<(i64, f64)>> {
        let mut spec = JoinSpec::new(["k"]).table(TableSpec::named(table).columns(["x"]));
        spec.as_of = as_of.map(str::to_owned);
        let frame = self.store.join(&spec)?;
        let keys = frame.batch().column(0).as_primitive::<Int64Type>().values().to_vec();
        let values = frame.batch().column(1).as_primitive::<Float64Type>().values().to_vec();
        Ok(keys.into_iter().zip(values).collect())
    }

    pub(super) fn read(&self, table: &str) -> Result<Vec<(i64, f64)>> {
        self.read_as_of(table, None)
    }

    pub(super) fn files(&self, table: &str) -> usize {
        self.store.files(table, None).unwrap().len()
    }

    /// All files below the root that are not folders, but locks.
    pub(super) fn all_files(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.folder.path()).sort_by_file_name().into_iter().flatten();
        let files = entries.filter(|e| e.file_type().is_file());
        let files = files.map(|e| e.path().strip_prefix(self.folder.path()).unwrap().display().to_string());
        files.filter(|name| !name.contains("/locks/")).collect()
    }
}

pub(super) fn as_of(text: &str) -> AsOf {
    text.parse().unwrap()
}

pub(super) fn kind_and_text(error: &Error) -> String {
    format!("{:?}: {error}", error.kind())
}

pub(super) fn options_as_of(text: &str) -> JoinOptions {
    JoinOptions { as_of: Some(as_of(text)), ..JoinOptions::default() }
}
