//! What a table's statistics say about a key column, so that rows out of bounds are never read.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type as PhysicalType;

use crate::ahead::ReadAhead;
use crate::error::Result;
use crate::file::ParquetFile;
use crate::footer::{Part, guarded};
use crate::index::ChunkIndex;
use crate::rows::RowRanges;
use crate::run::Run;
use crate::table::{Column, Group, Table};

/// Least and greatest values of a column over runs of rows.
///
/// The bounds hold, but need not be reached; a null says that nothing is known.
#[derive(Clone, Debug)]
pub struct KeyStatistics {
    /// The rows of each run, numbered within the table.
    pub rows: Vec<Range<u64>>,
    /// The least value of each run, in the type that the file has.
    pub min: ArrayRef,
    /// The greatest value of each run.
    pub max: ArrayRef,
}

/// Statistics of all row groups, from the footers that are in memory already: one entry a file.
///
/// Row groups of files without statistics, or without the column, are in no entry.
pub fn group_statistics(table: &Table, column: &Column) -> Result<Vec<KeyStatistics>> {
    let mut out = Vec::new();
    let groups: Vec<Group<'_>> = table.groups().collect();
    for of_file in groups.chunk_by(|a, b| a.file_index == b.file_index) {
        let Some((first, leaf)) = of_file.first().and_then(|g| Some((g, leaf(g, column)?))) else { continue };
        let file = first.file;
        let part = file.part(file.root_of(leaf))?;
        let converter = converter(file, part, column)?;
        let metadata = of_file.iter().filter_map(|g| part.group(g.group));
        let (min, max) = guarded(|| {
            Ok((converter.row_group_mins(metadata.clone())?, converter.row_group_maxes(metadata)?))
        })
        .map_err(|e| e.path(file.path()).column(column.name()))?;
        let known: UInt32Array =
            of_file.iter().zip(0u32..).map(|(g, i)| trusted(file, g.group, leaf).then_some(i)).collect();
        if min.len() != of_file.len() || max.len() != of_file.len() || known.null_count() == known.len() {
            continue;
        }
        let take = |array: &ArrayRef| {
            guarded(|| Ok(arrow_select::take::take(array, &known, None)?)).map_err(|e| e.path(file.path()))
        };
        let rows = of_file.iter().map(|g| g.rows.clone()).collect();
        out.push(KeyStatistics { rows, min: take(&min)?, max: take(&max)? });
    }
    Ok(out)
}

/// Statistics of the pages of those row groups that `rows` touches, where writers left a page index: one entry a
/// row group. This reads the indexes.
pub fn page_statistics(
    table: &Table,
    column: &Column,
    rows: &RowRanges,
    run: &Run,
) -> Result<Vec<KeyStatistics>> {
    let mut out = Vec::new();
    for group in table.groups() {
        let Some(leaf) = leaf(&group, column) else { continue };
        if rows.within(&group.rows).is_empty() || !trusted(group.file, group.group, leaf) {
            continue;
        }
        run.check()?;
        let place = |e: crate::Error| e.path(group.file.path()).column(column.name());
        let Some(index) = ChunkIndex::read(group.file, group.group, leaf, run).map_err(place)? else {
            continue;
        };
        let part = group.file.part(group.file.root_of(leaf))?;
        let index = index.at_leaf(part.leaf(0));
        let converter = converter(group.file, part, column)?;
        let (min, max) = guarded(|| {
            let groups = [group.group];
            Ok((converter.data_page_mins(&index, &groups)?, converter.data_page_maxes(&index, &groups)?))
        })
        .map_err(place)?;
        let in_group = index.page_rows(group.rows.end - group.rows.start);
        if min.len() == in_group.len() && max.len() == in_group.len() {
            let rows =
                in_group.iter().map(|r| group.rows.start + r.start..group.rows.start + r.end).collect();
            out.push(KeyStatistics { rows, min, max });
        }
    }
    Ok(out)
}

/// The indexes that [`page_statistics`] would read, of files that others answer for.
///
/// # Errors
/// Those of footers that contradict themselves.
pub fn page_indexes_ahead(table: &Table, column: &Column, rows: &RowRanges) -> Result<Vec<ReadAhead>> {
    let mut wishes = Vec::new();
    for group in table.groups().filter(|group| group.file.is_asked()) {
        let Some(leaf) = leaf(&group, column) else { continue };
        if rows.within(&group.rows).is_empty() || !trusted(group.file, group.group, leaf) {
            continue;
        }
        let (chunk, _) = group.file.chunk(group.group, leaf)?;
        let both = [chunk.offset_index_range(), chunk.column_index_range()];
        let ranges: Vec<_> = both.into_iter().flatten().filter(|r| !group.file.has_at_hand(r)).collect();
        if !ranges.is_empty() {
            wishes.push(ReadAhead { file: Arc::clone(group.file), ranges });
        }
    }
    Ok(wishes)
}

/// The one leaf of a key column, in the file of that row group.
fn leaf(group: &Group<'_>, column: &Column) -> Option<usize> {
    let leaves = group.file.leaves(column.root(group.file_index)?);
    (leaves.len() == 1).then_some(leaves.start)
}

fn converter<'a>(file: &'a ParquetFile, part: &'a Part, column: &Column) -> Result<StatisticsConverter<'a>> {
    let field = part.field()?;
    guarded(|| StatisticsConverter::from_column_index(part.leaf(0), field, part.schema()))
        .map_err(|e| e.path(file.path()).column(column.name()))
}

/// Whether a chunk's least and greatest values are in the order that we compare in: the deprecated fields were
/// written in signed byte order, which is another one for strings and unsigned integers, and nothing orders INT96.
fn trusted(file: &ParquetFile, group: usize, leaf: usize) -> bool {
    let Ok((chunk, _)) = file.chunk(group, leaf) else { return false };
    let signed_integers = || {
        let integers = matches!(chunk.column_type(), PhysicalType::INT32 | PhysicalType::INT64);
        integers && file.field(file.root_of(leaf)).is_ok_and(|f| !f.data_type().is_unsigned_integer())
    };
    chunk.column_type() != PhysicalType::INT96
        && chunk.statistics().is_none_or(|s| !s.is_min_max_deprecated() || signed_integers())
}
