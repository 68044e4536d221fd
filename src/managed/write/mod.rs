//! Rows into a table's files: which files a write touches, what becomes of their rows, and the files it makes.

mod merge;
mod publish;
mod rows;

use std::cmp::Ordering;

use arrow_array::RecordBatch;
use hypostyle_engine::KeyPoint;

use super::manifest::{FileEntry, TableEntry};
use crate::{Error, Result};

pub(super) use publish::{Publisher, discard, gone, open};
pub(super) use rows::{NewRows, prepare, schema_of};

/// The newest rows stand in a file of their own, of so many rows: an upsert of the newest hours, the commonest write
/// of all, then rewrites these and not the whole table. Three weeks of hours: an upsert of 24 of them, 200 columns wide,
/// took 11.6 ms of the processor with twice as many, nearly all of it for bytes that stay the same.
pub(super) const TAIL: usize = 512;

/// A file with more rows is cut.
pub(super) const MOST_ROWS: usize = 1 << 17;

/// What is to become of a table.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// New keys alone.
    Append,
    /// New keys are added, the rows of known keys replaced.
    Upsert,
    /// The rows in the range go, and the new ones come.
    Replace(Range),
}

/// Half-open bounds on the first key column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Option<KeyPoint>,
    pub(super) to: Option<KeyPoint>,
}

impl Range {
    pub(super) fn contains(&self, point: &KeyPoint) -> bool {
        self.from.as_ref().is_none_or(|from| from <= point) && self.to.as_ref().is_none_or(|to| point < to)
    }

    /// Whether a closed range may have points in this one.
    fn meets(&self, first: &KeyPoint, last: &KeyPoint) -> bool {
        self.from.as_ref().is_none_or(|from| from <= last) && self.to.as_ref().is_none_or(|to| first < to)
    }

    fn covers(&self, first: &KeyPoint, last: &KeyPoint) -> bool {
        self.contains(first) && self.contains(last)
    }
}

/// A table's files after a write, or `None` if nothing changes.
pub(super) fn apply(
    publisher: &mut Publisher<'_>,
    table: &str,
    before: Option<&TableEntry>,
    action: &Action,
    new: &NewRows,
) -> Result<Option<Vec<FileEntry>>> {
    let old: &[FileEntry] = before.map_or(&[], |before| &before.files);
    let touched: Vec<Touch> = touched(old, action, new);
    if let Action::Replace(range) = action {
        outside(range, new)?;
    }
    let nothing_new = new.batch.num_rows() == 0;
    let empties =
        matches!(action, Action::Replace(_)) && (before.is_none() || touched.iter().any(|t| *t != Touch::No));
    if nothing_new && !empties {
        return Ok(None);
    }
    let pick =
        |wanted: Touch| old.iter().zip(&touched).filter(move |(_, t)| **t == wanted).map(|(file, _)| file);
    let read: Vec<&FileEntry> = pick(Touch::Rewrite).collect();
    let merged = match read.as_slice() {
        [] => new.batch.clone(),
        files => {
            let old = publisher.read(table, files, &new.schema)?;
            match merge::merge(&old, new, action)? {
                Some(merged) => merged,
                // All rows stay, and none come.
                None if pick(Touch::Drop).next().is_none() => return Ok(None),
                None => old,
            }
        }
    };
    // The place of what is written among what stays.
    let at = touched.iter().position(|touch| *touch != Touch::No);
    let mut files: Vec<FileEntry> = Vec::new();
    let mut written = Vec::new();
    let last_of_stay = pick(Touch::No).filter_map(|file| file.keys.as_ref().map(|(_, last)| last)).max();
    let is_end = |rows: &RecordBatch| -> Result<bool> {
        Ok(rows::range(rows, &new.key)?
            .is_none_or(|(first, _)| last_of_stay.is_none_or(|last| *last < first)))
    };
    if merged.num_rows() > 0 {
        let with_tail = is_end(&merged)?;
        for piece in cut(merged.num_rows(), with_tail) {
            written.push(publisher.publish(table, &merged.slice(piece.start, piece.len()), &new.key)?);
        }
    } else if pick(Touch::No).next().is_none() {
        // A table without rows has its columns from a file without rows.
        written.push(publisher.publish(table, &merged, &new.key)?);
    }
    for (place, (file, touch)) in old.iter().zip(&touched).enumerate() {
        if at == Some(place) {
            files.append(&mut written);
        }
        if *touch == Touch::No {
            files.push(file.clone());
        }
    }
    files.append(&mut written);
    files.sort_by(|a, b| match (&a.keys, &b.keys) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    Ok(Some(files))
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    No,
    /// None of its rows stays, and it need not be read.
    Drop,
    Rewrite,
}

fn touched(old: &[FileEntry], action: &Action, new: &NewRows) -> Vec<Touch> {
    let of_file = |file: &FileEntry| {
        let Some((first, last)) = &file.keys else { return Touch::Drop };
        match (action, &new.range) {
            (Action::Replace(range), _) if range.covers(first, last) => Touch::Drop,
            (Action::Replace(range), _) if range.meets(first, last) => Touch::Rewrite,
            (Action::Append | Action::Upsert, Some((new_first, new_last)))
                if new_first <= last && first <= new_last =>
            {
                Touch::Rewrite
            }
            _ => Touch::No,
        }
    };
    let mut touched: Vec<Touch> = old.iter().map(of_file).collect();
    // A file without rows is only there so that the table has one.
    if new.range.is_none() && !matches!(action, Action::Replace(_)) {
        return vec![Touch::No; old.len()];
    }
    // Few rows behind a file of few rows join it: appending hour by hour does not make a file an hour.
    if let (Action::Append | Action::Upsert, Some((new_first, _))) = (action, &new.range)
        && touched.iter().all(|touch| *touch != Touch::Rewrite)
        && new.batch.num_rows() < TAIL
    {
        let before =
            old.iter().rposition(|file| file.keys.as_ref().is_some_and(|(_, last)| last < new_first));
        let small = before.filter(|at| old.get(*at).is_some_and(|file| file.rows < TAIL as u64));
        if let Some(touch) = small.and_then(|at| touched.get_mut(at)) {
            *touch = Touch::Rewrite;
        }
    }
    touched
}

/// Rows that replace a range must lie in it.
fn outside(range: &Range, new: &NewRows) -> Result<()> {
    let Some((first, last)) = &new.range else { return Ok(()) };
    let wrong = [(first, 0), (last, new.batch.num_rows().saturating_sub(1))];
    match wrong.into_iter().find(|(point, _)| !range.contains(point)) {
        None => Ok(()),
        Some((_, row)) => Err(Error::invalid(format!(
            "the key {} lies outside the range that is replaced",
            rows::key_text(&new.batch, &new.key, row)
        ))
        .hint("leave --from and --to out to replace the whole table")),
    }
}

/// Where rows are cut into files: none too large and, at the end of the table, the newest in one of their own.
pub(super) fn cut(rows: usize, with_tail: bool) -> Vec<std::ops::Range<usize>> {
    let body = if with_tail && rows > 8 * TAIL { rows - TAIL } else { rows };
    let pieces = body.div_ceil(MOST_ROWS).max(1);
    let mut at = 0;
    let mut ranges: Vec<_> = (1..=pieces)
        .map(|piece| {
            let start = std::mem::replace(&mut at, body * piece / pieces);
            start..at
        })
        .collect();
    match body.cmp(&rows) {
        Ordering::Less => ranges.push(body..rows),
        Ordering::Equal | Ordering::Greater => {}
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_without_gaps_and_the_newest_stand_alone() {
        for (rows, with_tail, expected) in [
            (1, true, vec![0..1]),
            (8 * TAIL, true, vec![0..8 * TAIL]),
            (70_000, true, vec![0..70_000 - TAIL, 70_000 - TAIL..70_000]),
            (70_000, false, vec![0..70_000]),
            (2 * MOST_ROWS + 2, false, vec![0..87_382, 87_382..174_764, 174_764..262_146]),
        ] {
            assert_eq!(cut(rows, with_tail), expected, "{rows}");
        }
    }

    #[test]
    fn half_open_ranges_meet_and_cover_closed_ones() {
        let point = |n: i64| n.to_string().parse::<KeyPoint>().unwrap();
        let range = |from: Option<i64>, to: Option<i64>| Range { from: from.map(point), to: to.map(point) };
        for (range, meets, covers) in [
            (range(None, None), true, true),
            (range(Some(3), Some(6)), true, true),
            (range(Some(3), Some(5)), true, false),
            (range(Some(6), None), false, false),
            (range(None, Some(3)), false, false),
            (range(Some(5), None), true, false),
        ] {
            assert_eq!(
                (range.meets(&point(3), &point(5)), range.covers(&point(3), &point(5))),
                (meets, covers),
                "{range:?}"
            );
        }
    }
}
