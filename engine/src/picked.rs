//! From an output's map to what is read of a table: rows in ascending order, and how they become the output's.

use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use hypostyle_io::{Error, Result, RowRanges, Run};
use rayon::prelude::*;

use crate::align::{ABSENT, RowMap};
use crate::gather;
use crate::plan::PlannedTable;

/// Rows between two wanted ones that are decoded along: stepping over fewer costs more than decoding them.
const GAP: u64 = 64;

/// Positions translated by one task.
const CHUNK: usize = 32 << 10;

/// The rows of a table that are read, and where they go.
pub(crate) struct Picked {
    /// The rows to read, numbered within the table.
    pub(crate) rows: RowRanges,
    /// How what was read becomes the output: `None` when it is that, row by row.
    pub(crate) gather: Option<Gather>,
}

/// For each output row the position among the rows read, or [`ABSENT`].
pub(crate) struct Gather {
    pub(crate) map: Vec<u32>,
    /// Where there is a row; `None` if everywhere.
    pub(crate) present: Option<NullBuffer>,
}

impl Picked {
    pub(crate) fn of(table: &PlannedTable, run: &Run) -> Result<Self> {
        let map = match &table.map {
            RowMap::Run { first, len } => {
                let positions = u64::from(*first)..u64::from(*first) + u64::from(*len);
                let rows = table.rows.at_positions(&RowRanges::from_ranges([positions]));
                return Ok(Self { rows, gather: None });
            }
            RowMap::Each(map) => map,
        };
        run.check()?;
        let total = !map.contains(&ABSENT);
        let ascends = total && map.iter().zip(map.iter().skip(1)).all(|(a, b)| a < b);
        run.check()?;
        let exact = wanted(map, table.rows.len(), run)?;
        run.check()?;
        let closed = exact.with_gaps_closed(GAP);
        let rows = table.rows.at_positions(&closed);
        if ascends && closed == exact {
            return Ok(Self { rows, gather: None });
        }
        let present = gather::present(map);
        Ok(Self { rows, gather: Some(Gather { map: among(&closed, map, run)?, present }) })
    }
}

/// The positions that a map names, of a table of so many.
fn wanted(map: &[u32], rows: u64, run: &Run) -> Result<RowRanges> {
    if map.len() as u64 > rows / 64 {
        // Marks take less time than sorting, as long as there are not many more of them than positions.
        let rows = usize::try_from(rows).map_err(|_| Error::limit("more rows than fit memory"))?;
        let mut marks = BooleanBufferBuilder::new(rows);
        marks.append_n(rows, false);
        for map in map.chunks(CHUNK) {
            run.check()?;
            for position in map.iter().map(|p| *p as usize).filter(|p| *p < rows) {
                marks.set_bit(position, true);
            }
        }
        return Ok(marks.finish().set_slices().map(|(start, end)| start as u64..end as u64).collect());
    }
    let mut wanted: Vec<u32> = map.iter().copied().filter(|p| *p != ABSENT).collect();
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted.iter().map(|p| u64::from(*p)..u64::from(*p) + 1).collect())
}

/// Positions of the table as positions among the ranges read, each of which lies in one of them.
fn among(ranges: &RowRanges, map: &[u32], run: &Run) -> Result<Vec<u32>> {
    let mut starts = Vec::with_capacity(ranges.ranges().len());
    let mut before = 0u64;
    for range in ranges.ranges() {
        starts.push((range.start, before));
        before += range.end - range.start;
    }
    let translate = |position: u32, at: usize| {
        let Some((start, before)) = starts.get(at) else { return ABSENT };
        u32::try_from(before + (u64::from(position) - start)).unwrap_or(ABSENT)
    };
    let mut out = vec![ABSENT; map.len()];
    out.par_chunks_mut(CHUNK).zip(map.par_chunks(CHUNK)).try_for_each(|(out, map)| {
        run.check()?;
        let mut at = 0;
        for (out, position) in out.iter_mut().zip(map).filter(|(_, position)| **position != ABSENT) {
            let here = |at: usize| ranges.ranges().get(at).is_some_and(|r| r.contains(&u64::from(*position)));
            // Neighbours mostly lie in the same range, or in the next.
            if !here(at) {
                at += 1;
                if !here(at) {
                    at = ranges.ranges().partition_point(|r| r.end <= u64::from(*position));
                }
            }
            *out = translate(*position, at);
        }
        Ok::<(), Error>(())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn planned(map: Vec<u32>) -> PlannedTable {
        PlannedTable {
            rows: RowRanges::from_ranges([100..200, 500..900]),
            map: RowMap::Each(Arc::new(map)),
            way: "hash",
            reason: String::new(),
            nulls: 0,
            considered: 0,
            origin: "read",
        }
    }

    #[test]
    fn each_output_row_gets_the_row_that_its_map_names() {
        let maps = [
            vec![],
            vec![0, 1, 2],
            vec![5, 3, 5, 499],
            vec![ABSENT, 7, ABSENT],
            vec![0, 70, 300],
            vec![99, 100, 101, 20],
            vec![ABSENT],
        ];
        for map in maps {
            let table = planned(map.clone());
            let picked = Picked::of(&table, &Run::default()).unwrap();
            let read: Vec<u64> = picked.rows.iter().collect();
            let got: Vec<Option<u64>> = match &picked.gather {
                None => read.iter().copied().map(Some).collect(),
                Some(g) => g.map.iter().map(|p| read.get(*p as usize).copied()).collect(),
            };
            let expected: Vec<Option<u64>> = map
                .iter()
                .map(|p| if *p == ABSENT { None } else { table.rows.row_at(u64::from(*p)) })
                .collect();
            assert_eq!(got, expected, "{map:?}");
        }
    }
}
