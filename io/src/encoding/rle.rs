//! The hybrid of runs and packed bits, in which dictionary indices, levels and booleans are written.

use super::bits::{GROUP, Unpacker};
use super::{Decoded, corrupt, take, take_varint, too_few_values};

/// Numbers that are unpacked before they are handed on.
const BATCH: usize = 8 * GROUP;

/// Takes numbers as they come out of runs.
pub(crate) trait Sink {
    /// One number, many times.
    fn repeated(&mut self, number: u32, count: usize) -> Decoded<()>;

    /// Numbers one by one.
    fn each(&mut self, numbers: &[u32]) -> Decoded<()>;
}

/// A sequence of runs.
#[derive(Clone, Debug)]
pub(crate) struct Hybrid<'a> {
    rest: &'a [u8],
    unpacker: Unpacker,
    run: Run<'a>,
}

/// What is left of the current run.
#[derive(Clone, Copy, Debug)]
enum Run<'a> {
    Repeated {
        number: u32,
        count: usize,
    },
    /// Those from `next` up to `end`, counted from the run's beginning.
    Packed {
        bytes: &'a [u8],
        next: usize,
        end: usize,
    },
}

impl<'a> Hybrid<'a> {
    /// Runs of numbers of `width` bits.
    pub(crate) fn new(bytes: &'a [u8], width: u8) -> Decoded<Self> {
        let unpacker = Unpacker::new(width)?;
        Ok(Self { rest: bytes, unpacker, run: Run::Repeated { number: 0, count: 0 } })
    }

    /// Begins the next run.
    fn next_run(&mut self) -> Decoded<()> {
        let Ok(header) = take_varint(&mut self.rest) else { return too_few_values() };
        let count = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        let width = self.unpacker.width();
        // Zeros are padding that some writers leave at a page's end.
        if count == 0 {
            return if self.rest.is_empty() || header == 0 { too_few_values() } else { Ok(()) };
        }
        self.run = if header & 1 == 0 {
            let bytes = take(&mut self.rest, width.div_ceil(8))?;
            let number = bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            if width < 32 && number >> width != 0 {
                return corrupt(format!("a run repeats {number}, which has more than {width} bits"));
            }
            Run::Repeated { number: u32::try_from(number).unwrap_or(0), count }
        } else {
            let Some(bytes) = count.checked_mul(width) else { return corrupt("a run is too long") };
            // Some writers cut the last run off behind its last number.
            let there = bytes.min(self.rest.len());
            let bytes = take(&mut self.rest, there)?;
            let numbers = count.saturating_mul(8);
            let end = (bytes.len() * 8).checked_div(width).map_or(numbers, |there| numbers.min(there));
            Run::Packed { bytes, next: 0, end }
        };
        Ok(())
    }

    /// The next run's number, if it repeats one `count` times or more.
    pub(crate) fn repeats(&mut self, count: usize) -> Decoded<Option<u32>> {
        while count > 0 && self.is_over() {
            self.next_run()?;
        }
        Ok(match self.run {
            Run::Repeated { number, count: left } if left >= count => Some(number),
            _ => None,
        })
    }

    fn is_over(&self) -> bool {
        match self.run {
            Run::Repeated { count, .. } => count == 0,
            Run::Packed { next, end, .. } => next == end,
        }
    }

    /// Steps over `count` numbers.
    pub(crate) fn skip(&mut self, mut count: usize) -> Decoded<()> {
        while count > 0 {
            let stepped = match &mut self.run {
                Run::Repeated { count: left, .. } => {
                    let step = count.min(*left);
                    *left -= step;
                    step
                }
                Run::Packed { next, end, .. } => {
                    let step = count.min(*end - *next);
                    *next += step;
                    step
                }
            };
            count -= stepped;
            if stepped == 0 {
                self.next_run()?;
            }
        }
        Ok(())
    }

    /// Hands the next `count` numbers to `sink`.
    pub(crate) fn read(&mut self, mut count: usize, sink: &mut impl Sink) -> Decoded<()> {
        while count > 0 {
            let stepped = match &mut self.run {
                Run::Repeated { number, count: left } => {
                    let step = count.min(*left);
                    *left -= step;
                    if step > 0 {
                        sink.repeated(*number, step)?;
                    }
                    step
                }
                Run::Packed { bytes, next, end } => {
                    let step = count.min(*end - *next);
                    unpack(self.unpacker, bytes, *next, step, sink)?;
                    *next += step;
                    step
                }
            };
            count -= stepped;
            if stepped == 0 {
                self.next_run()?;
            }
        }
        Ok(())
    }

    /// Hands the next `count` bits, of numbers of one bit, to `bits`: whole bytes where they are whole.
    pub(crate) fn read_bits(&mut self, mut count: usize, bits: &mut impl Bits) -> Decoded<()> {
        while count > 0 {
            let stepped = match &mut self.run {
                Run::Repeated { number, count: left } => {
                    let step = count.min(*left);
                    *left -= step;
                    bits.repeated(*number != 0, step);
                    step
                }
                Run::Packed { bytes, next, end } => {
                    let step = count.min(*end - *next);
                    bits.packed(bytes, *next, step);
                    *next += step;
                    step
                }
            };
            count -= stepped;
            if stepped == 0 {
                self.next_run()?;
            }
        }
        Ok(())
    }
}

/// Takes bits as they come out of runs.
pub(crate) trait Bits {
    /// One bit, many times.
    fn repeated(&mut self, bit: bool, count: usize);

    /// The bits from `from` on, least significant first.
    fn packed(&mut self, bytes: &[u8], from: usize, count: usize);
}

impl Bits for arrow_buffer::BooleanBufferBuilder {
    fn repeated(&mut self, bit: bool, count: usize) {
        self.append_n(count, bit);
    }

    fn packed(&mut self, bytes: &[u8], from: usize, count: usize) {
        self.append_packed_range(from..from + count, bytes);
    }
}

fn unpack(unpacker: Unpacker, bytes: &[u8], from: usize, count: usize, sink: &mut impl Sink) -> Decoded<()> {
    if from % GROUP + count <= GROUP {
        // Not worth the larger batch, which is zeros first.
        return unpack_in::<GROUP>(unpacker, bytes, from, count, sink);
    }
    unpack_in::<BATCH>(unpacker, bytes, from, count, sink)
}

fn unpack_in<const BATCH: usize>(
    unpacker: Unpacker,
    bytes: &[u8],
    mut from: usize,
    count: usize,
    sink: &mut impl Sink,
) -> Decoded<()> {
    let mut numbers = [0; BATCH];
    let end = from + count;
    while from < end {
        let inside = from % GROUP;
        let first = from / GROUP;
        let many = (inside + (end - from)).min(BATCH);
        let packed = bytes.get(first * unpacker.group_bytes()..).unwrap_or(&[]);
        let Some(out) = numbers.get_mut(..many) else { return Ok(()) };
        unpacker.unpack(packed, out);
        sink.each(out.get(inside..).unwrap_or(&[]))?;
        from += many - inside;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sink for Vec<u32> {
        fn repeated(&mut self, number: u32, count: usize) -> Decoded<()> {
            self.extend(std::iter::repeat_n(number, count));
            Ok(())
        }

        fn each(&mut self, numbers: &[u32]) -> Decoded<()> {
            self.extend(numbers);
            Ok(())
        }
    }

    /// 3 × 7, then 0, 1, … 7 packed, twice; then 2 × 300: numbers of three bits.
    const RUNS: &[u8] = &[6, 7, 5, 0x88, 0xc6, 0xfa, 0x88, 0xc6, 0xfa, 0xd8, 4, 2];

    fn numbers() -> Vec<u32> {
        [vec![7; 3], (0..8).chain(0..8).collect(), vec![2; 300]].concat()
    }

    #[test]
    fn runs_come_out_whole_and_in_parts() {
        let all = numbers();
        for skipped in (0..24).chain([200, all.len()]) {
            for many in [0, 1, 2, 7, 8, 9, all.len() - skipped] {
                let Some(expected) = all.get(skipped..skipped + many) else { continue };
                let mut hybrid = Hybrid::new(RUNS, 3).unwrap();
                hybrid.skip(skipped).unwrap();
                let mut found = Vec::new();
                hybrid.read(many, &mut found).unwrap();
                assert_eq!(found, expected, "{many} from {skipped}");
            }
        }
    }

    #[test]
    fn a_run_that_repeats_is_known_before_it_is_read() {
        let mut hybrid = Hybrid::new(RUNS, 3).unwrap();
        assert_eq!(hybrid.repeats(4).unwrap(), None);
        assert_eq!(hybrid.repeats(3).unwrap(), Some(7));
        hybrid.skip(19).unwrap();
        assert_eq!(hybrid.repeats(300).unwrap(), Some(2));
    }

    #[test]
    fn runs_that_lie_are_corrupt() {
        for (bytes, width, many) in [
            (&[][..], 3, 1),
            (&[0, 0, 0], 3, 1),
            (&[6], 3, 1),
            (&[6, 8], 3, 1),
            (&[6, 7], 3, 4),
            (&[0x81], 3, 1),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 3, 1),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2], 32, 1),
            (&[3, 0], 3, 8),
            (&[1, 1, 1, 1], 3, 8),
        ] {
            let read = |mut hybrid: Hybrid<'_>| hybrid.read(many, &mut Vec::new());
            assert!(matches!(read(Hybrid::new(bytes, width).unwrap()), Err(super::super::Fault::Corrupt(_))));
            assert!(Hybrid::new(bytes, width).unwrap().skip(many).is_err(), "{bytes:?}");
        }
        assert!(Hybrid::new(&[], 33).is_err());
    }
}
