//! From a checked request to rows: which of them meet in which output row.
//!
//! Positions count rows in three places, and each map says from which to which: *output* rows, rows of the *base*
//! (the spine, or the first table), and rows of a *table* among those whose keys were read.

use std::sync::{Arc, OnceLock};

use hypostyle_io::{Error, Result, RowRanges, Run};
use rayon::prelude::*;

use crate::align::{
    ABSENT, Aligned, Refused, Repeated, RowMap, Rules, Side, align, is_unique, kept_positions,
};
use crate::check::{Checked, CheckedTable};
use crate::key::Bounds;
use crate::last::Last;
use crate::remembered::{PlanOf, numbers};
use crate::request::{Duplicates, How};
use crate::side::SideKeys;
use crate::sides::Sides;

/// Which rows of which table stand in which row of the output.
pub(crate) struct Planned {
    /// The base's keys; of a spine join those of the spine.
    pub(crate) base: Arc<SideKeys>,
    /// From output rows to base rows; total.
    pub(crate) rows: RowMap,
    /// One for each table of the request.
    pub(crate) tables: Vec<PlannedTable>,
}

/// One table's part.
pub(crate) struct PlannedTable {
    /// The rows that the map's positions count.
    pub(crate) rows: RowRanges,
    /// From output rows to the table's.
    pub(crate) map: RowMap,
    pub(crate) way: &'static str,
    pub(crate) reason: String,
    pub(crate) nulls: u64,
    /// Rows whose keys were read.
    pub(crate) considered: u64,
}

impl Planned {
    /// Memory that it holds. The base may be remembered by itself too, and be forgotten there while this one, which
    /// is used in its stead, still has it.
    pub(crate) fn bytes(&self) -> u64 {
        let maps = self.tables.iter().map(|t| t.map.bytes()).chain([self.rows.bytes()]).sum::<u64>();
        let ranges = self.tables.iter().map(|t| size_of_val(t.rows.ranges())).sum::<usize>();
        self.base.bytes() + maps + ranges as u64 + 256 * self.tables.len() as u64
    }
}

impl Checked<'_> {
    /// Reads the keys and aligns them; of a join that wants the last rows, only as many keys as that takes.
    ///
    /// A join without a spine that was planned before, on the same files, is not planned again.
    pub(crate) fn plan(&self, run: &Run) -> Result<Arc<Planned>> {
        let Some(remembered) = self.request.remembered.as_ref().filter(|_| self.request.spine.is_none())
        else {
            return self.plan_anew(run).map(Arc::new);
        };
        let of = self.plan_of();
        if let Some(known) = remembered.plan(&of) {
            return Ok(known);
        }
        let planned = Arc::new(self.plan_anew(run)?);
        // A file that changed while this was made has another number when it is opened again.
        remembered.keep_plan(of, &planned);
        Ok(planned)
    }

    fn plan_of(&self) -> PlanOf {
        let of_table = |table: &CheckedTable<'_>| {
            (numbers(&table.request.table), table.request.key.clone(), table.request.duplicates)
        };
        PlanOf {
            how: self.request.how,
            tables: self.tables.iter().map(of_table).collect(),
            types: self.key_types.clone(),
            bounds: self.bounds.clone(),
            last: self.request.rows.last,
            strategy: self.request.strategy,
        }
    }

    fn plan_anew(&self, run: &Run) -> Result<Planned> {
        let Some(last) = self.request.rows.last else { return self.plan_within(&self.bounds, None, run) };
        let mut wanted = last;
        loop {
            let bound = self.lower_bound_of_last(wanted, run)?;
            let Some(bound) = bound else { return self.plan_within(&self.bounds, Some(last), run) };
            let planned = self.plan_within(&self.bounds.not_before(bound), Some(last), run)?;
            if planned.rows.len() as u64 >= last {
                return Ok(planned);
            }
            wanted = wanted.saturating_mul(16);
        }
    }

    fn plan_within(&self, bounds: &Bounds, last: Option<u64>, run: &Run) -> Result<Planned> {
        let Sides { base, tables } = self.read_sides(bounds, run)?;
        // Without a spine the base is the first table, which needs no alignment.
        let (own, others) = self.tables.split_at(self.tables.len() - tables.len());
        let aligned = self.align_all(&base, others, &tables, run)?;
        let mut rows = self.base_rows(&base, own.first(), run)?;
        if self.request.how == How::Inner {
            let partial: Vec<&RowMap> = aligned.iter().map(|a| &a.map).filter(|m| !m.is_total()).collect();
            rows = rows.keep(|base| partial.iter().all(|map| map.get(base) != ABSENT));
        }
        run.check()?;
        if let Some(last) = last {
            rows = Last::of(&base.first, &rows, last)?;
        }
        let own = own.iter().map(|_| PlannedTable {
            rows: base.rows.clone(),
            map: rows.clone(),
            way: "base",
            reason: "its rows are the ones to fill".to_owned(),
            nulls: base.nulls,
            considered: base.considered,
        });
        let others = aligned.into_iter().zip(tables).map(|(aligned, side)| PlannedTable {
            map: aligned.map.at(&rows),
            rows: side.rows.clone(),
            way: aligned.way,
            reason: aligned.reason,
            nulls: side.nulls,
            considered: side.considered,
        });
        let tables: Vec<PlannedTable> = own.chain(others).collect();
        Ok(Planned { base, rows, tables })
    }

    /// A map from base rows to the rows of each table.
    fn align_all(
        &self,
        base: &SideKeys,
        tables: &[CheckedTable<'_>],
        sides: &[Arc<SideKeys>],
        run: &Run,
    ) -> Result<Vec<Aligned>> {
        let unique = OnceLock::new();
        let base_is_unique = || -> Result<bool> {
            if let Some(known) = unique.get() {
                return Ok(*known);
            }
            let found = is_unique(&base.keys, base.order, run)?;
            Ok(*unique.get_or_init(|| found))
        };
        let base_side = Side { keys: &base.keys, order: base.order };
        // Tables that share their keys share their alignment.
        let same_as = |at: usize| {
            let (table, side) = (tables.get(at)?, sides.get(at)?);
            let earlier = tables.iter().zip(sides).take(at);
            earlier.into_iter().position(|(other, keys)| {
                Arc::ptr_eq(keys, side) && other.request.duplicates == table.request.duplicates
            })
        };
        let same: Vec<Option<usize>> = (0..tables.len()).map(same_as).collect();
        let aligned = tables
            .par_iter()
            .zip(sides)
            .zip(&same)
            .map(|((table, side), same)| {
                if same.is_some() {
                    return Ok(None);
                }
                run.check()?;
                let table_side = Side { keys: &side.keys, order: side.order };
                let duplicates = table.request.duplicates.unwrap_or(Duplicates::Error);
                let detail = || table.request.name.clone();
                let rules = Rules { duplicates, strategy: self.request.strategy, run };
                let aligned =
                    run.span("align", detail, || align(&base_side, &table_side, rules, base_is_unique));
                match aligned {
                    Ok(aligned) => Ok(Aligned { map: over_all_rows(aligned.map, base), ..aligned }),
                    Err(Refused::Error(error)) => Err(error),
                    Err(Refused::DoesNotFit(why)) => {
                        let strategy = format!("{:?}", self.request.strategy).to_lowercase();
                        Err(Error::invalid(format!(
                            "the strategy `{strategy}` was asked for and does not fit: {why}"
                        ))
                        .hint("leave the strategy out; the join then takes the one that fits"))
                    }
                    Err(Refused::Repeated(pair)) => Err(repeated(table, side, pair)),
                }
                .map(Some)
                .map_err(|e| e.table(&table.request.name))
            })
            .collect::<Result<Vec<Option<Aligned>>>>()?;
        let of = |(at, same): (usize, &Option<usize>)| aligned.get(same.unwrap_or(at))?.clone();
        let all = same.iter().enumerate().map(of).collect::<Option<_>>();
        all.ok_or_else(|| Error::internal("a table was not aligned"))
    }

    /// The base's rows that the output may have: all, or of repeated keys the one that the rule keeps.
    fn base_rows(&self, base: &SideKeys, own: Option<&CheckedTable<'_>>, run: &Run) -> Result<RowMap> {
        let all = RowMap::Run { first: 0, len: u32::try_from(base.rows.len()).unwrap_or(ABSENT) };
        let Some(own) = own else { return Ok(all) };
        let rule = match (own.request.duplicates, self.request.how) {
            (Some(rule), _) => rule,
            (None, How::Inner) => Duplicates::Error,
            (None, _) => return Ok(all),
        };
        let kept = kept_positions(&base.keys, base.order, rule, run).map_err(|refused| match refused {
            Refused::Repeated(pair) => repeated(own, base, pair),
            Refused::Error(error) => error,
            Refused::DoesNotFit(why) => Error::internal(why),
        })?;
        let Some(kept) = kept else { return Ok(all) };
        // Positions of keys are positions of rows but for rows without a key, which all stay.
        let Some(present) = &base.present else { return Ok(RowMap::of(kept)) };
        let mut stays = vec![true; base.rows.len() as usize];
        let mut next_kept = kept.iter().peekable();
        for (position, row) in (0u32..).zip(present) {
            let is_kept = next_kept.next_if(|k| **k == position).is_some();
            if let Some(stays) = stays.get_mut(*row as usize) {
                *stays = is_kept;
            }
        }
        Ok(RowMap::of((0u32..).zip(stays).filter_map(|(row, stays)| stays.then_some(row)).collect()))
    }
}

/// From positions among keys to positions among all rows: rows without a key find nothing.
fn over_all_rows(map: RowMap, base: &SideKeys) -> RowMap {
    let Some(present) = &base.present else { return map };
    let mut out = vec![ABSENT; base.rows.len() as usize];
    for (position, row) in (0u32..).zip(present) {
        if let Some(entry) = out.get_mut(*row as usize) {
            *entry = map.get(position);
        }
    }
    RowMap::Each(Arc::new(out))
}

fn repeated(table: &CheckedTable<'_>, side: &SideKeys, pair: Repeated) -> Error {
    let (first, key) = side.describe(pair.first);
    let (second, _) = side.describe(pair.second);
    let column = table.key.iter().map(|c| c.name().to_owned()).collect::<Vec<_>>().join(", ");
    let rows = &table.request.table;
    let (rows, path) = match (rows.locate(first), rows.locate(second)) {
        (Some((a, first)), Some((b, second))) if !std::ptr::eq(a, b) => (
            format!("in row {first} of {} and row {second} of this file", a.path().display()),
            Some(b.path()),
        ),
        (Some((a, first)), Some((_, second))) => (format!("in rows {first} and {second}"), Some(a.path())),
        _ => (format!("in rows {first} and {second}"), None),
    };
    let error = Error::invalid(format!("the key {key} stands twice, {rows} (counted from 0)"));
    path.into_iter()
        .fold(error, Error::path)
        .table(&table.request.name)
        .column(column)
        .hint("say `duplicates: first` or `duplicates: last` for the table, or write it with unique keys")
}
