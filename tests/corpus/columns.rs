//! One file's columns, as this project reads them and as the `parquet` crate's own Arrow reader does.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, make_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use hypostyle_io::{
    Column, Error, Filled, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};

pub(crate) fn open(path: &Path, run: &Run) -> Result<Table, Error> {
    let file = ParquetFile::open(path, IoMode::Auto, run)?;
    Table::new("table", vec![file], Missing::Error)
}

/// Reads rows of a column through the seam that joins use.
pub(crate) fn read(table: &Table, column: &Column, rows: &RowRanges, run: &Run) -> Result<ArrayRef, Error> {
    let reader = Reader::new(table, rows, run);
    // As joins do: what is refused is refused before it is decoded.
    run.reserve(reader.declared_bytes(column), "the column")?;
    let Some(width) = column.fixed_width() else {
        return match reader.read(column, Slot::Array)? {
            Filled::Array(array) => Ok(array),
            Filled::Values(_) => panic!("values came where an array was asked for"),
        };
    };
    let mut slab = Slab::new([width * rows.len() as usize])?;
    let mut nulls = None;
    for slot in slab.slots_mut() {
        match reader.read(column, Slot::Values(slot))? {
            Filled::Values(found) => nulls = found,
            Filled::Array(_) => panic!("an array came where a slot was given"),
        }
    }
    Ok(put_together(column.data_type(), rows.len() as usize, slab.into_buffers().remove(0), nulls))
}

fn put_together(data_type: &DataType, rows: usize, values: Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
    let data = ArrayData::builder(data_type.clone()).len(rows).add_buffer(values).nulls(nulls);
    make_array(data.build().unwrap())
}

/// What the `parquet` crate makes of one root column, in batches; its panics on hostile bytes are errors here.
pub(crate) fn oracle(path: &Path, root: usize) -> Result<Vec<RecordBatch>, String> {
    let read = || -> Result<Vec<RecordBatch>, String> {
        let file = File::open(path).unwrap();
        let metadata =
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| e.to_string())?;
        let metadata = with_rows_of_groups(metadata);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
        let reader = builder.with_projection(mask).with_batch_size(1000).build();
        reader.map_err(|e| e.to_string())?.map(|batch| batch.map_err(|e| e.to_string())).collect()
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// The crate reads no more rows at once than the footer has in its sum, which in one file here is 0 for 6 rows.
fn with_rows_of_groups(metadata: ArrowReaderMetadata) -> ArrowReaderMetadata {
    let file = metadata.metadata().file_metadata();
    let groups = metadata.metadata().row_groups().to_vec();
    let file = FileMetaData::new(
        file.version(),
        groups.iter().map(RowGroupMetaData::num_rows).sum(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let sound = Arc::new(ParquetMetaData::new(file, groups));
    ArrowReaderMetadata::try_new(sound, ArrowReaderOptions::new()).unwrap()
}

/// Compares a whole column with the oracle's batches, one after the other.
pub(crate) fn compare(found: &ArrayRef, batches: &[RecordBatch]) -> Result<(), String> {
    let mut from = 0;
    for batch in batches {
        let expected = batch.column(0);
        if found.data_type() != expected.data_type() {
            return Err(format!("it is {}, expected {}", found.data_type(), expected.data_type()));
        }
        if from + batch.num_rows() > found.len() {
            return Err(format!("{} rows, expected more", found.len()));
        }
        // Arrow's equality takes floating-point numbers by their bits.
        if found.slice(from, batch.num_rows()) != expected.clone() {
            return Err(format!("the rows {from}..{} differ", from + batch.num_rows()));
        }
        from += batch.num_rows();
    }
    if from == found.len() { Ok(()) } else { Err(format!("{} rows, expected {from}", found.len())) }
}
