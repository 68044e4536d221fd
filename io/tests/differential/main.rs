//! What this crate reads is, to the bit, what the `parquet` crate's own Arrow reader reads: of files over types,
//! encodings, versions of pages, codecs, sizes, densities of nulls and row selections.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod columns;
mod random;
mod table;
mod written;

use std::sync::atomic::Ordering;

use arrow_array::{Array, ArrayRef, RecordBatch, make_array, new_empty_array};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use bytes::Bytes;
use hypostyle_io::{
    Column, Error, Filled, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Reads rows of a column through the seam that joins use.
fn read(table: &Table, column: &Column, rows: &RowRanges, run: &Run) -> Result<ArrayRef, Error> {
    let reader = Reader::new(table, rows, run);
    let Some(width) = column.fixed_width() else {
        return match reader.read(column, Slot::Array)? {
            Filled::Array(array) => Ok(array),
            Filled::Values(_) => panic!("values came where an array was asked for"),
        };
    };
    let len = rows.len() as usize;
    let mut slab = Slab::new([width * len])?;
    let mut nulls = None;
    for slot in slab.slots_mut() {
        // What lay there before must not shine through.
        slot.fill(0xa5);
        match reader.read(column, Slot::Values(slot))? {
            Filled::Values(found) => nulls = found,
            Filled::Array(_) => panic!("an array came where a slot was given"),
        }
    }
    let values = slab.into_buffers().remove(0);
    if let Some(nulls) = &nulls {
        for row in (0..len).filter(|row| nulls.is_null(*row)) {
            assert!(values[row * width..(row + 1) * width].iter().all(|b| *b == 0), "null {row} is not zero");
        }
    }
    let data = ArrayData::builder(column.data_type().clone()).len(len).add_buffer(values).nulls(nulls);
    Ok(make_array(data.build().unwrap()))
}

/// What the `parquet` crate reads.
fn oracle(bytes: &[u8]) -> ArrayRef {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes)).unwrap();
    let data_type = builder.schema().field(0).data_type().clone();
    let batches: Vec<RecordBatch> =
        builder.with_batch_size(1000).build().unwrap().map(Result::unwrap).collect();
    let parts: Vec<&dyn Array> = batches.iter().map(|b| b.column(0).as_ref()).collect();
    if parts.is_empty() { new_empty_array(&data_type) } else { arrow_select::concat::concat(&parts).unwrap() }
}

/// Who is expected to read a file's column.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// This crate's own decoders, all of it.
    Own,
    /// The general reader may.
    Any,
}

/// Compares the first column of a file: all rows, and each of the sets.
fn check(bytes: &[u8], sets: &[RowRanges], by: By, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.parquet");
    std::fs::write(&path, bytes).unwrap();
    let expected = oracle(bytes);
    let run = Run::default();
    for mode in [IoMode::Pread, IoMode::Mmap] {
        let file = ParquetFile::open(&path, mode, &run).unwrap();
        let table = Table::new("table", vec![file], Missing::Error).unwrap();
        assert_eq!(table.rows(), expected.len() as u64, "{what}");
        let column = table.column(&table.column_names()[0]).unwrap();
        let all = RowRanges::all(table.rows());
        for rows in sets.iter().map(|set| set.within(&(0..table.rows()))).chain([all]) {
            let found = read(&table, &column, &rows, &run).unwrap_or_else(|e| panic!("{what}: {e}"));
            let slice =
                |r: &std::ops::Range<u64>| expected.slice(r.start as usize, (r.end - r.start) as usize);
            let parts: Vec<ArrayRef> = rows.ranges().iter().map(slice).collect();
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let part = match parts.as_slice() {
                [] => expected.slice(0, 0),
                parts => arrow_select::concat::concat(parts).unwrap(),
            };
            assert_eq!(found.data_type(), part.data_type(), "{what}");
            assert!(same(&found, &part), "{what}, rows {:?}:\n{found:?}\n{part:?}", rows.ranges());
        }
    }
    if by == By::Own {
        assert_eq!(
            run.counters.units_general.load(Ordering::Relaxed),
            0,
            "{what}: the general reader did it"
        );
    }
}

/// Arrow's equality takes floating-point numbers by their bits; the masks must be the same as well.
fn same(a: &ArrayRef, b: &ArrayRef) -> bool {
    let nulls = |array: &ArrayRef| array.nulls().map_or(0, arrow_buffer::NullBuffer::null_count);
    a == b && nulls(a) == nulls(b)
}

fn is_fixed_binary(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeBinary(_) | DataType::Float16 => true,
        DataType::Decimal128(precision, _) | DataType::Decimal256(precision, _) => *precision > 18,
        _ => false,
    }
}
