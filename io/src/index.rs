//! The page index of single column chunks, read when it is needed.
//!
//! The `parquet` crate can read the index of a whole file with its footer; for a file of 201 columns of which
//! five are wanted, that is forty times the work. <https://parquet.apache.org/docs/file-format/pageindex/>

use std::any::Any;
use std::ops::Range;

use parquet::file::metadata::page_index::PageIndexProvider;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::index_reader::{decode_column_index, decode_offset_index};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

use crate::error::{Error, Result};
use crate::file::ParquetFile;
use crate::footer::guarded;
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
    let mut index = guarded(|| decode_offset_index(&index))?;
    let rows = file.group_rows(group);
    let mut end = range.start;
    let mut row = 0;
    for (i, page) in index.page_locations.iter().enumerate() {
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
    if index.page_locations.is_empty() && !rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(std::mem::take(&mut index.page_locations)))
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
        let columns = guarded(|| decode_column_index(&bytes, chunk.column_type()))?;
        let offsets = OffsetIndexMetaData { page_locations, unencoded_byte_array_data_bytes: None };
        if columns.num_pages() as usize != offsets.page_locations.len() {
            return Err(Error::corrupt(
                "the column index and the offset index have different numbers of pages",
            ));
        }
        Ok(Some(Self { group, leaf, columns, offsets }))
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
    if range.end > file.source().len() {
        return Err(Error::corrupt("a page index lies behind the end of the file"));
    }
    let len =
        usize::try_from(range.end - range.start).map_err(|_| Error::corrupt("a page index is too large"))?;
    run.counters.read(range.end - range.start);
    let bytes = file.source().read(range.start, len).map_err(|e| Error::from_io(file.path(), e))?;
    Ok(Some(bytes))
}
