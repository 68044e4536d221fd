//! Columns that are stored alike, byte for byte: what one of them says, the others say too.
//!
//! Tables that one program writes from one grid of keys have key chunks that do not differ in a byte. To see that is
//! many times faster than to decompress and decode them.

use bytes::Bytes;

use crate::error::Result;
use crate::file::ParquetFile;
use crate::page::{keep, space};
use crate::run::{Reserved, Run};
use crate::table::{Column, Table};

/// More stored bytes than this are not held to compare with.
const MOST: u64 = 64 << 20;

/// Bytes that are read and compared at once: they stay in the processor's cache, and lie in memory of the thread's.
const PART: usize = 128 << 10;

/// A column's chunks as they are stored.
#[derive(Debug)]
pub struct StoredColumn<'a> {
    table: &'a Table,
    column: &'a Column,
    chunks: Vec<Bytes>,
    _memory: Reserved<'a>,
}

impl<'a> StoredColumn<'a> {
    /// Reads the chunks of a column; `None` if they are too many bytes to hold.
    ///
    /// # Errors
    /// Those of reading a file.
    pub fn read(table: &'a Table, column: &'a Column, run: &'a Run) -> Result<Option<Self>> {
        let Some(places) = places(table, column) else { return Ok(None) };
        let len = places.iter().map(Place::len).fold(0, u64::saturating_add);
        if len > MOST {
            return Ok(None);
        }
        let Ok(_memory) = run.reserve(len, "the stored keys") else { return Ok(None) };
        let chunks = places.iter().map(|place| place.read(run)).collect::<Result<_>>()?;
        Ok(Some(Self { table, column, chunks, _memory }))
    }

    /// Whether a column of another table has the same values in the same rows and row groups, because it is stored
    /// in the same bytes. `false` says nothing about the values.
    ///
    /// # Errors
    /// Those of reading a file.
    pub fn is_as(&self, table: &Table, column: &Column, run: &Run) -> Result<bool> {
        let (Some(own), Some(others)) = (places(self.table, self.column), places(table, column)) else {
            return Ok(false);
        };
        let may_be = own.len() == others.len() && own.iter().zip(&others).all(|(a, b)| a.may_be_as(b));
        if !may_be || self.column.data_type() != column.data_type() {
            return Ok(false);
        }
        for (own, place) in self.chunks.iter().zip(&others) {
            let mut at = 0;
            for part in own.chunks(PART) {
                let other = place.part(at, part.len(), run)?;
                let differs = other != part;
                keep(other);
                if differs {
                    return Ok(false);
                }
                at += part.len();
            }
        }
        Ok(true)
    }
}

/// One chunk: of which file, row group and leaf.
struct Place<'a> {
    file: &'a ParquetFile,
    group: usize,
    leaf: usize,
    start: u64,
    len: usize,
}

/// The chunks of a column that has one leaf in every file, and lies within each; `None` for any other.
fn places<'a>(table: &'a Table, column: &Column) -> Option<Vec<Place<'a>>> {
    let place = |group: crate::table::Group<'a>| {
        let leaves = group.file.leaves(column.root(group.file_index)?);
        let leaf = (leaves.len() == 1).then_some(leaves.start)?;
        let (_, range) = group.file.chunk(group.group, leaf).ok()?;
        let len = usize::try_from(range.end - range.start).ok()?;
        Some(Place { file: group.file.as_ref(), group: group.group, leaf, start: range.start, len })
    };
    table.groups().map(place).collect()
}

impl Place<'_> {
    fn len(&self) -> u64 {
        self.len as u64
    }

    fn read(&self, run: &Run) -> Result<Bytes> {
        self.read_in(0, self.len, Vec::new(), run)
    }

    fn part(&self, at: usize, len: usize, run: &Run) -> Result<Bytes> {
        self.read_in(at, len, space(len), run)
    }

    fn read_in(&self, at: usize, len: usize, space: Vec<u8>, run: &Run) -> Result<Bytes> {
        run.check()?;
        self.file.read(self.start + at as u64, len, space, &run.reading)
    }

    /// Whether equal bytes would mean equal values: all that a decoder looks at outside of the chunk is the same.
    fn may_be_as(&self, other: &Self) -> bool {
        let (Ok((a, _)), Ok((b, _))) =
            (self.file.chunk(self.group, self.leaf), other.file.chunk(other.group, other.leaf))
        else {
            return false;
        };
        let (x, y) = (a.column_descr(), b.column_descr());
        let field = |place: &Self| {
            place.file.field(place.file.root_of(place.leaf)).map(|f| f.data_type().clone()).ok()
        };
        let rows = |place: &Self| {
            let rows = place.file.group_rows(place.group);
            rows.end - rows.start
        };
        self.len == other.len
            && rows(self) == rows(other)
            && a.compression() == b.compression()
            && a.column_type() == b.column_type()
            && a.num_values() == b.num_values()
            && (x.max_def_level(), x.max_rep_level(), x.type_length())
                == (y.max_def_level(), y.max_rep_level(), y.type_length())
            && field(self).is_some_and(|own| field(other) == Some(own))
    }
}
