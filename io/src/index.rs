//! The page index of single column chunks, read when it is needed.
//!
//! The `parquet` crate can read the index of a whole file with its footer; for a file of 201 columns of which
//! five are wanted, that is forty times the work. <https://parquet.apache.org/docs/file-format/pageindex/>

use std::any::Any;
use std::ops::Range;

use parquet::file::metadata::page_index::PageIndexProvider;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::index_reader::decode_column_index;
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

use crate::error::{Error, Result};
use crate::file::ParquetFile;
use crate::footer::{check_column_index, guarded};
use crate::page::thrift::{Compact, ThriftError, kind};
use crate::run::Run;

/// Where the pages of a chunk are, and the first row of each; `None` if the writer did not say.
///
/// What the index says is checked: pages ascend, lie inside the chunk, and rows inside the row group.
pub(crate) fn page_locations(
    file: &ParquetFile,
    group: usize,
    leaf: usize,
    run: &Run,
) -> Result<Option<Vec<PageLocation>>> {
    let (chunk, range) = file.chunk(group, leaf)?;
    let Some(index) = read(file, chunk.offset_index_range(), run)? else { return Ok(None) };
    let pages = locations(&index).map_err(|_| Error::corrupt("the offset index makes no sense"))?;
    let rows = file.group_rows(group);
    let mut end = range.start;
    let mut row = 0;
    for (i, page) in pages.iter().enumerate() {
        let start = u64::try_from(page.offset).unwrap_or(0);
        let len = u64::try_from(page.compressed_page_size).unwrap_or(u64::MAX);
        let first = u64::try_from(page.first_row_index).unwrap_or(u64::MAX);
        let ascends = if i == 0 { first == 0 } else { first >= row };
        if start < end
            || start.checked_add(len).is_none_or(|e| e > range.end)
            || !ascends
            || first > rows.end - rows.start
        {
            return Err(Error::corrupt(format!(
                "the offset index puts page {i} outside of its column chunk"
            )));
        }
        end = start + len;
        row = first;
    }
    if pages.is_empty() && !rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(pages))
}

/// What an offset index says of the places of pages. The crate would make room for as many as it says there are.
fn locations(index: &[u8]) -> std::result::Result<Vec<PageLocation>, ThriftError> {
    const ABSENT: ThriftError = ThriftError::Malformed("a field that must be there is absent");
    /// No location takes fewer bytes: three numbers with their heads, and an end.
    const LEAST: usize = 7;
    let mut from = Compact::new(index);
    let mut pages = None;
    let mut last = 0;
    while let Some(field) = from.field(&mut last)? {
        if field.id != 1 {
            from.skip(field)?;
            continue;
        }
        let count = from.list(field, kind::STRUCT)?;
        let most = index.len() / LEAST;
        let mut out = Vec::with_capacity(usize::try_from(count).map_or(most, |count| count.min(most)));
        for _ in 0..count {
            let (mut offset, mut size, mut row) = (None, None, None);
            let mut last = 0;
            while let Some(field) = from.field(&mut last)? {
                match field.id {
                    1 => offset = Some(from.i64(field)?),
                    2 => size = Some(from.i32(field)?),
                    3 => row = Some(from.i64(field)?),
                    _ => from.skip(field)?,
                }
            }
            out.push(PageLocation {
                offset: offset.ok_or(ABSENT)?,
                compressed_page_size: size.ok_or(ABSENT)?,
                first_row_index: row.ok_or(ABSENT)?,
            });
        }
        pages = Some(out);
    }
    pages.ok_or(ABSENT)
}

/// Whether a chunk is read in one piece, and if not, where its pages are, if that is known.
///
/// When most rows are wanted, one read beats one for each page. So it does where each read is a request to another
/// machine, unless the offset index says which few pages matter.
pub(crate) fn whole_or_pages(
    file: &ParquetFile,
    group: usize,
    leaf: usize,
    wanted: u64,
    run: &Run,
) -> Result<(bool, Option<Vec<PageLocation>>)> {
    let rows = file.group_rows(group);
    if is_whole(wanted, rows.end - rows.start) {
        return Ok((true, None));
    }
    let locations = page_locations(file, group, leaf, run)?;
    Ok((locations.is_none() && file.is_asked(), locations))
}

/// Whether so many of a row group's rows are wanted that no index is looked at.
pub(crate) fn is_whole(wanted: u64, rows: u64) -> bool {
    wanted.saturating_mul(2) > rows
}

/// Both indexes of one leaf column in one row group, in the form that statistics are taken from.
#[derive(Debug)]
pub(crate) struct ChunkIndex {
    group: usize,
    leaf: usize,
    columns: ColumnIndexMetaData,
    offsets: OffsetIndexMetaData,
}

impl ChunkIndex {
    /// `None` unless the writer left both.
    pub(crate) fn read(file: &ParquetFile, group: usize, leaf: usize, run: &Run) -> Result<Option<Self>> {
        let Some(page_locations) = page_locations(file, group, leaf, run)? else { return Ok(None) };
        let (chunk, _) = file.chunk(group, leaf)?;
        let Some(bytes) = read(file, chunk.column_index_range(), run)? else { return Ok(None) };
        check_column_index(&bytes)?;
        let columns = guarded(|| decode_column_index(&bytes, chunk.column_type()))?;
        let offsets = OffsetIndexMetaData { page_locations, unencoded_byte_array_data_bytes: None };
        if columns.num_pages() as usize != offsets.page_locations.len() {
            return Err(Error::corrupt(
                "the column index and the offset index have different numbers of pages",
            ));
        }
        Ok(Some(Self { group, leaf, columns, offsets }))
    }

    /// The same, for metadata in which the leaf has another place.
    pub(crate) fn at_leaf(self, leaf: usize) -> Self {
        Self { leaf, ..self }
    }

    /// The rows of each page, numbered within the row group of `rows` rows.
    pub(crate) fn page_rows(&self, rows: u64) -> Vec<Range<u64>> {
        let starts: Vec<u64> = self
            .offsets
            .page_locations
            .iter()
            .map(|p| u64::try_from(p.first_row_index).unwrap_or(0))
            .collect();
        let ends = starts.iter().skip(1).copied().chain(std::iter::once(rows));
        starts.iter().zip(ends).map(|(start, end)| *start..end).collect()
    }
}

impl PageIndexProvider for ChunkIndex {
    fn has_offset_indexes(&self) -> bool {
        true
    }

    fn has_column_indexes(&self) -> bool {
        true
    }

    fn column_index(&self, group: usize, leaf: usize) -> Option<&ColumnIndexMetaData> {
        (group == self.group && leaf == self.leaf).then_some(&self.columns)
    }

    fn offset_index(&self, group: usize, leaf: usize) -> Option<&OffsetIndexMetaData> {
        (group == self.group && leaf == self.leaf).then_some(&self.offsets)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn read(file: &ParquetFile, range: Option<Range<u64>>, run: &Run) -> Result<Option<bytes::Bytes>> {
    let Some(range) = range.filter(|r| !r.is_empty()) else { return Ok(None) };
    if range.end > file.len() {
        return Err(Error::corrupt("a page index lies behind the end of the file"));
    }
    let len =
        usize::try_from(range.end - range.start).map_err(|_| Error::corrupt("a page index is too large"))?;
    let bytes = file.read(range.start, len, Vec::new(), &run.reading)?;
    // It is looked at again by whoever decodes the pages, and by the next join.
    file.keep_at_hand(range.start, &bytes);
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_index_says_where_pages_are_or_makes_no_sense() {
        let location = [0x16, 8, 0x15, 2, 0x16, 4, 0];
        let page = |offset| PageLocation { offset, compressed_page_size: 1, first_row_index: 2 };
        for (bytes, expected) in [
            (vec![0x19, 0x0c, 0], Some(vec![])),
            ([&[0x19, 0x2c][..], &location, &location, &[0]].concat(), Some(vec![page(4), page(4)])),
            // Numbers of fields in full, another order, fields of later formats.
            (vec![0x09, 2, 0x1c, 0x05, 4, 2, 0x06, 6, 4, 0x06, 2, 6, 0x98, 1, 7, 0, 0], Some(vec![page(3)])),
            ([&[0x19, 0x1c][..], &location, &[0x19, 0x26, 2, 4, 0]].concat(), Some(vec![page(4)])),
            // Two billion, of which the first is there.
            ([&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7][..], &location].concat(), None),
            ([&[0x19, 0x3c][..], &location, &[0]].concat(), None),
            (vec![0x19, 0x1c, 0x16, 8, 0x15, 2, 0, 0], None),
            (vec![0x19, 0x1c, 0x18, 0, 0x15, 2, 0x16, 4, 0, 0], None),
            (vec![0x19, 0x15, 2, 0], None),
            (vec![0x29, 0xf1, 0xff, 0xff, 0xff, 0xff, 7, 0], None),
            (vec![0], None),
            (vec![], None),
        ] {
            assert_eq!(locations(&bytes).ok(), expected, "{bytes:x?}");
        }
    }
}
