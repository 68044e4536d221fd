//! Files of one column whose pages are put together byte by byte.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Repetition, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, Type as SchemaType};

/// Where the first page of each file is: behind `PAR1`.
pub(crate) const FIRST: u64 = 4;

pub(crate) const PLAIN: i64 = 0;
pub(crate) const RLE: i64 = 3;
pub(crate) const DELTA_BINARY_PACKED: i64 = 5;
pub(crate) const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
pub(crate) const DELTA_BYTE_ARRAY: i64 = 7;
pub(crate) const RLE_DICTIONARY: i64 = 8;
pub(crate) const BYTE_STREAM_SPLIT: i64 = 9;

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

pub(crate) fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)) as u64)
}

/// A field of 32 bits, its number so many above the one before.
fn i32_field(above: u8, number: i64) -> Vec<u8> {
    [vec![above << 4 | 5], zigzag(number)].concat()
}

/// A page: header and body, both as they are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    kind: i64,
    pub(crate) size: i64,
    pub(crate) stored: i64,
    pub(crate) checksum: Option<u32>,
    /// The structure of that kind of page: how far its field is from the last one, and its fields.
    fields: (u8, Vec<u8>),
    pub(crate) body: Vec<u8>,
}

impl Page {
    fn new(kind: i64, number: u8, fields: Vec<u8>, body: &[u8]) -> Self {
        let len = body.len() as i64;
        Self { kind, size: len, stored: len, checksum: None, fields: (number, fields), body: body.to_vec() }
    }

    pub(crate) fn v1(values: i64, encoding: i64, body: &[u8]) -> Self {
        let fields = [(1, values), (1, encoding), (1, RLE), (1, RLE)];
        Self::new(0, 5, fields.iter().flat_map(|(above, n)| i32_field(*above, *n)).collect(), body)
    }

    pub(crate) fn v2(values: i64, nulls: i64, encoding: i64, levels: (i64, i64), body: &[u8]) -> Self {
        let fields = [values, nulls, values, encoding, levels.1, levels.0];
        Self::new(3, 8, fields.iter().flat_map(|n| i32_field(1, *n)).collect(), body)
    }

    pub(crate) fn dictionary(values: i64, body: &[u8]) -> Self {
        Self::new(2, 7, [i32_field(1, values), i32_field(1, PLAIN)].concat(), body)
    }

    pub(crate) fn index() -> Self {
        Self::new(1, 6, Vec::new(), b"nobody knows")
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// As they are in the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = [i32_field(1, self.kind), i32_field(1, self.size), i32_field(1, self.stored)].concat();
        let mut last = 3;
        if let Some(checksum) = self.checksum {
            out.extend(i32_field(1, i64::from(checksum as i32)));
            last = 4;
        }
        let (number, fields) = &self.fields;
        out.push((number - last) << 4 | 12);
        out.extend(fields);
        out.extend([0, 0]);
        out.extend(&self.body);
        out
    }
}

/// A column: how its values are stored, and what the footer says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) physical: Type,
    pub(crate) optional: bool,
    pub(crate) codec: Compression,
    pub(crate) rows: i64,
    /// Byte arrays are decimals, which the general reader is there for.
    pub(crate) decimal: bool,
}

/// Of text where it can be; of fixed length, three bytes.
pub(crate) fn file(column: Column, pages: &[Page]) -> Vec<u8> {
    let repetition = if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let mut field = SchemaType::primitive_type_builder("column", column.physical).with_repetition(repetition);
    match column.physical {
        Type::BYTE_ARRAY if column.decimal => {
            field = field.with_converted_type(ConvertedType::DECIMAL).with_precision(30).with_scale(0);
        }
        Type::BYTE_ARRAY => field = field.with_converted_type(ConvertedType::UTF8),
        Type::FIXED_LEN_BYTE_ARRAY => field = field.with_length(3),
        _ => {}
    }
    let fields = vec![Arc::new(field.build().unwrap())];
    let schema = Arc::new(SchemaType::group_type_builder("schema").with_fields(fields).build().unwrap());
    let descriptor = SchemaDescriptor::new(Arc::clone(&schema));
    let chunk: Vec<u8> = pages.iter().flat_map(Page::bytes).collect();
    let mut metadata = ColumnChunkMetaData::builder(descriptor.column(0))
        .set_compression(column.codec)
        .set_num_values(column.rows)
        .set_total_compressed_size(chunk.len() as i64)
        .set_total_uncompressed_size(chunk.len() as i64);
    if let Some((first, _)) = pages.split_first().filter(|(first, _)| first.kind == 2) {
        metadata =
            metadata.set_dictionary_page_offset(Some(0)).set_data_page_offset(first.bytes().len() as i64);
    }
    let close = ColumnCloseResult {
        bytes_written: chunk.len() as u64,
        rows_written: column.rows as u64,
        metadata: metadata.build().unwrap(),
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    group.append_column(&Bytes::from(chunk), close).unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    out
}
