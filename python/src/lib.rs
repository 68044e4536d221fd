//! The native half of the Python package `hypostyle`: the root crate's [`Store`](hypostyle::Store) and
//! [`Frame`](hypostyle::Frame) behind the few calls that the Python half makes.
//!
//! The Python half has the names, the words and the conversions that need other Python packages; this half has
//! what must be fast or must touch memory. Nothing here decides anything about a join.

mod batch;
mod cells;
mod column;
mod errors;
mod ffi;
mod frame;
mod managed;
mod models;
mod options;
mod own;
mod sequence;
mod spec;
mod store;
mod transaction;
mod values;
mod wait;

use pyo3::prelude::pymodule;

/// The module as Python sees it.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_init]
    fn on_import(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        super::ffi::only_in_main_interpreter()
    }

    #[pymodule_export]
    use super::batch::Batch;
    #[pymodule_export]
    use super::column::Column;
    #[pymodule_export]
    use super::ffi::Memory;
    #[pymodule_export]
    use super::frame::Frame;
    #[pymodule_export]
    use super::managed::Managed;
    #[pymodule_export]
    use super::managed::doctor;
    #[pymodule_export]
    use super::managed::init;
    #[pymodule_export]
    use super::models::Blobs;
    #[pymodule_export]
    use super::models::Models;
    #[pymodule_export]
    use super::options::Options;
    #[pymodule_export]
    use super::spec::Spec;
    #[pymodule_export]
    use super::store::Store;
    #[pymodule_export]
    use super::store::version;
    #[pymodule_export]
    use super::transaction::Transaction;
}
