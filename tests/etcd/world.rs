//! A store in a folder of its own, coordinated by some etcd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use hypostyle::{
    Committed, Coordination, Frame, JoinSpec, Result, Store, TableSpec, WriteMode, WriteOptions, init,
};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    name: String,
}

impl World {
    pub(crate) fn new(members: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let coordination: Coordination = format!("etcd://{members}").parse().unwrap();
        let name = init(folder.path(), &coordination).unwrap().store;
        let store = Store::open(folder.path()).unwrap();
        Self { folder, store, name }
    }

    /// As another process on this machine would open it.
    pub(crate) fn open(&self) -> Store {
        Store::open(self.folder.path()).unwrap()
    }

    /// What this machine knows of it, aside from the folder.
    pub(crate) fn known(&self) -> std::path::PathBuf {
        let folder = format!("/var/tmp/hypostyle-{}", rustix::process::getuid().as_raw());
        std::path::Path::new(&folder).join(format!("{}.json", self.name))
    }

    pub(crate) fn write(&self, table: &str, rows: &[(i64, f64)], mode: WriteMode) -> Result<Committed> {
        write(&self.store, table, rows, mode)
    }

    pub(crate) fn read(&self, table: &str) -> Vec<(i64, f64)> {
        rows_of(&join(&self.store, table, None).unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.known());
    }
}

pub(crate) fn rows(rows: &[(i64, f64)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1)));
    RecordBatch::try_from_iter([("k", keys), ("x", values)]).unwrap()
}

pub(crate) fn write(store: &Store, table: &str, data: &[(i64, f64)], mode: WriteMode) -> Result<Committed> {
    store.write(table, &rows(data), &WriteOptions::new(mode).key(["k"]))
}

pub(crate) fn join(store: &Store, table: &str, as_of: Option<&str>) -> Result<Frame> {
    let mut spec = JoinSpec::new(["k"]).table(TableSpec::named(table).columns(["x"]));
    spec.as_of = as_of.map(str::to_owned);
    store.join(&spec)
}

pub(crate) fn rows_of(frame: &Frame) -> Vec<(i64, f64)> {
    let keys = frame.batch().column(0).as_primitive::<Int64Type>().values().to_vec();
    let values = frame.batch().column(1).as_primitive::<Float64Type>().values().to_vec();
    keys.into_iter().zip(values).collect()
}

/// Waits until it holds, at most `limit`, and says how long that took.
pub(crate) fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}
