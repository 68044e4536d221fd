//! Small files of one kind each, the same bytes on every machine.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use hypostyle_io::{IoMode, Missing, ParquetFile, Run, Table};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

/// The name of the only column of a file.
pub const COLUMN: &str = "v";

/// Uncompressed pages of 20,000 rows, in one encoding.
pub fn encoded(encoding: Encoding) -> WriterPropertiesBuilder {
    let builder = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_data_page_row_count_limit(20_000)
        .set_write_batch_size(1_000);
    match encoding {
        Encoding::RLE_DICTIONARY => builder.set_dictionary_enabled(true),
        other => builder.set_dictionary_enabled(false).set_encoding(other),
    }
}

/// Writes one column.
pub fn write(path: &Path, values: &ArrayRef, properties: WriterPropertiesBuilder) {
    let batch = RecordBatch::try_from_iter([(COLUMN, Arc::clone(values))]).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The table of one file.
pub fn open(path: &Path) -> Table {
    let file = ParquetFile::open(path, IoMode::Pread, &Run::default()).unwrap();
    Table::new("table", vec![file], Missing::Error).unwrap()
}

/// Numbers without order, the same for the same `seed`: the finaliser of SplitMix64.
pub fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
