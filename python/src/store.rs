//! The store.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::batch::Batch;
use crate::errors::OrRaise;
use crate::frame::Frame;
use crate::options::Options;
use crate::spec::Spec;
use crate::wait::wait;

/// Tables under one folder, or under several that hold the same.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Store {
    store: Arc<hypostyle::Store>,
}

#[pymethods]
impl Store {
    #[new]
    fn new(py: Python<'_>, roots: Vec<PathBuf>) -> PyResult<Self> {
        let store = py.detach(|| hypostyle::Store::open_all(roots)).or_raise(py)?;
        Ok(Self { store: Arc::new(store) })
    }

    #[pyo3(signature = (spec, options, spine=None, progress=None))]
    fn join(
        &self,
        py: Python<'_>,
        spec: &Spec,
        options: &Options,
        spine: Option<&Batch>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Frame> {
        let (own, store, spec) = (&self.store, Arc::clone(&self.store), spec.get());
        let mut options = options.get();
        options.spine = spine.map(Batch::get);
        wait(py, Some(own), options, progress, move |options| store.join_with(&spec, options)).map(Frame::new)
    }

    /// What a join would do: for people and as JSON.
    #[pyo3(signature = (spec, options, spine=None))]
    fn explain(
        &self,
        py: Python<'_>,
        spec: &Spec,
        options: &Options,
        spine: Option<&Batch>,
    ) -> PyResult<(String, String)> {
        let (own, store, spec) = (&self.store, Arc::clone(&self.store), spec.get());
        let mut options = options.get();
        options.spine = spine.map(Batch::get);
        let explained = wait(py, Some(own), options, None, move |options| store.explain(&spec, options))?;
        both(py, &explained)
    }

    fn tables(&self, py: Python<'_>, options: &Options) -> PyResult<Vec<String>> {
        let (own, store) = (&self.store, Arc::clone(&self.store));
        wait(py, Some(own), options.get(), None, move |_| store.tables())
    }

    /// What a table is made of: for people and as JSON.
    fn describe(
        &self,
        py: Python<'_>,
        table: String,
        key: Vec<String>,
        options: &Options,
    ) -> PyResult<(String, String)> {
        let (own, store) = (&self.store, Arc::clone(&self.store));
        let report =
            wait(py, Some(own), options.get(), None, move |options| store.describe(&table, &key, options))?;
        both(py, &report)
    }
}

impl Store {
    pub(crate) fn get(&self) -> Arc<hypostyle::Store> {
        Arc::clone(&self.store)
    }
}

fn both(py: Python<'_>, value: &(impl std::fmt::Display + serde::Serialize)) -> PyResult<(String, String)> {
    Ok((value.to_string(), json(value).or_raise(py)?))
}

/// What Python reads with `json.loads`.
pub(crate) fn json(value: &impl serde::Serialize) -> hypostyle::Result<String> {
    serde_json::to_string(value).map_err(|e| hypostyle::Error::invalid(e.to_string()))
}

/// The version of the package.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
