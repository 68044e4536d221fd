//! Sound inputs, from which the others are made.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterVersion};

use crate::page::header::{PageHeader, PageKind};

const ROWS: usize = 60;

fn columns() -> Vec<(ArrayRef, Vec<Encoding>)> {
    use Encoding::{
        BYTE_STREAM_SPLIT, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE,
    };
    let some = |row: usize| row % 7 != 3;
    let number = |row: usize| (row * row * 31 % 1000) as i64 - 300;
    let text = |row: usize| format!("station-{}", row % 13);
    let fixed = (0..ROWS).map(|row| [row as u8 / 3, 7, 9]);
    vec![
        (
            Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| some(row).then_some(row % 3 == 0)))),
            vec![PLAIN, RLE],
        ),
        (
            Arc::new(Int32Array::from_iter((0..ROWS).map(|row| some(row).then(|| number(row) as i32)))),
            vec![PLAIN, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT],
        ),
        (
            Arc::new(Int64Array::from_iter((0..ROWS).map(|row| Some(number(row) << 35)))),
            vec![PLAIN, DELTA_BINARY_PACKED],
        ),
        (
            Arc::new(Float64Array::from_iter(
                (0..ROWS).map(|row| some(row).then(|| number(row) as f64 / 7.0)),
            )),
            vec![PLAIN, BYTE_STREAM_SPLIT],
        ),
        (
            Arc::new(FixedSizeBinaryArray::try_from_iter(fixed).unwrap()),
            vec![PLAIN, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT],
        ),
        (
            Arc::new(StringArray::from_iter((0..ROWS).map(|row| some(row).then(|| text(row))))),
            vec![PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY],
        ),
    ]
}

/// Small files of one column: types, encodings, versions, and two codecs.
pub(super) fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (column, encodings) in columns() {
        for encoding in encodings.into_iter().map(Some).chain([None]) {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                for codec in [Compression::UNCOMPRESSED, Compression::ZSTD(Default::default())] {
                    let mut properties = WriterProperties::builder()
                        .set_writer_version(version)
                        .set_compression(codec)
                        .set_data_page_row_count_limit(25)
                        .set_write_batch_size(25)
                        .set_dictionary_enabled(encoding.is_none());
                    if let Some(encoding) = encoding {
                        properties = properties.set_encoding(encoding);
                    }
                    let batch = RecordBatch::try_from_iter([("column", Arc::clone(&column))]).unwrap();
                    let mut bytes = Vec::new();
                    let mut writer =
                        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
                    writer.write(&batch).unwrap();
                    writer.close().unwrap();
                    files.push(bytes);
                }
            }
        }
    }
    files
}

/// The footers of those files.
pub(super) fn footers() -> Vec<Vec<u8>> {
    let footer = |file: Vec<u8>| {
        let end = file.len() - 8;
        let len = u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
        file[end - len..end].to_vec()
    };
    files().into_iter().map(footer).collect()
}

/// The pages of those files: headers, and what follows them.
fn pages() -> Vec<(PageHeader, Vec<u8>, Vec<u8>)> {
    let mut pages = Vec::new();
    for file in files() {
        let mut at = 4;
        let mut rows = 0;
        while rows < ROWS {
            let (header, len) = PageHeader::read(&file[at..]).unwrap();
            let body = at + len..at + len + header.stored;
            if let PageKind::Data(data) = &header.page {
                rows += data.values;
            }
            pages.push((header, file[at..at + len].to_vec(), file[body.clone()].to_vec()));
            at = body.end;
        }
    }
    pages
}

pub(super) fn page_headers() -> Vec<Vec<u8>> {
    let mut headers: Vec<Vec<u8>> = pages().into_iter().map(|(_, header, _)| header).collect();
    headers.sort();
    headers.dedup();
    headers
}

/// Bodies of pages, each for every decoder.
pub(super) fn encodings() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (_, _, body) in pages().into_iter().filter(|(header, ..)| header.stored == header.size) {
        for which in 0..12 {
            // Of pages of version 1, with and without their levels.
            for from in [0, 4, 6, 8, 10] {
                let Some(values) = body.get(from..) else { continue };
                inputs.push([&[which, 20, 0, 100], values].concat());
            }
        }
    }
    inputs.sort();
    inputs.dedup();
    inputs
}
