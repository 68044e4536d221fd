//! The join that is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use hypostyle::{How, JoinSpec, Result, TableSpec};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::errors::OrRaise;

/// A [`JoinSpec`], read and checked in Rust.
#[pyclass(frozen, eq, module = "hypostyle._native")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    spec: Arc<JoinSpec>,
}

#[pymethods]
impl Spec {
    #[staticmethod]
    fn from_path(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Self::of(py, py.detach(|| JoinSpec::from_path(&path)))
    }

    #[staticmethod]
    fn from_yaml(py: Python<'_>, text: &str) -> PyResult<Self> {
        Self::of(py, JoinSpec::from_yaml(text))
    }

    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> PyResult<Self> {
        Self::of(py, JoinSpec::from_json(text))
    }

    #[staticmethod]
    fn from_features(py: Python<'_>, references: Vec<String>) -> PyResult<Self> {
        Self::of(py, JoinSpec::from_features(&references))
    }

    /// Tables by name, each with a list of columns: what most calls have, read without a detour over text. `None`
    /// for tables that are written in another form, or in words that are no UTF-8.
    #[staticmethod]
    fn from_columns(tables: &Bound<'_, PyAny>) -> Option<Self> {
        let tables = tables.cast_exact::<PyDict>().ok()?;
        let spec = JoinSpec::default().tables(tables.iter().map(table).collect::<Option<Vec<_>>>()?);
        Some(Self { spec: Arc::new(spec) })
    }

    /// The same with what is given in place of what it had.
    #[expect(clippy::too_many_arguments, reason = "they are Python's named arguments")]
    #[pyo3(signature = (key=None, how=None, start=None, end=None, last=None, full_names=None))]
    fn with_changes(
        &self,
        py: Python<'_>,
        key: Option<Vec<String>>,
        how: Option<&str>,
        start: Option<String>,
        end: Option<String>,
        last: Option<u64>,
        full_names: Option<bool>,
    ) -> PyResult<Self> {
        let mut spec = JoinSpec::clone(&self.spec);
        spec.key = key.unwrap_or(spec.key);
        spec.how = how.map_or(Ok(spec.how), read_how).or_raise(py)?;
        spec.rows.from = start.or(spec.rows.from);
        spec.rows.to = end.or(spec.rows.to);
        spec.rows.last = last.or(spec.rows.last);
        spec.full_names = full_names.unwrap_or(spec.full_names);
        Ok(Self { spec: Arc::new(spec) })
    }

    /// What it says, in the words of the YAML form.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        let failed = |e: serde_json::Error| hypostyle::Error::invalid(e.to_string());
        serde_json::to_string(self.spec.as_ref()).map_err(failed).or_raise(py)
    }

    /// The key columns; none when the store is to find them.
    #[getter]
    fn key(&self) -> Vec<String> {
        self.spec.key.clone()
    }
}

impl Spec {
    fn of(py: Python<'_>, spec: Result<JoinSpec>) -> PyResult<Self> {
        spec.or_raise(py).map(|spec| Self { spec: Arc::new(spec) })
    }

    pub(crate) fn get(&self) -> Arc<JoinSpec> {
        Arc::clone(&self.spec)
    }
}

fn table((name, columns): (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> Option<TableSpec> {
    let columns = columns.cast_exact::<PyList>().ok()?.iter().map(|column| text(&column));
    Some(TableSpec::named(text(&name)?).columns(columns.collect::<Option<Vec<_>>>()?))
}

fn text(value: &Bound<'_, PyAny>) -> Option<String> {
    value.cast::<PyString>().ok()?.to_str().ok().map(str::to_owned)
}

fn read_how(word: &str) -> Result<How> {
    match word {
        "inner" => Ok(How::Inner),
        "left" => Ok(How::Left),
        "spine" => Ok(How::Spine),
        _ => Err(hypostyle::Error::invalid(format!("`how` is {word:?}"))
            .hint("say \"inner\", \"left\" or \"spine\"")),
    }
}
