//! The answer of a join.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use hypostyle::{Error, Floats, Format, JoinStats, Order, Result, column_position, fill_matrix};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

use crate::column::Column;
use crate::errors::{OrRaise, from_arrow};
use crate::{cells, ffi, own};

/// Rows and columns, and what it took to make them.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    batch: RecordBatch,
    base_columns: usize,
    stats: Arc<Stats>,
}

/// Statistics of a join made here, or the JSON of one made in another process.
#[derive(Debug)]
enum Stats {
    Own(JoinStats),
    Told(String),
}

impl Frame {
    pub(crate) fn new(frame: hypostyle::Frame) -> Self {
        let base_columns = frame.base_columns();
        let (batch, stats) = frame.into_parts();
        Self { batch, base_columns, stats: Arc::new(Stats::Own(stats)) }
    }

    fn with(&self, batch: RecordBatch) -> Self {
        Self { batch, ..self.clone() }
    }

    fn positions(&self, names: &[String]) -> Result<Vec<usize>> {
        let fields = self.batch.schema_ref().fields();
        // Of columns with one name the first is meant, as `column_position` has it.
        let places: HashMap<&str, usize> =
            fields.iter().enumerate().rev().map(|(at, field)| (field.name().as_str(), at)).collect();
        let place = |name: &String| {
            places
                .get(name.as_str())
                .map_or_else(|| column_position(self.batch.schema_ref(), name), |at| Ok(*at))
        };
        names.iter().map(place).collect()
    }
}

#[pymethods]
impl Frame {
    /// A frame that was pickled.
    #[staticmethod]
    fn from_ipc(py: Python<'_>, stream: &[u8], base_columns: usize, stats: String) -> PyResult<Self> {
        let failed = from_arrow("the pickled frame cannot be read");
        let read = || {
            let mut reader = StreamReader::try_new(stream, None)?;
            let schema = reader.schema();
            reader.next().unwrap_or_else(|| Ok(RecordBatch::new_empty(schema)))
        };
        let batch = read().map_err(failed).or_raise(py)?;
        Ok(Self { batch, base_columns, stats: Arc::new(Stats::Told(stats)) })
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.batch.schema_ref().fields().iter().map(|f| f.name().clone()).collect()
    }

    /// The Arrow types, spelled out.
    #[getter]
    fn types(&self) -> Vec<String> {
        self.batch.schema_ref().fields().iter().map(|f| f.data_type().to_string()).collect()
    }

    /// How many of the first columns are not features: the key, and what a spine carries.
    #[getter]
    fn base_columns(&self) -> usize {
        self.base_columns
    }

    /// The statistics, as JSON.
    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        let failed = |e: serde_json::Error| Error::internal(e.to_string());
        match self.stats.as_ref() {
            Stats::Own(stats) => serde_json::to_string(stats).map_err(failed).or_raise(py),
            Stats::Told(json) => Ok(json.clone()),
        }
    }

    /// The number of the snapshot that all tables were read from, in a managed store.
    #[getter]
    fn snapshot(&self) -> Option<u64> {
        match self.stats.as_ref() {
            Stats::Own(stats) => stats.snapshot,
            Stats::Told(json) => {
                serde_json::from_str::<serde_json::Value>(json).ok()?.get("snapshot")?.as_u64()
            }
        }
    }

    /// The tables of which no row was found for any row of the frame.
    fn unmatched(&self) -> Vec<String> {
        let Stats::Own(stats) = self.stats.as_ref() else { return Vec::new() };
        stats.tables.iter().filter(|t| t.rows_matched == 0).map(|t| t.name.clone()).collect()
    }

    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        ffi::stream_of(py, &self.batch)
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        ffi::schema_of(py, self.batch.schema_ref())
    }

    /// The same columns without rows, which keep no memory.
    fn emptied(&self) -> Self {
        self.with(RecordBatch::new_empty(self.batch.schema()))
    }

    fn column(&self, index: usize) -> PyResult<Column> {
        match (self.batch.schema_ref().fields().get(index), self.batch.columns().get(index)) {
            (Some(field), Some(array)) => Ok(Column::new(field.as_ref().clone(), array.clone())),
            _ => Err(pyo3::exceptions::PyIndexError::new_err("there is no such column")),
        }
    }

    fn column_named(&self, py: Python<'_>, name: &str) -> PyResult<Column> {
        self.column(column_position(self.batch.schema_ref(), name).or_raise(py)?)
    }

    fn select(&self, py: Python<'_>, names: Vec<String>) -> PyResult<Self> {
        let positions = self.positions(&names).or_raise(py)?;
        let base_columns = positions.iter().take_while(|at| **at < self.base_columns).count();
        let batch =
            self.batch.project(&positions).map_err(from_arrow("the columns make no frame")).or_raise(py)?;
        Ok(Self { batch, base_columns, stats: Arc::clone(&self.stats) })
    }

    fn slice(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.batch.num_rows());
        self.with(self.batch.slice(start, len.min(self.batch.num_rows() - start)))
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        let batch = &self.batch;
        let copied = py.detach(|| batch.columns().iter().map(|c| own::array(c)).collect::<Result<_, _>>());
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let copied =
            copied.and_then(|columns| RecordBatch::try_new_with_options(batch.schema(), columns, &options));
        copied.map_err(from_arrow("the frame cannot be copied")).or_raise(py).map(|batch| self.with(batch))
    }

    /// Fills the memory of an array of floats, `names` × rows or rows × `names`.
    fn fill(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        single: bool,
        by_row: bool,
        target: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let positions = self.positions(&names).or_raise(py)?;
        let order = if by_row { Order::RowMajor } else { Order::ColumnMajor };
        let batch =
            self.batch.project(&positions).map_err(from_arrow("the columns make no frame")).or_raise(py)?;
        let len = batch.num_rows().saturating_mul(batch.num_columns());
        match single {
            true => ffi::fill(target, len, |out| fill_matrix(&batch, order, Floats::F32(out))),
            false => ffi::fill(target, len, |out| fill_matrix(&batch, order, Floats::F64(out))),
        }
    }

    #[pyo3(signature = (path, format=None))]
    fn write(&self, py: Python<'_>, path: PathBuf, format: Option<&str>) -> PyResult<()> {
        let format = match format {
            Some(word) => word.parse::<Format>(),
            None => Format::from_path(&path),
        };
        let format = format.or_raise(py)?;
        py.detach(|| hypostyle::write_file(&self.batch, &path, format)).or_raise(py)
    }

    /// An Arrow stream in memory, for other processes.
    fn to_ipc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut bytes = Vec::new();
        py.detach(|| hypostyle::write_batch(&self.batch, Format::Stream, &mut bytes)).or_raise(py)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The texts of some rows of some columns, column by column.
    fn cells(&self, py: Python<'_>, rows: Vec<usize>, columns: Vec<usize>) -> PyResult<Vec<Vec<String>>> {
        cells::texts(&self.batch, &rows, &columns).or_raise(py)
    }
}
