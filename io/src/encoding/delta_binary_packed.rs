//! DELTA_BINARY_PACKED: differences of integers, in blocks that share a least one.
//!
//! A header (block size, miniblocks a block, values, first value), then blocks: the least difference, a width for
//! each miniblock, and the miniblocks' bits.

use super::bits::{Unpacker, number_at};
use super::{Decoded, Values, corrupt, take, take_varint, take_zigzag, too_few_values};

/// Differences that are unpacked at once.
const BATCH: usize = 128;

/// Blocks larger than this are forged; writers make 128 to a few thousand.
const LARGEST_BLOCK: u64 = 1 << 24;

/// Integers of 32 or 64 bits.
#[derive(Clone, Debug)]
pub(crate) struct Deltas<'a> {
    rest: &'a [u8],
    /// Values still to come, the next one included.
    left: usize,
    /// Values of a miniblock, miniblocks of a block.
    mini: usize,
    minis: usize,
    /// The widths of this block's miniblocks that are still to come.
    widths: &'a [u8],
    least: i64,
    /// What is left of the current miniblock.
    packed: &'a [u8],
    width: usize,
    next: usize,
    in_mini: usize,
    /// The value before the next one; the first one itself until it is taken.
    last: i64,
    first: bool,
}

/// The widest differences. Those of 32-bit integers have 32 bits in most files, since they wrap around; DuckDB takes
/// them in 64, and writes 33 where it must.
const WIDEST: usize = 64;

impl<'a> Deltas<'a> {
    pub(crate) fn new(mut bytes: &'a [u8]) -> Decoded<Self> {
        let block = take_varint(&mut bytes)?;
        let minis = take_varint(&mut bytes)?;
        let values = take_varint(&mut bytes)?;
        let first = take_zigzag(&mut bytes)?;
        if block == 0 || block % 128 != 0 || block > LARGEST_BLOCK {
            return corrupt(format!("its blocks have {block} values"));
        }
        if minis == 0 || block % minis != 0 || (block / minis) % 32 != 0 {
            return corrupt(format!("its blocks of {block} values have {minis} parts"));
        }
        let Ok(left) = usize::try_from(values) else { return corrupt("it has too many values") };
        Ok(Self {
            rest: bytes,
            left,
            mini: usize::try_from(block / minis).unwrap_or(0),
            minis: usize::try_from(minis).unwrap_or(0),
            widths: &[],
            least: 0,
            packed: &[],
            width: 0,
            next: 0,
            in_mini: 0,
            last: first,
            first: true,
        })
    }

    /// How many values it says are still to come.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// What follows the last value, once all have been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn next_mini(&mut self) -> Decoded<()> {
        if self.widths.is_empty() {
            self.least = take_zigzag(&mut self.rest)?;
            self.widths = take(&mut self.rest, self.minis)?;
        }
        let Some((width, widths)) = self.widths.split_first() else { return too_few_values() };
        self.widths = widths;
        self.width = usize::from(*width);
        if self.width > WIDEST {
            return corrupt(format!("its differences have {width} bits, more than {WIDEST}"));
        }
        // The last one may be cut off behind its last value.
        let bytes = self.mini / 8 * self.width;
        let needed = (self.left.min(self.mini) * self.width).div_ceil(8);
        let there = bytes.min(self.rest.len());
        if there < needed {
            return too_few_values();
        }
        self.packed = take(&mut self.rest, there)?;
        self.next = 0;
        self.in_mini = self.mini;
        if self.left <= self.mini {
            self.widths = &[];
        }
        Ok(())
    }

    /// Hands the next `count` values on, in batches.
    pub(crate) fn each(&mut self, mut count: usize, each: &mut impl FnMut(&[i64])) -> Decoded<()> {
        if count > self.left {
            return too_few_values();
        }
        if self.first && count > 0 {
            self.first = false;
            self.left -= 1;
            count -= 1;
            each(&[self.last]);
        }
        let mut batch = [0i64; BATCH];
        while count > 0 {
            if self.in_mini == 0 {
                self.next_mini()?;
            }
            let many = count.min(self.in_mini).min(BATCH - self.next % 32);
            let Some(batch) = batch.get_mut(..many) else { return too_few_values() };
            self.differences(batch)?;
            let mut last = self.last;
            for value in batch.iter_mut() {
                last = last.wrapping_add(*value).wrapping_add(self.least);
                *value = last;
            }
            self.last = last;
            each(batch);
            self.next += many;
            self.in_mini -= many;
            self.left -= many;
            count -= many;
        }
        Ok(())
    }

    fn differences(&self, batch: &mut [i64]) -> Decoded<()> {
        match self.width {
            0 => batch.fill(0),
            narrow @ 1..=32 => {
                let unpacker = Unpacker::new(u8::try_from(narrow).unwrap_or(u8::MAX))?;
                let inside = self.next % 32;
                let mut numbers = [0u32; BATCH];
                let from = self.next / 32 * unpacker.group_bytes();
                let numbers = numbers.get_mut(..inside + batch.len()).unwrap_or(&mut []);
                unpacker.unpack(self.packed.get(from..).unwrap_or(&[]), numbers);
                for (to, number) in batch.iter_mut().zip(numbers.iter().skip(inside)) {
                    *to = i64::from(*number);
                }
            }
            wide => {
                for (i, to) in batch.iter_mut().enumerate() {
                    *to = number_at(self.packed, (self.next + i) * wide, wide).cast_signed();
                }
            }
        }
        Ok(())
    }
}

/// Integers of `WIDTH` bytes as values of that width.
#[derive(Debug)]
pub(crate) struct DeltaValues<'a, const WIDTH: usize>(Deltas<'a>);

impl<'a, const WIDTH: usize> DeltaValues<'a, WIDTH> {
    pub(crate) fn new(bytes: &'a [u8]) -> Decoded<Self> {
        Deltas::new(bytes).map(Self)
    }
}

impl<const WIDTH: usize> Values for DeltaValues<'_, WIDTH> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.0.each(count, &mut |_| {})
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        let (out, _) = out.as_chunks_mut::<WIDTH>();
        let mut rest = out.iter_mut();
        let count = rest.len();
        self.0.each(count, &mut |values| {
            for (value, to) in values.iter().zip(&mut rest) {
                if let Some(low) = value.to_le_bytes().first_chunk::<WIDTH>() {
                    *to = *low;
                }
            }
        })
    }
}

/// Reads `count` lengths, none of which may be negative, and gives what follows them.
pub(crate) fn lengths(bytes: &[u8], most: usize) -> Decoded<(Vec<u32>, &[u8])> {
    let mut deltas = Deltas::new(bytes)?;
    let count = deltas.left();
    if count > most {
        return corrupt(format!("it has {count} lengths for at most {most} values"));
    }
    let mut lengths = Vec::new();
    if lengths.try_reserve_exact(count).is_err() {
        return corrupt("it has too many lengths");
    }
    let mut negative = false;
    deltas.each(count, &mut |values| {
        // Sums wrap around at 32 bits, as writers let them.
        #[expect(clippy::cast_possible_truncation, reason = "they wrap around")]
        lengths.extend(values.iter().map(|value| {
            let length = *value as i32;
            negative |= length < 0;
            length.cast_unsigned()
        }));
    })?;
    if negative {
        return corrupt("a length is negative");
    }
    Ok((lengths, deltas.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    /// A header that says these things.
    fn header(block: u64, minis: u64, values: u64, first: u64) -> Vec<u8> {
        let mut out = Vec::new();
        [block, minis, values, first].into_iter().for_each(|number| varint(number, &mut out));
        out
    }

    #[test]
    fn headers_and_blocks_that_lie_are_corrupt() {
        for (block, minis) in [(0, 4), (127, 1), (128, 0), (128, 3), (128, 8), (1 << 40, 4), (u64::MAX, 1)] {
            assert!(Deltas::new(&header(block, minis, 2, 0)).is_err(), "{block}, {minis}");
        }
        for body in [&[][..], &[0], &[0, 1, 0, 0], &[0, 65, 0, 0, 0], &[0, 64, 0, 0, 0, 1, 2, 3]] {
            let bytes = [header(128, 4, 2, 6), body.to_vec()].concat();
            let mut deltas = Deltas::new(&bytes).unwrap();
            assert!(deltas.each(2, &mut |_| {}).is_err(), "{body:?}");
        }
        assert!(Deltas::new(&header(128, 4, 1, 6)).unwrap().each(2, &mut |_| {}).is_err());
        assert!(lengths(&header(128, 4, 1 << 50, 6), 100).is_err());
        assert!(lengths(&header(128, 4, 1, 5), 100).is_err(), "-3");
    }

    #[test]
    fn values_wrap_around_as_writers_let_them() {
        // Two miniblocks with bits, of 64 and 3 bits; the last one is cut off behind its last value.
        let mut bytes = header(128, 4, 35, 0);
        varint(3, &mut bytes);
        bytes.extend([64, 3, 9, 9]);
        (0..32).for_each(|_| bytes.extend(u64::MAX.to_le_bytes()));
        bytes.push(0b001_010);
        let mut found = Vec::new();
        Deltas::new(&bytes).unwrap().each(35, &mut |values| found.extend_from_slice(values)).unwrap();
        let mut expected = vec![0i64];
        (1..=32).for_each(|i| expected.push(i * -3));
        expected.extend([-96, -97]);
        assert_eq!(found, expected);
        for (skipped, read) in [(0, 35), (1, 3), (20, 15), (32, 2), (34, 1), (35, 0)] {
            let mut values = DeltaValues::<8>::new(&bytes).unwrap();
            values.skip(skipped).unwrap();
            let mut out = vec![0; read * 8];
            values.read(&mut out).unwrap();
            let out: Vec<i64> = out.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
            assert_eq!(out, expected[skipped..skipped + read]);
        }
    }

    /// As DuckDB writes them, which takes the differences of 32-bit integers in 64 bits.
    #[test]
    fn differences_of_32_bit_integers_may_have_33_bits() {
        let zigzag = |number: i64| ((number << 1) ^ (number >> 63)) as u64;
        let most = (1i64 << 32) - 1;
        let mut bytes = header(128, 4, 4, zigzag(i32::MAX.into()));
        varint(zigzag(-most), &mut bytes);
        bytes.extend([33, 0, 0, 0]);
        // Down, up and down again: 0, twice the most, 0, above the least.
        let packed = (2 * most as u128) << 33;
        bytes.extend(&packed.to_le_bytes()[..13]);
        let mut out = vec![0; 4 * 4];
        DeltaValues::<4>::new(&bytes).unwrap().read(&mut out).unwrap();
        let out: Vec<i32> = out.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
        assert_eq!(out, [i32::MAX, i32::MIN, i32::MAX, i32::MIN]);
    }
}
