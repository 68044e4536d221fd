//! Definition levels of flat columns: which rows of a page have a value.

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, MutableBuffer};

use super::Decoded;
use super::rle::Hybrid;

/// Which rows have a value.
#[derive(Clone, Debug)]
pub(crate) enum Validity {
    /// All of them: no mask is made.
    All,
    /// Those whose bits are set.
    Some(BooleanBuffer),
}

impl Validity {
    /// Reads the levels of `rows` rows.
    pub(crate) fn read(levels: &[u8], rows: usize) -> Decoded<Self> {
        let mut runs = Hybrid::new(levels, 1)?;
        if runs.repeats(rows)? == Some(1) {
            return Ok(Self::All);
        }
        let mut bits =
            BooleanBufferBuilder::new_from_buffer(MutableBuffer::with_capacity(rows.div_ceil(8)), 0);
        runs.read_bits(rows, &mut bits)?;
        Ok(Self::Some(bits.finish()))
    }

    /// How many of `count` rows from `from` on have a value.
    pub(crate) fn count(&self, from: usize, count: usize) -> usize {
        match self {
            Self::All => count,
            Self::Some(bits) => bits.slice(from, count).count_set_bits(),
        }
    }
}

/// Moves values apart, in place: those at the front go to the rows that have one, the others become zero.
pub(crate) fn spread(bits: &BooleanBuffer, width: usize, out: &mut [u8]) {
    match width {
        1 => spread_width::<1>(bits, out),
        2 => spread_width::<2>(bits, out),
        4 => spread_width::<4>(bits, out),
        8 => spread_width::<8>(bits, out),
        16 => spread_width::<16>(bits, out),
        _ => spread_any(bits, width, out),
    }
}

fn spread_width<const WIDTH: usize>(bits: &BooleanBuffer, out: &mut [u8]) {
    const ROWS: usize = u64::BITS as usize;
    /// Runs up to here are moved one by one, which takes less than a call.
    const SHORT: usize = 6;
    let (out, _) = out.as_chunks_mut::<WIDTH>();
    let chunks = bits.bit_chunks();
    let words: Vec<u64> = chunks.iter().chain([chunks.remainder_bits()]).collect();
    // Values that are not yet where they belong.
    let mut left = bits.count_set_bits();
    for (i, word) in words.iter().enumerate().rev() {
        let first = i * ROWS;
        let end = out.len().min(first + ROWS);
        if left == end {
            // All rows up to here have a value, and have it already.
            return;
        }
        let rows = end.saturating_sub(first);
        if word.count_ones() as usize == rows {
            left -= rows;
            out.copy_within(left..left + rows, first);
            continue;
        }
        // From the top: nulls, then values, then nulls again.
        let mut rest = word << (ROWS - rows);
        let mut row = end;
        while row > first {
            let nulls = (rest.leading_zeros() as usize).min(row - first);
            let above = row;
            row -= nulls;
            out.get_mut(row..above).unwrap_or(&mut []).fill([0; WIDTH]);
            rest = rest.checked_shl(nulls as u32).unwrap_or(0);
            let values = rest.leading_ones() as usize;
            rest = rest.checked_shl(values as u32).unwrap_or(0);
            row -= values;
            left -= values;
            if values < SHORT {
                for i in (0..values).rev() {
                    let value = out.get(left + i).copied().unwrap_or([0; WIDTH]);
                    if let Some(to) = out.get_mut(row + i) {
                        *to = value;
                    }
                }
            } else {
                out.copy_within(left..left + values, row);
            }
        }
    }
}

fn spread_any(bits: &BooleanBuffer, width: usize, out: &mut [u8]) {
    let mut from = bits.count_set_bits();
    for row in (0..bits.len()).rev() {
        if from > row {
            return;
        }
        if bits.value(row) {
            from -= 1;
            if from != row {
                out.copy_within(from * width..(from + 1) * width, row * width);
            }
        } else if let Some(value) = out.get_mut(row * width..(row + 1) * width) {
            value.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_move_to_their_rows_and_nulls_become_zero() {
        let patterns: [&dyn Fn(usize) -> bool; 5] =
            [&|_| true, &|_| false, &|i| i % 3 == 1, &|i| i < 70, &|i| !(40..130).contains(&i)];
        for width in [1, 2, 3, 4, 8, 12, 16, 32] {
            for pattern in patterns {
                for rows in [0, 1, 5, 64, 65, 200] {
                    let bits: BooleanBuffer = (0..rows).map(pattern).collect();
                    let mut out = vec![0xee; rows * width];
                    let mut expected = vec![0; rows * width];
                    for (i, row) in (0..rows).filter(|row| pattern(*row)).enumerate() {
                        out[i * width..(i + 1) * width].fill(row as u8 + 1);
                        expected[row * width..(row + 1) * width].fill(row as u8 + 1);
                    }
                    spread(&bits, width, &mut out);
                    assert_eq!(out, expected, "{rows} rows of {width} bytes");
                }
            }
        }
    }

    #[test]
    fn one_run_of_ones_makes_no_mask_and_any_other_levels_do() {
        for (levels, rows, expected) in [
            (&[200, 1, 1][..], 100, None),
            (&[202, 1, 1], 100, None),
            (&[198, 1, 1, 2, 1], 100, Some(100)),
            (&[198, 1, 1, 2, 0], 100, Some(99)),
            (&[200, 1, 0], 100, Some(0)),
            (&[3, 0b1011], 8, Some(3)),
            (&[3, 0b1011], 3, Some(2)),
        ] {
            let found = match Validity::read(levels, rows).unwrap() {
                Validity::All => None,
                Validity::Some(bits) => Some(bits.count_set_bits()),
            };
            assert_eq!(found, expected, "{levels:?}");
        }
        for (levels, rows) in [(&[198, 1, 1][..], 100), (&[], 1), (&[3], 8), (&[2, 2], 1)] {
            assert!(Validity::read(levels, rows).is_err(), "{levels:?}");
        }
    }
}
