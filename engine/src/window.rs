//! Which rows can matter, before any key is read: bounds and `last`, by what statistics say.

use arrow_array::ArrayRef;
use hypostyle_io::{Column, KeyStatistics, Result, RowRanges, Run, Table, group_statistics, page_statistics};

use crate::key::{Bound, Bounds, KeyType, Width, canonical, value};

/// The rows of a table whose first key may lie within the bounds.
///
/// Row groups are excluded by the statistics in the footer; then, in row groups that the bounds cut, pages by the
/// page index.
pub(crate) fn prune(
    table: &Table,
    key: &Column,
    key_type: KeyType,
    bounds: &Bounds,
    run: &Run,
) -> Result<RowRanges> {
    if bounds.is_open() {
        return Ok(RowRanges::all(table.rows()));
    }
    let ByGroups { left, cut } = by_groups(table, key, key_type, bounds)?;
    let mut excluded = Vec::new();
    for runs in &page_statistics(table, key, &cut, run)? {
        let Some((min, max)) = comparable(runs, key_type)? else { continue };
        excluded.extend(
            runs.rows
                .iter()
                .zip(bounds.may_contain(&min, &max))
                .filter(|(_, may)| !may)
                .map(|(r, _)| r.clone()),
        );
    }
    Ok(left.without(&RowRanges::from_ranges(excluded)))
}

/// What the statistics of row groups leave of a table.
pub(crate) struct ByGroups {
    /// The rows that may lie within the bounds.
    left: RowRanges,
    /// Those of them in row groups that the bounds cut: their pages tell more.
    pub(crate) cut: RowRanges,
}

/// The rows of a table whose first key may lie within the bounds, by the statistics in the footers.
pub(crate) fn by_groups(table: &Table, key: &Column, key_type: KeyType, bounds: &Bounds) -> Result<ByGroups> {
    let all = RowRanges::all(table.rows());
    let mut covered = Vec::new();
    let mut excluded = Vec::new();
    for runs in &group_statistics(table, key)? {
        let Some((min, max)) = comparable(runs, key_type)? else { continue };
        let may = bounds.may_contain(&min, &max);
        let covers = bounds.cover(&min, &max);
        for ((rows, may), covers) in runs.rows.iter().zip(may).zip(covers) {
            if !may {
                excluded.push(rows.clone());
            } else if covers {
                covered.push(rows.clone());
            }
        }
    }
    let left = all.without(&RowRanges::from_ranges(excluded));
    let cut = left.without(&RowRanges::from_ranges(covered));
    Ok(ByGroups { left, cut })
}

/// Where rows with the greatest keys are, by statistics: a bound above which `wanted` rows or more surely lie.
///
/// `None` when statistics cannot tell, or nothing would be saved.
pub(crate) fn lower_bound_of_last(
    table: &Table,
    key: &Column,
    key_type: KeyType,
    wanted: u64,
    run: &Run,
) -> Result<Option<Bound>> {
    let known = |runs: &[KeyStatistics]| -> Result<Option<Vec<(Bound, u64)>>> {
        let mut out = Vec::new();
        for runs in runs {
            let Some((min, _)) = comparable(runs, key_type)? else { return Ok(None) };
            for (i, rows) in runs.rows.iter().enumerate() {
                let Some(least) = value(&min, i) else { return Ok(None) };
                out.push((least, rows.end - rows.start));
            }
        }
        out.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Some(out))
    };
    let groups = group_statistics(table, key)?;
    if groups.iter().flat_map(|g| &g.rows).map(|r| r.end - r.start).sum::<u64>() < table.rows() {
        return Ok(None);
    }
    let Some(by_group) = known(&groups)? else { return Ok(None) };
    let Some(bound) = descend(&by_group, wanted) else { return Ok(None) };
    // The groups above the bound may have pages that tell more.
    let above = Bounds { from: Some(bound.clone()), to: None };
    let mut left = RowRanges::all(table.rows());
    for runs in &groups {
        let Some((min, max)) = comparable(runs, key_type)? else { continue };
        let below = runs.rows.iter().zip(above.may_contain(&min, &max)).filter(|(_, may)| !may);
        left = left.without(&below.map(|(r, _)| r.clone()).collect());
    }
    let pages = page_statistics(table, key, &left, run)?;
    let by_page = known(&pages)?.and_then(|by_page| descend(&by_page, wanted));
    let best = by_page.filter(|by_page| *by_page > bound).unwrap_or(bound);
    let least = by_group.last().map(|(least, _)| least);
    Ok((least != Some(&best)).then_some(best))
}

/// The least of the greatest runs that together have the rows wanted.
fn descend(runs: &[(Bound, u64)], wanted: u64) -> Option<Bound> {
    let mut rows = 0;
    for (least, in_run) in runs {
        rows += in_run;
        if rows >= wanted {
            return Some(least.clone());
        }
    }
    None
}

/// Statistics in common terms; `None` if they have no form that can be compared.
fn comparable(runs: &KeyStatistics, key_type: KeyType) -> Result<Option<(ArrayRef, ArrayRef)>> {
    for width in [Width::Usual, Width::Wide] {
        if let (Some(min), Some(max)) =
            (canonical(&runs.min, key_type, width)?, canonical(&runs.max, key_type, width)?)
        {
            return Ok(Some((min, max)));
        }
    }
    Ok(None)
}
