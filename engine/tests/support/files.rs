//! Plain tables as Arrow batches and Parquet files.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array,
    DictionaryArray, FixedSizeBinaryArray, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray,
    ListArray, RecordBatch, StringArray, Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt16Array, UInt64Array,
};
use arrow_buffer::i256;
use hypostyle_io::{IoMode, Missing, ParquetFile, Run, Table};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{KeyForm, PlainTable};

/// The k-th key as a request's bounds write it.
pub(crate) fn text(form: KeyForm, k: u8) -> String {
    let day = u32::from(k);
    match form {
        KeyForm::Int8 | KeyForm::Int32 | KeyForm::Int64 | KeyForm::UInt16 | KeyForm::UInt64 => k.to_string(),
        KeyForm::Date32 | KeyForm::Date64 => format!("1970-01-{:02}", day + 1),
        KeyForm::Seconds | KeyForm::Millis | KeyForm::Micros | KeyForm::Nanos => {
            format!("1970-01-01T00:00:{k:02}")
        }
        KeyForm::SecondsUtc | KeyForm::MicrosUtc => format!("1970-01-01T01:00:{k:02}+01:00"),
        KeyForm::Time32 | KeyForm::Time64 => format!("00:00:{k:02}"),
        KeyForm::Utf8 | KeyForm::LargeUtf8 | KeyForm::Dictionary | KeyForm::Binary | KeyForm::Fixed => {
            word(k)
        }
        KeyForm::Decimal2 | KeyForm::Decimal4 | KeyForm::Decimal40 => format!("{k}.00"),
        KeyForm::Bool => (k > 0).to_string(),
    }
}

fn word(k: u8) -> String {
    format!("k{k:02}")
}

fn key_column(form: KeyForm, keys: &[Option<u8>]) -> ArrayRef {
    let ints = |factor: i64| keys.iter().map(move |k| k.map(|k| i64::from(k) * factor));
    let words: Vec<Option<String>> = keys.iter().map(|k| k.map(word)).collect();
    let bytes: Vec<Option<&[u8]>> = words.iter().map(|w| w.as_ref().map(String::as_bytes)).collect();
    let strs = words.iter().map(Option::as_deref);
    match form {
        KeyForm::Int8 => Arc::new(ints(1).map(|v| v.map(|v| v as i8)).collect::<Int8Array>()),
        KeyForm::Int32 => Arc::new(ints(1).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        KeyForm::Int64 => Arc::new(ints(1).collect::<Int64Array>()),
        KeyForm::UInt16 => Arc::new(ints(1).map(|v| v.map(|v| v as u16)).collect::<UInt16Array>()),
        KeyForm::UInt64 => Arc::new(ints(1).map(|v| v.map(|v| v as u64)).collect::<UInt64Array>()),
        KeyForm::Date32 => Arc::new(ints(1).map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
        KeyForm::Date64 => Arc::new(ints(86_400_000).collect::<Date64Array>()),
        KeyForm::Seconds => Arc::new(ints(1).collect::<TimestampSecondArray>()),
        KeyForm::Millis => Arc::new(ints(1_000).collect::<TimestampMillisecondArray>()),
        KeyForm::Micros => Arc::new(ints(1_000_000).collect::<TimestampMicrosecondArray>()),
        KeyForm::Nanos => Arc::new(ints(1_000_000_000).collect::<TimestampNanosecondArray>()),
        KeyForm::SecondsUtc => Arc::new(ints(1).collect::<TimestampSecondArray>().with_timezone("UTC")),
        KeyForm::MicrosUtc => {
            Arc::new(ints(1_000_000).collect::<TimestampMicrosecondArray>().with_timezone("Europe/Berlin"))
        }
        KeyForm::Time32 => Arc::new(ints(1).map(|v| v.map(|v| v as i32)).collect::<Time32SecondArray>()),
        KeyForm::Time64 => Arc::new(ints(1_000_000_000).collect::<Time64NanosecondArray>()),
        KeyForm::Utf8 => Arc::new(strs.collect::<StringArray>()),
        KeyForm::LargeUtf8 => Arc::new(strs.collect::<LargeStringArray>()),
        KeyForm::Dictionary => Arc::new(strs.collect::<DictionaryArray<Int32Type>>()),
        KeyForm::Binary => Arc::new(BinaryArray::from(bytes)),
        KeyForm::Fixed => {
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 3).unwrap())
        }
        KeyForm::Decimal2 => {
            let values = ints(100).map(|v| v.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(10, 2).unwrap())
        }
        KeyForm::Decimal4 => {
            let values = ints(10_000).map(|v| v.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(12, 4).unwrap())
        }
        KeyForm::Decimal40 => {
            let ten = i256::from_i128(10).checked_pow(40).unwrap();
            let values = ints(1).map(|v| v.map(|v| i256::from_i128(v.into()).wrapping_mul(ten)));
            Arc::new(values.collect::<Decimal256Array>().with_precision_and_scale(60, 40).unwrap())
        }
        KeyForm::Bool => Arc::new(keys.iter().map(|k| k.map(|k| k > 0)).collect::<BooleanArray>()),
    }
}

impl PlainTable {
    /// Keys `k0…`, then features of several kinds whose values tell table and row.
    pub(crate) fn batch(&self, table: usize) -> RecordBatch {
        let rows = self.keys.len();
        let null = |row: usize| self.nulls[row];
        let id = |row: usize| (table * 1000 + row) as f64;
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for (i, form) in self.forms.iter().enumerate() {
            let keys: Vec<Option<u8>> = self.keys.iter().map(|k| k[i]).collect();
            columns.push((format!("k{i}"), key_column(*form, &keys)));
        }
        let floats: Float64Array = (0..rows).map(|r| (!null(r)).then(|| id(r))).collect();
        let strings: StringArray = (0..rows).map(|r| (!null(r)).then(|| format!("row {}", id(r)))).collect();
        let bits: BooleanArray = (0..rows).map(|r| (!null(r)).then_some(r % 3 == 0)).collect();
        let shorts: Int8Array = (0..rows).map(|r| Some(r as i8)).collect();
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
            (0..rows).map(|r| (!null(r)).then(|| (0..r % 3).map(move |i| Some((r + i) as i32)))),
        );
        let features: [(&str, ArrayRef); 5] = [
            ("float", Arc::new(floats)),
            ("string", Arc::new(strings)),
            ("bit", Arc::new(bits)),
            ("short", Arc::new(shorts)),
            ("list", Arc::new(lists)),
        ];
        columns.extend(features.map(|(n, c)| (n.to_owned(), c)));
        let nullable = |name: &str, column: &ArrayRef| {
            !name.starts_with('k') || !self.written.required || column.null_count() > 0
        };
        let columns = columns.into_iter().map(|(n, c)| {
            let nullable = nullable(&n, &c);
            (n, c, nullable)
        });
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    /// The table written to one or two files and opened.
    pub(crate) fn open(&self, table: usize, folder: &Path, run: &Run) -> Table {
        let batch = self.batch(table);
        let split = self.split.min(batch.num_rows());
        let parts = [batch.slice(0, split), batch.slice(split, batch.num_rows() - split)];
        let mut files = Vec::new();
        for (i, part) in parts.iter().enumerate().filter(|(i, part)| *i == 1 || part.num_rows() > 0) {
            let path = folder.join(format!("t{table}-{i}.parquet"));
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(self.group))
                .set_data_page_row_count_limit(2)
                .set_write_batch_size(2)
                .set_dictionary_enabled(!self.written.plain)
                .set_compression(if self.written.compressed {
                    Compression::SNAPPY
                } else {
                    Compression::UNCOMPRESSED
                })
                .set_statistics_enabled(if self.written.page_statistics.unwrap_or(table.is_multiple_of(2)) {
                    EnabledStatistics::Page
                } else {
                    EnabledStatistics::Chunk
                })
                .build();
            let file = std::fs::File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, part.schema(), Some(properties)).unwrap();
            writer.write(part).unwrap();
            writer.close().unwrap();
            let mode = if i == 0 { IoMode::Mmap } else { IoMode::Pread };
            files.push(ParquetFile::open(&path, mode, run).unwrap());
        }
        Table::new(format!("t{table}"), files, Missing::Error).unwrap()
    }
}
