//! Where the parts of a footer lie, found in one walk that steps over what they hold.
//!
//! A file of thousands of columns says some hundred bytes of each in each row group, and a join wants five of them. So
//! a footer is walked once for where each column's elements and chunks begin, and what they say is decoded when the
//! column is wanted ([`super::part`]). What is unusual in any way ends the walk: such a footer is parsed whole, by the
//! `parquet` crate, whose word stands.
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use std::ops::Range;

use super::shape::DEEPEST;
use crate::page::thrift::{Compact, Field, ThriftError, kind};

/// The fields of `FileMetaData`, `SchemaElement`, `RowGroup`, `ColumnChunk` and `KeyValue` that are looked at.
mod field {
    pub(super) const VERSION: i16 = 1;
    pub(super) const SCHEMA: i16 = 2;
    pub(super) const ROWS: i16 = 3;
    pub(super) const GROUPS: i16 = 4;
    pub(super) const KEY_VALUES: i16 = 5;
    pub(super) const WRITER: i16 = 6;
    pub(super) const ALGORITHM: i16 = 8;

    pub(super) const ELEMENT_TYPE: i16 = 1;
    pub(super) const ELEMENT_NAME: i16 = 4;
    pub(super) const ELEMENT_CHILDREN: i16 = 5;

    pub(super) const GROUP_COLUMNS: i16 = 1;
    pub(super) const GROUP_BYTES: i16 = 2;
    pub(super) const GROUP_ROWS: i16 = 3;

    pub(super) const CHUNK_OFFSET_INDEX: i16 = 4;

    pub(super) const KEY: i16 = 1;
    pub(super) const VALUE: i16 = 2;
}

/// The key of the Arrow schema that Arrow's writers leave.
const ARROW_SCHEMA: &[u8] = b"ARROW:schema";

/// A footer's parts, as ranges of its bytes.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The root columns.
    pub(super) roots: Vec<RootAt>,
    /// All leaf columns.
    pub(super) leaves: usize,
    /// The rows of each row group.
    pub(super) rows: Vec<u64>,
    /// Where each column chunk begins, row group after row group.
    chunks: Vec<u32>,
    /// Where the last chunk of each row group ends.
    ends: Vec<u32>,
    /// The Arrow schema, in base64.
    pub(super) arrow: Option<Range<u32>>,
    /// The name of the program that wrote the file.
    pub(super) writer: Option<Range<u32>>,
}

/// A root column in the schema.
#[derive(Debug)]
pub(super) struct RootAt {
    pub(super) name: Range<u32>,
    /// Its elements of the schema: itself, and what is below it.
    pub(super) elements: Range<u32>,
    pub(super) count: u32,
    pub(super) first_leaf: u32,
}

/// A footer that the crate is to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual;

impl From<ThriftError> for Unusual {
    fn from(_: ThriftError) -> Self {
        Self
    }
}

type Found<T> = Result<T, Unusual>;

impl Outline {
    pub(super) fn of(footer: &[u8]) -> Found<Self> {
        // Positions have 32 bits.
        u32::try_from(footer.len()).map_err(|_| Unusual)?;
        let mut out = Self::default();
        let mut from = Compact::new(footer);
        let (mut last, mut seen, mut rows) = (0, 0u32, 0);
        while let Some(field) = from.field(&mut last)? {
            once(&mut seen, field)?;
            match field.id {
                field::VERSION => drop(from.i64(field)?),
                field::ROWS => rows = u64::try_from(from.i64(field)?).map_err(|_| Unusual)?,
                field::SCHEMA => out.schema(&mut from, field)?,
                // The chunks are counted against the schema, which stands before them.
                field::GROUPS if seen & bit(field::SCHEMA) != 0 => out.groups(&mut from, field)?,
                field::KEY_VALUES => out.key_values(&mut from, field)?,
                field::WRITER => out.writer = Some(range(from.binary(field)?.1)),
                // With an algorithm it may have encrypted columns.
                field::GROUPS | field::ALGORITHM => return Err(Unusual),
                _ => from.skip(field)?,
            }
        }
        let needed = [field::VERSION, field::SCHEMA, field::ROWS, field::GROUPS];
        let complete = needed.into_iter().all(|id| seen & bit(id) != 0);
        // The walk believes the types of fields, and the crate those of the format. Where they differ, the walk has
        // come off the way, and seldom back upon it with the same sum.
        let sum = out.rows.iter().try_fold(0u64, |sum, rows| sum.checked_add(*rows));
        if complete && sum == Some(rows) { Ok(out) } else { Err(Unusual) }
    }

    /// The range of a column chunk's structure.
    pub(super) fn chunk(&self, group: usize, leaf: usize) -> Option<Range<u32>> {
        let at = group.checked_mul(self.leaves)?.checked_add(leaf).filter(|_| leaf < self.leaves)?;
        let start = *self.chunks.get(at)?;
        let end = if leaf + 1 == self.leaves { self.ends.get(group) } else { self.chunks.get(at + 1) };
        Some(start..*end?)
    }

    /// Whether the first column chunk has an offset index.
    pub(super) fn has_page_index(&self, footer: &[u8]) -> bool {
        let chunk = self.chunk(0, 0).and_then(|at| footer.get(at.start as usize..at.end as usize));
        let mut from = Compact::new(chunk.unwrap_or_default());
        let mut last = 0;
        while let Ok(Some(field)) = from.field(&mut last) {
            if field.id == field::CHUNK_OFFSET_INDEX {
                return true;
            }
            if from.skip(field).is_err() {
                break;
            }
        }
        false
    }

    fn schema(&mut self, from: &mut Compact<'_>, field: Field) -> Found<()> {
        let mut left = from.list(field, kind::STRUCT)?.checked_sub(1).ok_or(Unusual)?;
        let root = Element::read(from)?;
        while left > 0 {
            let start = from.position();
            let first_leaf = self.leaves;
            let mut name = None;
            let mut count = 0u32;
            // For each group that is open, the children still to come.
            let mut open: Vec<u64> = Vec::new();
            loop {
                left = left.checked_sub(1).ok_or(Unusual)?;
                count += 1;
                let element = Element::read(from)?;
                name.get_or_insert(element.name);
                match element.children {
                    0 if element.has_type => self.leaves += 1,
                    0 => return Err(Unusual),
                    children if children <= left && open.len() < DEEPEST - 1 => {
                        open.push(children);
                        continue;
                    }
                    _ => return Err(Unusual),
                }
                while let Some(last) = open.last_mut() {
                    *last -= 1;
                    if *last > 0 {
                        break;
                    }
                    open.pop();
                }
                if open.is_empty() {
                    break;
                }
            }
            self.roots.push(RootAt {
                name: name.unwrap_or(0..0),
                elements: at(start)..at(from.position()),
                count,
                first_leaf: at(first_leaf),
            });
        }
        if root.children == self.roots.len() as u64 { Ok(()) } else { Err(Unusual) }
    }

    fn groups(&mut self, from: &mut Compact<'_>, field: Field) -> Found<()> {
        for _ in 0..from.list(field, kind::STRUCT)? {
            let (mut last, mut seen) = (0, 0u32);
            while let Some(field) = from.field(&mut last)? {
                once(&mut seen, field)?;
                match field.id {
                    field::GROUP_COLUMNS => {
                        if from.list(field, kind::STRUCT)? != self.leaves as u64 {
                            return Err(Unusual);
                        }
                        for _ in 0..self.leaves {
                            self.chunks.push(at(from.position()));
                            from.skip_struct()?;
                        }
                        self.ends.push(at(from.position()));
                    }
                    field::GROUP_BYTES => drop(from.i64(field)?),
                    field::GROUP_ROWS => {
                        self.rows.push(u64::try_from(from.i64(field)?).map_err(|_| Unusual)?);
                    }
                    _ => from.skip(field)?,
                }
            }
            let needed = [field::GROUP_COLUMNS, field::GROUP_BYTES, field::GROUP_ROWS];
            if needed.into_iter().any(|id| seen & bit(id) == 0) {
                return Err(Unusual);
            }
        }
        Ok(())
    }

    fn key_values(&mut self, from: &mut Compact<'_>, field: Field) -> Found<()> {
        for _ in 0..from.list(field, kind::STRUCT)? {
            let (mut last, mut seen) = (0, 0u32);
            let (mut key, mut value) = (None, None);
            while let Some(field) = from.field(&mut last)? {
                once(&mut seen, field)?;
                match field.id {
                    field::KEY => key = Some(from.binary(field)?),
                    field::VALUE => value = Some(from.binary(field)?),
                    _ => from.skip(field)?,
                }
            }
            if let (Some((ARROW_SCHEMA, _)), Some((_, value))) = (key, value)
                && self.arrow.replace(range(value)).is_some()
            {
                return Err(Unusual);
            }
        }
        Ok(())
    }
}

/// What is looked at of an element of the schema.
struct Element {
    name: Range<u32>,
    children: u64,
    has_type: bool,
}

impl Element {
    fn read(from: &mut Compact<'_>) -> Found<Self> {
        let (mut last, mut seen) = (0, 0u32);
        let mut out = Self { name: 0..0, children: 0, has_type: false };
        while let Some(field) = from.field(&mut last)? {
            once(&mut seen, field)?;
            match field.id {
                field::ELEMENT_TYPE => {
                    from.i64(field)?;
                    out.has_type = true;
                }
                field::ELEMENT_NAME => {
                    let (name, place) = from.binary(field)?;
                    std::str::from_utf8(name).map_err(|_| Unusual)?;
                    out.name = range(place);
                }
                field::ELEMENT_CHILDREN => {
                    out.children = u64::try_from(from.i64(field)?).map_err(|_| Unusual)?;
                }
                _ => from.skip(field)?,
            }
        }
        if seen & bit(field::ELEMENT_NAME) == 0 { Err(Unusual) } else { Ok(out) }
    }
}

/// Positions fit: the footer's length was checked.
fn at(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn range(range: Range<usize>) -> Range<u32> {
    at(range.start)..at(range.end)
}

fn bit(id: i16) -> u32 {
    u32::try_from(id).ok().and_then(|id| 1u32.checked_shl(id)).unwrap_or(0)
}

/// A field that comes twice would be one thing here and another one there.
fn once(seen: &mut u32, field: Field) -> Found<()> {
    let bit = bit(field.id);
    if *seen & bit != 0 {
        return Err(Unusual);
    }
    *seen |= bit;
    Ok(())
}
