//! Tables whose key columns are stored as the first table's, byte for byte: their keys need not be decoded, and are
//! known to be equal.

use hypostyle_io::{Error, Result, RowRanges, Run, StoredColumn};

use crate::check::CheckedTable;
use crate::key::{Bounds, KeyType};
use crate::window::prune;

/// The first table's key columns as they are stored, to compare others with.
pub(crate) struct FirstKeys<'a> {
    columns: Vec<StoredColumn<'a>>,
    rows: RowRanges,
}

impl<'a> FirstKeys<'a> {
    /// Reads what is stored, if that is not many times more than what is wanted of it.
    pub(crate) fn read(
        table: &'a CheckedTable<'_>,
        types: &[KeyType],
        bounds: &Bounds,
        run: &'a Run,
    ) -> Result<Option<Self>> {
        let of = &table.request.table;
        let rows = wanted_rows(table, types, bounds, run)?;
        // Of a few rows pages are read, and there is little to gain. What others answer for is asked for once.
        if of.is_asked() || rows.len().saturating_mul(2) < of.rows() || of.rows() == 0 {
            return Ok(None);
        }
        let columns = table.key.iter().map(|column| StoredColumn::read(of, column, run));
        let columns =
            columns.collect::<Result<Option<Vec<_>>>>().map_err(|e| e.table(&table.request.name))?;
        Ok(columns.map(|columns| Self { columns, rows }))
    }

    /// Whether another table has the same keys in the same rows, and the same rows are wanted of it.
    pub(crate) fn are_those_of(
        &self,
        table: &CheckedTable<'_>,
        types: &[KeyType],
        bounds: &Bounds,
        run: &Run,
    ) -> Result<bool> {
        let name = || table.request.name.clone();
        let are = || {
            if table.request.table.is_asked() {
                return Ok(false);
            }
            if self.columns.len() != table.key.len() || self.rows != wanted_rows(table, types, bounds, run)? {
                return Ok(false);
            }
            for (own, column) in self.columns.iter().zip(&table.key) {
                if !own.is_as(&table.request.table, column, run)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        run.span("compare keys", name, are).map_err(|e: Error| e.table(&table.request.name))
    }
}

/// The rows of a table that may lie within the bounds, by what statistics say.
pub(crate) fn wanted_rows(
    table: &CheckedTable<'_>,
    types: &[KeyType],
    bounds: &Bounds,
    run: &Run,
) -> Result<RowRanges> {
    let (Some(key), Some(key_type)) = (table.key.first(), types.first()) else {
        return Err(Error::internal("a join without key columns"));
    };
    prune(&table.request.table, key, *key_type, bounds, run).map_err(|e| e.table(&table.request.name))
}
