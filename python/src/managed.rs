//! What a managed store tells of itself, and what is done to it as a whole.

use std::path::PathBuf;
use std::sync::Arc;

use hypostyle::{AsOf, Coordination, DoctorOptions, GcOptions, Result};
use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::OrRaise;
use crate::options::length;
use crate::store::{Store, json};
use crate::wait::{Interrupted, wait_apart};

/// Makes a folder a managed store.
#[pyfunction]
pub(crate) fn init(py: Python<'_>, root: PathBuf, coordination: &str) -> PyResult<()> {
    let coordination: Coordination = coordination.parse().or_raise(py)?;
    let make = move || hypostyle::init(root, &coordination).map(|made| made.store);
    wait_apart(py, None, Interrupted::Finish(|store| Some(format!("store {store}"))), make).map(drop)
}

/// What the mount that a folder lies on can do, as JSON.
#[pyfunction]
pub(crate) fn doctor(py: Python<'_>, path: PathBuf, timeout: f64) -> PyResult<String> {
    let mut options = DoctorOptions::default();
    options.timeout = length("timeout", timeout).or_raise(py)?;
    // What it makes there is to be gone when the interpreter goes on.
    wait_apart(py, None, Interrupted::Finish(|_| None), move || {
        json(&hypostyle::doctor_with(path, &options)?)
    })
}

/// A store that is managed. Snapshots come as text: a number, a time or a tag. Most of what is told comes as JSON.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Managed {
    store: Arc<hypostyle::Store>,
}

#[pymethods]
impl Managed {
    #[new]
    fn new(store: &Store) -> Self {
        Self { store: store.get() }
    }

    #[pyo3(signature = (as_of=None))]
    fn snapshot(&self, py: Python<'_>, as_of: Option<&str>) -> PyResult<u64> {
        let as_of = snapshot(py, as_of)?;
        self.look(py, move |store| store.snapshot(as_of.as_ref()))
    }

    #[pyo3(signature = (table, as_of=None))]
    fn files(&self, py: Python<'_>, table: String, as_of: Option<&str>) -> PyResult<Vec<PathBuf>> {
        let as_of = snapshot(py, as_of)?;
        self.look(py, move |store| store.files(&table, as_of.as_ref()))
    }

    #[pyo3(signature = (table, most))]
    fn log(&self, py: Python<'_>, table: Option<String>, most: usize) -> PyResult<String> {
        self.look(py, move |store| json(&store.log(table.as_deref(), most)?))
    }

    fn diff(&self, py: Python<'_>, before: &str, after: &str) -> PyResult<String> {
        let (before, after) = (before.parse().or_raise(py)?, after.parse().or_raise(py)?);
        self.look(py, move |store| json(&store.diff(&before, &after)?))
    }

    fn tags(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |store| json(&store.tags()?))
    }

    #[pyo3(signature = (tag, as_of, replace))]
    fn tag(&self, py: Python<'_>, tag: String, as_of: Option<&str>, replace: bool) -> PyResult<u64> {
        let as_of = snapshot(py, as_of)?;
        self.change(py, move |store| store.tag(&tag, as_of.as_ref(), replace))
    }

    fn untag(&self, py: Python<'_>, tag: String) -> PyResult<()> {
        self.change(py, move |store| store.untag(&tag))
    }

    #[pyo3(signature = (remove, grace=None))]
    fn gc(&self, py: Python<'_>, remove: bool, grace: Option<f64>) -> PyResult<String> {
        let mut options = GcOptions::default();
        options.remove = remove;
        if let Some(grace) = grace {
            options.grace = length("grace", grace).or_raise(py)?;
        }
        self.change(py, move |store| json(&store.gc(&options)?))
    }

    fn locks(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |store| json(&store.locks()?))
    }

    fn break_lock(&self, py: Python<'_>, id: String) -> PyResult<u64> {
        self.change(py, move |store| store.break_lock(&id))
    }

    fn repair(&self, py: Python<'_>, apply: bool) -> PyResult<String> {
        self.change(py, move |store| json(&store.repair(apply)?))
    }
}

impl Managed {
    fn look<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Arc<hypostyle::Store>) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let store = Arc::clone(&self.store);
        wait_apart(py, None, Interrupted::Leave, move || work(store))
    }

    fn change<T: Serialize + Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Arc<hypostyle::Store>) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let store = Arc::clone(&self.store);
        wait_apart(py, None, Interrupted::Finish(|done| json(done).ok()), move || work(store))
    }
}

fn snapshot(py: Python<'_>, as_of: Option<&str>) -> PyResult<Option<AsOf>> {
    as_of.map(str::parse).transpose().or_raise(py)
}
