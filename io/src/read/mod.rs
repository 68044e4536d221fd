//! The seam between what is wanted and how it is decoded: *these rows of this column, into this slot*.
//!
//! [`Reader`] cuts the rows into pieces, one a row group, and decodes them side by side, each into its own part
//! of the slot. How a piece is decoded is the business of the modules below.

mod ahead;
mod boolean;
mod chunk;
mod direct;
mod fixed;
mod general;
mod pages;
mod stored;
mod text;

pub use ahead::read_ahead;
#[cfg(test)]
pub(crate) use direct::force_general;
pub(crate) use pages::count_pages;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::{Array, ArrayRef, new_empty_array, new_null_array};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::ArrowError;
use parquet::file::metadata::ColumnChunkMetaData;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::rows::RowRanges;
use crate::run::Run;
use crate::table::{Column, Group, Table};

/// Where a column's values go.
#[derive(Debug)]
pub enum Slot<'a> {
    /// Values of a fixed width, one after the other: exactly rows × width bytes.
    Values(&'a mut [u8]),
    /// An array of its own, for types that do not lie in slots.
    Array,
}

/// What a slot holds when it has been filled.
#[derive(Debug)]
pub enum Filled {
    /// The values lie in the slot; these are the nulls among them (whose values are zero).
    Values(Option<NullBuffer>),
    /// The array.
    Array(ArrayRef),
}

/// Reads columns of one set of rows of one table.
#[derive(Debug)]
pub struct Reader<'a> {
    pieces: Vec<Piece<'a>>,
    rows: u64,
    run: &'a Run,
}

/// The wanted rows of one row group.
#[derive(Debug)]
struct Piece<'a> {
    group: Group<'a>,
    /// Numbered within the row group.
    rows: RowRanges,
}

impl<'a> Reader<'a> {
    /// A reader of `rows` of `table`.
    pub fn new(table: &'a Table, rows: &RowRanges, run: &'a Run) -> Self {
        let pieces = table
            .groups()
            .filter_map(|group| {
                let inside = rows.within(&group.rows);
                let first = group.rows.start;
                let rows: RowRanges =
                    inside.ranges().iter().map(|r| r.start - first..r.end - first).collect();
                (!rows.is_empty()).then_some(Piece { group, rows })
            })
            .collect();
        Self { pieces, rows: rows.len(), run }
    }

    /// How many rows it reads.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many row groups it reads from.
    pub fn row_groups(&self) -> usize {
        self.pieces.len()
    }

    /// Bytes that the chunks of a column have when decompressed, over all row groups read.
    ///
    /// A declared size, good for refusing before allocating; dictionaries may still make more of it.
    pub fn declared_bytes(&self, column: &Column) -> u64 {
        self.sum_of_chunks(column, ColumnChunkMetaData::uncompressed_size)
    }

    /// Bytes that the chunks of a column take in the files, over all row groups read.
    pub fn stored_bytes(&self, column: &Column) -> u64 {
        self.sum_of_chunks(column, ColumnChunkMetaData::compressed_size)
    }

    fn sum_of_chunks(&self, column: &Column, size: impl Fn(&ColumnChunkMetaData) -> i64) -> u64 {
        let of_piece = |piece: &Piece<'_>| -> Option<u64> {
            let Group { file, group, .. } = piece.group;
            let leaves = file.leaves(column.root(piece.group.file_index)?);
            Some(
                leaves
                    .filter_map(|leaf| u64::try_from(size(file.chunk(group, leaf).ok()?.0)).ok())
                    .fold(0, u64::saturating_add),
            )
        };
        self.pieces.iter().filter_map(of_piece).fold(0, u64::saturating_add)
    }

    /// Reads a column into a slot.
    ///
    /// # Errors
    /// Typed by what is wrong, naming file and column; the slot's content is then of no meaning.
    pub fn read(&self, column: &Column, slot: Slot<'_>) -> Result<Filled> {
        let planned = self.pieces.len() as u64;
        self.run.counters.units_planned.fetch_add(planned, Ordering::Relaxed);
        match slot {
            Slot::Values(values) => self.read_values(column, values).map(Filled::Values),
            Slot::Array => self.read_array(column).map(Filled::Array),
        }
    }

    fn read_values(&self, column: &Column, values: &mut [u8]) -> Result<Option<NullBuffer>> {
        let width = column.fixed_width().ok_or_else(|| Error::internal("this type does not lie in slots"))?;
        let mut rest = values;
        let mut parts = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let len = usize::try_from(piece.rows.len()).unwrap_or(usize::MAX).saturating_mul(width);
            let (part, tail) =
                rest.split_at_mut_checked(len).ok_or_else(|| Error::internal("the slot is too short"))?;
            parts.push((piece, part));
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(Error::internal("the slot is too long"));
        }
        let nulls = parts
            .into_par_iter()
            .map(|(piece, part)| {
                let nulls = match column.root(piece.group.file_index) {
                    Some(root) => {
                        self.decode(piece, column, |job| match direct::into_slot(job, root, column, part)? {
                            Some(nulls) => Ok(nulls),
                            None => general::into_slot(job, root, column, width, part),
                        })?
                    }
                    None => {
                        part.fill(0);
                        Some(NullBuffer::new_null(part.len() / width))
                    }
                };
                Ok((nulls, part.len() / width))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(join_nulls(&nulls))
    }

    fn read_array(&self, column: &Column) -> Result<ArrayRef> {
        let parts = self
            .pieces
            .par_iter()
            .map(|piece| match column.root(piece.group.file_index) {
                Some(root) => {
                    self.decode(piece, column, |job| match direct::into_array(job, root, column)? {
                        Some(array) => Ok(vec![array]),
                        None => general::into_array(job, root, column),
                    })
                }
                None => {
                    let rows = usize::try_from(piece.rows.len()).unwrap_or(usize::MAX);
                    Ok(vec![new_null_array(column.data_type(), rows)])
                }
            })
            .collect::<Result<Vec<Vec<ArrayRef>>>>()?;
        let parts: Vec<&dyn Array> = parts.iter().flatten().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => Ok(new_empty_array(column.data_type())),
            [one] => Ok(one.slice(0, one.len())),
            many => {
                let bytes =
                    many.iter().map(|a| a.get_buffer_memory_size() as u64).fold(0, u64::saturating_add);
                self.run.reserve(bytes, "the decoded column in one piece")?.keep();
                arrow_select::concat::concat(many).map_err(|e| not_one_array(&e).column(column.name()))
            }
        }
    }

    /// One unit of work: checked for cancellation, counted, and its errors given a place.
    fn decode<T>(
        &self,
        piece: &Piece<'_>,
        column: &Column,
        work: impl FnOnce(&Job<'_>) -> Result<T>,
    ) -> Result<T> {
        self.run.check()?;
        let job = Job { group: &piece.group, rows: &piece.rows, run: self.run };
        let done = work(&job).map_err(|e| e.path(piece.group.file.path()).column(column.name()))?;
        self.run.counters.units_done.fetch_add(1, Ordering::Relaxed);
        Ok(done)
    }
}

/// What a decoder is given: the wanted rows of one row group.
#[derive(Debug)]
struct Job<'a> {
    group: &'a Group<'a>,
    rows: &'a RowRanges,
    run: &'a Run,
}

impl Job<'_> {
    /// Rows of the row group, and rows wanted of it.
    fn group_rows(&self) -> u64 {
        self.group.rows.end - self.group.rows.start
    }
}

/// Puts the parts' nulls one after the other; `None` when there are none at all.
fn join_nulls(parts: &[(Option<NullBuffer>, usize)]) -> Option<NullBuffer> {
    if let [(nulls, _)] = parts {
        return nulls.clone().filter(|n| n.null_count() > 0);
    }
    if parts.iter().all(|(nulls, _)| nulls.as_ref().is_none_or(|n| n.null_count() == 0)) {
        return None;
    }
    let mut out = BooleanBufferBuilder::new(parts.iter().map(|(_, len)| len).sum());
    for (nulls, len) in parts {
        match nulls {
            Some(nulls) => out.append_buffer(nulls.inner()),
            None => out.append_n(*len, true),
        }
    }
    Some(NullBuffer::new(out.finish()))
}

/// Why parts that are sound each are not one array.
fn not_one_array(error: &ArrowError) -> Error {
    match error {
        ArrowError::DictionaryKeyOverflowError => Error::unsupported(
            "the dictionaries of the parts together have more values than their index type counts",
        )
        .hint("write the column with a wider index, or as plain strings"),
        other => Error::limit(format!("the parts do not fit one array: {other}")).hint("take fewer rows"),
    }
}

/// A range of `usize` for the libraries that count so.
fn to_usize(range: &Range<u64>) -> Result<Range<usize>> {
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) => Ok(start..end),
        _ => Err(Error::corrupt("a row number does not fit")),
    }
}

/// Shares one error text for a column that came with another number of rows than the footer says.
fn wrong_row_count(expected: u64, found: u64) -> Error {
    Error::corrupt(format!("the footer says {expected} of these rows are there, the pages have {found}"))
}

/// An array of another type than the table's, made the table's.
fn widened(array: &ArrayRef, column: &Column) -> Result<ArrayRef> {
    if array.data_type() == column.data_type() {
        return Ok(Arc::clone(array));
    }
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    arrow_cast::cast_with_options(array, column.data_type(), &options)
        .map_err(|e| Error::unsupported(format!("a value does not fit the common type of the files: {e}")))
}
