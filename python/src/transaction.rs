//! Changes of several tables that become visible together.

use std::sync::{Arc, Mutex};

use hypostyle::{Error, JoinOptions, ModelVersion, Result, Run, TransactionOptions, WriteMode, WriteOptions};
use pyo3::prelude::*;

use crate::batch::Batch;
use crate::errors::OrRaise;
use crate::models::{Given, new_model};
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
    #[expect(clippy::too_many_arguments, reason = "they are Python's named arguments")]
    #[pyo3(signature = (store, tables, shared, base=None, timeout=None, models=Vec::new(), all_models=false))]
    fn new(
        py: Python<'_>,
        store: &Store,
        tables: Vec<String>,
        shared: Vec<String>,
        base: Option<u64>,
        timeout: Option<f64>,
        models: Vec<String>,
        all_models: bool,
    ) -> PyResult<Self> {
        let run = Arc::new(JoinOptions::default().new_run());
        let mut options = TransactionOptions::default();
        options.shared = shared;
        (options.models, options.all_models) = (models, all_models);
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

    /// Stores versions of models; their numbers.
    fn put_models(&self, py: Python<'_>, models: Vec<Given>) -> PyResult<Vec<u64>> {
        self.change(py, move |transaction| {
            transaction.put_models(models.into_iter().map(new_model).collect::<Result<_>>()?)
        })
    }

    /// Lets an alias lead to a version, or takes it away.
    #[pyo3(signature = (name, alias, to=None))]
    fn alias_model(&self, py: Python<'_>, name: String, alias: String, to: Option<&str>) -> PyResult<()> {
        let to: Option<ModelVersion> = to.map(str::parse).transpose().or_raise(py)?;
        self.change(py, move |transaction| transaction.alias_model(&name, &alias, to.as_ref()))
    }

    /// Takes a version away, or all; the numbers.
    #[pyo3(signature = (name, version=None))]
    fn remove_model(&self, py: Python<'_>, name: String, version: Option<u64>) -> PyResult<Vec<u64>> {
        self.change(py, move |transaction| transaction.remove_model(&name, version))
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
    fn change<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut hypostyle::Transaction) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let inner = Arc::clone(&self.inner);
        let change = move || {
            let mut inner = inner.lock().map_err(|_| poisoned())?;
            work(inner.as_mut().ok_or_else(over)?)
        };
        wait_apart(py, Some(&self.run), Interrupted::Finish(|_| None), change)
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
