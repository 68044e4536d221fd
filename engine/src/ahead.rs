//! What a join will read from mounts that can hang, asked for stage by stage: for all tables at once, where reading
//! table by table would wait for each of them in turn. Of tables on local disks nothing is asked.

use hypostyle_io::{Column, Error, Reader, Result, Run, page_indexes_ahead, read_ahead};
use rayon::prelude::*;

use crate::check::{Checked, CheckedTable};
use crate::key::Bounds;
use crate::window::{by_groups, prune};

impl Checked<'_> {
    /// Asks for the keys of the tables at `places`, within the bounds.
    pub(crate) fn keys_ahead(&self, places: &[usize], bounds: &Bounds, run: &Run) -> Result<()> {
        let tables: Vec<&CheckedTable<'_>> = places
            .iter()
            .filter_map(|at| self.tables.get(*at))
            .filter(|table| table.request.table.is_asked())
            .collect();
        let (Some(key_type), false) = (self.key_types.first().copied(), tables.is_empty()) else {
            return Ok(());
        };
        if !bounds.is_open() {
            let indexes = tables.iter().map(|table| {
                let Some(key) = table.key.first() else { return Ok(Vec::new()) };
                let by_groups = by_groups(&table.request.table, key, key_type, bounds)?;
                page_indexes_ahead(&table.request.table, key, &by_groups.cut)
                    .map_err(|e| e.table(&table.request.name))
            });
            read_ahead(indexes.collect::<Result<Vec<_>>>()?.concat(), run);
        }
        let rows = tables.par_iter().map(|table| {
            let key = table.key.first().ok_or_else(|| Error::internal("a join without key columns"))?;
            prune(&table.request.table, key, key_type, bounds, run).map_err(|e| e.table(&table.request.name))
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let readers: Vec<Reader<'_>> = tables
            .iter()
            .zip(&rows)
            .map(|(table, rows)| Reader::new(&table.request.table, rows, run))
            .collect();
        let of_table = tables.iter().zip(&readers);
        columns_ahead(of_table.map(|(table, reader)| (*table, reader, table.key.as_slice())), run)
    }

    /// Asks for the features of all tables.
    pub(crate) fn features_ahead(&self, readers: &[Reader<'_>], run: &Run) -> Result<()> {
        let of_table = self.tables.iter().zip(readers).filter(|(table, _)| table.request.table.is_asked());
        columns_ahead(of_table.map(|(table, reader)| (table, reader, table.features.as_slice())), run)
    }
}

/// First the indexes, for all tables; then what they say is wanted.
fn columns_ahead<'a>(
    tables: impl Iterator<Item = (&'a CheckedTable<'a>, &'a Reader<'a>, &'a [Column])>,
    run: &Run,
) -> Result<()> {
    let tables: Vec<(&CheckedTable<'_>, &Reader<'_>, Vec<&Column>)> =
        tables.map(|(table, reader, columns)| (table, reader, columns.iter().collect())).collect();
    let indexes = tables.iter().map(|(table, reader, columns)| {
        reader.indexes_ahead(columns).map_err(|e| e.table(&table.request.name))
    });
    read_ahead(indexes.collect::<Result<Vec<_>>>()?.concat(), run);
    let pages = tables.par_iter().map(|(table, reader, columns)| {
        reader.pages_ahead(columns, run).map_err(|e| e.table(&table.request.name))
    });
    read_ahead(pages.collect::<Result<Vec<_>>>()?.concat(), run);
    Ok(())
}
