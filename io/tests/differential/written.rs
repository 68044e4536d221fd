//! Files in memory, written in every way that the `parquet` crate's writer has.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::columns::Nulls;
use crate::is_fixed_binary;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// `None` for a dictionary.
    pub(crate) encoding: Option<Encoding>,
    pub(crate) version: WriterVersion,
    pub(crate) codec: Compression,
    pub(crate) page_rows: usize,
    pub(crate) group_rows: usize,
    /// The bytes that a dictionary may have before plain pages follow.
    pub(crate) dictionary_bytes: usize,
    pub(crate) index: bool,
}

impl Default for How {
    fn default() -> Self {
        Self {
            encoding: None,
            version: WriterVersion::PARQUET_1_0,
            codec: Compression::UNCOMPRESSED,
            page_rows: 100,
            group_rows: 1 << 20,
            dictionary_bytes: 1 << 20,
            index: true,
        }
    }
}

/// The encodings, but for dictionaries, that values of a type can have.
pub(crate) fn encodings(data_type: &DataType) -> Vec<Encoding> {
    use Encoding::{
        BYTE_STREAM_SPLIT, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE,
    };
    match data_type {
        DataType::Boolean => vec![PLAIN, RLE],
        DataType::Null => vec![PLAIN],
        DataType::Float32 | DataType::Float64 => vec![PLAIN, BYTE_STREAM_SPLIT],
        other if is_fixed_binary(other) => vec![PLAIN, BYTE_STREAM_SPLIT, DELTA_BYTE_ARRAY],
        DataType::Interval(_) => vec![PLAIN],
        other if other.primitive_width().is_some() => vec![PLAIN, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT],
        _ => vec![PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY],
    }
}

pub(crate) const CODECS: [fn() -> Compression; 7] = [
    || Compression::UNCOMPRESSED,
    || Compression::SNAPPY,
    || Compression::GZIP(Default::default()),
    || Compression::BROTLI(Default::default()),
    || Compression::LZ4,
    || Compression::ZSTD(Default::default()),
    || Compression::LZ4_RAW,
];

/// The bytes of a file with one column.
pub(crate) fn file(column: &ArrayRef, nulls: Nulls, how: How) -> Vec<u8> {
    let field = Field::new("column", column.data_type().clone(), nulls != Nulls::Required);
    let schema = Arc::new(Schema::new(vec![field]));
    let mut properties = WriterProperties::builder()
        .set_writer_version(how.version)
        .set_compression(how.codec)
        .set_dictionary_enabled(how.encoding.is_none())
        .set_dictionary_page_size_limit(how.dictionary_bytes)
        .set_data_page_row_count_limit(how.page_rows)
        .set_write_batch_size(how.page_rows.min(64))
        .set_max_row_group_row_count(Some(how.group_rows))
        .set_offset_index_disabled(!how.index);
    if !how.index {
        properties = properties.set_statistics_enabled(EnabledStatistics::Chunk);
    }
    if let Some(encoding) = how.encoding {
        properties = properties.set_encoding(encoding);
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), Some(properties.build())).unwrap();
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(column)]).unwrap();
    assert!(column.len() == batch.num_rows());
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}
