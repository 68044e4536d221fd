//! Decoding through the `parquet` crate's Arrow reader: every type it knows, nested ones included.

use std::sync::atomic::Ordering;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};

use super::pages::OneGroup;
use super::{Job, to_usize, widened, wrong_row_count};
use crate::error::{Error, Result};
use crate::footer::guarded;
use crate::table::Column;

/// Rows decoded at once: their values stay in the processor's cache until they are in the slot.
const BATCH: usize = 16 << 10;

/// Decodes the wanted rows of one row group into `values`; gives the nulls among them.
pub(super) fn into_slot(
    job: &Job<'_>,
    root: usize,
    column: &Column,
    width: usize,
    values: &mut [u8],
) -> Result<Option<NullBuffer>> {
    let mut rest = values;
    let mut nulls: Option<BooleanBufferBuilder> = None;
    let mut rows = 0;
    decode(job, root, |array| {
        let array = widened(array, column)?;
        let data = array.to_data();
        let bytes = data.buffers().first().map_or(&[][..], |b| b.as_slice());
        let from = data.offset() * width;
        let part = bytes.get(from..from + array.len() * width);
        let space = std::mem::take(&mut rest).split_at_mut_checked(array.len() * width);
        let (Some(part), Some((space, tail))) = (part, space) else {
            return Err(wrong_row_count(job.rows.len(), (rows + array.len()) as u64));
        };
        space.copy_from_slice(part);
        rest = tail;
        if let Some(found) = array.nulls().filter(|n| n.null_count() > 0) {
            let all = nulls.get_or_insert_with(|| {
                let mut before = BooleanBufferBuilder::new(rows + array.len());
                before.append_n(rows, true);
                before
            });
            all.append_buffer(found.inner());
            // The crate leaves there whatever it moved away.
            let mut null = 0;
            for (start, end) in found.valid_slices().chain([(array.len(), array.len())]) {
                space.get_mut(null * width..start * width).unwrap_or(&mut []).fill(0);
                null = end;
            }
        } else if let Some(all) = &mut nulls {
            all.append_n(array.len(), true);
        }
        rows += array.len();
        Ok(())
    })?;
    if rows as u64 != job.rows.len() {
        return Err(wrong_row_count(job.rows.len(), rows as u64));
    }
    Ok(nulls.map(|mut n| NullBuffer::new(n.finish())))
}

/// Decodes the wanted rows of one row group into arrays, to be put one after the other. What they take of the
/// memory limit stays taken: [`Job::run`] is told batch by batch, before the next one is decoded.
pub(super) fn into_array(job: &Job<'_>, root: usize, column: &Column) -> Result<Vec<ArrayRef>> {
    let mut parts = Vec::new();
    let mut rows = 0;
    decode(job, root, |array| {
        rows += array.len() as u64;
        // Dictionaries and repeated strings can grow far beyond the chunk's declared size.
        job.run.reserve(array.get_buffer_memory_size() as u64, "the decoded column")?.keep();
        parts.push(widened(array, column)?);
        Ok(())
    })?;
    if rows != job.rows.len() {
        return Err(wrong_row_count(job.rows.len(), rows));
    }
    Ok(parts)
}

fn decode(job: &Job<'_>, root: usize, mut each: impl FnMut(&ArrayRef) -> Result<()>) -> Result<()> {
    job.run.counters.units_general.fetch_add(1, Ordering::Relaxed);
    let total = usize::try_from(job.group_rows()).map_err(|_| Error::corrupt("a row group is too large"))?;
    let selection = if job.rows.len() == job.group_rows() {
        None
    } else {
        let ranges = job.rows.ranges().iter().map(to_usize).collect::<Result<Vec<_>>>()?;
        Some(RowSelection::from_consecutive_ranges(ranges.into_iter(), total))
    };
    let wanted = usize::try_from(job.rows.len()).unwrap_or(usize::MAX);
    let batch = wanted.clamp(1, BATCH);
    let part = job.group.file.part(root)?;
    let pages = OneGroup::new(job, root, part);
    let mut reader = guarded(|| {
        let mask = ProjectionMask::roots(part.schema(), [part.root()]);
        let levels = parquet_to_arrow_field_levels(part.schema(), mask, Some(part.fields()))?;
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, batch, selection)
    })
    .map_err(|e| pages.failure().or(e))?;
    loop {
        job.run.check()?;
        let batch = guarded(|| Ok(reader.next().transpose()?)).map_err(|e| pages.failure().or(e))?;
        let Some(batch) = batch else { return Ok(()) };
        each(batch.columns().first().ok_or_else(|| Error::internal("a decoded batch has no column"))?)?;
    }
}
