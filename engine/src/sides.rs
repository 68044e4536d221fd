//! The keys of the base and of every table, read side by side and brought to common terms.

use arrow_schema::DataType;
use hypostyle_io::{Error, Result, RowRanges, Run};
use rayon::prelude::*;

use crate::check::{Checked, CheckedTable};
use crate::key::{Bounds, KeyEncoder};
use crate::request::How;
use crate::side::{NullKeys, RawKeys, SideKeys, in_common_terms};
use crate::window::prune;

/// The keys of a join.
pub(crate) struct Sides {
    /// The rows to fill: the spine's, or the first table's.
    pub(crate) base: SideKeys,
    /// The tables to fill them from: all of the request, but for a first table that is the base.
    pub(crate) tables: Vec<SideKeys>,
    /// For each table of the request, the rows whose keys were read.
    pub(crate) considered: Vec<u64>,
}

impl Checked<'_> {
    pub(crate) fn read_sides(&self, bounds: &Bounds, run: &Run) -> Result<Sides> {
        let raw =
            self.tables.par_iter().map(|t| self.read_keys(t, bounds, run)).collect::<Result<Vec<_>>>()?;
        let considered = raw.iter().map(|r| r.rows.len()).collect();
        // The base first, then the tables that fill it.
        let raw: Vec<RawKeys> = self.spine_keys()?.into_iter().chain(raw).collect();
        let canonical = in_common_terms(&raw, &self.key_types, run)?;
        let types: Vec<DataType> =
            canonical.first().map(|c| c.iter().map(|c| c.data_type().clone()).collect()).unwrap_or_default();
        let encoder = KeyEncoder::new(&types)?;
        let mut sides = raw
            .into_par_iter()
            .zip(canonical)
            .enumerate()
            .map(|(i, (raw, columns))| {
                let stays = i == 0 && self.request.how != How::Inner;
                raw.into_side(
                    columns,
                    bounds,
                    if stays { NullKeys::Stay } else { NullKeys::Go },
                    &encoder,
                    run,
                )
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter();
        let base = sides.next().ok_or_else(|| Error::internal("a join without a base"))?;
        Ok(Sides { base, tables: sides.collect(), considered })
    }

    fn read_keys(&self, table: &CheckedTable<'_>, bounds: &Bounds, run: &Run) -> Result<RawKeys> {
        let place = |e: Error| e.table(&table.request.name);
        let (Some(key), Some(key_type)) = (table.key.first(), self.key_types.first()) else {
            return Err(Error::internal("a join without key columns"));
        };
        let detail = || table.request.name.clone();
        run.span("keys", detail, || {
            let rows = prune(&table.request.table, key, *key_type, bounds, run)?;
            RawKeys::read(&table.request.table, &table.key, rows, run)
        })
        .map_err(place)
    }

    fn spine_keys(&self) -> Result<Option<RawKeys>> {
        let Some(spine) = &self.request.spine else { return Ok(None) };
        let column = |name: &String| spine.batch.column_by_name(name).cloned();
        let columns = spine.key.iter().map(column).collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| Error::internal("the spine lost its key"))?;
        Ok(Some(RawKeys { rows: RowRanges::all(spine.batch.num_rows() as u64), columns }))
    }
}
