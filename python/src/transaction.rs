//! Changes of several tables that become visible together.

use std::sync::{Arc, Mutex};

use hypostyle::{Error, JoinOptions, Result, Run, TransactionOptions, WriteMode, WriteOptions};
use pyo3::prelude::*;

use crate::batch::Batch;
use crate::errors::OrRaise;
use crate::options::seconds;
use crate::store::{Store, json};
use crate::wait::{Interrupted, wait_apart};

/// A transaction that holds its locks, until it is committed or dropped.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Transaction {
    /// One call at a time works with it.
    inner: Arc<Mutex<Option<hypostyle::Transaction>>>,
    /// A signal cancels it, and then it commits nothing any more.
    run: Arc<Run>,
    snapshot: u64,
}

#[pymethods]
impl Transaction {
    #[new]
    #[pyo3(signature = (store, tables, shared, base=None, timeout=None))]
    fn new(
        py: Python<'_>,
        store: &Store,
        tables: Vec<String>,
        shared: Vec<String>,
        base: Option<u64>,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        let run = Arc::new(JoinOptions::default().new_run());
        let mut options = TransactionOptions::default();
        options.shared = shared;
        options.base = base;
        options.wait = timeout.map(|timeout| seconds("timeout", timeout)).transpose().or_raise(py)?;
        options.run = Some(Arc::clone(&run));
        let store = store.get();
        let begin = move || store.transaction_with(tables, &options);
        let begun = wait_apart(py, Some(&run), Interrupted::Leave, begin)?;
        Ok(Self { snapshot: begun.snapshot(), inner: Arc::new(Mutex::new(Some(begun))), run })
    }

    /// The snapshot that it is based on.
    #[getter]
    fn snapshot(&self) -> u64 {
        self.snapshot
    }

    #[expect(clippy::too_many_arguments, reason = "they are Python's named arguments")]
    #[pyo3(signature = (table, data, mode, key, start=None, end=None))]
    fn write(
        &self,
        py: Python<'_>,
        table: String,
        data: &Batch,
        mode: &str,
        key: Vec<String>,
        start: Option<String>,
        end: Option<String>,
    ) -> PyResult<()> {
        let mode: WriteMode = mode.parse().or_raise(py)?;
        let (data, options) = (data.get(), WriteOptions::new(mode).key(key).range(start, end));
        self.change(py, move |transaction| transaction.write(&table, &data, &options))
    }

    #[pyo3(signature = (table, start=None, end=None))]
    fn delete(
        &self,
        py: Python<'_>,
        table: String,
        start: Option<String>,
        end: Option<String>,
    ) -> PyResult<()> {
        self.change(py, move |transaction| transaction.delete(&table, start.as_deref(), end.as_deref()))
    }

    fn compact(&self, py: Python<'_>, table: String) -> PyResult<()> {
        self.change(py, move |transaction| transaction.compact(&table))
    }

    /// What was committed, as JSON.
    fn commit(&self, py: Python<'_>) -> PyResult<String> {
        let inner = Arc::clone(&self.inner);
        let commit = move || json(&take(&inner)?.ok_or_else(over)?.commit()?);
        wait_apart(py, Some(&self.run), Interrupted::Finish(|done| Some(done.clone())), commit)
    }

    /// Drops everything.
    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        self.run.cancel();
        let inner = Arc::clone(&self.inner);
        wait_apart(py, None, Interrupted::Finish(|()| None), move || take(&inner).map(drop))
    }
}

impl Transaction {
    fn change(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut hypostyle::Transaction) -> Result<()> + Send + 'static,
    ) -> PyResult<()> {
        let inner = Arc::clone(&self.inner);
        let change = move || {
            let mut inner = inner.lock().map_err(|_| poisoned())?;
            work(inner.as_mut().ok_or_else(over)?)
        };
        wait_apart(py, Some(&self.run), Interrupted::Finish(|()| None), change)
    }
}

fn take(inner: &Mutex<Option<hypostyle::Transaction>>) -> Result<Option<hypostyle::Transaction>> {
    Ok(inner.lock().map_err(|_| poisoned())?.take())
}

fn poisoned() -> Error {
    Error::internal("the lock of the transaction is poisoned")
}

fn over() -> Error {
    Error::invalid("the transaction is over").hint("begin another one")
}
