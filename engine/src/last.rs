//! `last: N`: the rows with the greatest first keys.
//!
//! The answer is found by trying: the keys above a bound that statistics give are joined; if that makes N rows,
//! nothing below can be among the last N; if not, the bound goes down.

use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;
use hypostyle_io::{Error, Result, Run};

use crate::align::RowMap;
use crate::check::Checked;
use crate::key::{Bound, Width, canonical, value};
use crate::window::lower_bound_of_last;

/// Picks the last rows.
pub(crate) struct Last;

impl Last {
    /// Of the output rows, the `last` ones with the greatest first key, in the order they have; of equals the later.
    pub(crate) fn of(first_key: &ArrayRef, rows: &RowMap, last: u64) -> Result<RowMap> {
        let surplus = (rows.len() as u64).saturating_sub(last);
        if surplus == 0 {
            return Ok(rows.clone());
        }
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
        let compare = comparator(first_key)?;
        let base = |output: u32| rows.get(output) as usize;
        let mut outputs: Vec<u32> = (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
        let ascends =
            outputs.iter().zip(outputs.iter().skip(1)).all(|(a, b)| compare(base(*a), base(*b)).is_le());
        if !ascends {
            let order = |a: &u32, b: &u32| compare(base(*a), base(*b)).then(a.cmp(b));
            outputs.select_nth_unstable_by(surplus, order);
        }
        let mut kept = outputs.split_off(surplus);
        kept.sort_unstable();
        Ok(rows.at(&RowMap::of(kept)))
    }
}

impl Checked<'_> {
    /// A bound above which the base has `wanted` rows or more; `None` if that is not known or spares nothing.
    pub(crate) fn lower_bound_of_last(&self, wanted: u64, run: &Run) -> Result<Option<Bound>> {
        let Some(key_type) = self.key_types.first().copied() else { return Ok(None) };
        if self.request.spine.is_some() {
            return self.lower_bound_of_spine(wanted);
        }
        // With an upper bound the statistics would have to be cut there; the bounds alone spare enough.
        let (Some(table), None) = (self.tables.first(), &self.bounds.to) else { return Ok(None) };
        let Some(key) = table.key.first() else { return Ok(None) };
        lower_bound_of_last(&table.request.table, key, key_type, wanted, run)
            .map_err(|e| e.table(&table.request.name))
    }

    /// The least first key among the spine's last rows.
    fn lower_bound_of_spine(&self, wanted: u64) -> Result<Option<Bound>> {
        let spine = self.request.spine.as_ref();
        let first = spine.and_then(|s| s.batch.column_by_name(s.key.first()?));
        let (Some(first), Some(key_type)) = (first, self.key_types.first()) else { return Ok(None) };
        let Some(first) = canonical(first, *key_type, Width::Usual)? else { return Ok(None) };
        let within = self.bounds.contains(&first);
        let rows = within.set_indices().map(|i| u32::try_from(i).unwrap_or(u32::MAX)).collect();
        let last = Last::of(&first, &RowMap::of(rows), wanted)?;
        if (last.len() as u64) < wanted {
            return Ok(None);
        }
        let positions = 0..u32::try_from(last.len()).unwrap_or(u32::MAX);
        Ok(positions.filter_map(|p| value(&first, last.get(p) as usize)).min())
    }
}

type Compare = Box<dyn Fn(usize, usize) -> std::cmp::Ordering + Send + Sync>;

fn comparator(first_key: &ArrayRef) -> Result<Compare> {
    // A row without a key comes before all others: it is taken only when there are too few.
    let options = SortOptions { descending: false, nulls_first: true };
    make_comparator(first_key, first_key, options)
        .map_err(|e| Error::internal(format!("{} keys cannot be ordered: {e}", first_key.data_type())))
}
