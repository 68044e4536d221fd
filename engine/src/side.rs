//! One table's side of a join: which of its rows matter, and their keys.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef, BooleanArray, make_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use arrow_select::filter::{FilterBuilder, SlicesIterator};
use hypostyle_io::{Column, Error, Filled, Reader, Result, RowRanges, Run, Slab, Slot, Table};
use rayon::prelude::*;

use crate::key::{Bounds, KeyEncoder, KeySequence, KeyType, Order, Width, canonical, in_words};

/// Key columns as they were read, for the rows that statistics did not exclude.
#[derive(Clone, Debug)]
pub(crate) struct RawKeys {
    /// The rows, numbered within the table.
    pub(crate) rows: RowRanges,
    /// The key columns of these rows, in the types that the table has.
    pub(crate) columns: Vec<ArrayRef>,
}

/// Key columns in common terms, without the rows that can match nothing.
pub(crate) struct SideKeys {
    /// The rows, numbered within the table: in bounds and, where nulls match nothing, without null keys.
    pub(crate) rows: RowRanges,
    /// The key columns of these rows, in the types that the table has.
    pub(crate) columns: Vec<ArrayRef>,
    /// The first key column of these rows, in common terms.
    pub(crate) first: ArrayRef,
    /// The keys of those rows that have one. For a side that keeps null keys, `present` has their positions.
    pub(crate) keys: KeySequence,
    /// Positions of the rows with a key, if there are others.
    pub(crate) present: Option<Vec<u32>>,
    pub(crate) order: Order,
    /// Rows whose key was read and is null, in bounds or not.
    pub(crate) nulls: u64,
    /// Rows whose key was read.
    pub(crate) considered: u64,
}

/// Whether rows with a null key stay, matching nothing, or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NullKeys {
    Stay,
    Go,
}

impl RawKeys {
    /// Reads the key columns of `rows`.
    pub(crate) fn read(table: &Table, key: &[Column], rows: RowRanges, run: &Run) -> Result<Self> {
        let reader = Reader::new(table, &rows, run);
        let columns = key.iter().map(|column| read_column(&reader, column, run)).collect::<Result<_>>();
        Ok(Self { columns: columns.map_err(|e| e.table(table.name()))?, rows })
    }

    /// The columns in common terms; `None` if a value does not fit the width.
    fn canonical(&self, types: &[KeyType], width: Width, run: &Run) -> Result<Option<Vec<ArrayRef>>> {
        self.columns.iter().zip(types).map(|(column, key)| in_parts(column, *key, width, run)).collect()
    }

    /// Leaves the rows that can match, and encodes their keys.
    pub(crate) fn into_side(
        self,
        canonical: Vec<ArrayRef>,
        bounds: &Bounds,
        nulls: NullKeys,
        encoder: &KeyEncoder,
        run: &Run,
    ) -> Result<SideKeys> {
        run.check()?;
        let first = canonical.first().ok_or_else(|| Error::internal("a join without key columns"))?;
        let within = (!bounds.is_open()).then(|| bounds.contains(first));
        let valid = NullBuffer::union_many(canonical.iter().map(|c| c.nulls()));
        let null_keys = valid.as_ref().map_or(0, NullBuffer::null_count) as u64;
        let wanted = match (within, &valid, nulls) {
            (Some(within), Some(valid), NullKeys::Go) => Some(&within & valid.inner()),
            (None, Some(valid), NullKeys::Go) => Some(valid.inner().clone()),
            (within, _, _) => within,
        };
        let Self { rows, columns } = self;
        let considered = rows.len();
        let (rows, columns, canonical) = match wanted.filter(|w| w.count_set_bits() < w.len()) {
            None => (rows, columns, canonical),
            Some(wanted) => {
                (positions_of(&wanted, &rows), filter(&columns, &wanted)?, filter(&canonical, &wanted)?)
            }
        };
        let first =
            canonical.first().cloned().ok_or_else(|| Error::internal("a join without key columns"))?;
        let valid =
            NullBuffer::union_many(canonical.iter().map(|c| c.nulls())).filter(|v| v.null_count() > 0);
        let present =
            valid.as_ref().map(|v| v.valid_indices().map(|i| u32::try_from(i).unwrap_or(u32::MAX)).collect());
        let with_key = match &valid {
            None => canonical,
            Some(valid) => filter(&canonical, valid.inner())?,
        };
        let keys = encoder.encode(&with_key, run)?;
        let order = keys.order(run)?;
        Ok(SideKeys { rows, columns, first, keys, present, order, nulls: null_keys, considered })
    }
}

impl SideKeys {
    /// Memory that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        // Columns that are in common terms as they are share their memory with the keys.
        let mut seen = HashSet::new();
        let mut columns = 0;
        for column in self.columns.iter().chain([&self.first]) {
            let data = column.to_data();
            let nulls = data.nulls().map(arrow_buffer::NullBuffer::buffer);
            for buffer in data.buffers().iter().chain(nulls) {
                if seen.insert(buffer.data_ptr().as_ptr().addr()) {
                    columns += buffer.capacity();
                }
            }
        }
        let keys = self.keys.address().is_none_or(|at| seen.insert(at));
        let keys = if keys { self.keys.bytes() } else { 0 };
        let present = self.present.as_ref().map_or(0, |p| p.len() * size_of::<u32>());
        (columns + keys + present + size_of_val(self.rows.ranges())) as u64
    }

    /// The row of a key's position, and the key in words, for errors.
    pub(crate) fn describe(&self, position: u32) -> (u64, String) {
        let at = match &self.present {
            Some(present) => present.get(position as usize).copied().unwrap_or(position),
            None => position,
        };
        let row = self.rows.row_at(u64::from(at)).unwrap_or_default();
        (row, in_words(&self.columns, at as usize))
    }
}

/// The key columns of all sides in common terms of that width; `None` if one value needs a wider one.
pub(crate) fn in_terms(
    raw: &[RawKeys],
    types: &[KeyType],
    width: Width,
    run: &Run,
) -> Result<Option<Vec<Vec<ArrayRef>>>> {
    raw.par_iter().map(|raw| raw.canonical(types, width, run)).collect()
}

/// The key columns of all sides in common terms: the usual width, or the wide one for all if one value needs it.
pub(crate) fn in_common_terms(raw: &[RawKeys], types: &[KeyType], run: &Run) -> Result<Vec<Vec<ArrayRef>>> {
    match in_terms(raw, types, Width::Usual, run)? {
        Some(columns) => Ok(columns),
        None => in_terms(raw, types, Width::Wide, run)?.ok_or_else(too_wide),
    }
}

/// No key is wider than the wide form.
pub(crate) fn too_wide() -> Error {
    Error::internal("a key does not fit the wide form")
}

/// Reads one column into an array of its own.
pub(crate) fn read_column(reader: &Reader<'_>, column: &Column, run: &Run) -> Result<ArrayRef> {
    let rows = usize::try_from(reader.rows()).map_err(|_| Error::limit("more rows than fit memory"))?;
    let Some(width) = column.fixed_width() else {
        // Refused by the declared size; what the arrays really take is counted as they are decoded.
        run.reserve(reader.declared_bytes(column), "the column")
            .map(drop)
            .map_err(|e| e.column(column.name()))?;
        return match reader.read(column, Slot::Array)? {
            Filled::Array(array) => Ok(array),
            Filled::Values(_) => Err(Error::internal("a slot was filled where an array was asked for")),
        };
    };
    let bytes = rows.checked_mul(width).ok_or_else(|| Error::limit("more rows than fit memory"))?;
    run.reserve(bytes as u64, "the column").map_err(|e| e.column(column.name()))?.keep();
    let mut slab = Slab::new([bytes])?;
    let mut nulls = None;
    for slot in slab.slots_mut() {
        match reader.read(column, Slot::Values(slot))? {
            Filled::Values(found) => nulls = found,
            Filled::Array(_) => return Err(Error::internal("an array came where a slot was given")),
        }
    }
    let buffer = slab.into_buffers().pop().ok_or_else(|| Error::internal("a slab without its slot"))?;
    let data = ArrayData::builder(column.data_type().clone())
        .len(rows)
        .add_buffer(buffer)
        .nulls(nulls)
        .build()
        .map_err(|e| Error::internal(format!("a filled slot is no array: {e}")))?;
    Ok(make_array(data))
}

/// Rows that are brought to common terms at once, of types where that is a copy of each value.
const PART: usize = 128 << 10;

/// One key column in common terms; a long one part by part, so that the work can be ended between them.
fn in_parts(column: &ArrayRef, key: KeyType, width: Width, run: &Run) -> Result<Option<ArrayRef>> {
    run.check()?;
    let is_long = column.len() > PART && column.data_type().primitive_width().is_none();
    if !is_long || matches!(column.data_type(), DataType::LargeUtf8 | DataType::LargeBinary) {
        return canonical(column, key, width);
    }
    let parts = (0..column.len().div_ceil(PART)).into_par_iter().map(|part| {
        run.check()?;
        let first = part * PART;
        canonical(&column.slice(first, PART.min(column.len() - first)), key, width)
    });
    let Some(parts) = parts.collect::<Result<Option<Vec<_>>>>()? else { return Ok(None) };
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let whole = arrow_select::concat::concat(&parts);
    whole.map(Some).map_err(|e| Error::limit(format!("the keys do not fit one array: {e}")))
}

fn positions_of(wanted: &BooleanBuffer, rows: &RowRanges) -> RowRanges {
    let positions: RowRanges =
        SlicesIterator::from(wanted).map(|(start, end)| start as u64..end as u64).collect();
    rows.at_positions(&positions)
}

fn filter(columns: &[ArrayRef], wanted: &BooleanBuffer) -> Result<Vec<ArrayRef>> {
    let predicate = FilterBuilder::new(&BooleanArray::new(wanted.clone(), None)).optimize().build();
    columns
        .iter()
        .map(|c| {
            predicate
                .filter(c.as_ref())
                .map_err(|e| Error::internal(format!("a key could not be filtered: {e}")))
        })
        .collect()
}
