//! Decoding straight from pages to where values stay: flat columns of the common types.
//!
//! What it does not know, of a column or of one page, the general reader does instead, with the same answer.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};
use arrow_schema::DataType;
use parquet::basic::{Encoding, Type as Physical};

use super::stored::Stored;
use super::{Job, boolean, fixed, text};
use crate::encoding::levels::Validity;
use crate::encoding::{Decoded, Fault};
use crate::error::{Error, Result};
use crate::page::{DataPage, Pages, Scratch, is_known, placed, with_scratch};
use crate::table::Column;

/// A column of which every row has one value or none.
pub(super) struct Flat {
    leaf: usize,
    physical: Physical,
    /// Bytes of a value, for those of fixed length.
    length: usize,
    /// Whether there may be nulls, and so definition levels.
    pub(super) optional: bool,
}

impl Flat {
    fn new(job: &Job<'_>, root: usize, column: &Column) -> Result<Option<Self>> {
        #[cfg(test)]
        if IS_OFF.with(std::cell::Cell::get) {
            return Ok(None);
        }
        let file = job.group.file;
        let leaves = file.leaves(root);
        let leaf = leaves.start;
        let part = file.part(root)?;
        let (Some(described), 1) = (part.schema().columns().get(part.leaf(0)), leaves.len()) else {
            return Ok(None);
        };
        let (chunk, _) = file.chunk(job.group.group, leaf)?;
        let is_flat = described.path().parts().len() == 1
            && described.max_rep_level() == 0
            && described.max_def_level() <= 1
            && described.physical_type() == chunk.column_type()
            && part.field()?.data_type() == column.data_type()
            && is_known(chunk.compression())
            && chunk.encodings().all(|encoding| encoding != Encoding::ALP);
        Ok(is_flat.then(|| Self {
            leaf,
            physical: described.physical_type(),
            length: usize::try_from(described.type_length()).unwrap_or(0),
            optional: described.max_def_level() == 1,
        }))
    }
}

/// Decodes the wanted rows into `values`, and gives the nulls among them; `None` if that is not for this reader.
pub(super) fn into_slot(
    job: &Job<'_>,
    root: usize,
    column: &Column,
    values: &mut [u8],
) -> Result<Option<Option<NullBuffer>>> {
    let Some(flat) = Flat::new(job, root, column)? else { return Ok(None) };
    let Some(stored) = Stored::new(flat.physical, flat.length, column.data_type()) else { return Ok(None) };
    let mut slot = fixed::Slot::new(stored, values);
    let outcome = each_page(job, &flat, |read| slot.take(read));
    Ok(known(outcome)?.map(|()| slot.finish()))
}

/// Decodes the wanted rows into an array; `None` if that is not for this reader.
pub(super) fn into_array(job: &Job<'_>, root: usize, column: &Column) -> Result<Option<ArrayRef>> {
    let Some(flat) = Flat::new(job, root, column)? else { return Ok(None) };
    let rows = usize::try_from(job.rows.len()).map_err(|_| Error::corrupt("a row group is too large"))?;
    let array = match (flat.physical, column.data_type()) {
        (Physical::BOOLEAN, DataType::Boolean) => {
            let mut out = boolean::Column::new(rows, job.run)?;
            known(each_page(job, &flat, |read| out.take(read)))?.map(|()| out.finish())
        }
        (Physical::BYTE_ARRAY, DataType::Utf8 | DataType::Binary) => {
            texts(job, &flat, column, text::Offsets::<i32>::new(rows, job.run)?)?
        }
        (Physical::BYTE_ARRAY, DataType::LargeUtf8 | DataType::LargeBinary) => {
            texts(job, &flat, column, text::Offsets::<i64>::new(rows, job.run)?)?
        }
        (Physical::BYTE_ARRAY, DataType::Utf8View | DataType::BinaryView) => {
            texts(job, &flat, column, text::Views::new(rows, job.run)?)?
        }
        _ => None,
    };
    if let Some(array) = &array {
        job.run.reserve(array.get_buffer_memory_size() as u64, "the decoded column")?.keep();
    }
    Ok(array)
}

fn texts<T: text::Output>(job: &Job<'_>, flat: &Flat, column: &Column, out: T) -> Result<Option<ArrayRef>> {
    let mut out = text::Column::new(out);
    match known(each_page(job, flat, |read| out.take(read)))? {
        Some(()) => out.finish(column.data_type()).map(Some),
        None => Ok(None),
    }
}

/// `None` for what only the general reader may know.
fn known<T>(outcome: Decoded<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Unknown) => Ok(None),
        Err(Fault::Corrupt(what)) => Err(Error::corrupt(what)),
        Err(Fault::Other(error)) => Err(error),
    }
}

/// One page, and what is wanted of it.
pub(super) struct ReadPage<'a, 'p> {
    pub(super) page: &'a DataPage,
    pub(super) optional: bool,
    /// The wanted rows, numbered within the page.
    pub(super) wanted: &'a [Range<usize>],
    pub(super) pages: &'a mut Pages<'p>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) job: &'a Job<'p>,
}

fn each_page<'p>(
    job: &Job<'p>,
    flat: &Flat,
    mut take: impl FnMut(ReadPage<'_, 'p>) -> Decoded<()>,
) -> Decoded<()> {
    let Job { group, rows, run } = *job;
    let mut pages = Pages::new(group.file, group.group, flat.leaf, rows.len(), run)?;
    let mut next = 0;
    let mut wanted: Vec<Range<usize>> = Vec::new();
    with_scratch(|scratch| {
        while let Some(row) = first_from(rows.ranges(), next) {
            run.check()?;
            let page = pages.holding(row)?;
            next = page.rows.end;
            wanted.clear();
            let local = |row: u64| usize::try_from(row - page.rows.start).unwrap_or(usize::MAX);
            wanted.extend(rows.within(&page.rows).ranges().iter().map(|r| local(r.start)..local(r.end)));
            // The page, and a mask of its rows.
            let memory = placed(page.checked_size(pages.codec()), page.at)? + page.len() / 8;
            let _memory = run.reserve(memory as u64, "a page")?;
            let read = ReadPage {
                page: &page,
                optional: flat.optional,
                wanted: &wanted,
                pages: &mut pages,
                scratch,
                job,
            };
            placed(take(read), page.at)?;
        }
        if rows.len() == job.group_rows() {
            pages.end()?;
        }
        Ok(())
    })
}

/// The first wanted row at or behind `row`.
fn first_from(ranges: &[Range<u64>], row: u64) -> Option<u64> {
    let at = ranges.partition_point(|range| range.end <= row);
    ranges.get(at).map(|range| range.start.max(row))
}

/// The nulls of a column, as they are met; no mask is made before the first of them.
#[derive(Default)]
pub(super) struct Nulls {
    bits: Option<BooleanBufferBuilder>,
    rows: usize,
}

impl Nulls {
    /// Appends `count` rows of a page, from `from` on.
    pub(super) fn append(&mut self, validity: &Validity, from: usize, count: usize) {
        match validity {
            Validity::All => {
                if let Some(all) = &mut self.bits {
                    all.append_n(count, true);
                }
            }
            Validity::Some(bits) => self.append_bits(&bits.slice(from, count)),
        }
        self.rows += count;
    }

    fn append_bits(&mut self, bits: &BooleanBuffer) {
        let rows = self.rows;
        let all = self.bits.get_or_insert_with(|| {
            let mut before = BooleanBufferBuilder::new(rows + bits.len());
            before.append_n(rows, true);
            before
        });
        all.append_buffer(bits);
    }

    /// The mask, if there is a null at all.
    pub(super) fn finish(self) -> Option<NullBuffer> {
        let bits = self.bits?.finish();
        Some(NullBuffer::new(bits)).filter(|nulls| nulls.null_count() > 0)
    }
}

/// Calls `each` with runs of the rows `from..from + count`: with nulls, then with values.
pub(super) fn each_run(
    validity: &Validity,
    from: usize,
    count: usize,
    mut each: impl FnMut(usize, usize) -> Decoded<()>,
) -> Decoded<()> {
    let bits = match validity {
        Validity::All => return each(0, count),
        Validity::Some(bits) => bits.slice(from, count),
    };
    let mut done = 0;
    for (start, end) in bits.set_slices() {
        each(start - done, end - start)?;
        done = end;
    }
    each(count - done, 0)
}

#[cfg(test)]
thread_local!(static IS_OFF: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });

/// Has this thread's work done by the general reader, to compare with. It must not go to other threads.
#[cfg(test)]
pub(crate) fn force_general<T>(work: impl FnOnce() -> T) -> T {
    IS_OFF.set(true);
    let done = work();
    IS_OFF.set(false);
    done
}
