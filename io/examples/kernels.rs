//! Nanoseconds a value, of each encoding and some types, here and in the `parquet` crate: files of a million rows,
//! uncompressed, on one thread.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot do its work should stop"
)]

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
};
use hypostyle_io::{IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Encoding::{
    self, BYTE_STREAM_SPLIT, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE,
};
use parquet::file::properties::{WriterProperties, WriterVersion};

const ROWS: usize = 1 << 20;

fn mixed(row: usize) -> u64 {
    let state = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

fn columns(nulls: bool) -> Vec<(&'static str, ArrayRef, Vec<Option<Encoding>>)> {
    let some = |row: &usize| !nulls || !mixed(*row).is_multiple_of(10);
    let number = |row: usize| (mixed(row) % 5000) as i64;
    let rows = || (0..ROWS).map(|row| some(&row).then_some(row));
    let text = |row: usize| format!("station-{}", number(row));
    vec![
        (
            "f64",
            Arc::new(Float64Array::from_iter(rows().map(|r| r.map(|r| number(r) as f64 / 7.0)))),
            vec![Some(PLAIN), None, Some(BYTE_STREAM_SPLIT)],
        ),
        (
            "i64",
            Arc::new(Int64Array::from_iter(rows().map(|r| r.map(|r| r as i64 * 3600 + number(r))))),
            vec![Some(DELTA_BINARY_PACKED)],
        ),
        (
            "i16",
            Arc::new(Int16Array::from_iter(rows().map(|r| r.map(|r| number(r) as i16)))),
            vec![Some(PLAIN), None, Some(DELTA_BINARY_PACKED)],
        ),
        (
            "decimal of 16 bytes",
            Arc::new(
                Decimal128Array::from_iter(rows().map(|r| r.map(|r| i128::from(number(r)))))
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
            vec![Some(PLAIN), None],
        ),
        (
            "bool",
            Arc::new(BooleanArray::from_iter(rows().map(|r| r.map(|r| number(r) % 3 == 0)))),
            vec![Some(PLAIN), Some(RLE)],
        ),
        (
            "string",
            Arc::new(StringArray::from_iter(rows().map(|r| r.map(text)))),
            vec![Some(PLAIN), None, Some(DELTA_LENGTH_BYTE_ARRAY), Some(DELTA_BYTE_ARRAY)],
        ),
    ]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    println!("{:<22}{:<26}{:>6}{:>8}{:>8}", "type", "encoding", "nulls", "here", "crate");
    for nulls in [false, true] {
        for (name, array, encodings) in columns(nulls) {
            for encoding in encodings {
                let path = folder.path().join("column.parquet");
                let batch = RecordBatch::try_from_iter([("column", Arc::clone(&array))]).unwrap();
                let mut properties = WriterProperties::builder()
                    .set_writer_version(WriterVersion::PARQUET_1_0)
                    .set_dictionary_enabled(encoding.is_none());
                if let Some(encoding) = encoding {
                    properties = properties.set_encoding(encoding);
                }
                let file = File::create(&path).unwrap();
                let mut writer =
                    ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
                writer.write(&batch).unwrap();
                writer.close().unwrap();

                let run = Run::default();
                let file = ParquetFile::open(&path, IoMode::Mmap, &run).unwrap();
                let table = Table::new("table", vec![file], Missing::Error).unwrap();
                let column = table.column("column").unwrap();
                let all = RowRanges::all(ROWS as u64);
                let mut slab = Slab::new([column.fixed_width().unwrap_or(0) * ROWS]).unwrap();
                let here = least(|| {
                    let reader = Reader::new(&table, &all, &run);
                    if column.fixed_width().is_some() {
                        reader.read(&column, Slot::Values(slab.slots_mut().remove(0))).unwrap();
                    } else {
                        reader.read(&column, Slot::Array).unwrap();
                    }
                });
                let theirs = least(|| {
                    let builder =
                        ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
                    let batches = builder.with_batch_size(16 << 10).build().unwrap();
                    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), ROWS);
                });
                let encoding = encoding.map_or("RLE_DICTIONARY".to_owned(), |e| e.to_string());
                println!("{name:<22}{encoding:<26}{nulls:>6}{here:>8.2}{theirs:>8.2}");
            }
        }
    }
}

/// Nanoseconds a row, the least of some rounds.
fn least(mut work: impl FnMut()) -> f64 {
    let times = (0..15).map(|_| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min) * 1e9 / ROWS as f64
}
