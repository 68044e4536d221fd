//! Sets of rows of a table, as sorted, disjoint, non-empty ranges.

use std::ops::Range;

/// Which rows of a table are meant, in ascending order.
///
/// A row has two numbers: its *row number* in the table, and its *position* among the rows of the set.
///
/// ```
/// use hypostyle_io::RowRanges;
/// let rows = RowRanges::from_ranges([10..13, 20..22]);
/// assert_eq!(rows.len(), 5);
/// assert_eq!(rows.at_positions(&RowRanges::from_ranges([2..4])), RowRanges::from_ranges([12..13, 20..21]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowRanges {
    ranges: Vec<Range<u64>>,
    len: u64,
}

impl RowRanges {
    /// The rows `0..rows`.
    pub fn all(rows: u64) -> Self {
        std::iter::once(0..rows).collect()
    }

    /// Ascending ranges; those that touch become one, empty ones vanish.
    pub fn from_ranges(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        ranges.into_iter().collect()
    }

    /// Adds a range that begins at or after the end of the last.
    pub fn push(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        debug_assert!(self.ranges.last().is_none_or(|last| last.end <= range.start), "ranges must ascend");
        self.len += range.end - range.start;
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ranges.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// The part within `window`.
    pub fn within(&self, window: &Range<u64>) -> Self {
        let first = self.ranges.partition_point(|r| r.end <= window.start);
        self.ranges
            .iter()
            .skip(first)
            .take_while(|r| r.start < window.end)
            .map(|r| r.start.max(window.start)..r.end.min(window.end))
            .collect()
    }

    /// Those of the rows whose positions are in `positions`.
    pub fn at_positions(&self, positions: &Self) -> Self {
        let mut out = Self::default();
        let mut wanted = positions.ranges.iter().cloned();
        let mut next = wanted.next();
        let mut position = 0;
        for range in &self.ranges {
            let end = position + (range.end - range.start);
            while let Some(want) = next.clone() {
                if want.start >= end {
                    break;
                }
                let from = want.start.max(position);
                let to = want.end.min(end);
                out.push(range.start + (from - position)..range.start + (to - position));
                if want.end > end {
                    break;
                }
                next = wanted.next();
            }
            position = end;
        }
        out
    }

    /// The row number at a position.
    pub fn row_at(&self, position: u64) -> Option<u64> {
        let mut before = 0;
        for range in &self.ranges {
            let len = range.end - range.start;
            if position < before + len {
                return Some(range.start + (position - before));
            }
            before += len;
        }
        None
    }

    /// These rows without those of `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut out = Self::default();
        let mut cuts = other.ranges.iter().peekable();
        for range in &self.ranges {
            let mut start = range.start;
            while let Some(cut) = cuts.peek() {
                if cut.start >= range.end {
                    break;
                }
                out.push(start..cut.start.max(start));
                start = start.max(cut.end.min(range.end));
                if cut.end > range.end {
                    break;
                }
                cuts.next();
            }
            out.push(start..range.end);
        }
        out
    }

    /// The row numbers, one by one.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().cloned().flatten()
    }

    /// The same rows and the gaps of fewer than `gap` rows between them.
    pub fn with_gaps_closed(&self, gap: u64) -> Self {
        let mut out: Vec<Range<u64>> = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            match out.last_mut() {
                Some(last) if range.start - last.end < gap => last.end = range.end,
                _ => out.push(range.clone()),
            }
        }
        out.into_iter().collect()
    }
}

impl FromIterator<Range<u64>> for RowRanges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut out = Self::default();
        ranges.into_iter().for_each(|range| out.push(range));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ranges: &[Range<u64>]) -> RowRanges {
        RowRanges::from_ranges(ranges.to_vec())
    }

    #[test]
    fn ranges_that_touch_become_one_and_empty_ones_vanish() {
        assert_eq!(rows(&[0..2, 2..2, 2..5, 7..8]).ranges(), &[0..5, 7..8]);
    }

    #[test]
    fn positions_agree_with_picking_rows_one_by_one() {
        let sets = [vec![], vec![0..1], vec![3..9], vec![0..2, 4..5, 9..20], vec![1..2, 3..4, 5..6]];
        for set in &sets {
            let set = rows(set);
            let numbers: Vec<u64> = set.iter().collect();
            for from in 0..=set.len() {
                for to in from..=set.len() {
                    let positions = rows(&[from..from + (to - from) / 2, to - (to - from) / 3..to]);
                    let expected: Vec<u64> = positions.iter().map(|p| numbers[p as usize]).collect();
                    assert_eq!(set.at_positions(&positions).iter().collect::<Vec<_>>(), expected);
                }
            }
        }
    }

    #[test]
    fn rows_without_others_agree_with_a_set() {
        for cut in [vec![], vec![0..100], vec![2..4, 6..7], vec![0..1, 9..12], vec![4..5, 19..25]] {
            let set = rows(&[0..3, 4..10, 15..20]);
            let cut = rows(&cut);
            let gone: std::collections::HashSet<u64> = cut.iter().collect();
            let expected: Vec<u64> = set.iter().filter(|r| !gone.contains(r)).collect();
            assert_eq!(set.without(&cut).iter().collect::<Vec<_>>(), expected);
            assert!((0..set.len()).all(|p| set.row_at(p) == set.iter().nth(p as usize)));
        }
    }

    #[test]
    fn a_window_cuts_ranges_and_gaps_are_closed() {
        assert_eq!(rows(&[0..5, 8..12]).within(&(3..9)), rows(&[3..5, 8..9]));
        assert_eq!(rows(&[0..5, 7..8, 20..21]).with_gaps_closed(3), rows(&[0..8, 20..21]));
    }
}
