//! The engine's errors as the exceptions of `hypostyle._errors`.

use hypostyle::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

/// The Python class of each kind.
fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "InvalidRequest",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::Corrupt => "Corrupt",
        ErrorKind::Unsupported => "Unsupported",
        ErrorKind::Unavailable => "Unavailable",
        ErrorKind::Changed => "Changed",
        ErrorKind::Timeout => "Timeout",
        ErrorKind::LimitExceeded => "LimitExceeded",
        ErrorKind::Conflict => "Conflict",
        ErrorKind::Cancelled => "Cancelled",
        _ => "InternalError",
    }
}

/// The exception that stands for an error.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    static MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let module =
        MODULE.get_or_try_init(py, || py.import("hypostyle._errors").map(|m| m.into_any().unbind()))?;
    let class = module.bind(py).getattr(class_of(error.kind()))?;
    let details = PyDict::new(py);
    details.set_item("table", error.table_name())?;
    details.set_item("path", error.file_path().map(|p| p.to_string_lossy().into_owned()))?;
    details.set_item("column", error.column_name())?;
    details.set_item("hint", error.hint_text())?;
    details.set_item("retryable", error.is_retryable())?;
    let arguments = PyTuple::new(py, [error.to_string()])?;
    Ok(PyErr::from_value(class.call(arguments, Some(&details))?))
}

/// For errors of Arrow itself, which tell of a bug here or of broken data from elsewhere.
pub(crate) fn from_arrow(what: &str) -> impl Fn(arrow_schema::ArrowError) -> Error + '_ {
    move |error| Error::invalid(format!("{what}: {error}"))
}

/// Gives the engine's results to Python.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception that stands for the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for hypostyle::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}
