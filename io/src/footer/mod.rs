//! A file's footer: found, measured, outlined, and parsed as far as it is asked for.
//!
//! Layout of a Parquet file's end: the metadata (thrift), its length in four bytes, `PAR1`.
//! <https://parquet.apache.org/docs/file-format/>

#[cfg(test)]
mod forged;
mod format;
mod guarded;
mod hints;
mod names;
mod outline;
mod part;
mod shape;
mod strict;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use self::hints::ArrowFields;
use self::outline::{Outline, Unusual};
use self::strict::check_footer;
use crate::error::{Error, Result};
use crate::run::Run;

pub(crate) use self::guarded::guarded;
pub use self::guarded::panic_is_caught;
pub(crate) use self::names::{Named, Names};
pub(crate) use self::part::Part;
pub(crate) use self::strict::check_column_index;

/// The tail that is read at once; most footers lie within it.
const TAIL: u64 = 64 << 10;

/// No footer may be larger: a forged length must not reserve memory.
const LARGEST: u64 = 256 << 20;

const END: u64 = 8;

/// A file's end, which holds at least its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where in the file it begins.
    pub(crate) start: u64,
    /// All of the file from there.
    pub(crate) bytes: Bytes,
    /// Where in these bytes the metadata is.
    pub(crate) metadata: Range<usize>,
}

/// Finds the footer of a file of `size` bytes; `fetch` gives the bytes between two offsets. None is fetched twice.
pub(crate) fn find(size: u64, mut fetch: impl FnMut(u64, u64) -> Result<Bytes>) -> Result<Tail> {
    if size == 0 {
        return Err(Error::corrupt("the file is empty").hint("write it again"));
    }
    if size < END + 4 {
        return Err(not_parquet());
    }
    let tail_start = size.saturating_sub(TAIL);
    let tail = fetch(tail_start, size)?;
    let (body, end) = tail.split_at_checked(tail.len().wrapping_sub(8)).ok_or_else(not_parquet)?;
    let [l0, l1, l2, l3, magic @ ..] = end else { return Err(not_parquet()) };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted()),
        _ => return Err(not_parquet()),
    }
    let length = u64::from(u32::from_le_bytes([*l0, *l1, *l2, *l3]));
    if length > size - END - 4 {
        return Err(Error::corrupt(format!("the footer says it has {length} bytes, the file has {size}"))
            .hint("the file may be cut off; write it again"));
    }
    if length > LARGEST {
        return Err(too_large(length));
    }
    let metadata_start = size - END - length;
    match usize::try_from(metadata_start.wrapping_sub(tail_start)) {
        Ok(at) if metadata_start >= tail_start => {
            Ok(Tail { start: tail_start, metadata: at..body.len(), bytes: tail })
        }
        _ => {
            let before = fetch(metadata_start, tail_start)?;
            let metadata = 0..before.len() + body.len();
            Ok(Tail { start: metadata_start, metadata, bytes: [before, tail].concat().into() })
        }
    }
}

/// Reads the metadata of a Parquet file of `size` bytes, for whoever reads it with the `parquet` crate; `fetch` gives the
/// bytes between two offsets. Unlike the crate it survives forged footers.
///
/// # Errors
/// Those of `fetch`; [`Corrupt`](crate::ErrorKind::Corrupt) and [`Unsupported`](crate::ErrorKind::Unsupported).
pub fn read_metadata(
    size: u64,
    fetch: impl FnMut(u64, u64) -> Result<Bytes>,
) -> Result<Arc<ParquetMetaData>> {
    let tail = find(size, fetch)?;
    let bytes = tail.bytes.get(tail.metadata).ok_or_else(not_parquet)?;
    decode(bytes).map(Arc::new)
}

/// What a footer says: of the file at once, of each column when it is asked for.
#[derive(Debug)]
pub(crate) struct Footer {
    /// The footer's bytes, to which the outline belongs.
    bytes: Bytes,
    /// Unless the footer is unusual.
    outline: Option<Outlined>,
    whole: OnceLock<Arc<ParquetMetaData>>,
    names: Names,
    /// For each root column, its first leaf; one more at the end.
    first_leaf: Vec<usize>,
    /// For each row group, its first row; one more at the end.
    first_row: Vec<u64>,
    parts: Vec<OnceLock<Part>>,
}

#[derive(Debug)]
struct Outlined {
    outline: Outline,
    arrow: Option<ArrowFields>,
}

impl Footer {
    /// Reads a footer.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) and [`Unsupported`](crate::ErrorKind::Unsupported); some only come when
    /// what they are about is asked for.
    pub(crate) fn parse(tail: &Tail, run: &Run) -> Result<Self> {
        let bytes = tail.bytes.get(tail.metadata.clone()).ok_or_else(not_parquet)?;
        let _memory = run.reserve((bytes.len() as u64).saturating_mul(4), "the footer's metadata")?;
        match Outline::of(bytes) {
            Ok(outline) => {
                // A copy, so that the rest of the file's end is not kept as long as the file.
                let bytes = Bytes::copy_from_slice(bytes);
                if let Some(footer) = Self::outlined(&bytes, outline)? {
                    return Ok(footer);
                }
                Self::entire(&bytes)
            }
            Err(Unusual) => Self::entire(bytes),
        }
    }

    /// `None` if its Arrow schema is unusual.
    fn outlined(bytes: &Bytes, outline: Outline) -> Result<Option<Self>> {
        let text = |range: &Range<u32>| bytes.get(range.start as usize..range.end as usize);
        let arrow = match &outline.arrow {
            None => None,
            Some(place) => match text(place).and_then(ArrowFields::find) {
                Some(arrow) if arrow.len() == outline.roots.len() => Some(arrow),
                _ => return Ok(None),
            },
        };
        let names = Names::new(bytes.clone(), outline.roots.iter().map(|root| root.name.clone()).collect());
        let first_leaf = outline.roots.iter().map(|root| root.first_leaf as usize).chain([outline.leaves]);
        let (first_leaf, rows) = (first_leaf.collect(), outline.rows.clone());
        Self::new(bytes.clone(), Some(Outlined { outline, arrow }), names, first_leaf, rows).map(Some)
    }

    fn entire(bytes: &[u8]) -> Result<Self> {
        let metadata = decode(bytes)?;
        let file = metadata.file_metadata();
        let descriptor = file.schema_descr();
        let schema = guarded(|| parquet_to_arrow_schema(descriptor, file.key_value_metadata()))?;
        let mut first_leaf = Vec::with_capacity(schema.fields().len() + 1);
        for leaf in 0..descriptor.num_columns() {
            if descriptor.get_column_root_idx(leaf) >= first_leaf.len() {
                first_leaf.push(leaf);
            }
        }
        first_leaf.push(descriptor.num_columns());
        if first_leaf.len() != schema.fields().len() + 1 {
            return Err(Error::unsupported("a column of the file has no leaf"));
        }
        let rows = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()));
        let rows = rows
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| Error::corrupt("a row group has a negative number of rows"))?;
        let names = Names::of(schema.fields().iter().map(|field| field.name().as_str()));
        let memory = metadata.memory_size() as u64 / names.len().max(1) as u64;
        let metadata = Arc::new(metadata);
        let parts = first_leaf.iter().take(names.len()).enumerate().map(|(root, leaf)| {
            let fields = schema.fields().clone();
            OnceLock::from(Part::of_whole(Arc::clone(&metadata), root, *leaf, fields, memory))
        });
        let parts = parts.collect();
        let whole = OnceLock::from(metadata);
        Ok(Self { parts, whole, ..Self::new(Bytes::new(), None, names, first_leaf, rows)? })
    }

    fn new(
        bytes: Bytes,
        outline: Option<Outlined>,
        names: Names,
        first_leaf: Vec<usize>,
        rows: Vec<u64>,
    ) -> Result<Self> {
        let mut first_row = Vec::with_capacity(rows.len() + 1);
        first_row.push(0);
        let mut sum = 0u64;
        for rows in rows {
            sum = sum
                .checked_add(rows)
                .filter(|sum| i64::try_from(*sum).is_ok())
                .ok_or_else(|| Error::corrupt("the rows add up to more than fits"))?;
            first_row.push(sum);
        }
        let parts = (1..first_leaf.len()).map(|_| OnceLock::new()).collect();
        Ok(Self { bytes, outline, whole: OnceLock::new(), names, first_leaf, first_row, parts })
    }

    /// All of it, as the `parquet` crate parses it.
    pub(crate) fn whole(&self) -> Result<&Arc<ParquetMetaData>> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = Arc::new(decode(&self.bytes)?);
        Ok(self.whole.get_or_init(|| whole))
    }

    /// The name of the program that wrote the file.
    pub(crate) fn writer(&self) -> Option<&str> {
        match &self.outline {
            Some(Outlined { outline, .. }) => {
                let place = outline.writer.as_ref()?;
                std::str::from_utf8(self.bytes.get(place.start as usize..place.end as usize)?).ok()
            }
            None => self.whole.get()?.file_metadata().created_by(),
        }
    }

    /// Whether the first column chunk has an offset index: other chunks then have one as well.
    pub(crate) fn has_page_index(&self) -> bool {
        match &self.outline {
            Some(Outlined { outline, .. }) => outline.has_page_index(&self.bytes),
            None => self.part(0).is_ok_and(|part| {
                part.chunk(0, 0).is_some_and(|chunk| chunk.offset_index_offset().is_some())
            }),
        }
    }

    /// The root columns' names.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// What it says of a root column.
    pub(crate) fn part(&self, root: usize) -> Result<&Part> {
        let place = self.parts.get(root).ok_or_else(|| Error::internal("no such root column"))?;
        if let Some(part) = place.get() {
            return Ok(part);
        }
        let Some(Outlined { outline, arrow }) = &self.outline else {
            return Err(Error::internal("a footer without an outline lacks a column"));
        };
        let part = part::parse(&self.bytes, outline, arrow.as_ref(), root);
        let part = part.map_err(|e| e.column(self.names.get(root).unwrap_or_default()))?;
        Ok(place.get_or_init(|| part))
    }

    /// The root column of a leaf.
    pub(crate) fn root_of(&self, leaf: usize) -> usize {
        if self.first_leaf.get(leaf) == Some(&leaf) {
            return leaf; // No column before it has more than one.
        }
        self.first_leaf.partition_point(|first| *first <= leaf).saturating_sub(1)
    }

    /// The leaf columns of a root column.
    pub(crate) fn leaves(&self, root: usize) -> Range<usize> {
        let at = |i: usize| self.first_leaf.get(i).copied().unwrap_or(0);
        at(root)..at(root + 1)
    }

    /// All rows.
    pub(crate) fn rows(&self) -> u64 {
        self.first_row.last().copied().unwrap_or(0)
    }

    /// How many row groups.
    pub(crate) fn groups(&self) -> usize {
        self.first_row.len() - 1
    }

    /// The rows of a row group, numbered within the file.
    pub(crate) fn group_rows(&self, group: usize) -> Range<u64> {
        let at = |i: usize| self.first_row.get(i).copied().unwrap_or(self.rows());
        at(group)..at(group + 1)
    }
}

/// Hands a footer to the `parquet` crate. What nobody here looks at is stepped over.
fn decode(bytes: &[u8]) -> Result<ParquetMetaData> {
    // The crate steps over what it says of encryption, and the encrypted columns then look like broken ones.
    if check_footer(bytes)? {
        return Err(encrypted());
    }
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    guarded(|| ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options)))
        .map_err(|e| e.hint("write the file again"))
}

fn not_parquet() -> Error {
    Error::corrupt("it is not a Parquet file: it does not end in PAR1")
        .hint("is it the right file, and whole?")
}

fn encrypted() -> Error {
    Error::unsupported("the file, or a column of it, is encrypted").hint("write it without encryption")
}

fn too_large(length: u64) -> Error {
    Error::limit(format!("the footer has {length} bytes, more than the {LARGEST} that are allowed"))
}
