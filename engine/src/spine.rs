//! A whole table in memory: a spine that lies in files.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use hypostyle_io::{Error, Reader, Result, RowRanges, Run, Table};
use rayon::prelude::*;

use crate::side::read_column;

/// Reads all rows and columns of a table.
///
/// # Errors
/// Those of reading its columns.
pub fn read_table(table: &Table, run: &Run) -> Result<RecordBatch> {
    let names = table.column_names();
    let columns = names.iter().map(|n| table.column(n)).collect::<Result<Vec<_>>>()?;
    let reader = Reader::new(table, &RowRanges::all(table.rows()), run);
    let arrays = columns.par_iter().map(|c| read_column(&reader, c, run)).collect::<Result<Vec<_>>>();
    let arrays = arrays.map_err(|e| e.table(table.name()))?;
    table.check_unchanged(run)?;
    let schema = Schema::new(columns.iter().map(|c| Arc::clone(c.field())).collect::<Vec<_>>());
    let rows = usize::try_from(table.rows()).map_err(|_| Error::limit("more rows than fit memory"))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options)
        .map_err(|e| Error::internal(format!("the columns make no batch: {e}")))
}
