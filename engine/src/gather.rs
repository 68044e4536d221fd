//! Values picked by position, for columns whose rows do not simply stack.

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType};
use hypostyle_io::{Error, Result, Run};
use rayon::prelude::*;

use crate::align::ABSENT;

/// Values picked by one task.
const CHUNK: usize = 32 << 10;

/// Values picked by one task, of columns whose parts must be put together afterwards.
const PART: usize = 128 << 10;

/// Copies `from[map[i]]` to `into[i]`, zeros where the map says [`ABSENT`].
pub(crate) fn values(from: &[u8], into: &mut [u8], width: usize, map: &[u32], run: &Run) -> Result<()> {
    if into.len() != map.len() * width {
        return Err(Error::internal("a slot of another length than its map"));
    }
    match width {
        1 => fixed::<1>(from, into, map, run)?,
        2 => fixed::<2>(from, into, map, run)?,
        4 => fixed::<4>(from, into, map, run)?,
        8 => fixed::<8>(from, into, map, run)?,
        16 => fixed::<16>(from, into, map, run)?,
        32 => fixed::<32>(from, into, map, run)?,
        _ => {
            for (out, position) in into.chunks_exact_mut(width).zip(map) {
                let start = *position as usize * width;
                match from.get(start..start + width).filter(|_| *position != ABSENT) {
                    Some(value) => out.copy_from_slice(value),
                    None => out.fill(0),
                }
            }
        }
    }
    Ok(())
}

fn fixed<const W: usize>(from: &[u8], into: &mut [u8], map: &[u32], run: &Run) -> Result<()> {
    let (from, _) = from.as_chunks::<W>();
    let (into, _) = into.as_chunks_mut::<W>();
    into.par_chunks_mut(CHUNK).zip(map.par_chunks(CHUNK)).try_for_each(|(into, map)| {
        run.check()?;
        for (out, position) in into.iter_mut().zip(map) {
            // ABSENT lies behind every table, which has fewer rows.
            *out = from.get(*position as usize).copied().unwrap_or([0; W]);
        }
        Ok(())
    })
}

/// The nulls of a gathered column: where the map is absent, and where the value picked is null.
pub(crate) fn nulls(
    from: Option<&NullBuffer>,
    present: Option<&NullBuffer>,
    map: &[u32],
) -> Option<NullBuffer> {
    let nulls = match (from, present) {
        (None, None) => return None,
        (None, Some(present)) => present.clone(),
        (Some(from), _) => NullBuffer::new(BooleanBuffer::collect_bool(map.len(), |i| {
            map.get(i).is_some_and(|p| (*p as usize) < from.len() && from.is_valid(*p as usize))
        })),
    };
    Some(nulls).filter(|n| n.null_count() > 0)
}

/// Where a map has a row; `None` if it has one everywhere.
pub(crate) fn present(map: &[u32]) -> Option<NullBuffer> {
    map.contains(&ABSENT)
        .then(|| NullBuffer::new(BooleanBuffer::collect_bool(map.len(), |i| map.get(i) != Some(&ABSENT))))
}

/// The same for columns that do not lie in slots.
pub(crate) fn array(
    from: &ArrayRef,
    map: &[u32],
    present: Option<&NullBuffer>,
    run: &Run,
) -> Result<ArrayRef> {
    let too_large = |e: ArrowError| Error::limit(format!("the picked values do not fit one array: {e}"));
    let part = |first: usize, map: &[u32]| {
        run.check()?;
        let zeroed = map.iter().map(|p| if *p == ABSENT { 0 } else { *p }).collect();
        let positions = UInt32Array::new(zeroed, present.map(|p| p.slice(first, map.len())));
        arrow_select::take::take(from, &positions, None).map_err(too_large)
    };
    // Each part of a column of views would hold on to all of its buffers.
    let has_views = matches!(from.data_type(), DataType::Utf8View | DataType::BinaryView);
    if map.len() <= PART || has_views {
        return part(0, map);
    }
    let parts = map.par_chunks(PART).enumerate().map(|(i, map)| part(i * PART, map));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    run.check()?;
    arrow_select::concat::concat(&parts).map_err(too_large)
}
