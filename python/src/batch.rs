//! Rows from Python: those that a join is to fill, or that are to be written.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, FieldRef, Schema};
use hypostyle::{Error, JoinOptions};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::column::Column;
use crate::errors::{OrRaise, from_arrow};
use crate::options::Options;
use crate::wait::wait;
use crate::{ffi, own};

/// Columns of one length, in memory of their own: whatever becomes of their source, they stay as they are.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Batch {
    batch: RecordBatch,
}

#[pymethods]
impl Batch {
    /// From `__arrow_c_stream__` of a table.
    #[staticmethod]
    fn from_stream(
        py: Python<'_>,
        what: String,
        capsule: &Bound<'_, PyCapsule>,
        options: &Options,
    ) -> PyResult<Self> {
        let (field, chunks) = ffi::read_stream(capsule)?;
        Self::owned(py, what, options, field, chunks)
    }

    /// From `__arrow_c_array__` of a record batch.
    #[staticmethod]
    fn from_array(
        py: Python<'_>,
        what: String,
        schema: &Bound<'_, PyCapsule>,
        array: &Bound<'_, PyCapsule>,
        options: &Options,
    ) -> PyResult<Self> {
        let (field, array) = ffi::read_array(schema, array)?;
        Self::owned(py, what, options, field, vec![array])
    }

    /// From columns that have their names.
    #[staticmethod]
    fn from_columns(py: Python<'_>, what: &str, columns: Vec<PyRef<'_, Column>>) -> PyResult<Self> {
        let rows = columns.first().map_or(0, |c| c.array().len());
        if let Some(other) = columns.iter().find(|c| c.array().len() != rows) {
            let error = format!("it has {} values, and the first column has {rows}", other.array().len());
            return Err(Error::invalid(error).table(what).column(other.field().name())).or_raise(py);
        }
        let fields: Vec<Field> = columns.iter().map(|c| c.field().clone()).collect();
        let arrays = columns.iter().map(|c| c.array().clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let made = RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options);
        made.map_err(from_arrow("the columns make no table")).or_raise(py).map(|batch| Self { batch })
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.batch.schema_ref().fields().iter().map(|f| f.name().clone()).collect()
    }
}

impl Batch {
    /// Copies what another library gave; as a part of the join that it is for, which may be ended meanwhile.
    fn owned(
        py: Python<'_>,
        what: String,
        options: &Options,
        field: FieldRef,
        chunks: Vec<ArrayRef>,
    ) -> PyResult<Self> {
        let copy = move |_: &JoinOptions| {
            own::batch(&field, &chunks).map_err(from_arrow(&format!("the {what} is no table")))
        };
        wait(py, None, options.get(), None, copy).map(|batch| Self { batch })
    }

    pub(crate) fn get(&self) -> RecordBatch {
        self.batch.clone()
    }
}
