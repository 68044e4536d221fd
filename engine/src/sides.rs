//! The keys of the base and of every table, read side by side and brought to common terms.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use hypostyle_io::{Error, Result, RowRanges, Run};
use rayon::prelude::*;

use crate::check::{Checked, CheckedTable};
use crate::key::{Bounds, KeyEncoder, Width};
use crate::remembered::SideOf;
use crate::request::How;
use crate::side::{NullKeys, RawKeys, SideKeys, in_terms, too_wide};
use crate::window::prune;

/// The keys of a join.
pub(crate) struct Sides {
    /// The rows to fill: the spine's, or the first table's.
    pub(crate) base: Arc<SideKeys>,
    /// The tables to fill them from: all of the request, but for a first table that is the base.
    pub(crate) tables: Vec<Arc<SideKeys>>,
}

impl Checked<'_> {
    pub(crate) fn read_sides(&self, bounds: &Bounds, run: &Run) -> Result<Sides> {
        let mut sides = self.sides(bounds, run)?.into_iter();
        let base = sides.next().ok_or_else(|| Error::internal("a join without a base"))?;
        Ok(Sides { base, tables: sides.collect() })
    }

    /// The base first, then the tables that fill it.
    fn sides(&self, bounds: &Bounds, run: &Run) -> Result<Vec<Arc<SideKeys>>> {
        let known = self.known(bounds);
        let all: Vec<usize> = (0..self.tables.len()).collect();
        let unknown: Vec<usize> =
            all.iter().copied().zip(&known).filter_map(|(at, known)| known.is_none().then_some(at)).collect();
        let mut raw = self.raw(&unknown, bounds, run)?;
        if let Some(columns) = in_terms(&raw, &self.key_types, Width::Usual, run)? {
            let new = self.encoded(raw, columns, &unknown, bounds, run)?;
            return Ok(self.with_new(known, new, bounds));
        }
        // One key needs the wide form, and so all do: what is known is of no use.
        if unknown.len() < all.len() {
            raw = self.raw(&all, bounds, run)?;
        }
        let columns = in_terms(&raw, &self.key_types, Width::Wide, run)?.ok_or_else(too_wide)?;
        self.encoded(raw, columns, &all, bounds, run)
    }

    /// What earlier joins have read, for each table.
    fn known(&self, bounds: &Bounds) -> Vec<Option<Arc<SideKeys>>> {
        let remembered = self.request.remembered.as_ref();
        let known = |(at, table)| remembered?.side(&self.side_of(at, table, bounds));
        self.tables.iter().enumerate().map(known).collect()
    }

    fn side_of(&self, at: usize, table: &CheckedTable<'_>, bounds: &Bounds) -> SideOf {
        SideOf::new(table, &self.key_types, bounds, self.null_keys(at))
    }

    /// Whether a table's rows without a key stay: they do where the output has all rows of that table.
    fn null_keys(&self, at: usize) -> NullKeys {
        if at == 0 && self.request.how == How::Left { NullKeys::Stay } else { NullKeys::Go }
    }

    /// The spine's keys, if there is a spine, and those of the tables at `places`.
    fn raw(&self, places: &[usize], bounds: &Bounds, run: &Run) -> Result<Vec<RawKeys>> {
        self.keys_ahead(places, bounds, run)?;
        let table =
            |at: &usize| self.tables.get(*at).ok_or_else(|| Error::internal("a table that is not there"));
        let tables = places.par_iter().map(|at| self.read_keys(table(at)?, bounds, run));
        let tables = tables.collect::<Result<Vec<_>>>()?;
        Ok(self.spine_keys()?.into_iter().chain(tables).collect())
    }

    /// The sides of what [`Self::raw`] read, of which `columns` are the keys in common terms.
    fn encoded(
        &self,
        raw: Vec<RawKeys>,
        columns: Vec<Vec<ArrayRef>>,
        places: &[usize],
        bounds: &Bounds,
        run: &Run,
    ) -> Result<Vec<Arc<SideKeys>>> {
        if raw.is_empty() {
            return Ok(Vec::new());
        }
        let types = columns.first().map(|c| c.iter().map(|c| c.data_type().clone()).collect::<Vec<_>>());
        let encoder = KeyEncoder::new(&types.unwrap_or_default())?;
        let spine = self.request.spine.as_ref().map(|_| NullKeys::Stay);
        let nulls: Vec<NullKeys> =
            spine.into_iter().chain(places.iter().map(|at| self.null_keys(*at))).collect();
        raw.into_par_iter()
            .zip(columns)
            .zip(nulls)
            .map(|((raw, columns), nulls)| raw.into_side(columns, bounds, nulls, &encoder, run).map(Arc::new))
            .collect()
    }

    /// Known and new sides in their order; the new ones are told to later joins.
    fn with_new(
        &self,
        known: Vec<Option<Arc<SideKeys>>>,
        new: Vec<Arc<SideKeys>>,
        bounds: &Bounds,
    ) -> Vec<Arc<SideKeys>> {
        let mut new = new.into_iter();
        let spine = self.request.spine.as_ref().and_then(|_| new.next());
        let tables = self.tables.iter().zip(known).enumerate().filter_map(|(at, (table, known))| {
            known.or_else(|| {
                let side = new.next()?;
                if let Some(remembered) = &self.request.remembered {
                    remembered.keep_side(self.side_of(at, table, bounds), &side);
                }
                Some(side)
            })
        });
        spine.into_iter().chain(tables).collect()
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
