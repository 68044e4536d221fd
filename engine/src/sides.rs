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
use crate::twins::{FirstKeys, wanted_rows};

/// The keys of a join.
pub(crate) struct Sides {
    /// The rows to fill: the spine's, or the first table's.
    pub(crate) base: Arc<SideKeys>,
    /// The tables to fill them from: all of the request, but for a first table that is the base.
    pub(crate) tables: Vec<Arc<SideKeys>>,
    /// Where the keys of each table of the request are from.
    pub(crate) origins: Vec<&'static str>,
}

pub(crate) const READ: &str = "read";
pub(crate) const AS_FIRST: &str = "as the first";
pub(crate) const REMEMBERED: &str = "remembered";

/// Whether keys are read without a look at how they are stored, or only where they are not stored as the first
/// table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    No,
    WithFirst,
}

/// Sides that were read; `None` for a table whose side is the first table's.
struct New {
    spine: Option<Arc<SideKeys>>,
    tables: Vec<Option<Arc<SideKeys>>>,
}

impl Checked<'_> {
    pub(crate) fn read_sides(&self, bounds: &Bounds, run: &Run) -> Result<Sides> {
        let mut origins = vec![READ; self.tables.len()];
        let mut sides = self.sides(bounds, &mut origins, run)?.into_iter();
        let base = sides.next().ok_or_else(|| Error::internal("a join without a base"))?;
        Ok(Sides { base, tables: sides.collect(), origins })
    }

    /// The base first, then the tables that fill it.
    fn sides(&self, bounds: &Bounds, origins: &mut [&'static str], run: &Run) -> Result<Vec<Arc<SideKeys>>> {
        let mut sides = self.known(bounds);
        for (origin, known) in origins.iter_mut().zip(&sides) {
            *origin = if known.is_some() { REMEMBERED } else { READ };
        }
        let all: Vec<usize> = (0..self.tables.len()).collect();
        let unknown: Vec<usize> =
            all.iter().copied().zip(&sides).filter_map(|(at, known)| known.is_none().then_some(at)).collect();
        let spine = match self.read(&unknown, Compared::WithFirst, Width::Usual, bounds, run)? {
            Some(new) => {
                let spine = self.take(&mut sides, &unknown, new, bounds, run)?;
                self.remember(&sides, &unknown, bounds);
                spine
            }
            None => {
                // One key needs the wide form, and so all do: what is known is of no use, nor is this to others.
                origins.fill(READ);
                let new = self.read(&all, Compared::No, Width::Wide, bounds, run)?.ok_or_else(too_wide)?;
                self.take(&mut sides, &all, new, bounds, run)?
            }
        };
        let first = sides.first().cloned().flatten();
        for (origin, side) in origins.iter_mut().zip(&sides).skip(1) {
            let is_first = first.as_ref().zip(side.as_ref()).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
            if *origin == READ && is_first {
                *origin = AS_FIRST;
            }
        }
        spine.into_iter().map(Some).chain(sides).collect::<Option<_>>().ok_or_else(lost)
    }

    /// The sides of the tables at `places`, and the spine's, if there is a spine; `None` if a key does not fit the
    /// width.
    fn read(
        &self,
        places: &[usize],
        compared: Compared,
        width: Width,
        bounds: &Bounds,
        run: &Run,
    ) -> Result<Option<New>> {
        let read = self.raw(places, compared, bounds, run)?;
        let of_own: Vec<usize> =
            places.iter().zip(&read).filter_map(|(at, read)| read.is_some().then_some(*at)).collect();
        let as_first: Vec<bool> = read.iter().map(Option::is_none).collect();
        let raw: Vec<RawKeys> = self.spine_keys()?.into_iter().chain(read.into_iter().flatten()).collect();
        let Some(columns) = in_terms(&raw, &self.key_types, width, run)? else { return Ok(None) };
        let mut encoded = self.encoded(raw, columns, &of_own, bounds, run)?.into_iter();
        let spine = self.request.spine.as_ref().and_then(|_| encoded.next());
        let tables = as_first.into_iter().map(|is| if is { None } else { encoded.next() }).collect();
        Ok(Some(New { spine, tables }))
    }

    /// Puts new sides to those that are known; gives the spine's.
    fn take(
        &self,
        sides: &mut [Option<Arc<SideKeys>>],
        places: &[usize],
        new: New,
        bounds: &Bounds,
        run: &Run,
    ) -> Result<Option<Arc<SideKeys>>> {
        let mut unlike = Vec::new();
        for (at, side) in places.iter().zip(new.tables) {
            let first = sides.first().and_then(Option::as_ref);
            // A first table whose rows without a key stay has others than its twins.
            let may_be_as_first =
                |first: &&Arc<SideKeys>| first.nulls == 0 || self.null_keys(*at) == self.null_keys(0);
            match side.or_else(|| first.filter(may_be_as_first).cloned()) {
                Some(side) => put(sides, *at, side),
                None => unlike.push(*at),
            }
        }
        if !unlike.is_empty() {
            let new = self.read(&unlike, Compared::No, Width::Usual, bounds, run)?.ok_or_else(too_wide)?;
            for (at, side) in unlike.iter().zip(new.tables) {
                put(sides, *at, side.ok_or_else(lost)?);
            }
        }
        Ok(new.spine)
    }

    /// Tells later joins of the sides at `places`, which are of the usual width.
    fn remember(&self, sides: &[Option<Arc<SideKeys>>], places: &[usize], bounds: &Bounds) {
        let Some(remembered) = &self.request.remembered else { return };
        for at in places {
            if let (Some(table), Some(Some(side))) = (self.tables.get(*at), sides.get(*at)) {
                remembered.keep_side(self.side_of(*at, table, bounds), side);
            }
        }
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

    /// The keys of the tables at `places`; `None` for one whose keys are stored as the first table's.
    fn raw(
        &self,
        places: &[usize],
        compared: Compared,
        bounds: &Bounds,
        run: &Run,
    ) -> Result<Vec<Option<RawKeys>>> {
        self.keys_ahead(places, bounds, run)?;
        let first = match (compared, self.tables.first()) {
            (Compared::WithFirst, Some(first)) if places.iter().any(|at| *at > 0) => {
                FirstKeys::read(first, &self.key_types, bounds, run)?
            }
            _ => None,
        };
        let read = |at: &usize| {
            let table = self.tables.get(*at).ok_or_else(lost)?;
            match &first {
                Some(first) if *at > 0 && first.are_those_of(table, &self.key_types, bounds, run)? => {
                    Ok(None)
                }
                _ => self.read_keys(table, bounds, run).map(Some),
            }
        };
        places.par_iter().map(read).collect()
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

    fn read_keys(&self, table: &CheckedTable<'_>, bounds: &Bounds, run: &Run) -> Result<RawKeys> {
        let detail = || table.request.name.clone();
        run.span("keys", detail, || {
            let rows = wanted_rows(table, &self.key_types, bounds, run)?;
            RawKeys::read(&table.request.table, &table.key, rows, run)
        })
        .map_err(|e| e.table(&table.request.name))
    }

    fn spine_keys(&self) -> Result<Option<RawKeys>> {
        let Some(spine) = &self.request.spine else { return Ok(None) };
        let column = |name: &String| spine.batch.column_by_name(name).cloned();
        let columns = spine.key.iter().map(column).collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| Error::internal("the spine lost its key"))?;
        Ok(Some(RawKeys { rows: RowRanges::all(spine.batch.num_rows() as u64), columns }))
    }
}

fn put(sides: &mut [Option<Arc<SideKeys>>], at: usize, side: Arc<SideKeys>) {
    if let Some(place) = sides.get_mut(at) {
        *place = Some(side);
    }
}

fn lost() -> Error {
    Error::internal("a table lost its keys")
}
