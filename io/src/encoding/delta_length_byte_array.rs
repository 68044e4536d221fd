//! DELTA_LENGTH_BYTE_ARRAY: the lengths of all strings, then their bytes.

use super::delta_binary_packed::lengths;
use super::{Decoded, Texts, take, too_few_values};

/// Strings behind their lengths.
#[derive(Debug)]
pub(crate) struct LengthsFirst<'a> {
    lengths: Vec<u32>,
    next: usize,
    rest: &'a [u8],
}

impl<'a> LengthsFirst<'a> {
    /// Strings of a page of `most` rows.
    pub(crate) fn new(bytes: &'a [u8], most: usize) -> Decoded<Self> {
        let (lengths, rest) = lengths(bytes, most)?;
        Ok(Self { lengths, next: 0, rest })
    }

    fn advance(&mut self, count: usize) -> Decoded<std::ops::Range<usize>> {
        if count > self.lengths.len() - self.next {
            return too_few_values();
        }
        let from = self.next;
        self.next += count;
        Ok(from..self.next)
    }
}

impl Texts for LengthsFirst<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.read(count, &mut |_| Ok(()))
    }

    fn read(&mut self, count: usize, each: &mut impl FnMut(&[u8]) -> Decoded<()>) -> Decoded<()> {
        let wanted = self.advance(count)?;
        for length in self.lengths.get(wanted).unwrap_or(&[]) {
            each(take(&mut self.rest, *length as usize)?)?;
        }
        Ok(())
    }
}
