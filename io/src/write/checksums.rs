//! Pages with checksums, which the `parquet` crate does not write.
//!
//! A page header is a struct in thrift's compact form whose first fields are type, size and stored size (1 to 3), all
//! 32-bit integers; the checksum is field 4, and a struct follows. A field's head is its kind and the step from the
//! number before it: so a checksum is put in by writing it behind the third field, and making the next step one less.
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use std::io::Write;

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::writer::SerializedRowGroupWriter;

/// The head of a 32-bit integer whose number is one more than that of the field before it.
const NEXT_INT: u8 = 0x15;

/// Appends a chunk that lies in `bytes` to a row group, with a checksum in each of its pages.
pub(super) fn append<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    bytes: &[u8],
    chunk: &ColumnChunkMetaData,
    rows: usize,
    column_index: Option<ColumnIndexMetaData>,
    offset_index: Option<OffsetIndexMetaData>,
) -> Result<()> {
    let mut offset_index = offset_index.ok_or_else(|| odd("a chunk has no offset index"))?;
    let place = |at: i64| usize::try_from(at).map_err(|_| odd("a negative place"));
    let data = place(chunk.data_page_offset())?;
    let mut out =
        Vec::with_capacity(place(chunk.compressed_size())? + 16 * offset_index.page_locations.len());
    let mut added = 0i64;
    if let Some(dictionary) = chunk.dictionary_page_offset() {
        added += sign(bytes.get(place(dictionary)?..data), &mut out)?;
    }
    let first_page = out.len();
    let mut at = data;
    for location in &mut offset_index.page_locations {
        let end = at + place(i64::from(location.compressed_page_size))?;
        location.offset = i64::try_from(out.len()).map_err(|_| odd("a chunk is too large"))?;
        let more = sign(bytes.get(at..end), &mut out)?;
        location.compressed_page_size += i32::try_from(more).map_err(|_| odd("a page is too large"))?;
        added += more;
        at = end;
    }
    let size = chunk.compressed_size() + added;
    if i64::try_from(out.len()) != Ok(size) {
        return Err(odd("the pages do not fill the chunk"));
    }
    let first_page = i64::try_from(first_page).map_err(|_| odd("a chunk is too large"))?;
    let metadata = chunk
        .clone()
        .into_builder()
        .set_total_compressed_size(size)
        .set_total_uncompressed_size(chunk.uncompressed_size() + added)
        .set_dictionary_page_offset(chunk.dictionary_page_offset().map(|_| 0))
        .set_data_page_offset(first_page)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: out.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index,
        offset_index: Some(offset_index),
    };
    group.append_column(&Bytes::from(out), close)
}

/// Copies a page with a checksum in its header; how many bytes that added.
fn sign(page: Option<&[u8]>, out: &mut Vec<u8>) -> Result<i64> {
    let page = page.ok_or_else(|| odd("a page ends behind its chunk"))?;
    let mut at = 0;
    let mut stored = 0;
    for _ in 0..3 {
        if page.get(at) != Some(&NEXT_INT) {
            return Err(odd("a page header begins with other fields"));
        }
        (stored, at) = varint(page, at + 1)?;
    }
    // Sizes are not negative: zigzag doubles them.
    let stored = usize::try_from(stored / 2).map_err(|_| odd("a page is too large"))?;
    let body = page.len().checked_sub(stored).and_then(|from| page.get(from..));
    let (Some(body), Some(fields), Some(head)) = (body, page.get(..at), page.get(at)) else {
        return Err(odd("a page is shorter than its header says"));
    };
    if head >> 4 < 2 {
        return Err(odd("a page has a checksum already"));
    }
    let checksum = crc32fast::hash(body).cast_signed();
    let before = out.len();
    out.extend_from_slice(fields);
    out.push(NEXT_INT);
    let mut zigzag = ((checksum << 1) ^ (checksum >> 31)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
    out.push(head - 0x10);
    out.extend_from_slice(page.get(at + 1..).unwrap_or_default());
    i64::try_from(out.len() - before - page.len()).map_err(|_| odd("a page is too large"))
}

/// A number of seven bits a byte, and where the next one begins.
fn varint(bytes: &[u8], mut at: usize) -> Result<(u64, usize)> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = bytes.get(at).ok_or_else(|| odd("a page header ends too early"))?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value, at));
        }
    }
    Err(odd("a page header has a number that does not end"))
}

fn odd(what: &str) -> ParquetError {
    ParquetError::General(format!("{what}, in what was just written"))
}
